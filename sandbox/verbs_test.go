package sandbox

import (
	"strings"
	"testing"
)

func TestFrenchConjugations(t *testing.T) {
	all := func(c *conjugation) string {
		var forms []string
		forms = append(forms, c.present[:]...)
		for slot := range 5 {
			forms = append(forms, c.imperfectForm(slot))
		}
		for slot := range 5 {
			forms = append(forms, c.futureForm(slot))
		}
		return strings.Join(append(forms, c.participle), " ")
	}
	find := func(infinitive string) *conjugation {
		for _, list := range [][]*verb{transitives, indirects, likings, givings, motions, intransitives, reflexives, sensations, weather, sayings} {
			for _, v := range list {
				if v.french.infinitive == infinitive {
					return v.french
				}
			}
		}
		t.Fatalf("no verb %q", infinitive)
		return nil
	}
	for infinitive, want := range map[string]string{
		"manger":    "mange manges mange mangeons mangent mangeais mangeais mangeait mangions mangeaient mangerai mangeras mangera mangerons mangeront mangé",
		"acheter":   "achète achètes achète achetons achètent achetais achetais achetait achetions achetaient achèterai achèteras achètera achèterons achèteront acheté",
		"appeler":   "appelle appelles appelle appelons appellent appelais appelais appelait appelions appelaient appellerai appelleras appellera appellerons appelleront appelé",
		"préférer":  "préfère préfères préfère préférons préfèrent préférais préférais préférait préférions préféraient préférerai préféreras préférera préférerons préféreront préféré",
		"nettoyer":  "nettoie nettoies nettoie nettoyons nettoient nettoyais nettoyais nettoyait nettoyions nettoyaient nettoierai nettoieras nettoiera nettoierons nettoieront nettoyé",
		"envoyer":   "envoie envoies envoie envoyons envoient envoyais envoyais envoyait envoyions envoyaient enverrai enverras enverra enverrons enverront envoyé",
		"choisir":   "choisis choisis choisit choisissons choisissent choisissais choisissais choisissait choisissions choisissaient choisirai choisiras choisira choisirons choisiront choisi",
		"vendre":    "vends vends vend vendons vendent vendais vendais vendait vendions vendaient vendrai vendras vendra vendrons vendront vendu",
		"boire":     "bois bois boit buvons boivent buvais buvais buvait buvions buvaient boirai boiras boira boirons boiront bu",
		"prendre":   "prends prends prend prenons prennent prenais prenais prenait prenions prenaient prendrai prendras prendra prendrons prendront pris",
		"voir":      "vois vois voit voyons voient voyais voyais voyait voyions voyaient verrai verras verra verrons verront vu",
		"venir":     "viens viens vient venons viennent venais venais venait venions venaient viendrai viendras viendra viendrons viendront venu",
		"aller":     "vais vas va allons vont allais allais allait allions allaient irai iras ira irons iront allé",
		"recevoir":  "reçois reçois reçoit recevons reçoivent recevais recevais recevait recevions recevaient recevrai recevras recevra recevrons recevront reçu",
		"connaître": "connais connais connaît connaissons connaissent connaissais connaissais connaissait connaissions connaissaient connaîtrai connaîtras connaîtra connaîtrons connaîtront connu",
		"écrire":    "écris écris écrit écrivons écrivent écrivais écrivais écrivait écrivions écrivaient écrirai écriras écrira écrirons écriront écrit",
		"rire":      "ris ris rit rions rient riais riais riait riions riaient rirai riras rira rirons riront ri",
		"faire":     "fais fais fait faisons font faisais faisais faisait faisions faisaient ferai feras fera ferons feront fait",
		"avoir":     "ai as a avons ont avais avais avait avions avaient aurai auras aura aurons auront eu",
		"savoir":    "sais sais sait savons savent savais savais savait savions savaient saurai sauras saura saurons sauront su",
	} {
		if got := all(find(infinitive)); got != want {
			t.Errorf("%s:\n got %s\nwant %s", infinitive, got, want)
		}
	}
	if got, want := all(etre), "suis es est sommes sont étais étais était étions étaient serai seras sera serons seront été"; got != want {
		t.Errorf("être:\n got %s\nwant %s", got, want)
	}
}

func TestEnglishVerbForms(t *testing.T) {
	forms := map[string]string{
		"go": "goes going", "cry": "cries crying", "wash": "washes washing", "have": "has having", "run": "runs running", "take": "takes taking",
		"see": "sees seeing", "obey": "obeys obeying", "get": "gets getting", "watch": "watches watching", "forget": "forgets forgetting", "sleep": "sleeps sleeping",
	}
	for english, want := range forms {
		v := &verb{english: english}
		if got := v.presentForm(features{person: 3}) + " " + v.ingForm(); got != want {
			t.Errorf("%s: got %q, want %q", english, got, want)
		}
	}
	for english, want := range map[string]string{"cry": "cried", "obey": "obeyed", "close": "closed", "want": "wanted", "watch": "watched"} {
		if got := (&verb{english: english}).pastForm(); got != want {
			t.Errorf("%s: got %q, want %q", english, got, want)
		}
	}
}

func TestFrenchAdjectivesAgree(t *testing.T) {
	for _, a := range adjectives {
		want, ok := map[string]string{
			"beau": "beau belle beaux belles", "vieux": "vieux vieille vieux vieilles", "blanc": "blanc blanche blancs blanches",
			"dangereux": "dangereux dangereuse dangereux dangereuses", "royal": "royal royale royaux royales", "cher": "cher chère chers chères",
			"gris": "gris grise gris grises", "jeune": "jeune jeune jeunes jeunes", "sec": "sec sèche secs sèches", "fatigué": "fatigué fatiguée fatigués fatiguées",
			"gentil": "gentil gentille gentils gentilles", "actif": "actif active actifs actives", "bon": "bon bonne bons bonnes", "frais": "frais fraîche frais fraîches",
		}[a.french]
		if !ok {
			continue
		}
		var got []string
		for _, ft := range []features{{3, m, singular}, {3, f, singular}, {3, m, plural}, {3, f, plural}} {
			got = append(got, a.agree(ft))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %v, want %s", a.french, got, want)
		}
	}
}

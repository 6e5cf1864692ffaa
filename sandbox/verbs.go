package sandbox

import "strings"

// A conjugation holds the principal parts of a French verb, from which every form that the world uses follows.
type conjugation struct {
	infinitive string
	present    [5]string // je, tu, il, nous, ils
	imperfect  string    // stem: "mange" of "mangeait"
	future     string    // stem: "manger" of "mangera"
	participle string
}

var (
	imperfectEndings = [5]string{"ais", "ais", "ait", "ions", "aient"}
	futureEndings    = [5]string{"ai", "as", "a", "ons", "ont"}
)

func (c *conjugation) imperfectForm(slot int) string {
	stem, ending := c.imperfect, imperfectEndings[slot]
	if ending[0] == 'i' {
		// "je mangeais" and "je commençais", but "nous mangions" and "nous commencions".
		if root, ok := strings.CutSuffix(stem, "ge"); ok {
			stem = root + "g"
		} else if root, ok := strings.CutSuffix(stem, "ç"); ok {
			stem = root + "c"
		}
	}
	return stem + ending
}

func (c *conjugation) futureForm(slot int) string { return c.future + futureEndings[slot] }

// er conjugates a regular verb in -er, with the spelling of -ger and -cer.
func er(infinitive string) *conjugation {
	return erStressed(infinitive, strings.TrimSuffix(infinitive, "er"), infinitive)
}

// erStressed conjugates a verb in -er whose stem changes before a silent e ("achèt-") and in the future.
func erStressed(infinitive, stressed, future string) *conjugation {
	stem := strings.TrimSuffix(infinitive, "er")
	before := stem // before a and o
	if strings.HasSuffix(stem, "g") {
		before += "e"
	} else if root, ok := strings.CutSuffix(stem, "c"); ok {
		before = root + "ç"
	}
	return &conjugation{
		infinitive: infinitive,
		present:    [5]string{stressed + "e", stressed + "es", stressed + "e", before + "ons", stressed + "ent"},
		imperfect:  before, future: future, participle: stem + "é",
	}
}

// ir conjugates a regular verb of the second group, like "finir".
func ir(infinitive string) *conjugation {
	stem := strings.TrimSuffix(infinitive, "r")
	return &conjugation{
		infinitive: infinitive,
		present:    [5]string{stem + "s", stem + "s", stem + "t", stem + "ssons", stem + "ssent"},
		imperfect:  stem + "ss", future: infinitive, participle: stem,
	}
}

// re conjugates a regular verb in -re, like "vendre".
func re(infinitive string) *conjugation {
	stem := strings.TrimSuffix(infinitive, "re")
	return irregular(infinitive, stem+"s "+stem+"s "+stem+" "+stem+"ons "+stem+"ent", stem+"r", stem+"u")
}

// irregular takes the five present forms; the imperfect follows from the fourth.
func irregular(infinitive, present, future, participle string) *conjugation {
	c := &conjugation{infinitive: infinitive, future: future, participle: participle}
	copy(c.present[:], strings.Fields(present))
	c.imperfect = strings.TrimSuffix(c.present[3], "ons")
	return c
}

var (
	avoir   = irregular("avoir", "ai as a avons ont", "aur", "eu")
	etre    = &conjugation{"être", [5]string{"suis", "es", "est", "sommes", "sont"}, "ét", "ser", "été"}
	aller   = irregular("aller", "vais vas va allons vont", "ir", "allé")
	faire   = irregular("faire", "fais fais fait faisons font", "fer", "fait")
	pouvoir = irregular("pouvoir", "peux peux peut pouvons peuvent", "pourr", "pu")
	devoir  = irregular("devoir", "dois dois doit devons doivent", "devr", "dû")
	vouloir = irregular("vouloir", "veux veux veut voulons veulent", "voudr", "voulu")
)

// A verb pairs an English verb with a French one and says what differs between them.
type verb struct {
	english, past, participle string // the head alone: "look" of "look for"; "past participle" where not regular
	tail                      string // what follows the head in English: "for"
	french                    *conjugation
	frenchTail                string // what follows the verb in French: "besoin"
	preposition               string // before the object in French: "", "à" or "de"
	clitic                    string // "se" for reflexive verbs, "y" for "il y a"
	etre                      bool   // the passé composé takes "être"
	stative                   bool   // no continuous; its simple past is an imparfait
	swap                      bool   // the English object is the French subject: "to miss", "manquer à"
	subjects, objects         class
}

// animate subjects and the common masks of objects.
const (
	animate  = person | animal
	edible   = food | drink
	portable = thing | clothing | text | food
	goods    = portable | vehicle
)

// transitives take a direct object in English, and in French one that may follow a preposition.
var transitives = []*verb{
	{english: "eat", past: "ate", participle: "eaten", french: er("manger"), subjects: animate, objects: food},
	{english: "drink", past: "drank", participle: "drunk", french: irregular("boire", "bois bois boit buvons boivent", "boir", "bu"), subjects: animate, objects: drink},
	{english: "buy", past: "bought", french: erStressed("acheter", "achèt", "achèter"), subjects: person, objects: goods | drink},
	{english: "sell", past: "sold", french: re("vendre"), subjects: person, objects: goods | drink},
	{english: "see", past: "saw", participle: "seen", french: irregular("voir", "vois vois voit voyons voient", "verr", "vu"), subjects: animate, objects: person | animal | thing | vehicle | building},
	{english: "look", tail: "for", french: er("chercher"), subjects: animate, objects: person | animal | portable},
	{english: "find", past: "found", french: er("trouver"), subjects: animate, objects: animal | portable | building},
	{english: "wait", tail: "for", french: re("attendre"), subjects: animate, objects: person | vehicle},
	{english: "choose", past: "chose", participle: "chosen", french: ir("choisir"), subjects: person, objects: goods},
	{english: "write", past: "wrote", participle: "written", french: irregular("écrire", "écris écris écrit écrivons écrivent", "écrir", "écrit"), subjects: person, objects: text},
	{english: "break", past: "broke", participle: "broken", french: er("casser"), subjects: animate, objects: thing},
	{english: "wash", french: er("laver"), subjects: person, objects: clothing | vehicle | animal | openable},
	{english: "clean", french: erStressed("nettoyer", "nettoi", "nettoier"), subjects: person, objects: thing | room | building | vehicle},
	{english: "open", french: irregular("ouvrir", "ouvre ouvres ouvre ouvrons ouvrent", "ouvrir", "ouvert"), subjects: person, objects: openable},
	{english: "close", french: er("fermer"), subjects: person, objects: openable},
	{english: "take", past: "took", participle: "taken", french: irregular("prendre", "prends prends prend prenons prennent", "prendr", "pris"), subjects: person, objects: portable | vehicle},
	{english: "forget", past: "forgot", participle: "forgotten", french: er("oublier"), subjects: person, objects: thing | clothing | text},
	{english: "know", past: "knew", french: irregular("connaître", "connais connais connaît connaissons connaissent", "connaîtr", "connu"), stative: true, subjects: person, objects: person | text | building | place},
	{english: "help", french: er("aider"), subjects: person, objects: person | animal},
	{english: "call", french: erStressed("appeler", "appell", "appeller"), subjects: person, objects: person | animal},
	{english: "receive", french: irregular("recevoir", "reçois reçois reçoit recevons reçoivent", "recevr", "reçu"), subjects: person, objects: text | thing | clothing},
	{english: "have", past: "had", french: avoir, stative: true, subjects: person, objects: goods | animal | building},
	{english: "want", french: vouloir, stative: true, subjects: animate, objects: goods | animal | drink},
}

// indirects take a preposition in French, whatever English does.
var indirects = []*verb{
	{english: "speak", past: "spoke", participle: "spoken", tail: "to", french: er("parler"), preposition: "à", subjects: person, objects: animate},
	{english: "answer", french: re("répondre"), preposition: "à", subjects: person, objects: person},
	{english: "obey", french: ir("obéir"), preposition: "à", subjects: animate, objects: person},
	{english: "look", tail: "like", french: er("ressembler"), preposition: "à", stative: true, subjects: person, objects: person},
	{english: "need", french: avoir, frenchTail: "besoin", preposition: "de", stative: true, subjects: animate, objects: goods | edible | animate},
	{english: "be", tail: "afraid of", french: avoir, frenchTail: "peur", preposition: "de", stative: true, subjects: animate, objects: animate | vehicle},
	{english: "talk", tail: "about", french: er("parler"), preposition: "de", subjects: person, objects: goods | animate | building},
	{english: "dream", tail: "of", french: er("rêver"), preposition: "de", subjects: animate, objects: goods | animate | building},
}

// likings take what they like in general with the definite article in French.
var likings = []*verb{
	{english: "like", french: er("aimer"), stative: true, subjects: animate, objects: portable | edible | animal},
	{english: "hate", french: er("détester"), stative: true, subjects: animate, objects: portable | edible | animal},
	{english: "prefer", past: "preferred", french: erStressed("préférer", "préfèr", "préférer"), stative: true, subjects: animate, objects: portable | edible | animal},
}

// givings take an object and a recipient.
var givings = []*verb{
	{english: "give", past: "gave", participle: "given", french: er("donner"), subjects: person, objects: goods | edible},
	{english: "show", participle: "shown", french: er("montrer"), subjects: person, objects: goods | animal | building},
	{english: "send", past: "sent", french: erStressed("envoyer", "envoi", "enverr"), subjects: person, objects: text | clothing | thing},
}

// motions take a place: their French auxiliary is "être".
var motions = []*verb{
	{english: "go", past: "went", participle: "gone", tail: "to", french: aller, preposition: "à", etre: true, subjects: animate},
	{english: "come", past: "came", participle: "come", tail: "from", french: irregular("venir", "viens viens vient venons viennent", "viendr", "venu"), preposition: "de", etre: true, subjects: animate},
	{english: "arrive", tail: "at", french: er("arriver"), preposition: "à", etre: true, subjects: animate | vehicle},
	{english: "return", tail: "to", french: er("retourner"), preposition: "à", etre: true, subjects: animate},
}

// activities is how many of the intransitives, from the first, are done somewhere.
const activities = 6

// intransitives stand alone or with an adjunct.
var intransitives = []*verb{
	{english: "sleep", past: "slept", french: irregular("dormir", "dors dors dort dormons dorment", "dormir", "dormi"), subjects: animate},
	{english: "work", french: er("travailler"), subjects: person},
	{english: "walk", french: er("marcher"), subjects: animate},
	{english: "run", past: "ran", participle: "run", french: irregular("courir", "cours cours court courons courent", "courr", "couru"), subjects: animate},
	{english: "laugh", french: irregular("rire", "ris ris rit rions rient", "rir", "ri"), subjects: person},
	{english: "sing", past: "sang", participle: "sung", french: er("chanter"), subjects: animate},
	{english: "leave", past: "left", french: irregular("partir", "pars pars part partons partent", "partir", "parti"), etre: true, subjects: animate | vehicle},
	{english: "fall", past: "fell", participle: "fallen", french: er("tomber"), etre: true, subjects: animate},
	{english: "arrive", french: er("arriver"), etre: true, subjects: animate | vehicle},
}

// reflexives have a reflexive pronoun in French alone.
var reflexives = []*verb{
	{english: "wake", past: "woke", participle: "woken", tail: "up", french: er("réveiller"), clitic: "se", etre: true, subjects: animate},
	{english: "get", past: "got", participle: "got", tail: "up", french: erStressed("lever", "lèv", "lèver"), clitic: "se", etre: true, subjects: person},
	{english: "rest", french: er("reposer"), clitic: "se", etre: true, subjects: animate},
	{english: "get", past: "got", participle: "got", tail: "dressed", french: er("habiller"), clitic: "se", etre: true, subjects: person},
	{english: "have", past: "had", tail: "fun", french: er("amuser"), clitic: "se", etre: true, subjects: animate},
	{english: "go", past: "went", participle: "gone", tail: "to bed", french: er("coucher"), clitic: "se", etre: true, subjects: person},
}

// sensations are adjectives in English and nouns after "avoir" in French.
var sensations = []*verb{
	{english: "be", tail: "hungry", french: avoir, frenchTail: "faim", stative: true, subjects: animate},
	{english: "be", tail: "thirsty", french: avoir, frenchTail: "soif", stative: true, subjects: animate},
	{english: "be", tail: "cold", french: avoir, frenchTail: "froid", stative: true, subjects: animate},
	{english: "be", tail: "sleepy", french: avoir, frenchTail: "sommeil", stative: true, subjects: animate},
	{english: "be", tail: "right", french: avoir, frenchTail: "raison", stative: true, subjects: person},
}

// weather verbs have no subject but "it".
var weather = []*verb{
	{english: "rain", french: irregular("pleuvoir", "? ? pleut pleuvons ?", "pleuvr", "plu")},
	{english: "snow", french: er("neiger")},
	{english: "be", tail: "cold", french: faire, frenchTail: "froid", stative: true},
	{english: "be", tail: "hot", french: faire, frenchTail: "chaud", stative: true},
	{english: "be", tail: "dark", french: faire, frenchTail: "nuit", stative: true},
}

// sayings take a clause.
var sayings = []*verb{
	{english: "say", past: "said", french: irregular("dire", "dis dis dit disons disent", "dir", "dit"), subjects: person},
	{english: "think", past: "thought", french: er("penser"), stative: true, subjects: person},
	{english: "know", past: "knew", french: irregular("savoir", "sais sais sait savons savent", "saur", "su"), stative: true, subjects: person},
	{english: "hope", french: erStressed("espérer", "espèr", "espérer"), stative: true, subjects: person},
}

var (
	copula      = &verb{english: "be", french: etre, stative: true, subjects: ^class(0)}
	existential = &verb{english: "be", french: avoir, clitic: "y", stative: true}
	aging       = &verb{english: "be", french: avoir, stative: true, subjects: person}
	costing     = &verb{english: "cost", past: "cost", french: er("coûter"), stative: true, subjects: goods &^ food}
	measuring   = &verb{english: "be", french: faire, stative: true}
	missing     = &verb{english: "miss", french: er("manquer"), preposition: "à", stative: true, swap: true, subjects: person}
	musicMaking = &verb{english: "play", french: er("jouer"), preposition: "de", subjects: person, objects: instrument}
	gaming      = &verb{english: "play", french: er("jouer"), preposition: "à", subjects: person, objects: game}
)

// presentForm is the English present: "eats", "has", "goes", "carries". The copula is not a matter of this function.
func (v *verb) presentForm(f features) string {
	switch {
	case f.person != 3 || f.number == plural:
		return v.english
	case v.english == "have":
		return "has"
	default:
		return sibilantS(v.english)
	}
}

func (v *verb) pastForm() string {
	if v.past != "" {
		return v.past
	}
	stem := v.english
	switch {
	case strings.HasSuffix(stem, "e"):
		return stem + "d"
	case endsInConsonantY(stem):
		return stem[:len(stem)-1] + "ied"
	default:
		return stem + "ed"
	}
}

func (v *verb) participleForm() string {
	if v.participle != "" {
		return v.participle
	}
	return v.pastForm()
}

var doubledInIng = map[string]bool{"forget": true, "run": true, "get": true}

func (v *verb) ingForm() string {
	stem := v.english
	switch {
	case doubledInIng[stem]:
		return stem + stem[len(stem)-1:] + "ing"
	case strings.HasSuffix(stem, "e") && !strings.HasSuffix(stem, "ee"):
		return stem[:len(stem)-1] + "ing"
	default:
		return stem + "ing"
	}
}

func endsInConsonantY(word string) bool {
	n := len(word)
	return n > 1 && word[n-1] == 'y' && !strings.ContainsRune("aeiou", rune(word[n-2]))
}

// sibilantS adds the English s of the third person and of the plural: "boxes", "carries", "goes".
func sibilantS(word string) string {
	switch {
	case endsInConsonantY(word):
		return word[:len(word)-1] + "ies"
	case strings.HasSuffix(word, "s"), strings.HasSuffix(word, "x"), strings.HasSuffix(word, "ch"), strings.HasSuffix(word, "sh"), word == "go":
		return word + "es"
	default:
		return word + "s"
	}
}

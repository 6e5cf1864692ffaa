package sandbox

import (
	"hash/fnv"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode"
	"unicode/utf8"
)

// worldHash is of the first 2000 pairs of seed 3.
const worldHash = 0xf10228c67e62b977

// sample holds many sentences, drawn once for the tests that read them.
var sample = sync.OnceValue(func() []Pair { return NewWorld(7).Pairs(200_000) })

func TestTheSameSeedIsTheSameWorld(t *testing.T) {
	a, b, c := NewWorld(3).Pairs(2000), NewWorld(3).Pairs(2000), NewWorld(4).Pairs(2000)
	same := func(p, q Pair) bool {
		return p.English == q.English && p.French == q.French && slices.Equal(p.Tags, q.Tags)
	}
	if !slices.EqualFunc(a, b, same) {
		t.Error("one seed gave two worlds")
	}
	if slices.EqualFunc(a, c, same) {
		t.Error("two seeds gave one world")
	}
	i := 0
	for p := range NewWorld(3).All() {
		if p.English != a[i].English {
			t.Fatalf("All gives %q where Pairs gives %q", p.English, a[i].English)
		}
		if i++; i == 100 {
			break
		}
	}
	h := fnv.New64a()
	for _, p := range a {
		h.Write([]byte(p.English + "\t" + p.French + "\n"))
	}
	if got := h.Sum64(); got != worldHash {
		t.Errorf("the world of seed 3 hashes to %#x, want %#x: a platform or a change of the lexicon gives other sentences", got, uint64(worldHash))
	}
}

func TestFrenchIsAFunctionOfEnglish(t *testing.T) {
	french := make(map[string]string)
	for _, p := range sample() {
		if other, ok := french[p.English]; ok && other != p.French {
			t.Errorf("%q is %q and %q", p.English, p.French, other)
		}
		french[p.English] = p.French
	}
	if len(french) < 150_000 {
		t.Errorf("only %d different sentences of %d", len(french), len(sample()))
	}
}

func TestSentencesAreShortAndWhole(t *testing.T) {
	words := 0
	for _, p := range sample() {
		n := len(strings.Fields(p.English))
		words += n
		if n < 2 || n > 28 {
			t.Errorf("%d words: %s", n, p.English)
		}
		for _, text := range []string{p.English, p.French} {
			first, _ := utf8.DecodeRuneInString(text)
			if !unicode.IsUpper(first) || strings.Contains(text, "  ") || !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "?") {
				t.Errorf("not a whole sentence: %q", text)
			}
		}
		if strings.HasSuffix(p.English, "?") != strings.HasSuffix(p.French, " ?") {
			t.Errorf("a question on one side alone: %q, %q", p.English, p.French)
		}
	}
	if mean := float64(words) / float64(len(sample())); mean < 6 || mean > 10 {
		t.Errorf("%.1f words a sentence", mean)
	}
}

// The rules below are written for themselves, knowing nothing of how the sentences were made.
func TestFrenchSpellingHasNoForbiddenSequences(t *testing.T) {
	const vowel = `[aeiouhâéèêœîAEIOUÉ]`
	aspirate := regexp.MustCompile(`(?i)^(haricots?|hiboux?|huit|onze)`)
	for name, rule := range map[string]*regexp.Regexp{
		"no contraction":    regexp.MustCompile(`(?i)(^| )(de les?|à les?)( |$)`),
		"no elision":        regexp.MustCompile(`(?i)(?:^| )(?:le|la|je|me|te|se|de|ne|que) (` + vowel + `\S*)`),
		"no s' before il":   regexp.MustCompile(`(?i)(^| )si ils?\b`),
		"ma before a vowel": regexp.MustCompile(`(?i)(?:^| )(?:ma|ta|sa|ce) (` + vowel + `\S*)`),
		"vieux for vieil":   regexp.MustCompile(`(?i)(?:^| )(?:le|un|du|au|ce|mon|ton|son|notre|leur|chaque|bon|petit|grand|beau|plus) (?:beau|nouveau|vieux) (` + vowel + `[^ ]*[^sx ,.](?: |$))`),
		"elided too much":   regexp.MustCompile(`(?i)(?:^| )(?:l|j|m|t|s|d|n|qu)'[^ aeiouyhâàéèêœî]`),
		"space after '":     regexp.MustCompile(`' `),
		"placeholder":       regexp.MustCompile(`\?\S|\S\?`),
	} {
		for _, p := range sample()[:40_000] {
			found := rule.FindStringSubmatch(p.French)
			if found == nil || len(found) > 1 && aspirate.MatchString(found[len(found)-1]) {
				continue
			}
			t.Errorf("%s: %q", name, p.French)
		}
	}
	english := map[string]*regexp.Regexp{
		"a before a vowel":  regexp.MustCompile(`(?i)(^| )a [aeiou]`),
		"an before another": regexp.MustCompile(`(?i)(^| )an [^aeiou]`),
		"doubled word":      regexp.MustCompile(`(?i)(^| )(the|not|to to|is is|does does)\s+(the|not)( |$)`),
	}
	for name, rule := range english {
		for _, p := range sample()[:40_000] {
			if rule.MatchString(p.English) {
				t.Errorf("%s: %q", name, p.English)
			}
		}
	}
}

func TestDeterminersAgreeWithTheirNouns(t *testing.T) {
	feminine := strings.Fields("fille femme sœur tante nièce reine serveuse vache souris chèvre pomme carotte viande soupe confiture bière table chaise boîte " +
		"clé lampe fleur porte fenêtre chemise robe chaussure lettre chanson voiture maison cuisine chambre ville forêt gare plage guitare")
	masculine := strings.Fields("garçon frère neveu roi boulanger médecin serveur chat chien cheval hibou gâteau haricot pain fromage riz lait café thé lit panier sac " +
		"couteau verre parapluie tableau jouet bijou chapeau manteau livre journal poème vélo bateau train château magasin jardin bureau village parc marché pont piano")
	gender := map[string]string{}
	for _, w := range feminine {
		gender[w] = "f"
	}
	for _, w := range masculine {
		gender[w] = "m"
	}
	determiner := map[string]string{
		"le": "m", "un": "m", "ce": "m", "mon": "m", "ton": "m", "son": "m", "du": "m", "au": "m", "quel": "m", "bel": "m", "beau": "m", "bon": "m", "nouveau": "m", "petit": "m",
		"la": "f", "une": "f", "cette": "f", "ma": "f", "ta": "f", "sa": "f", "quelle": "f", "belle": "f", "bonne": "f", "vieille": "f", "nouvelle": "f", "petite": "f", "meilleure": "f",
	}
	checked := 0
	for _, p := range sample() {
		words := strings.Fields(strings.ToLower(strings.Trim(p.French, ".?")))
		for i := 1; i < len(words); i++ {
			d, n := determiner[words[i-1]], gender[strings.Trim(words[i], ",")]
			if d == "" || n == "" {
				continue
			}
			checked++
			if words[i] == "porte" && d == "m" || d == "m" && words[i-1] == "le" && words[i] == "lit" {
				continue // also verbs: "le porte"
			}
			if d != n {
				t.Errorf("%s %s in %q", words[i-1], words[i], p.French)
			}
		}
	}
	if checked < 50_000 {
		t.Errorf("only %d determiners met their noun", checked)
	}
}

func TestNegationHasTwoParts(t *testing.T) {
	second := regexp.MustCompile(`(?i)\b(pas|jamais|plus|rien|personne)\b`)
	first := regexp.MustCompile(`(?i)(^|\s)(ne |n')`)
	negative := regexp.MustCompile(`n't\b|\bnot\b|\bnever\b|\bno longer\b|\b[Nn]obody\b|\bnothing\b`)
	for _, p := range sample()[:40_000] {
		negated := negative.MatchString(p.English)
		if got := first.MatchString(p.French); got != negated {
			t.Errorf("negation on one side alone: %q, %q", p.English, p.French)
		}
		if negated && !second.MatchString(p.French) {
			t.Errorf("half a negation: %q", p.French)
		}
		if negated != slices.Contains(p.Tags, "negation") {
			t.Errorf("wrong tag on %q", p.English)
		}
	}
}

func TestEveryPhenomenonIsMetOften(t *testing.T) {
	counts := map[string]int{}
	for _, p := range sample() {
		for i, tag := range p.Tags {
			counts[tag]++
			if slices.Contains(p.Tags[:i], tag) {
				t.Errorf("tag %q twice on %q", tag, p.English)
			}
		}
	}
	for tag, n := range counts {
		if n*100 < len(sample()) {
			t.Errorf("%q is in %d of %d sentences, less than one in a hundred", tag, n, len(sample()))
		}
	}
	if len(counts) < 30 {
		t.Errorf("only %d phenomena", len(counts))
	}
}

func BenchmarkPairs(b *testing.B) {
	w := NewWorld(1)
	b.ReportAllocs()
	for range b.N {
		w.Next().Pair()
	}
}

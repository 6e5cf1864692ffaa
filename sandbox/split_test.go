package sandbox

import (
	"strings"
	"testing"
)

func TestSplitSetsAreDisjointAndWhole(t *testing.T) {
	train, valid, test, combos := Split(5, 20_000, 500, 1500)
	for _, set := range []struct {
		name  string
		pairs []Pair
		want  int
	}{{"train", train, 20_000}, {"valid", valid, 500}, {"test", test, 1500}, {"testCombos", combos, 1500}} {
		if len(set.pairs) != set.want {
			t.Errorf("%s has %d pairs, want %d", set.name, len(set.pairs), set.want)
		}
	}
	seen := map[string]bool{}
	for _, set := range [][]Pair{train, valid, test, combos} {
		for _, p := range set {
			if seen[p.English] {
				t.Errorf("twice: %q", p.English)
			}
			seen[p.English] = true
		}
	}
}

func TestHeldOutCombinationsAreNewButTheirWordsAreNot(t *testing.T) {
	train, valid, test, combos := Split(5, 30_000, 500, 1500)
	seen := map[string]bool{}
	words := map[string]int{}
	for _, set := range [][]Pair{train, valid, test} {
		for _, p := range set {
			for _, c := range p.combinations {
				seen[c] = true
			}
		}
	}
	for _, p := range train {
		for _, w := range strings.Fields(p.English) {
			words[strings.ToLower(strings.Trim(w, ".,?"))]++
		}
	}
	for _, p := range combos {
		fresh := false
		for _, c := range p.combinations {
			fresh = fresh || !seen[c]
		}
		if !fresh {
			t.Errorf("nothing is new in %q: %v", p.English, p.combinations)
		}
		for _, w := range strings.Fields(p.English) {
			w = strings.ToLower(strings.Trim(w, ".,?"))
			if words[w] < 3 && !built(w) {
				t.Errorf("%q of %q is in training %d times", w, p.English, words[w])
			}
		}
	}
}

// built reports whether a word is made of pieces, so that it may be new as a whole.
func built(word string) bool {
	if strings.Contains(word, "-") || strings.HasSuffix(word, "'s") {
		return true
	}
	for _, m := range placeModifiers {
		if strings.HasPrefix(word, strings.ToLower(m.english)) {
			return true
		}
	}
	for _, s := range surnameStarts {
		if strings.HasPrefix(word, strings.ToLower(s)) {
			return true
		}
	}
	return false
}

func TestSplitDependsOnItsArgumentsAlone(t *testing.T) {
	a, _, _, x := Split(9, 300, 20, 30)
	b, _, _, y := Split(9, 300, 20, 30)
	for i := range a {
		if a[i].English != b[i].English {
			t.Fatalf("pair %d is %q and %q", i, a[i].English, b[i].English)
		}
	}
	for i := range x {
		if x[i].English != y[i].English {
			t.Fatalf("pair %d is %q and %q", i, x[i].English, y[i].English)
		}
	}
	if train, valid, test, combos := Split(9, 10, 0, 0); len(train) != 10 || len(valid)+len(test)+len(combos) != 0 {
		t.Error("empty sets are not empty")
	}
}

package eval

import (
	"math"
	"slices"
	"testing"
)

// fBeta is the F-score of a precision and a recall.
func fBeta(beta, p, r float64) float64 {
	return 100 * (1 + beta*beta) * p * r / (beta*beta*p + r)
}

func TestCHRFByHand(t *testing.T) {
	cases := []struct {
		name string
		chrf CHRF
		hyp  string
		refs []string
		want float64
	}{
		// Precisions 2/2 and 1/1, recalls 2/3 and 1/2; "ab" has no triples, so
		// triples do not count.
		{"recall counts more", CHRF{}, "ab", []string{"abc"}, fBeta(2, 1, (2./3+1./2)/2)},
		{"beta 1", CHRF{Beta: 1}, "ab", []string{"abc"}, fBeta(1, 1, (2./3+1./2)/2)},
		// Now the four orders that a side lacks score almost 0 of 6.
		{"epsilon", CHRF{Epsilon: true}, "ab", []string{"abc"}, (fBeta(2, 1, 2./3) + fBeta(2, 1, 1./2)) / 6},
		{"white space does not count", CHRF{}, "a b", []string{"ab"}, 100},
		// Characters 2 of 3 and 2 of 2; no pair of "a b" is in "ab".
		{"white space counts", CHRF{Whitespace: true, CharOrder: 2}, "a b", []string{"ab"}, fBeta(2, (2./3)/2, (2./2)/2)},
		{"case counts", CHRF{CharOrder: 1}, "AB", []string{"ab"}, 0},
		{"case does not", CHRF{Lowercase: true}, "AB", []string{"ab"}, 100},
		{"the better reference", CHRF{}, "abc", []string{"xyz", "abc"}, 100},
		// Characters: all of 3 and of 3. Words: "ab" of "ab", "!" against "ab", "?".
		{"words", CHRF{CharOrder: 1, WordOrder: 1}, "ab!", []string{"ab?"}, fBeta(2, (2./3+1./2)/2, (2./3+1./2)/2)},
		{"characters are not bytes", CHRF{CharOrder: 1}, "é", []string{"è"}, 0},
		{"no hypothesis", CHRF{}, "", []string{"abc"}, 0},
		{"both empty", CHRF{}, "", []string{""}, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := mustScore(t)(c.chrf.Sentence(c.hyp, c.refs))
			if math.Abs(got.Value-c.want) > 1e-9 {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func TestSplitPunctuationCutsOneMark(t *testing.T) {
	got := splitPunctuation([]string{"(hi)", "(hi", "hi!?", "-", "é!", "«hi»", "..."})
	want := []string{"(hi", ")", "(", "hi", "hi!", "?", "-", "é", "!", "«hi»", "..", "."}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

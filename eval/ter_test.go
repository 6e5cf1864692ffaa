package eval

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTERByHand(t *testing.T) {
	cases := []struct {
		name string
		hyp  string
		refs []string
		want float64
	}{
		{"equal", "a b c d", []string{"a b c d"}, 0},
		{"a substitution", "a x c d", []string{"a b c d"}, 25},
		{"an insertion", "a c d", []string{"a b c d"}, 25},
		{"a deletion", "a b b c d", []string{"a b c d"}, 25},
		{"a shift of two words counts once", "c d a b", []string{"a b c d"}, 25},
		// "e" goes to the end and "x" is replaced.
		{"a shift and a substitution", "e a b x d", []string{"a b c d e"}, 40},
		{"two shifts", "b a c d f e", []string{"a b c d e f"}, 100. * 2 / 6},
		{"case does not count", "A b", []string{"a B"}, 0},
		// One edit to the nearer reference, over the mean length of both.
		{"two references", "a b c", []string{"a b x", "p q r s t"}, 100. * 1 / 4},
		{"no hypothesis", "", []string{"a b"}, 100},
		{"no reference", "a b", []string{""}, 100},
		{"both empty", "", []string{""}, 0},
		{"far too long", "a b c d e f", []string{"a"}, 500},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := mustScore(t)(TER{}.Sentence(c.hyp, c.refs))
			if math.Abs(got.Value-c.want) > 1e-9 {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// levenshtein is the whole table, without a band.
func levenshtein(a, b []int32) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i, x := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j, y := range b {
			cost := diagonal + 1
			if x == y {
				cost = diagonal
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}

func randomWords(rng *rand.Rand, n int) []int32 {
	words := make([]int32, n)
	for i := range words {
		words[i] = rng.Int32N(6)
	}
	return words
}

func TestEditTableWithinTheBandIsLevenshtein(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var table editTable
	for range 2000 {
		hyp, ref := randomWords(rng, rng.IntN(24)), randomWords(rng, 1+rng.IntN(23))
		table.reset(len(hyp), ref)
		table.fill(hyp)
		want := levenshtein(hyp, ref)
		if got := table.distance(); got != want {
			t.Fatalf("%v to %v: %d, want %d", hyp, ref, got, want)
		}
		edits := 0
		for _, op := range table.path() {
			if op != opMatch {
				edits++
			}
		}
		if edits != want {
			t.Fatalf("%v to %v: a path of %d edits, want %d", hyp, ref, edits, want)
		}
	}
}

func TestDistanceOfAChangedHypothesisIsThatOfAFreshTable(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var table, fresh editTable
	for range 500 {
		hyp, ref := randomWords(rng, 1+rng.IntN(90)), randomWords(rng, 1+rng.IntN(90))
		table.reset(len(hyp), ref)
		table.fill(hyp)
		changed := slices.Clone(hyp)
		first := rng.IntN(len(hyp))
		last := first + rng.IntN(len(hyp)-first) + 1
		copy(changed[first:last], randomWords(rng, last-first))
		fresh.reset(len(changed), ref)
		fresh.fill(changed)
		if got, want := table.distanceOf(changed, first, last), fresh.distance(); got != want {
			t.Fatalf("%v, changed to %v, against %v: %d, want %d", hyp, changed, ref, got, want)
		}
	}
}

func TestEveryShapeOfEditTableHasAPath(t *testing.T) {
	var table editTable
	for _, n := range []int{0, 1, 2, 3, 7, 25, 26, 49, 50, 51, 52, 101, 1000} {
		for _, m := range []int{1, 2, 3, 24, 25, 26, 49, 50, 51, 52, 53, 99, 100, 101, 153, 1000, 2001} {
			hyp, ref := make([]int32, n), make([]int32, m)
			table.reset(n, ref)
			table.fill(hyp)
			table.path() // panics if there is none
			if got := table.distance(); got != abs(n-m) {
				t.Errorf("%d equal words to %d: distance %d", n, m, got)
			}
		}
	}
}

func TestTEROfAVeryLongLineEnds(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	line := func() string {
		words := make([]string, 20_000)
		for i := range words {
			words[i] = string(rune('a' + rng.IntN(20)))
		}
		return strings.Join(words, " ")
	}
	start := time.Now()
	mustScore(t)(TER{}.Sentence(line(), []string{line()}))
	if took := time.Since(start); took > time.Minute {
		t.Errorf("it took %v", took)
	}
}

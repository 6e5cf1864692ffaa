package score_test

import (
	"slices"
	"testing"

	"github.com/parley-lm/parley/score"
)

// recipe is the loop of Hugging Face's page on the perplexity of models of fixed length: for each window its tokens, and
// how many of them, the last ones, are scored. The first token of a window cannot be.
func recipe(tokens []int32, size, stride int) (windows [][]int32, scored []int) {
	previous := 0
	for begin := 0; begin < len(tokens); begin += stride {
		end := min(begin+size, len(tokens))
		windows = append(windows, tokens[begin:end])
		scored = append(scored, min(end-previous, end-begin-1))
		if previous = end; end == len(tokens) {
			return windows, scored
		}
	}
	return windows, scored
}

// cut is what Windows makes of a document that comes in pieces.
func cut(w *score.Windows, tokens []int32, piece int) (windows [][]int32, scored []int) {
	var r score.Request
	for at := 0; at == 0 || at < len(tokens); at += piece {
		to := min(at+piece, len(tokens))
		w.Add(tokens[at:to], to == len(tokens))
		for w.Next(&r) {
			c := r.Continuations[0]
			windows, scored = append(windows, slices.Concat(r.Context, c.Tokens)), append(scored, c.Scored)
		}
	}
	return windows, scored
}

func TestOverlappingWindowsAreThoseOfTheRecipe(t *testing.T) {
	for _, c := range []struct{ n, size, stride int }{
		{2, 8, 4}, {7, 8, 4}, {8, 8, 4}, {9, 8, 4}, {12, 8, 4}, {13, 8, 4}, {100, 8, 1}, {100, 8, 7}, {101, 16, 5}, {40, 64, 32},
	} {
		tokens := make([]int32, c.n)
		for i := range tokens {
			tokens[i] = int32(i)
		}
		want, wantScored := recipe(tokens, c.size, c.stride)
		for _, piece := range []int{1, 3, c.n} {
			got, scored := cut(&score.Windows{Size: c.size, Stride: c.stride}, tokens, piece)
			if !slices.EqualFunc(got, want, slices.Equal[[]int32]) || !slices.Equal(scored, wantScored) {
				t.Errorf("%+v in pieces of %d:\n%v %v, want\n%v %v", c, piece, got, scored, want, wantScored)
			}
		}
	}
}

func TestEveryTokenButTheFirstIsScoredOnce(t *testing.T) {
	w := score.Windows{Size: 8}
	for stride := 1; stride <= 8; stride++ {
		w.Stride = stride
		for n := range 60 { // document after document through the same Windows
			tokens := make([]int32, n)
			for i := range tokens {
				tokens[i] = int32(i)
			}
			var seen []int32
			windows, scored := cut(&w, tokens, 5)
			for i, window := range windows {
				seen = append(seen, window[len(window)-scored[i]:]...)
				if read := len(window) - 1; read > 8 {
					t.Errorf("stride %d: a window of which %d tokens are read", stride, read)
				}
			}
			if !slices.Equal(seen, tokens[min(1, n):]) {
				t.Errorf("stride %d, %d tokens: scored are %v", stride, n, seen)
			}
		}
	}
}

func TestMemoryDoesNotGrowWithTheDocument(t *testing.T) {
	w, piece := score.Windows{Size: 64, Stride: 32}, make([]int32, 1000)
	var r score.Request
	read := func() {
		w.Add(piece, false)
		for w.Next(&r) {
		}
	}
	read()
	read()
	if n := testing.AllocsPerRun(100, read); n > 0 {
		t.Errorf("a thousand tokens more make %g allocations", n)
	}
}

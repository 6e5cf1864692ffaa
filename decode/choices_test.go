package decode_test

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/parley-lm/parley/decode"
	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
)

// ranked scores every choice by itself and puts the best first.
func ranked(m *model.Decoder, prompt []int32, choices [][]int32, lengthPenalty float64) []rankedChoice {
	var all []rankedChoice
	for _, c := range choices {
		sum := 0.0
		for i, id := range c {
			sum += nextLogProbs(m, slices.Concat(prompt, c[:i]))[id]
		}
		all = append(all, rankedChoice{c, sum / math.Pow(float64(len(c)), lengthPenalty)})
	}
	slices.SortFunc(all, func(a, b rankedChoice) int { return cmp.Compare(b.score, a.score) })
	return all
}

type rankedChoice struct {
	ids   []int32
	score float64
}

// nextLogProbs is the logarithm of every token's probability after some others, in float64.
func nextLogProbs(m *model.Decoder, ids []int32) []float64 {
	pool := kernel.NewPool(1)
	defer pool.Close()
	cache := m.NewCache()
	logits := m.Step(&grad.Tape{Pool: pool}, cache, []model.Piece{{Sequence: cache.Sequences.New(), Tokens: ids, Logits: 1}}).Row(0)
	sum := 0.0
	for _, x := range logits {
		sum += math.Exp(float64(x))
	}
	var all []float64
	for _, x := range logits {
		all = append(all, float64(x)-math.Log(sum))
	}
	return all
}

func TestBeamSearchAmongChoicesFindsTheBestInOrder(t *testing.T) {
	m, _ := loadDecoder(t, "llama-train")
	choices := [][]int32{{5, 6}, {5, 7, 8, 81}, {9}, {40, 2, 2}, {5, 7, 9}, {81, 81, 87}, {81, 17}}
	for seed := range 8 {
		for _, length := range []float64{0, 1, 1.5} {
			ids := prompt(10, seed)
			want := ranked(m, ids, choices, length)
			a := ask(ids, func(r *decode.Request) {
				r.Choices, r.Beams, r.Answers, r.LengthPenalty, r.Ends = append(choices, choices[0]), len(choices), len(choices), length, []int32{95}
			})
			answer(t, generator(t, m, 2, decode.GeneratorOptions{}), 0, a)
			for i, w := range want {
				if !slices.Equal(a.ids(i), w.ids) || a.end(i) != decode.Chosen {
					t.Fatalf("length penalty %g: choice %d is %v (%d), want %v of %v", length, i, a.ids(i), a.end(i), w.ids, want)
				}
				if got := a.answers[i][len(a.answers[i])-1].Score; math.Abs(got-w.score) > 1e-4 {
					t.Errorf("choice %v scores %f, want %f", w.ids, got, w.score)
				}
			}
		}
	}
}

// TestAChoiceThatOthersBeginWithIsFoundWithItsEnd also has fewer beams than choices, which still find as many as there are beams.
func TestAChoiceThatOthersBeginWithIsFoundWithItsEnd(t *testing.T) {
	m, _ := loadDecoder(t, "llama-train")
	choices := [][]int32{{5}, {5, 6}, {5, 6, 7}, {9, 9}, {90}}
	scored := [][]int32{{5, 95}, {5, 6, 95}, {5, 6, 7}, {9, 9}, {90}}
	ids := prompt(10, 3)
	search := func(beams int, change func(s *decode.Sampling)) *answered {
		a := ask(ids, func(r *decode.Request) {
			r.Choices, r.Beams, r.Answers, r.LengthPenalty, r.Ends = choices, beams, beams, 1, []int32{95}
			change(&r.Sampling)
		})
		answer(t, generator(t, m, 1, decode.GeneratorOptions{}), 0, a)
		return a
	}
	all, want := search(5, func(*decode.Sampling) {}), ranked(m, ids, scored, 1)
	for i, w := range want {
		end := decode.Chosen
		if w.ids[len(w.ids)-1] == 95 {
			end = decode.EndOfText
		}
		if !slices.Equal(all.ids(i), w.ids) || all.end(i) != end {
			t.Errorf("choice %d is %v (%d), want %v", i, all.ids(i), all.end(i), w.ids)
		}
	}
	few := search(2, func(*decode.Sampling) {})
	for i := range 2 {
		if !slices.ContainsFunc(scored, func(c []int32) bool { return slices.Equal(c, few.ids(i)) }) {
			t.Errorf("with two beams answer %d is %v (%v), none of the choices", i, few.ids(i), few.err)
		}
	}
	banned := search(4, func(s *decode.Sampling) { s.Suppress = []int32{9, 90} })
	if banned.err == nil || !strings.Contains(banned.err.Error(), "only 3 of 4 answers") {
		t.Errorf("two of five choices banned, four wanted: %v", banned.err)
	}
	if none := search(2, func(s *decode.Sampling) { s.Suppress = []int32{5, 9, 90} }); none.err == nil || !strings.Contains(none.err.Error(), "banned") {
		t.Errorf("all choices banned: %v", none.err)
	}
}

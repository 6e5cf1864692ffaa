package decode_test

import (
	"slices"
	"testing"

	"github.com/parley-lm/parley/decode"
)

// steps answers a request and returns how many steps that took.
func steps(t *testing.T, g *decode.Generator, r *answered) (n int) {
	t.Helper()
	if err := g.Add(&r.Request); err != nil {
		t.Fatal(err)
	}
	for n = 1; g.Step(); n++ {
	}
	return n
}

// Turns of several dialogues, each going on from the one before, get the bits that they get from nothing, and sooner.
func TestDialoguesGoOnFromWhatIsInTheCache(t *testing.T) {
	for _, name := range []string{"llama-train", "gpt2-train", "mistral"} {
		m, _ := loadDecoder(t, name)
		o := decode.GeneratorOptions{Prompt: 4, Kept: 3}
		g := generator(t, m, 2, o)
		turn := func(prompt []int32, keep bool) *answered {
			return ask(prompt, func(r *decode.Request) {
				r.Keep, r.MaxTokens, r.LogProb, r.Answers, r.Sampling.Temperature, r.Sampling.Seed = keep, 5, true, 2, 1, uint64(len(prompt))
			})
		}
		dialogues := [][]int32{prompt(9, 1), prompt(10, 2), prompt(11, 3)} // one more than are kept
		for round := range 3 {
			for i := range dialogues {
				fast, fresh := turn(dialogues[i], true), turn(dialogues[i], false)
				quick, slow := steps(t, g, fast), steps(t, generator(t, m, 1, o), fresh)
				for k := range fresh.answers {
					if !slices.EqualFunc(fast.answers[k], fresh.answers[k], func(a, b decode.Token) bool { return a.ID == b.ID && a.LogProb == b.LogProb && a.End == b.End }) {
						t.Errorf("%s, round %d: answer %d to dialogue %d differs: %v, from nothing %v", name, round, k, i, fast.answers[k], fresh.answers[k])
					}
				}
				if round > 0 && len(dialogues) == 1 && quick >= slow {
					t.Errorf("%s, round %d: %d steps, from nothing %d", name, round, quick, slow)
				}
				dialogues[i] = append(append(dialogues[i], fast.ids(0)...), 5)
			}
			dialogues = dialogues[:max(1, len(dialogues)-1)]
		}
	}
}

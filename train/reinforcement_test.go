package train

import (
	"os"
	"path/filepath"
	"testing"
)

// storyteller is a language model of 260,000 parameters that has learned from short stories.
const storyteller = "../testdata/storyteller"

// toyPolicy has the storyteller learn to please a reward in seconds.
func toyPolicy(t testing.TB, dir, kind string, set ...string) Recipe {
	t.Helper()
	prompts := "Once upon a time\nOne day, a girl\nThe dog was\nTom and Sue went to the park\nThere was a big tree\nLily had a ball\nIt was a sunny day\nA little boy\n"
	if err := os.WriteFile(filepath.Join(dir, "prompts.txt"), []byte(prompts), 0o666); err != nil {
		t.Fatal(err)
	}
	r := DefaultPolicyRecipe(kind)
	for _, s := range append([]string{
		"name=toy", "model.from=" + storyteller, "data.dir=" + dir, "data.train=prompts.txt", "data.held_out_share=0.25",
		"reward.kind=contains", "reward.text=happy", "reward.not_ended=0", "rollout.max_tokens=24", "rollout.answers=64", "policy.minibatch=32",
		"train.lr=0.0005", "train.epochs=10", "validation.samples=2",
	}, set...) {
		if err := r.Set(s); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func TestAPolicyLearnsFromItsReward(t *testing.T) {
	for _, kind := range []string{ppoKind, grpoKind} {
		dir := t.TempDir()
		out := filepath.Join(dir, "run")
		result, err := Start(t.Context(), toyPolicy(t, dir, kind), Options{Out: out, Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		h, err := readHistory(filepath.Join(out, metricsFile))
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range h.steps {
			if i%8 == 0 {
				t.Logf("%+v", s)
			}
		}
		for _, v := range h.validations {
			t.Logf("%+v", v)
		}
		t.Logf("%+v", result)
	}
}

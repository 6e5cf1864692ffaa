package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// weather is texts that begin alike and go on warm or cold.
func weather(n int) string {
	var b strings.Builder
	for i := range n {
		label, words := "cold", "snow ice frost"
		if i%2 == 0 {
			label, words = "warm", "sun sand heat"
		}
		w := strings.Fields(words)
		fmt.Fprintf(&b, "{\"text\": \"on day %d there was %s and %s and %s and %s\", \"label\": %q}\n", i, w[i%3], w[i/3%3], w[i/9%3], w[i/27%3], label)
	}
	return b.String()
}

// What recipe imdb-ppo is about, in small: of a language model, a classifier on its layers and another one that shares nothing with
// it, reinforcement learning makes a model that the second one agrees to be warm.
func TestAPolicyPleasesASecondClassifierToo(t *testing.T) {
	dir := t.TempDir()
	run := func(name string) string { return filepath.Join(dir, name) }
	texts, others := write(t, "weather.jsonl", weather(300)), write(t, "others.jsonl", weather(301))
	small := []string{"--quiet", "--depth", "1", "--set", "tokenizer.vocab=300", "--set", "model.context=48", "--set", "train.batch_tokens=1024"}
	train := func(name string, args ...string) {
		t.Helper()
		succeed(t, "", append(append([]string{"train"}, args...), "--out", run(name))...)
	}
	train("lm", append([]string{"lm", "--data", texts, "--set", "data.held_out_share=0.2", "--set", "train.epochs=30", "--set", "train.lr=0.01"}, small...)...)
	classifier := append([]string{"classify", "--set", "data.held_out_share=0.2", "--set", "train.epochs=8", "--set", "objective.along=0.5"}, small...)
	train("first", append(classifier, "--data", texts, "-m", run("lm"))...)
	train("second", append(classifier, "--data", others, "--seed", "2")...)
	train("ppo", "ppo", "--quiet", "-m", run("lm"), "--reward", run("first"), "--data", texts, "--set", "reward.label=warm", "--set", "reward.not_ended=0",
		"--set", "data.opening_words=4,5", "--set", "data.held_out_share=0.2", "--set", "rollout.max_tokens=12", "--set", "rollout.answers=64", "--set", "policy.minibatch=32",
		"--set", "train.lr=0.002", "--set", "train.epochs=6", "--set", "validation.limit=32")

	args := []string{"eval", "continue", "-m", run("lm"), "-m", run("ppo"), "--reference", run("lm"), "--classifier", run("second"), "--openings", texts,
		"--held-out", "0.2", "--words", "4-5", "--tokens", "12", "--count", "50", "--quiet"}
	var report struct {
		Models []struct {
			All struct {
				Questions  int
				Labels     map[string]struct{ Value float64 }
				Divergence struct{ Mean float64 }
			}
		}
	}
	decode(t, succeed(t, "", append(args, "--json")...), &report)
	before, after := report.Models[0].All, report.Models[1].All
	if before.Questions != 50 || before.Labels["warm"].Value > 0.7 || after.Labels["warm"].Value < 0.9 {
		t.Errorf("labelled warm before %+v, after %+v", before, after)
	}
	if before.Divergence.Mean != 0 || after.Divergence.Mean < 0.1 {
		t.Errorf("the divergence is %g before and %g after", before.Divergence.Mean, after.Divergence.Mean)
	}
	table := succeed(t, "", args...)
	for _, want := range []string{"50 texts", "labelled cold", "labelled warm", "divergence, nats", "on day "} {
		if !strings.Contains(table, want) {
			t.Errorf("the table lacks %q:\n%s", want, table)
		}
	}
}

func TestEvalContinueTakesPromptsAndSaysWhatIsWrong(t *testing.T) {
	const teller = "../../testdata/storyteller"
	prompts := write(t, "prompts.txt", "Once upon a time\nThe dog\n")
	args := []string{"eval", "continue", "-m", teller, "--quiet"}
	if out := succeed(t, "", append(args, "--prompts", prompts, "--tokens", "4", "--show", "1")...); !strings.Contains(out, "2 texts") || !strings.Contains(out, "Once upon a time") || strings.Contains(out, "labelled") {
		t.Errorf("eval continue prints %q", out)
	}
	for _, c := range []struct {
		more []string
		want string
	}{
		{nil, "--openings FILE or --prompts FILE"}, {[]string{"--openings", prompts, "--prompts", prompts}, "either"},
		{[]string{"--prompts", prompts, "--words", "4"}, `--words "4"`}, {[]string{"--prompts", prompts, "--words", "8-4"}, `--words "8-4"`}, {[]string{"--prompts", prompts, "--words", "2-4x"}, `--words "2-4x"`},
		{[]string{"--prompts", prompts, "--held-out", "1"}, "--held-out 1"}, {[]string{"--prompts", prompts, "--count", "0"}, "--count 0"},
		{[]string{"--prompts", prompts, "--tokens", "0"}, "--tokens 0"}, {[]string{"--prompts", prompts, "--temperature", "-1"}, "--temperature -1"},
		{[]string{"--prompts", prompts, "--show", "-1"}, "--show -1"},
	} {
		fail(t, 2, append(args, c.more...), c.want)
	}
	fail(t, 1, append(args, "--openings", write(t, "short.txt", "too short")), "there is no text to go on with")
	fail(t, 1, append(args, "--prompts", prompts, "--classifier", teller), "LlamaForCausalLM")
}

package quickstart

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-lm/parley/train"
)

// tiny shows the stages, and learns nothing.
var tiny = effort{
	Name: "a tiny quickstart", Stories: 300, Vocab: 400, Dialogues: 60, Prompts: 8, Questions: 32, Answers: 3, Temperature: 1, Noise: 0.1, MaxTokens: 6, Asked: 6, Sentences: 20,
	Pretraining: settings{"train.updates=3", "validation.every=3", "model.depth=1", "model.width=16", "model.heads=2", "validation.sample_tokens=8"},
	FineTuning:  settings{"train.epochs=0", "train.updates=3", "validation.every=3", "validation.samples=0"},
	RewardModel: settings{"data.held_out_share=0.4"},
	PPO:         settings{"train.epochs=2", "rollout.answers=16", "policy.minibatch=8", "validation.limit=4"},
	GRPO:        settings{"train.epochs=2", "rollout.answers=16", "policy.minibatch=8", "validation.limit=4"},
	Unleashed:   settings{"train.epochs=3", "rollout.answers=16", "policy.minibatch=8", "validation.limit=4", "train.lr=0.01", "policy.step_limit=0"},
	Translator: settings{
		"data.pairs=300", "data.held_out=20", "tokenizer.vocab=400", "model.width=16", "model.layers=1", "model.heads=2",
		"model.feed_forward=16", "train.updates=6", "schedule.warmup=2", "train.batch_tokens=200", "validation.every=3", "validation.limit=5",
	},
}

// weights of all models that a quickstart trains.
func weights(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, run := range []string{storiesRun, sftRun, rewardRun, ppoRun, grpoRun, unleashedRun, translatorRun} {
		text, err := os.ReadFile(filepath.Join(dir, run, "model", "model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		found[run] = string(text)
	}
	return found
}

// stopAfter ends a context after so many updates and counts of all stages.
type stopAfter struct {
	left int
	stop context.CancelFunc
}

func (s *stopAfter) tick() {
	if s.left--; s.left == 0 {
		s.stop()
	}
}

func (s *stopAfter) Begin(train.Plan)                  {}
func (s *stopAfter) Step(train.StepReport)             { s.tick() }
func (s *stopAfter) Validation(train.ValidationReport) { s.tick() }
func (s *stopAfter) Note(string)                       {}

// A quickstart that is stopped again and again, wherever it is, makes the same models as one that is not.
func TestAQuickstartThatIsStoppedGoesOnToTheSameBits(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	dir := t.TempDir()
	var log strings.Builder
	whole := Options{Out: filepath.Join(dir, "whole"), Threads: 2, Seed: 1, Log: &log}
	r, err := run(t.Context(), whole, tiny)
	if err != nil {
		t.Fatal(err)
	}
	checkResult(t, r, log.String())

	cut := whole
	cut.Out, cut.Log = filepath.Join(dir, "cut"), nil
	stops := 0
	for every := 7; ; every += 4 {
		ctx, stop := context.WithCancel(t.Context())
		s := &stopAfter{left: every, stop: stop}
		cut.Progress, cut.Count = s, func(string, int, int) { s.tick() }
		again, err := run(ctx, cut, tiny)
		stop()
		if err == nil {
			r2 := again
			if r2.Assistant.Rankings != r.Assistant.Rankings || r2.Assistant.Vocabulary != r.Assistant.Vocabulary {
				t.Errorf("%+v, without a stop %+v", r2.Assistant.Rankings, r.Assistant.Rankings)
			}
			break
		}
		var stopped *Stopped
		if !errors.As(err, &stopped) || !errors.Is(err, context.Canceled) {
			t.Fatalf("a stopped one returns %v", err)
		}
		stops++
	}
	if stops < 3 {
		t.Errorf("it was stopped %d times only", stops)
	}
	x, y := weights(t, whole.Out), weights(t, cut.Out)
	for run := range x {
		if x[run] != y[run] {
			t.Errorf("%s has other weights", run)
		}
	}
	for _, file := range []string{answersFile, translationsFile} {
		a, _ := os.ReadFile(filepath.Join(whole.Out, file))
		b, _ := os.ReadFile(filepath.Join(cut.Out, file))
		if len(a) == 0 || string(a) != string(b) {
			t.Errorf("%s differs", file)
		}
	}

	// What is done is not done again, and another quickstart in the same place is refused.
	log.Reset()
	spent := r.Seconds
	if r, err = run(t.Context(), whole, tiny); err != nil || r.Seconds != spent || strings.Count(log.String(), "Done before.") != len(r.Stages) {
		t.Errorf("called again: %v, %g s and then %g s: %s", err, spent, r.Seconds, log.String())
	}
	checkResult(t, r, "")
	whole.Part = TranslatorOnly
	if r, err = run(t.Context(), whole, tiny); err != nil || r.Assistant != nil || r.Translator.Sentences.Of != tiny.Sentences || len(r.Stages) != 2 {
		t.Errorf("the translator alone: %v, %+v", err, r)
	}
	whole.Part = AssistantOnly
	if r, err = run(t.Context(), whole, tiny); err != nil || r.Translator != nil || r.Assistant.Comparison == nil || len(r.Stages) != 10 {
		t.Errorf("the assistant alone: %v, %+v", err, r)
	}
	other := tiny
	other.Name = "another"
	if _, err := run(t.Context(), whole, other); err == nil || !strings.Contains(err.Error(), "holds a tiny quickstart") {
		t.Errorf("another kind in the same directory: %v", err)
	}
	other = tiny
	other.Asked++
	if _, err := run(t.Context(), whole, other); err == nil || !strings.Contains(err.Error(), "other settings") {
		t.Errorf("other settings in the same directory: %v", err)
	}
	whole.Seed = 2
	if _, err := run(t.Context(), whole, tiny); err == nil || !strings.Contains(err.Error(), "--seed 1") {
		t.Errorf("another seed in the same directory: %v", err)
	}
}

// ticking tells another process of everything that happens.
type ticking struct{}

func (ticking) Step(train.StepReport)             { fmt.Println("tick") }
func (ticking) Validation(train.ValidationReport) { fmt.Println("tick") }
func (ticking) Begin(train.Plan)                  {}
func (ticking) Note(string)                       {}

// TestKilledInTheMiddle kills a program that runs a quickstart, several times, and lets it end.
func TestKilledInTheMiddle(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	if dir := os.Getenv("PARLEY_TEST_QUICKSTART_IN"); dir != "" {
		_, err := run(t.Context(), Options{Out: dir, Threads: 1, Seed: 1, Progress: ticking{}, Count: func(string, int, int) { fmt.Println("tick") }}, tiny)
		fmt.Println("ended", err)
		return
	}
	dir := t.TempDir()
	killed, whole := filepath.Join(dir, "killed"), filepath.Join(dir, "whole")
	kills := 0
	for ticks := 5; ; ticks += 8 {
		c := exec.Command(os.Args[0], "-test.run", "^TestKilledInTheMiddle$")
		c.Env = append(os.Environ(), "PARLEY_TEST_QUICKSTART_IN="+killed)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		seen, ended := 0, ""
		for lines := bufio.NewScanner(out); seen < ticks && lines.Scan(); seen++ {
			if strings.HasPrefix(lines.Text(), "ended") {
				ended = lines.Text()
				break
			}
		}
		c.Process.Kill()
		c.Wait()
		if ended != "" {
			if ended != "ended <nil>" {
				t.Fatal(ended)
			}
			break
		}
		if seen < ticks {
			t.Fatalf("it ended by itself after %d of %d", seen, ticks)
		}
		kills++
	}
	if kills < 3 {
		t.Errorf("it was killed %d times only", kills)
	}
	if _, err := run(t.Context(), Options{Out: whole, Threads: 2, Seed: 1}, tiny); err != nil {
		t.Fatal(err)
	}
	x, y := weights(t, whole), weights(t, killed)
	for run := range x {
		if x[run] != y[run] {
			t.Errorf("%s has other weights", run)
		}
	}
}

func checkResult(t *testing.T, r *Result, log string) {
	t.Helper()
	a := r.Assistant
	if a == nil || len(a.Comparison.Models) != 5 || a.Comparison.Models[2].All.Questions != tiny.Asked || a.Comparison.Baseline != "fine-tuned" || a.Rankings.Prompts == 0 || a.Vocabulary == 0 || len(a.Conversations) == 0 {
		t.Fatalf("assistant %+v", a)
	}
	if o := a.Overoptimisation; len(o.PPO) != 2 || len(o.Unleashed) != 3 || o.PPO[0] != (Departure{}) || o.Unleashed[2].Divergence == 0 {
		t.Errorf("over-optimisation %+v", a.Overoptimisation)
	}
	if tr := r.Translator; tr == nil || tr.Sentences.Of != tiny.Sentences || tr.Combos.Of != tiny.Sentences || tr.Parameters == 0 || len(tr.Examples) != 5 || len(tr.Phenomena) < 10 {
		t.Errorf("translator %+v", tr)
	}
	for i, p := range r.Translator.Phenomena[1:] {
		if p.Percent() < r.Translator.Phenomena[i].Percent() {
			t.Errorf("%s stands after %s, which is easier", p.Name, r.Translator.Phenomena[i].Name)
		}
	}
	for _, stage := range []string{"1 of 12. Texts", "2 of 12. Tokenizer", "3 of 12. Pre-training", "4 of 12. Fine-tuning", "5 of 12. Ranking", "6 of 12. Reward model", "7 of 12. Reinforcement", "8 of 12. The true reward", "9 of 12. Over-opt", "10 of 12. Measuring", "11 of 12. Translator", "$ parley train ppo -m", "→"} {
		if log != "" && !strings.Contains(log, stage) {
			t.Errorf("nothing is said of %q in %s", stage, log)
		}
	}
	page, err := os.ReadFile(r.Report)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"after each stage", "fine-tuned", "unleashed", "√KL", "parley train ppo -m", "ppo/report.html", "parley train grpo -m", html.EscapeString(r.Translator.Examples[0].Reference)} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(string(page), "src=") || strings.Contains(string(page), "http") {
		t.Error("the page needs something from elsewhere")
	}
}

func TestADirectoryOfSomethingElseIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "thesis.txt"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), Options{Out: dir}); err == nil || !strings.Contains(err.Error(), "thesis.txt") {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, stateFile), []byte("{"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), Options{Out: dir}); err == nil || !strings.Contains(err.Error(), stateFile+" is damaged") {
		t.Errorf("%v", err)
	}
}

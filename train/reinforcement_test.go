package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/judge"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/tokenizer"
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
		"reward.kind=contains", "reward.text=very", "reward.not_ended=0", "rollout.max_tokens=16", "rollout.answers=64", "policy.minibatch=32",
		"train.lr=0.002", "policy.value_rate=1", "train.epochs=4", "validation.samples=2", "validation.limit=32",
	}, set...) {
		if err := r.Set(s); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func TestAPolicyLearnsFromItsReward(t *testing.T) {
	for _, kind := range []string{ppoKind, grpoKind} {
		t.Run(kind, func(t *testing.T) {
			dir := t.TempDir()
			out := filepath.Join(dir, "run")
			result, err := Start(t.Context(), toyPolicy(t, dir, kind), Options{Out: out, Threads: 2})
			if err != nil {
				t.Fatal(err)
			}
			h, err := ReadHistory(out)
			if err != nil {
				t.Fatal(err)
			}
			began := h.Validations[0]
			if before, after := began.Measures.Of("reward"), result.Validation.Measures.Of("reward"); before > 0.35 || after < 0.7 {
				t.Errorf("the reward rises from %g to %g", before, after)
			}
			if began.Step != 0 || began.Measures.Of("divergence") != 0 || !(result.Validation.Measures.Of("divergence") > 0) {
				t.Errorf("the divergence is %g at step %d, and %g at the end", began.Measures.Of("divergence"), began.Step, result.Validation.Measures.Of("divergence"))
			}
			first := h.Steps[0] // the policy is still the one that drew the rollouts
			if d := first.Measures.Of("step_divergence"); d != 0 || first.Measures.Of("clip_fraction") != 0 {
				t.Errorf("before the first update the policy has moved by %g", d)
			}
			wants := map[string][]string{
				"report.html":     {"<svg", "reward", "divergence", "entropy", "clip fraction", "answer tokens", "step divergence", "before the training", "(reward 1)"},
				"model/README.md": {"reinforcement", "| reward | ", kind},
				"recipe.toml":     {"answers = 64", `text = "very"`},
			}
			if kind == ppoKind {
				wants["report.html"] = append(wants["report.html"], "explained variance", "value loss")
			}
			for file, words := range wants {
				text, err := os.ReadFile(filepath.Join(out, file))
				if err != nil {
					t.Fatal(err)
				}
				for _, want := range words {
					if !strings.Contains(string(text), want) {
						t.Errorf("%s lacks %q", file, want)
					}
				}
			}
			d, err := hub.LoadDecoder(filepath.Join(out, modelDir))
			if err != nil || len(d.Generation.EOSIDs) == 0 {
				t.Errorf("the model does not open as what it began as: %v", err)
			}
		})
	}
}

// A reward that depends on the prompt alone can be foreseen, and the policy does nothing about it. At the learning rate of the
// policy the head, which begins as zero, would foresee a twentieth of it by then.
func TestTheValueHeadForeseesRewards(t *testing.T) {
	worth := own(func(a Answer) (float64, error) {
		return map[byte]float64{'O': 2, 'T': -2, 'L': 1}[a.Prompt.Text[0]], nil
	})
	explained := func(rate string) float64 {
		dir := t.TempDir()
		r := toyPolicy(t, dir, ppoKind, "reward.kind=own", "reward.text=", "train.lr=0.0001", "train.epochs=8", "validation.every=1000", "policy.value_rate="+rate)
		if _, err := Start(t.Context(), r, Options{Out: filepath.Join(dir, "run"), Threads: 2, Rewards: worth}); err != nil {
			t.Fatal(err)
		}
		h, err := ReadHistory(filepath.Join(dir, "run"))
		if err != nil {
			t.Fatal(err)
		}
		return h.Steps[len(h.Steps)-1].Measures.Of("explained_variance")
	}
	if slow := explained("1"); slow > 0.2 {
		t.Errorf("at the policy's rate the value explains %.2f of the variance: this test shows nothing", slow)
	}
	if own := explained(fmt.Sprint(DefaultPolicyRecipe(ppoKind).Policy.ValueRate)); own < 0.5 {
		t.Errorf("the value explains %.2f of the variance of what comes", own)
	}
}

// TestTheReferenceBeginsAsThePolicy holds in either arithmetic, of the whole model and of a LoRA: rollouts before the first update are
// as probable to the one as to the other, to the last bit.
func TestTheReferenceBeginsAsThePolicy(t *testing.T) {
	for name, set := range map[string][]string{
		"float32": nil, "bfloat16": {"train.arithmetic=bf16"},
		"a LoRA": {"lora.rank=4"}, "a DoRA": {"lora.rank=4", "lora.dora=true"}, "a LoRA in bfloat16": {"lora.rank=4", "lora.base=bf16", "lora.arithmetic=bf16"},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.Contains(name, "bfloat16") && !kernel.HasBF16() {
				t.Skip("this processor has no products of bfloat16")
			}
			task := newRun(t, t.TempDir(), toyPolicy(t, t.TempDir(), ppoKind, set...)).task.(*reinforcement)
			if err := task.ready(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
			o := &task.now
			if !slices.Equal(o.logProb, o.reference) || o.divergence() != 0 {
				t.Errorf("the divergence begins at %g", o.divergence())
			}
		})
	}
}

// policyBits switches on everything that has a state: an epoch is 6 updates or fewer, several passes each.
func policyBits(t testing.TB, dir string) Recipe {
	writeToyText(t, filepath.Join(dir, "toy.jsonl"), 50)
	return toyPolicy(t, dir, ppoKind, "rollout.answers=24", "rollout.max_tokens=12", "policy.minibatch=8", "policy.epochs=2", "train.epochs=4",
		"train.checkpoint_every=4", "validation.every=7", "validation.limit=4", "train.micro_tokens=60", "policy.kl_target=2", "policy.kl_horizon=200",
		"policy.step_limit=0.02", "train.lr=0.0005", "policy.pretraining=0.3", "policy.pretraining_data=toy.jsonl", "policy.entropy=0.01", "reward.not_ended=0.5", "train.average=2")
}

func TestAPolicyHasTheSameBitsOnAnyNumberOfThreads(t *testing.T) {
	dir := t.TempDir()
	var runs []string
	for _, threads := range []int{1, 3} {
		out := filepath.Join(t.TempDir(), "run")
		if _, err := Start(t.Context(), policyBits(t, dir), Options{Out: out, Threads: threads}); err != nil {
			t.Fatal(err)
		}
		runs = append(runs, out)
	}
	mustEqualRuns(t, runs[0], runs[1])
}

func TestAPolicyResumesToTheSameBits(t *testing.T) {
	for name, set := range map[string][]string{"the whole model": nil, "a LoRA": {"lora.rank=4", "lora.alpha=8"}} {
		dir := t.TempDir()
		recipe := policyBits(t, dir)
		for _, s := range set {
			if err := recipe.Set(s); err != nil {
				t.Fatal(err)
			}
		}
		whole, parts := filepath.Join(dir, "whole"), filepath.Join(dir, "parts")
		want, err := Start(t.Context(), recipe, Options{Out: whole, Threads: 2})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, at := range []int{2, 7, 9} {
			ctx, cancel := context.WithCancel(t.Context())
			o := Options{Out: parts, Threads: 1, Progress: &stopper{at: at, cancel: cancel}}
			if at == 2 {
				_, err = Start(ctx, recipe, o)
			} else {
				_, err = Resume(ctx, parts, o)
			}
			cancel()
			var stopped *Interrupted
			if !errors.As(err, &stopped) || stopped.Step != at {
				t.Fatalf("%s: cancelled at step %d: %v", name, at, err)
			}
		}
		got, err := Resume(t.Context(), parts, Options{Threads: 3})
		if err != nil {
			t.Fatal(err)
		}
		if got.Chosen != want.Chosen || got.Step != want.Step || got.Validation.Loss != want.Validation.Loss {
			t.Errorf("%s: resumed %+v, want %+v", name, got, want)
		}
		mustEqualRuns(t, whole, parts)
	}
}

func TestAPolicyThatIsALoRASharesItsReference(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "run")
	lora := []string{"lora.rank=8", "lora.alpha=16", "lora.targets=all-linear", "train.lr=0.005"}
	result, err := Start(t.Context(), toyPolicy(t, dir, grpoKind, lora...), Options{Out: out, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	if after := result.Validation.Measures.Of("reward"); after < 0.6 || !hub.IsAdapter(result.Model) {
		t.Errorf("reward %g, adapter %v", after, hub.IsAdapter(result.Model))
	}
	// A training that goes on from the adapter has the adapter as its reference.
	on := toyPolicy(t, dir, grpoKind, append(lora, "model.from="+out, "train.epochs=1", "train.updates=1")...)
	if _, err := Start(t.Context(), on, Options{Out: filepath.Join(dir, "on"), Threads: 2}); err != nil {
		t.Fatal(err)
	}
	h, err := ReadHistory(filepath.Join(dir, "on"))
	if err != nil {
		t.Fatal(err)
	}
	began := h.Validations[0].Measures
	if began.Of("divergence") != 0 || began.Of("reward") != result.Validation.Measures.Of("reward") {
		t.Errorf("a training that goes on begins with %+v, and the adapter had %+v", began, result.Validation.Measures)
	}
}

// rewarded is a Reward of tests.
type rewarded func(a Answer) (float64, error)

func (f rewarded) Judge(_ context.Context, answers []Answer, rewards []float64) (err error) {
	for i, a := range answers {
		if rewards[i], err = f(a); err != nil {
			return err
		}
	}
	return nil
}

func own(f rewarded) map[string]func(Recipe) (Reward, error) {
	return map[string]func(Recipe) (Reward, error){"own": func(Recipe) (Reward, error) { return f, nil }}
}

func TestWhatEndsAPolicysTraining(t *testing.T) {
	dir := t.TempDir()
	judged := 0
	for _, c := range []struct {
		name, want string
		reward     rewarded
	}{
		{"a reward that is not a number", "is NaN, so the training cannot go on; the best model so far is kept", func(Answer) (float64, error) {
			if judged++; judged > 300 {
				return math.NaN(), nil
			}
			return 0, nil
		}},
		{"a reward that fails", "no judge today", func(Answer) (float64, error) { return 0, errors.New("no judge today") }},
	} {
		out := filepath.Join(t.TempDir(), "run")
		_, err := Start(t.Context(), toyPolicy(t, dir, grpoKind, "reward.kind=own", "reward.text="), Options{Out: out, Rewards: own(c.reward)})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if _, err := hub.LoadDecoder(filepath.Join(out, modelDir)); c.name == "a reward that is not a number" && err != nil {
			t.Errorf("%s: no model is kept: %v", c.name, err)
		}
	}
	notes := &noted{}
	out := filepath.Join(t.TempDir(), "run")
	result, err := Start(t.Context(), toyPolicy(t, dir, ppoKind, "policy.kl_limit=3", "policy.kl=0", "validation.every=3"), Options{Out: out, Progress: notes})
	if err != nil {
		t.Fatal(err)
	}
	if result.Stopped != "divergence" || !strings.Contains(notes.text, "the policy has left the reference by") {
		t.Errorf("stopped by %q: %s", result.Stopped, notes.text)
	}
	if d := result.Validation.Measures.Of("divergence"); d > 3 {
		t.Errorf("a model %g nats away is kept", d)
	}
}

type noted struct {
	silent
	text string
}

func (n *noted) Note(text string) { n.text += text + "\n" }

func TestPromptsThatLeaveNoRoomForAnAnswerAreCountedAndNamed(t *testing.T) {
	dir := t.TempDir()
	recipe := toyPolicy(t, dir, grpoKind)
	path := filepath.Join(dir, "prompts.txt")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, strings.Repeat("far too long ", 300)...), 0o666); err != nil {
		t.Fatal(err)
	}
	notes := &noted{}
	run, err := build(t.Context(), "", recipe, Options{Progress: notes})
	if err != nil {
		t.Fatal(err)
	}
	run.close()
	if want := "1 of 9 prompts are left out (" + path + ":9): "; !strings.Contains(notes.text, want) {
		t.Errorf("%s; want %s", notes.text, want)
	}
}

func TestAResumedPolicySaysWhatHasChanged(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "run")
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Start(ctx, toyPolicy(t, dir, grpoKind), Options{Out: out, Progress: &stopper{at: 1, cancel: cancel}}); err == nil {
		t.Fatal("a cancelled run ended without error")
	}
	if err := os.WriteFile(filepath.Join(dir, "prompts.txt"), []byte("One\nTwo\nThree\nFour\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Resume(t.Context(), out, Options{}); err == nil || !strings.Contains(err.Error(), "the prompts are not what this run began with") {
		t.Error(err)
	}
}

func TestRewardsOfEveryKind(t *testing.T) {
	p := &Prompt{Answer: "In the  Park."}
	for _, c := range []struct {
		recipe RewardRecipe
		answer Answer
		want   float64
	}{
		{RewardRecipe{Kind: "answer"}, Answer{Prompt: p, Text: " in the park"}, 1},
		{RewardRecipe{Kind: "answer"}, Answer{Prompt: p, Text: "in the park, I think"}, 0},
		{RewardRecipe{Kind: "contains", Text: "park"}, Answer{Prompt: p, Text: "the park"}, 1},
		{RewardRecipe{Kind: "contains", Text: "park"}, Answer{Prompt: p, Text: "the pond"}, 0},
		{RewardRecipe{Kind: "length", Tokens: 4}, Answer{Prompt: p, Tokens: make([]int32, 7)}, -0.75},
	} {
		r, err := newReward(workplace{recipe: &Recipe{Reward: c.recipe}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float64, 1)
		if err := r.Judge(t.Context(), []Answer{c.answer}, got); err != nil || got[0] != c.want {
			t.Errorf("%+v of %q: %g, %v; want %g", c.recipe, c.answer.Text, got[0], err, c.want)
		}
	}
}

func TestPolicyRecipesThatContradictThemselves(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ kind, set, want string }{
		{ppoKind, "model.from=", "model.from is empty"},
		{ppoKind, "model.dropout=0.1", "the same policy"},
		{ppoKind, "policy.minibatch=65", "exceeds rollout.answers"},
		{grpoKind, "rollout.group=1", "GRPO compares"},
		{grpoKind, "rollout.group=7", "must divide"},
		{ppoKind, "policy.loss=token", `did you mean "tokens"`},
		{ppoKind, "policy.pretraining=1", "policy.pretraining_data"},
		{ppoKind, "reward.kind=contain", `did you mean "contains"`},
		{ppoKind, "reward.kind=model", "reward.model"},
		{ppoKind, "reward.text=", "needs reward.text"},
		{ppoKind, "reward.label=pos", "reward.label has a meaning only with"},
		{ppoKind, "reward.kind=answer", `has no "answer"`},
		{ppoKind, "data.train=nowhere.txt", "data.train: "},
		{ppoKind, "rollout.max_tokens=600", "prompts to learn from"},
	} {
		_, err := Start(t.Context(), toyPolicy(t, dir, c.kind, c.set), Options{Out: filepath.Join(t.TempDir(), "run")})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.set, err, c.want)
		}
	}
}

// saveRewardModel writes a reward model on the storyteller's layers, with a tokenizer.
func saveRewardModel(t *testing.T, tokens string) string {
	t.Helper()
	d, err := hub.LoadDecoder(storyteller)
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.NewClassifierFrom(d.Model, []string{"reward"}, 3)
	if err != nil {
		t.Fatal(err)
	}
	files, err := hub.TokenizerFiles(tokens)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "reward")
	if err := hub.SaveClassifier(dir, &hub.Classifier{Model: m, Files: files}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestARewardModelJudgesPromptAndAnswer(t *testing.T) {
	dir := t.TempDir()
	rewards := saveRewardModel(t, storyteller)
	out := filepath.Join(dir, "run")
	r := toyPolicy(t, dir, ppoKind, "reward.kind=model", "reward.model="+rewards, "reward.watch=contains", "train.epochs=1", "train.updates=2")
	if _, err := Start(t.Context(), r, Options{Out: out, Threads: 2}); err != nil {
		t.Fatal(err)
	}
	h, err := ReadHistory(out)
	if err != nil {
		t.Fatal(err)
	}
	if w := h.Steps[0].Measures.Of("watched_reward"); !(w >= 0 && w <= 1) || h.Steps[0].Measures.Of("reward") == w {
		t.Errorf("the reward is %g, that which is watched %g", h.Steps[0].Measures.Of("reward"), w)
	}
	j, err := judge.Open(rewards, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	task := newRun(t, filepath.Join(dir, "again"), r).task.(*reinforcement)
	if err := task.ready(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	o := &task.now
	for i := range 3 {
		from, to := o.span(i)
		ids := append(slices.Clone(task.prompts[o.prompt[i]].ids), o.tokens[from:to]...)
		scores, err := j.ScoresOfTokens([][]int32{ids})
		if err != nil {
			t.Fatal(err)
		}
		if want := float64(scores[0][0]); o.reward[i] != want {
			t.Errorf("answer %d has reward %g, want %g", i, o.reward[i], want)
		}
	}
	if x, y := h.Steps[0].Measures.Of("reward"), o.measure(nil).Of("reward"); math.Abs(x-y) > 1e-5 {
		t.Errorf("the same rollouts have rewards %g and %g", x, y)
	}
	other := saveRewardModel(t, "../testdata/translator")
	_, err = Start(t.Context(), toyPolicy(t, dir, ppoKind, "reward.kind=model", "reward.text=", "reward.model="+other), Options{Out: filepath.Join(dir, "other")})
	if err == nil || !strings.Contains(err.Error(), "another tokenizer than the policy") {
		t.Errorf("a reward model of another tokenizer: %v", err)
	}
}

func TestAClassifierRewardsTheLabelThatIsWanted(t *testing.T) {
	dir := t.TempDir()
	classifier := filepath.Join(dir, "classifier")
	if _, err := Start(t.Context(), toyClassification(t, dir, "train.epochs=1"), Options{Out: classifier, Threads: 2}); err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.Load(filepath.Join(classifier, modelDir, vocabularyFile))
	if err != nil {
		t.Fatal(err)
	}
	pool := kernel.NewPool(1)
	defer pool.Close()
	rewards := map[string]float64{}
	text := Answer{Prompt: &Prompt{Text: "red the blue", ids: tok.Append(nil, "red the blue")}, Tokens: tok.Append(nil, " gold teal")}
	for _, label := range []string{"cold", "warm"} {
		r, err := newModelReward(classifier, label, tok, pool)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float64, 1)
		if err := r.Judge(t.Context(), []Answer{text}, got); err != nil {
			t.Fatal(err)
		}
		rewards[label] = got[0]
	}
	j, err := judge.Open(classifier, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	scores, _, err := j.Scores([]string{"red the blue gold teal"})
	if err != nil {
		t.Fatal(err)
	}
	if want := float64(scores[0][1] - scores[0][0]); math.Abs(rewards["warm"]-want) > 1e-5 || math.Abs(rewards["cold"]+want) > 1e-5 {
		t.Errorf("rewards %v, and the classifier says %g", rewards, want)
	}
	reward := saveRewardModel(t, storyteller)
	for _, c := range []struct{ dir, label, want string }{
		{classifier, "", `has the labels ["cold" "warm"]`}, {classifier, "worm", `did you mean "warm"`}, {reward, "warm", "is a reward model"},
	} {
		if _, err := newModelReward(c.dir, c.label, tok, pool); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q of %s: %v, want %q", c.label, c.dir, err, c.want)
		}
	}
}

func TestPromptsAreTheOpeningsOfDocuments(t *testing.T) {
	dir := t.TempDir()
	writeToyText(t, filepath.Join(dir, "toy.jsonl"), 300)
	sides := func(set ...string) (prompts, held []string) {
		r := toyPolicy(t, dir, grpoKind, append([]string{"data.train=toy.jsonl", "data.opening_words=2,3"}, set...)...)
		task := newRun(t, filepath.Join(t.TempDir(), "run"), r).task.(*reinforcement)
		for _, p := range task.prompts {
			prompts = append(prompts, p.Text)
		}
		for _, p := range task.held {
			held = append(held, p.Text)
		}
		return prompts, held
	}
	prompts, held := sides()
	if len(prompts)+len(held) != 300 || len(held) < 50 || len(held) > 100 {
		t.Errorf("%d prompts and %d held out", len(prompts), len(held))
	}
	for _, p := range prompts {
		if n := len(strings.Fields(p)); n < 2 || n > 3 {
			t.Errorf("the prompt %q has %d words", p, n)
		}
	}
	if prompts, held := sides("data.validation=toy.jsonl"); len(prompts) != 300 || len(held) != 300 {
		t.Errorf("with a file to validate on: %d prompts and %d held out", len(prompts), len(held))
	}
	for recipe, want := range map[*Recipe]string{
		new(toyPolicy(t, dir, ppoKind, "data.opening_words=3,2")): "data.opening_words is [3 2]",
		new(toyPolicy(t, dir, ppoKind, "data.opening_words=0,2")): "data.opening_words is [0 2]",
		new(toyPolicy(t, dir, ppoKind, "data.opening_words=2")):   "data.opening_words is [2]",
		new(toyClassification(t, dir, "data.opening_words=2,3")):  "data.opening_words is for reinforcement learning",
	} {
		if err := recipe.Resolve(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestUpdatesAllocateNothingOnceWarm(t *testing.T) {
	dir := t.TempDir()
	r := newRun(t, filepath.Join(dir, "run"), toyPolicy(t, dir, ppoKind, "policy.epochs=20", "policy.step_limit=0", "rollout.max_tokens=8", "train.checkpoint_every=1000", "validation.every=1000"))
	for range 6 {
		if err := r.step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(10, func() {
		if err := r.step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations an update", n)
	}
}

func FuzzPrompts(f *testing.F) {
	for _, seed := range []string{"a\nb\n", `{"prompt": "a"}`, `{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}`, `{"prompt": [{"role": "user", "content": "a"}], "answer": "b"}`, "\ufeff{}\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "prompts")
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		list, err := ReadPrompts(path)
		if err != nil && !strings.Contains(err.Error(), path) {
			t.Errorf("%q: an error without the file: %v", text, err)
		}
		for _, p := range list {
			if p.Text == "" && p.Messages == nil {
				t.Errorf("%q: an empty prompt", text)
			}
		}
		train, held := holdOutPrompts(list, 0.3)
		if len(train)+len(held) != len(list) {
			t.Errorf("%q: %d and %d of %d prompts", text, len(train), len(held), len(list))
		}
	})
}

func TestDamagedRolloutsAreAnError(t *testing.T) {
	dir := t.TempDir()
	r := newRun(t, filepath.Join(dir, "run"), toyPolicy(t, dir, ppoKind, "rollout.max_tokens=4"))
	task := r.task.(*reinforcement)
	if err := task.ready(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	good := filepath.Join(dir, "good.safetensors")
	if err := task.now.save(good); err != nil {
		t.Fatal(err)
	}
	var back rollouts
	if err := back.load(good, len(task.prompts), 512); err != nil || !slices.Equal(back.logProb, task.now.logProb) || !slices.Equal(back.tokens, task.now.tokens) {
		t.Errorf("the rollouts do not read back: %v", err)
	}
	if err := back.load(good, 1, 512); err == nil || !strings.Contains(err.Error(), `"prompt" holds`) {
		t.Errorf("prompts that are not there: %v", err)
	}
	if err := back.load(good, len(task.prompts), 5); err == nil || !strings.Contains(err.Error(), `"token" holds`) {
		t.Errorf("tokens that are not in the vocabulary: %v", err)
	}
	short := task.now
	short.reward = short.reward[:3]
	if err := short.save(good); err != nil {
		t.Fatal(err)
	}
	if err := back.load(good, len(task.prompts), 512); err == nil || !strings.Contains(err.Error(), `"reward" has 3 numbers`) {
		t.Errorf("rewards that are missing: %v", err)
	}
}

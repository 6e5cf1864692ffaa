package train

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/judge"
	"github.com/parley-lm/parley/model"
)

// writeToyPreferences writes rankings of answers of six words, of which the more numbers below four there are, the better.
func writeToyPreferences(t testing.TB, path string, seed uint64, prompts int) {
	t.Helper()
	words := strings.Fields("one two three four five six seven eight nine ten")
	rng := rand.New(rand.NewPCG(seed, 7))
	var b bytes.Buffer
	for i := range prompts {
		var answers, ranks []string
		for len(answers) < 4 {
			small := 0
			var answer []string
			for range 6 {
				w := rng.IntN(len(words))
				if w < 3 {
					small++
				}
				answer = append(answer, words[w])
			}
			if text := fmt.Sprintf("%q", " "+strings.Join(answer, " ")); !slices.Contains(answers, text) {
				answers, ranks = append(answers, text), append(ranks, fmt.Sprint(7-small))
			}
		}
		fmt.Fprintf(&b, "{\"prompt\": \"say %d:\", \"debate\": \"d%d_x\", \"answers\": [%s], \"ranks\": [%s]}\n", i, i%6, strings.Join(answers, ", "), strings.Join(ranks, ", "))
	}
	if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}

// toyPreferenceRecipe is a recipe over these.
func toyPreferenceRecipe(t testing.TB, r Recipe, dir string, set ...string) Recipe {
	t.Helper()
	writeToyPreferences(t, filepath.Join(dir, "toy.jsonl"), 1, 120)
	writeToyPreferences(t, filepath.Join(dir, "test.jsonl"), 2, 40)
	for _, s := range append([]string{
		"name=toy", "data.train=toy.jsonl", "data.test=test.jsonl", "data.dir=" + dir, "data.held_out_share=0.1", "train.batch_tokens=1000",
	}, set...) {
		if err := r.Set(s); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func toyReward(t testing.TB, dir string, set ...string) Recipe {
	return toyPreferenceRecipe(t, DefaultRewardRecipe(), dir, append([]string{
		"tokenizer.vocab=300", "model.width=32", "model.layers=1", "model.heads=2", "model.feed_forward=64", "model.context=48",
		"train.lr=0.01", "train.epochs=8", "validation.every=40",
	}, set...)...)
}

// toyPreference is DPO on a language model that has learned next to nothing.
func toyPreference(t testing.TB, dir string, set ...string) Recipe {
	return toyPreferenceRecipe(t, DefaultPreferenceRecipe(), dir, append([]string{
		"model.from=" + toyModel(t), "train.lr=0.003", "train.epochs=2", "validation.every=40",
	}, set...)...)
}

// toyModel is a small language model that has not learned anything.
func toyModel(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	out := filepath.Join(dir, "language")
	if _, err := Start(t.Context(), toyLanguage(t, dir, "train.updates=2", "schedule.warmup=0", "validation.samples=0", "model.context=64"), Options{Out: out, Threads: 2}); err != nil {
		t.Fatal(err)
	}
	return out
}

func rewardBitsRecipe(t testing.TB, dir string) Recipe {
	return toyReward(t, dir, "model.dropout=0.1", "train.ema=0.95", "train.micro_tokens=200", "train.updates=90", "train.epochs=0",
		"train.checkpoint_every=7", "validation.every=31", "train.average=2", "optimizer.weight_decay=0.01")
}

// rewardAdapterBitsRecipe trains a LoRA and a head.
func rewardAdapterBitsRecipe(t testing.TB, dir string) Recipe {
	return toyReward(t, dir, "model.from="+toyModel(t), "lora.rank=4", "lora.base=bf16", "lora.dropout=0.1", "lora.targets=all-linear", "train.head_rate=3", "model.dropout=0.1", "train.ema=0.95",
		"train.micro_tokens=200", "train.updates=90", "train.epochs=0", "train.checkpoint_every=7", "validation.every=31", "train.average=2")
}

func preferenceBitsRecipe(t testing.TB, dir string) Recipe {
	return toyPreference(t, dir, "model.dropout=0.1", "train.ema=0.95", "train.micro_tokens=200", "train.updates=90", "train.epochs=0",
		"train.checkpoint_every=7", "validation.every=31", "train.average=2")
}

func TestTrainingLearnsAReward(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "run")
	result, err := Start(t.Context(), toyReward(t, dir), Options{Out: out, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	test := result.Tests[0].Measures
	if test.Of("accuracy") < 0.95 || test.Of("margin") < 1 || test.Of("calibration error") > 0.15 {
		t.Errorf("the test: %+v", result.Tests)
	}
	for file, wants := range map[string][]string{
		"report.html":       {"validation accuracy", "Reliability", "0.9 to 1.0"},
		"model/README.md":   {"reward-model", "| validation | ", "| test, test.jsonl | 160 | "},
		"model/config.json": {"LlamaForSequenceClassification", `"0": "reward"`},
	} {
		text, err := os.ReadFile(filepath.Join(out, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s lacks %q", file, want)
			}
		}
	}
	j, err := judge.Open(out, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	p, err := corpus.PreferenceFiles{}.Read([]string{filepath.Join(dir, "test.jsonl")})
	if err != nil {
		t.Fatal(err)
	}
	if a, _, err := j.Rewards(p); err != nil || a.Accuracy != test.Of("accuracy") || a.Ties == 0 {
		t.Errorf("the saved model: %+v (%v), the run said %v", a, err, test)
	}
}

func TestARewardIsReadAtAllTokensWhereTheRecipeSaysSo(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "run")
	r := toyReward(t, dir, "model.pooling=sum", "train.lr=0.002", "train.head_rate=10")
	result, err := Start(t.Context(), r, Options{Out: out, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	test := result.Tests[0].Measures
	if test.Of("accuracy") < 0.95 {
		t.Errorf("the test: %+v", result.Tests)
	}
	config, err := os.ReadFile(filepath.Join(out, "model", "config.json"))
	if err != nil || !strings.Contains(string(config), "LlamaForTokenClassification") {
		t.Errorf("%s, %v", config, err)
	}
	if card, err := os.ReadFile(filepath.Join(out, "model", "README.md")); err != nil || !strings.Contains(string(card), "logits.sum(1)") {
		t.Errorf("%s, %v", card, err)
	}
	j, err := judge.Open(out, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	p, err := corpus.PreferenceFiles{}.Read([]string{filepath.Join(dir, "test.jsonl")})
	if err != nil {
		t.Fatal(err)
	}
	if a, _, err := j.Rewards(p); err != nil || a.Accuracy != test.Of("accuracy") {
		t.Errorf("the saved model: %+v (%v), the run said %v", a, err, test)
	}
	further := toyReward(t, dir, "model.from="+out, "model.pooling=last")
	if _, err := Start(t.Context(), further, Options{Out: filepath.Join(dir, "last"), Threads: 2}); err == nil || !strings.Contains(err.Error(), "model.pooling") {
		t.Errorf("a model that reads all tokens goes on at the last token: %v", err)
	}
}

// TestALoRALearnsARewardBesideItsHead also uses the adapter as people do: scored with, gone on from, merged.
func TestALoRALearnsARewardBesideItsHead(t *testing.T) {
	for _, pooling := range []string{"last", "sum"} {
		t.Run(pooling, func(t *testing.T) {
			dir := t.TempDir()
			base, out := toyModel(t), filepath.Join(dir, "run")
			set := []string{"model.from=" + base, "model.pooling=" + pooling, "lora.rank=8", "lora.targets=all-linear", "train.lr=0.01", "train.head_rate=2"}
			result, err := Start(t.Context(), toyReward(t, dir, set...), Options{Out: out, Threads: 2})
			if err != nil {
				t.Fatal(err)
			}
			test := result.Tests[0].Measures
			if test.Of("accuracy") < 0.9 {
				t.Errorf("the test: %+v", result.Tests)
			}
			config, err := os.ReadFile(filepath.Join(out, "model", "adapter_config.json"))
			if err != nil {
				t.Fatal(err)
			}
			task := map[string]string{"last": "SEQ_CLS", "sum": "TOKEN_CLS"}[pooling]
			for _, want := range []string{`"modules_to_save": [ "classifier", "score" ]`, `"task_type": "` + task + `"`, `"lora_alpha": 16`} {
				if !strings.Contains(strings.Join(strings.Fields(string(config)), " "), want) {
					t.Errorf("adapter_config.json lacks %s:\n%s", want, config)
				}
			}
			merged := filepath.Join(dir, "merged")
			pool := kernel.NewPool(2)
			defer pool.Close()
			if _, err := hub.Merge(pool, "", []hub.WeightedAdapter{{Dir: out, Weight: 1}}, merged, ""); err != nil {
				t.Fatal(err)
			}
			p, err := corpus.PreferenceFiles{}.Read([]string{filepath.Join(dir, "test.jsonl")})
			if err != nil {
				t.Fatal(err)
			}
			for _, model := range []string{out, merged} {
				j, err := judge.Open(model, 2)
				if err != nil {
					t.Fatal(err)
				}
				if a, _, err := j.Rewards(p); err != nil || math.Abs(a.Accuracy-test.Of("accuracy")) > 0.005 {
					t.Errorf("%s: %+v (%v), the run said %v", model, a, err, test)
				}
				j.Close()
			}
			whole := toyReward(t, dir, "model.from="+out)
			if _, err := Start(t.Context(), whole, Options{Out: filepath.Join(dir, "whole"), Threads: 2}); err == nil || !strings.Contains(err.Error(), "is an adapter, and the recipe trains a whole model") {
				t.Errorf("a whole model goes on from an adapter: %v", err)
			}
			set[0] = "model.from=" + out
			further, err := Start(t.Context(), toyReward(t, dir, append(set[:1:1], append(set[2:], "train.lr=0.00001", "train.epochs=1")...)...), Options{Out: filepath.Join(dir, "further"), Threads: 2})
			if err != nil || math.Abs(further.Tests[0].Measures.Of("accuracy")-test.Of("accuracy")) > 0.03 {
				t.Errorf("gone on from the adapter: %+v, %v; before %v", further, err, test)
			}
		})
	}
}

func TestRewardModelsJudgeDialogues(t *testing.T) {
	dir := t.TempDir()
	r := toyReward(t, dir, "train.updates=2", "schedule.warmup=0", "data.test=")
	var b strings.Builder
	for i := range 40 {
		fmt.Fprintf(&b, `{"prompt": [{"role": "user", "content": "say %d"}], "chosen": [{"role": "assistant", "content": "one"}], "rejected": [{"role": "assistant", "content": "nine"}]}`+"\n", i)
	}
	if err := os.WriteFile(filepath.Join(dir, "toy.jsonl"), []byte(b.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "run")
	if _, err := Start(t.Context(), r, Options{Out: out, Threads: 2}); err != nil {
		t.Fatal(err)
	}
	if template, err := os.ReadFile(filepath.Join(out, "model", "chat_template.jinja")); err != nil || !strings.Contains(string(template), "im_start") {
		t.Errorf("the model's chat template: %s, %v", template, err)
	}
}

func TestCrossValidationTestsEachGroupOnce(t *testing.T) {
	dir := t.TempDir()
	r := toyReward(t, dir, "data.test=", "data.group_field=debate", "data.held_out_share=0.4", "train.updates=3", "schedule.warmup=0", "validation.every=3")
	var told []string
	tell := func(f Fold) { told = append(told, f.Group) }
	o := Options{Out: filepath.Join(dir, "folds"), Threads: 2}
	v, err := CrossValidate(t.Context(), r, o, tell)
	if err != nil {
		t.Fatal(err)
	}
	all, err := corpus.PreferenceFiles{Group: "debate"}.Read([]string{filepath.Join(dir, "toy.jsonl")})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(told, " ") != "d0_x d1_x d2_x d3_x d4_x d5_x" || v.Comparisons != all.Comparisons-all.Ties || math.Abs(v.Longest-all.LongestWins()) > 1e-9 {
		t.Errorf("%+v of %v", v, told)
	}
	again, err := CrossValidate(t.Context(), r, o, func(Fold) {})
	if err != nil || again.Accuracy != v.Accuracy {
		t.Errorf("taken up again: %+v, %v", again, err)
	}
}

func TestDPOPrefersWhatIsPreferred(t *testing.T) {
	for _, set := range [][]string{nil, {"objective.loss=ipo"}, {"objective.loss=cdpo", "objective.label_smoothing=0.1"}, {"lora.rank=4", "lora.alpha=8", "train.lr=0.02"}} {
		dir := t.TempDir()
		out := filepath.Join(dir, "run")
		result, err := Start(t.Context(), toyPreference(t, dir, set...), Options{Out: out, Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		if test := result.Tests[0].Measures; test.Of("accuracy") < 0.8 || test.Of("margin") <= 0 {
			t.Errorf("%s: the test: %+v", set, result.Tests)
		}
		if set != nil {
			continue
		}
		if d, err := hub.LoadDecoder(filepath.Join(out, modelDir)); err != nil || d.Model.Config.Hidden != 32 {
			t.Errorf("the saved model: %v", err)
		}
	}
}

// TestDPOGradientIsThatOfItsLoss compares the gradient of some parameters with central differences of the loss.
func TestDPOGradientIsThatOfItsLoss(t *testing.T) {
	for _, kind := range []string{"sigmoid", "ipo_mean"} {
		dir := t.TempDir()
		recipe := toyPreference(t, dir, "objective.loss="+kind, "objective.beta=0.5")
		if err := recipe.Resolve(); err != nil {
			t.Fatal(err)
		}
		r, err := build(t.Context(), "", recipe, Options{Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		defer r.close()
		r.task.beginEpoch(0)
		rng := rand.New(rand.NewPCG(3, 4))
		for i := range r.store.Values() { // away from the reference, where all log-ratios are zero
			r.store.Values()[i] += float32(0.05 * rng.NormFloat64())
		}
		var at StepReport
		if err := r.gradient(0, 1, &at); err != nil {
			t.Fatal(err)
		}
		grads := slices.Clone(r.store.Grads())
		lossOf := func() float64 {
			clear(r.store.Grads())
			var s StepReport
			if err := r.gradient(0, 1, &s); err != nil {
				t.Fatal(err)
			}
			return s.Loss
		}
		direction, along := make([]float32, len(grads)), 0.0
		for i := range direction {
			direction[i] = float32(rng.NormFloat64())
			along += float64(direction[i]) * float64(grads[i])
		}
		move := func(step float32) {
			for i, d := range direction {
				r.store.Values()[i] += step * d
			}
		}
		const step = 1e-4
		move(step)
		up := lossOf()
		move(-2 * step)
		down := lossOf()
		if want := (up - down) / (2 * step); math.Abs(along-want) > 0.02*(0.1+math.Abs(want)) {
			t.Errorf("%s: the derivative along a direction is %g, central difference %g", kind, along, want)
		}
	}
}

// TestAnswersLogProbsAreTheModelsLoss compares them with the cross-entropy of the answer's tokens alone.
func TestAnswersLogProbsAreTheModelsLoss(t *testing.T) {
	dir := t.TempDir()
	recipe := toyPreference(t, dir)
	if err := recipe.Resolve(); err != nil {
		t.Fatal(err)
	}
	r, err := build(t.Context(), "", recipe, Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	d := r.task.(*directPreference)
	for i := range 6 {
		var b model.TokenBatch
		ids := d.valid.ids[i]
		targets := slices.Clone(ids[1:])
		for j := range int(d.valid.answerAt[i]) - 1 {
			targets[j] = -1
		}
		b.Add(ids[:len(ids)-1], targets)
		r.tape.Begin(grad.Mode{})
		if want := -d.start.model.Loss(&r.tape, &b, 1, nil); math.Abs(want-d.valid.reference[i]) > 1e-4 {
			t.Errorf("answer %d has a log-probability of %g, want %g", i, d.valid.reference[i], want)
		}
	}
	if l, _ := recipe.preference().Of(0); l != math.Ln2 {
		t.Errorf("the loss of a model that is the reference is %g", l)
	}
}

// TestAPreferenceBeginsAtItsReference holds in either arithmetic.
func TestAPreferenceBeginsAtItsReference(t *testing.T) {
	for _, arithmetic := range []string{"f32", "bf16"} {
		if arithmetic == "bf16" && !kernel.HasBF16() {
			t.Skip("this processor has no products of bfloat16")
		}
		d := newRun(t, t.TempDir(), toyPreference(t, t.TempDir(), "train.arithmetic="+arithmetic)).task.(*directPreference)
		now, err := d.answersLogProbs(t.Context(), d.train, d.train.len()/2)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(now, d.train.reference[:len(now)]) {
			t.Errorf("%s: the model and its reference do not begin alike", arithmetic)
		}
	}
}

func TestPreferenceRecipesThatCannotBeMeant(t *testing.T) {
	dir, from := t.TempDir(), toyModel(t)
	for set, want := range map[string]string{
		"objective.loss=dpo":            "sigmoid",
		"objective.beta=0":              "beta is 0",
		"objective.label_smoothing=0.1": "cdpo",
		"model.from=":                   "-m DIR",
		"data.prompt_field=question":    `toy.jsonl:1: there is no "question"`,
		"data.test_groups=a":            "data.group_field",
		"model.context=5":               "none has at most model.context = 5",
		"validation.metric=bleu":        "validation.metric",
	} {
		r := toyPreferenceRecipe(t, DefaultPreferenceRecipe(), dir, "model.from="+from, set)
		if _, err := Start(t.Context(), r, Options{Out: filepath.Join(dir, "run")}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", set, err, want)
		}
	}
	for set, want := range map[string]string{
		"objective.loss=ipo": "objective.loss", "objective.label_smoothing=0.1": "reward model's must be 0", "data.test_groups=a": "data.group_field",
		"lora.rank=4": "needs a trained model",
	} {
		if _, err := Start(t.Context(), toyReward(t, dir, strings.Fields(set)...), Options{Out: filepath.Join(dir, "run")}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", set, err, want)
		}
	}
}

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
	"github.com/parley-lm/parley/eval"
	"github.com/parley-lm/parley/judge"
)

// writeToyLabelled writes texts of ten words, "warm" where more of red, orange and gold are among them than of blue, teal and
// grey, otherwise "cold".
func writeToyLabelled(t testing.TB, path string, seed uint64, n int) {
	t.Helper()
	words := strings.Fields("red orange gold blue teal grey the a of and")
	rng := rand.New(rand.NewPCG(seed, 7))
	var b bytes.Buffer
	for written := 0; written < n; {
		balance := 0
		var text []string
		for range 10 {
			w := rng.IntN(len(words))
			if w < 3 {
				balance++
			} else if w < 6 {
				balance--
			}
			text = append(text, words[w])
		}
		if balance == 0 {
			continue
		}
		written++
		fmt.Fprintf(&b, "{\"text\": %q, \"label\": %q}\n", strings.Join(text, " "), map[bool]string{true: "warm", false: "cold"}[balance > 0])
	}
	if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}

// toyClassification learns to tell them apart in a second or two.
func toyClassification(t testing.TB, dir string, set ...string) Recipe {
	t.Helper()
	writeToyLabelled(t, filepath.Join(dir, "toy.jsonl"), 1, 700)
	writeToyLabelled(t, filepath.Join(dir, "test.jsonl"), 2, 200)
	r := DefaultClassificationRecipe()
	for _, s := range append([]string{
		"name=toy", "data.train=toy.jsonl", "data.test=test.jsonl", "data.dir=" + dir, "data.held_out_share=0.1", "tokenizer.vocab=300",
		"model.width=32", "model.layers=1", "model.heads=2", "model.feed_forward=64", "model.context=32",
		"train.lr=0.01", "train.epochs=12", "train.batch_tokens=600", "validation.every=60", "objective.along=0.5",
	}, set...) {
		if err := r.Set(s); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// classificationBitsRecipe switches on everything that has a state.
func classificationBitsRecipe(t testing.TB, dir string) Recipe {
	return toyClassification(t, dir, "model.dropout=0.1", "train.ema=0.95", "train.micro_tokens=200", "train.updates=90", "train.epochs=0",
		"objective.label_smoothing=0.1", "train.checkpoint_every=7", "validation.every=31", "train.average=2", "optimizer.weight_decay=0.01")
}

func TestTrainingLearnsToClassify(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "run")
	result, err := Start(t.Context(), toyClassification(t, dir), Options{Out: out, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Tests) != 1 || result.Tests[0].Measures.Of("accuracy") < 0.97 || result.Tests[0].Sentences != 200 {
		t.Errorf("the test: %+v", result.Tests)
	}
	for file, wants := range map[string][]string{
		"report.html":                 {"validation accuracy", "calibration error", "training texts"},
		"model/README.md":             {"# toy\n", "text-classification", "| validation | ", "| test, test.jsonl | 200 | "},
		"model/config.json":           {"LlamaForSequenceClassification", `"0": "cold"`, `"warm": 1`},
		"model/tokenizer_config.json": {`"truncation_side": "left"`, `"model_max_length": 32`, `"pad_token": "<|endoftext|>"`},
		"metrics.jsonl":               {`"measures":{"accuracy":`},
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
	texts, err := corpus.LabelledFiles{}.Read([]string{filepath.Join(dir, "test.jsonl")})
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := j.Classify(texts)
	if err != nil || c.Accuracy != result.Tests[0].Measures.Of("accuracy") {
		t.Errorf("the saved model has an accuracy of %v (%v), the run said %v", c.Accuracy, err, result.Tests[0].Measures.Of("accuracy"))
	}
}

// TestLabelsAreReadAtAllTokensWhereTheRecipeSaysSo is of whole models, and of an adapter with its head.
func TestLabelsAreReadAtAllTokensWhereTheRecipeSaysSo(t *testing.T) {
	dir := t.TempDir()
	base, whole := toyModel(t), filepath.Join(dir, "run")
	for _, c := range []struct {
		out, file string
		wants     []string
		set       []string
	}{
		{whole, "config.json", []string{"LlamaForTokenClassification", `"parley_pooling": "sum"`, `"warm": 1`}, nil},
		{filepath.Join(dir, "adapter"), "adapter_config.json", []string{`"TOKEN_CLS"`}, []string{"model.from=" + base, "lora.rank=8", "lora.targets=all-linear", "train.head_rate=2"}},
	} {
		r := toyClassification(t, dir, append([]string{"model.pooling=sum", "objective.along=0"}, c.set...)...)
		result, err := Start(t.Context(), r, Options{Out: c.out, Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		accuracy := result.Tests[0].Measures.Of("accuracy")
		if accuracy < 0.97 {
			t.Errorf("the test: %+v", result.Tests)
		}
		config, err := os.ReadFile(filepath.Join(c.out, "model", c.file))
		for _, want := range c.wants {
			if err != nil || !strings.Contains(string(config), want) {
				t.Errorf("%s lacks %s: %s, %v", c.file, want, config, err)
			}
		}
		if card, err := os.ReadFile(filepath.Join(c.out, "model", "README.md")); err != nil || !strings.Contains(string(card), "logits.sum(1)") {
			t.Errorf("%s, %v", card, err)
		}
		j, err := judge.Open(c.out, 2)
		if err != nil {
			t.Fatal(err)
		}
		texts, err := corpus.LabelledFiles{}.Read([]string{filepath.Join(dir, "test.jsonl")})
		if err != nil {
			t.Fatal(err)
		}
		if got, _, err := j.Classify(texts); err != nil || math.Abs(got.Accuracy-accuracy) > 0.005 || !slices.Equal(j.Model.Labels, []string{"cold", "warm"}) {
			t.Errorf("the saved model has an accuracy of %v for %q (%v), the run said %v", got.Accuracy, j.Model.Labels, err, accuracy)
		}
		j.Close()
	}
	further := toyClassification(t, dir, "model.from="+whole, "objective.along=0.5")
	if _, err := Start(t.Context(), further, Options{Out: filepath.Join(dir, "further"), Threads: 2}); err == nil || !strings.Contains(err.Error(), "contradicts model.pooling") {
		t.Errorf("a model that reads all tokens goes on with a share of the loss at all tokens: %v", err)
	}
}

func TestALimitedValidationSeesEveryLabel(t *testing.T) {
	dir := t.TempDir()
	recipe := toyClassification(t, dir, "data.validation=sorted.jsonl", "data.held_out_share=0")
	text, err := os.ReadFile(filepath.Join(dir, "test.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	slices.SortFunc(lines, func(a, b string) int {
		return strings.Compare(a[strings.LastIndex(a, ":")+1:], b[strings.LastIndex(b, ":")+1:])
	})
	if err := os.WriteFile(filepath.Join(dir, "sorted.jsonl"), []byte(strings.Join(lines, "")), 0o666); err != nil {
		t.Fatal(err)
	}
	c := newRun(t, filepath.Join(dir, "run"), recipe).task.(*classification)
	clear(c.store().Values()) // so that every text is given the first label
	_, m := c.evaluate(c.valid, 20, new(eval.Calibration))
	if accuracy := m.Of("accuracy"); accuracy < 0.15 || accuracy > 0.85 {
		t.Errorf("of 20 texts a model that always says \"cold\" labels %g right", accuracy)
	}
}

func TestClassificationGoesOnFromModels(t *testing.T) {
	dir := t.TempDir()
	language := filepath.Join(dir, "language")
	if _, err := Start(t.Context(), toyLanguage(t, dir, "train.updates=5", "schedule.warmup=0", "validation.samples=0"), Options{Out: language, Threads: 2}); err != nil {
		t.Fatal(err)
	}
	from := func(dir string) []string {
		return []string{"model.from=" + dir, "model.width=0", "model.layers=0", "model.heads=0", "model.feed_forward=0", "train.updates=5", "schedule.warmup=0", "train.lr=0"}
	}
	first := filepath.Join(dir, "first")
	result, err := Start(t.Context(), toyClassification(t, dir, from(language)...), Options{Out: first, Threads: 2})
	if err != nil || result.Step != 5 {
		t.Fatalf("on a language model: %+v, %v", result, err)
	}
	if result, err = Start(t.Context(), toyClassification(t, dir, from(first)...), Options{Out: filepath.Join(dir, "second"), Threads: 2}); err != nil || result.Step != 5 {
		t.Fatalf("on a classifier: %+v, %v", result, err)
	}
	other := toyClassification(t, dir, append(from(first), "data.labels=warm,cold")...)
	if _, err := Start(t.Context(), other, Options{Out: filepath.Join(dir, "third")}); err == nil || !strings.Contains(err.Error(), `labels are ["cold" "warm"]`) {
		t.Errorf("on a classifier of other labels: %v", err)
	}
}

func TestClassificationRecipesThatCannotBeMeant(t *testing.T) {
	dir := t.TempDir()
	for set, want := range map[string]string{
		"data.long=middle":          "data.long",
		"objective.along=1":         "objective.along",
		"model.pooling=sum":         "contradicts model.pooling",
		"validation.metric=bleu":    "validation.metric",
		"data.labels=warm,warm":     `data.labels names "warm" twice`,
		"data.held_out_share=0":     "held_out_share",
		"data.labels=warm":          "two or more",
		"data.field=body":           `toy.jsonl:1: there is no "body"`,
		"data.label_field=class":    `toy.jsonl:1: there is no "class"`,
		"data.train=absent.jsonl":   "absent.jsonl",
		"objective.freeze_pad=true": "freeze_pad",
	} {
		if _, err := Start(t.Context(), toyClassification(t, dir, set), Options{Out: filepath.Join(dir, "run")}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", set, err, want)
		}
	}
}

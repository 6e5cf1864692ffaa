package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/tokenizer"
)

// writeToyText writes documents of a grammar in which every word but the first follows from the one before.
func writeToyText(t testing.TB, path string, n int) {
	t.Helper()
	words := strings.Fields("one two three four five six seven eight nine ten")
	rng := rand.New(rand.NewPCG(7, 7))
	var b bytes.Buffer
	for range n {
		at, step := rng.IntN(len(words)), 1+rng.IntN(3)
		var document []string
		for range 4 + rng.IntN(20) {
			document = append(document, words[at])
			at = (at + step) % len(words)
		}
		fmt.Fprintf(&b, "{\"text\": %q}\n", strings.Join(document, " "))
	}
	if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}

// toyLanguage learns that language in a second or two.
func toyLanguage(t testing.TB, dir string, set ...string) Recipe {
	t.Helper()
	writeToyText(t, filepath.Join(dir, "toy.jsonl"), 600)
	r := DefaultLanguageRecipe()
	for _, s := range append([]string{
		"name=toy", "data.train=toy.jsonl", "data.dir=" + dir, "data.held_out_share=0.1", "tokenizer.kind=characters",
		"model.width=32", "model.layers=1", "model.heads=2", "model.feed_forward=64", "model.context=48",
		"schedule.kind=linear", "schedule.warmup=20", "train.lr=0.01", "train.updates=200", "train.batch_tokens=480",
		"validation.every=50", "validation.limit=2000", "validation.samples=2", "validation.sample_tokens=40",
	}, set...) {
		if err := r.Set(s); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// languageBitsRecipe switches on everything that has a state; an epoch is some 90 updates, and each has several passes.
func languageBitsRecipe(t testing.TB, dir string) Recipe {
	return toyLanguage(t, dir, "model.dropout=0.1", "train.ema=0.95", "train.micro_tokens=200", "train.batch_tokens=480", "train.updates=90",
		"train.checkpoint_every=7", "validation.every=31", "train.average=2", "optimizer.weight_decay=0.01", "validation.temperature=0.7")
}

func TestTrainingLearnsALanguage(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "run")
	result, err := Start(t.Context(), toyLanguage(t, dir), Options{Out: out, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	// A text says least where it begins: two choices in some 60 characters.
	if result.Validation.Loss > 0.35 || result.Stopped != "updates" || len(result.Tests) != 0 {
		t.Errorf("result: %+v", result)
	}
	h, err := ReadHistory(out)
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Steps) != 21 || len(h.Validations) != 4 {
		t.Errorf("metrics: %d steps, %d validations", len(h.Steps), len(h.Validations))
	}
	sample := h.Validations[3].Samples[0]
	if len(sample.Source) < 8 || sample.Reference == "" || sample.Hypothesis == "" {
		t.Errorf("sample: %+v", sample)
	}
	for file, wants := range map[string][]string{
		"report.html":                 {"<svg", "validation bits a byte", "the model goes on", "training tokens", "bits/byte"},
		"model/README.md":             {"# toy\n", "text-generation", "- llama", "documents | 600", "width = 32"},
		"model/tokenizer_config.json": {`"bos_token": "<|endoftext|>"`, "PreTrainedTokenizerFast"},
		"recipe.toml":                 {"layers = 1", `architecture = "llama"`, "held_out_share = 0.1"},
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
	d, err := hub.LoadDecoder(filepath.Join(out, modelDir))
	if err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.Load(filepath.Join(out, modelDir, vocabularyFile))
	if err != nil {
		t.Fatal(err)
	}
	var tape grad.Tape
	ids := append([]int32{d.Model.Config.EOSIDs[0]}, tok.Append(nil, "two four six ")...)
	if got := tok.Decode(continuation(d.Model, &tape, ids, 9, 0, nil, -1), true); got != "eight ten" {
		t.Errorf("the model goes on with %q", got)
	}
}

func TestALanguageIsLearnedInBFloat16(t *testing.T) {
	dir := t.TempDir()
	recipe := toyLanguage(t, dir, "train.arithmetic=bf16")
	if kernel.HasBF16() {
		result, err := Start(t.Context(), recipe, Options{Out: filepath.Join(dir, "run"), Threads: 2})
		if err != nil || result.Validation.Loss > 0.37 {
			t.Errorf("%+v, %v", result, err)
		}
	}
	defer kernel.SetISA(kernel.Portable)()
	if _, err := Start(t.Context(), recipe, Options{Out: filepath.Join(dir, "portable"), Threads: 2}); err == nil || !strings.Contains(err.Error(), `train.arithmetic is "bf16"`) {
		t.Errorf("without products of bfloat16: %v", err)
	}
}

func TestCheckpointingTrainsToTheSameBits(t *testing.T) {
	dir := t.TempDir()
	var want []byte
	for _, set := range []string{"train.checkpointing=false", "train.checkpointing=true"} {
		out := filepath.Join(dir, set)
		recipe := toyLanguage(t, dir, set, "model.layers=3", "model.dropout=0.1", "train.updates=12", "schedule.warmup=3", "validation.every=12")
		if _, err := Start(t.Context(), recipe, Options{Out: out, Threads: 2}); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(out, modelDir, "model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = got
		} else if !bytes.Equal(got, want) {
			t.Error("the weights have other bits")
		}
	}
}

// TestHeadNormsBeginWhereTheRecipeSays trains for one update that hardly moves anything.
func TestHeadNormsBeginWhereTheRecipeSays(t *testing.T) {
	dir := t.TempDir()
	recipe := toyLanguage(t, dir, "model.architecture=qwen3", "model.head_norm=1.5", "train.updates=1", "schedule.warmup=0", "train.lr=1e-6", "validation.every=1")
	result, err := Start(t.Context(), recipe, Options{Out: filepath.Join(dir, "run"), Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	f, err := hub.Open(filepath.Join(result.Dir, modelDir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, name := range []string{"q_norm", "k_norm"} {
		weights, _, err := f.Float32("model.layers.0.self_attn." + name + ".weight")
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range weights {
			if math.Abs(float64(w)-1.5) > 1e-4 {
				t.Fatalf("%s begins with %v", name, w)
			}
		}
	}
}

func TestBitsPerByteAreTheLossOfTheText(t *testing.T) {
	dir := t.TempDir()
	for _, set := range [][]string{nil, {"tokenizer.kind=", "tokenizer.vocab=300"}} {
		r := newRun(t, filepath.Join(t.TempDir(), "run"), toyLanguage(t, dir, set...))
		l := r.task.(*languageModel)
		loss, bits, err := l.validationLoss(t.Context(), l.valid.Tokens())
		if err != nil {
			t.Fatal(err)
		}
		sum, tokens, text := 0.0, 0, 0
		for i := range l.valid.Len() {
			row, err := l.valid.Read(nil, i)
			if err != nil {
				t.Fatal(err)
			}
			for from := 0; from < len(row)-1; { // each document by itself
				to := from + 1
				for to < len(row)-1 && row[to] != l.begin {
					to++
				}
				var b model.TokenBatch
				b.Add(row[from:to], row[from+1:to+1])
				l.tape.Begin(grad.Mode{})
				sum += l.model.Loss(l.tape, &b, 1, nil)
				tokens += to - from
				text += len(l.tok.Decode(row[from+1:to+1], true))
				from = to
			}
		}
		if math.Abs(loss-sum/float64(tokens)) > 1e-5 || math.Abs(bits-sum/math.Ln2/float64(text)) > 1e-5 {
			t.Errorf("loss %g, bits per byte %g; want %g and %g", loss, bits, sum/float64(tokens), sum/math.Ln2/float64(text))
		}
	}
}

func TestABatchesTokensAreThoseThatItsPassesPredict(t *testing.T) {
	dir := t.TempDir()
	r := newRun(t, filepath.Join(dir, "run"), languageBitsRecipe(t, dir))
	l := r.task.(*languageModel)
	for _, micro := range []int{1, 100, 200, 1 << 20} {
		r.recipe.Train.MicroTokens = micro
		all := int64(0)
		for batch := range l.batches() {
			_, tokens, passes := l.size(batch)
			sum := 0
			for pass := range passes {
				r.tape.Begin(grad.Mode{})
				if _, err := l.forward(&r.tape, batch, pass, passes, 1); err != nil {
					t.Fatal(err)
				}
				if len(l.batch.Target) == 0 {
					t.Fatalf("micro %d: pass %d of %d is empty", micro, pass, passes)
				}
				sum += len(l.batch.Target)
			}
			if sum != tokens {
				t.Fatalf("micro %d, batch %d: %d tokens in passes, %d by size", micro, batch, sum, tokens)
			}
			all += int64(tokens)
		}
		if all != l.train.Tokens() {
			t.Errorf("micro %d: an epoch has %d tokens of %d", micro, all, l.train.Tokens())
		}
	}
}

func TestWhatARunBeganWithMustNotChange(t *testing.T) {
	dir := t.TempDir()
	shared := filepath.Join(dir, "shared")
	for _, c := range []struct {
		name, want string
		set        []string
		change     func(out string) error
	}{
		{"the text", "toy.jsonl has changed since this run began", nil, func(string) error {
			writeToyText(t, filepath.Join(dir, "toy.jsonl"), 601)
			return nil
		}},
		{"the tokenizer", "the tokenizer has changed since this run began", nil, func(out string) error {
			tok, err := tokenizer.Characters(func(yield func(string) bool) { yield("other") }, []string{BeginToken})
			if err != nil {
				return err
			}
			text, err := tok.JSON()
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(out, vocabularyFile), text, 0o666)
		}},
		{"the text, and another run has kept the tokens of it", "the text is not that with which this run began", []string{"data.tokens=" + shared}, func(string) error {
			writeToyText(t, filepath.Join(dir, "toy.jsonl"), 602)
			r := languageBitsRecipe(t, t.TempDir())
			r.Data.Dir, r.Data.Tokens = dir, shared
			writeToyText(t, filepath.Join(dir, "toy.jsonl"), 602)
			_, err := DryRun(t.Context(), r, Options{})
			return err
		}},
		{"how it is read", "what is held out has changed", []string{"data.held_out_share=0.2"}, func(out string) error {
			text, err := os.ReadFile(filepath.Join(out, recipeFile))
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(out, recipeFile), bytes.Replace(text, []byte("held_out_share = 0.2"), []byte("held_out_share = 0.3"), 1), 0o666)
		}},
	} {
		out := filepath.Join(t.TempDir(), "run")
		ctx, cancel := context.WithCancel(t.Context())
		var stopped *Interrupted
		if _, err := Start(ctx, toyLanguage(t, dir, c.set...), Options{Out: out, Progress: &stopper{at: 3, cancel: cancel}}); !errors.As(err, &stopped) {
			t.Fatal(err)
		}
		if err := c.change(out); err != nil {
			t.Fatal(err)
		}
		if _, err := Resume(t.Context(), out, Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestTextOfEveryOrigin(t *testing.T) {
	dir := t.TempDir()
	writeToyText(t, filepath.Join(dir, "a.jsonl"), 50)
	writeToyText(t, filepath.Join(dir, "b.jsonl"), 60)
	plain := "one two three\nfour five six\n" + strings.Repeat("seven eight nine ten\n", 40)
	for _, c := range []struct {
		name      string
		set       []string
		input     string
		documents int64
	}{
		{"a pattern", []string{"data.train=*.jsonl"}, "", 110},
		{"a directory", []string{"data.train=" + dir}, "", 110},
		{"validation text of its own", []string{"data.train=a.jsonl", "data.validation=b.jsonl"}, "", 110},
		{"standard input", []string{"data.train=-"}, plain, 1},
		{"words as tokens", []string{"data.train=a.jsonl", "tokenizer.kind=", "tokenizer.vocab=280", "data.held_out_share=0.3"}, "", 50},
		{"GPT-2's architecture", []string{"data.train=a.jsonl", "model.architecture=gpt2", "model.activation=gelu_new"}, "", 50},
	} {
		out := filepath.Join(t.TempDir(), "run")
		recipe := toyLanguage(t, t.TempDir(), append([]string{"data.dir=" + dir, "train.updates=2", "schedule.warmup=1"}, c.set...)...)
		p := &planned{}
		result, err := Start(t.Context(), recipe, Options{Out: out, Input: strings.NewReader(c.input), Progress: p})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if p.plan.Documents != c.documents || p.plan.TrainTokens == 0 || p.plan.ValidTokens == 0 || p.plan.FLOPsPerUpdate < 1e6 {
			t.Errorf("%s: %+v", c.name, p.plan)
		}
		if again, err := Resume(t.Context(), out, Options{Set: []string{"train.updates=3"}}); err != nil || again.Step != 3 || result.Step != 2 {
			t.Errorf("%s: resumed: %+v, %v", c.name, again, err)
		}
	}
}

// planned keeps the plan.
type planned struct {
	silent
	plan Plan
}

func (p *planned) Begin(plan Plan) { p.plan = plan }

func TestALanguageModelGoesOnFromAnother(t *testing.T) {
	dir := t.TempDir()
	first := filepath.Join(dir, "first")
	one, err := Start(t.Context(), toyLanguage(t, dir, "train.updates=100"), Options{Out: first})
	if err != nil {
		t.Fatal(err)
	}
	r := DefaultLanguageRecipe()
	for _, s := range []string{
		"name=second", "model.from=" + first, "data.dir=" + dir, "data.train=toy.jsonl", "data.held_out_share=0.1", "model.depth=4",
		"train.updates=5", "train.lr=0.0001", "schedule.kind=constant",
	} {
		if err := r.Set(s); err != nil {
			t.Fatal(err)
		}
	}
	two, err := Start(t.Context(), r, Options{Out: filepath.Join(dir, "second")})
	if err != nil {
		t.Fatal(err)
	}
	if two.Validation.Loss > one.Validation.Loss+0.02 {
		t.Errorf("loss %g, after going on %g", one.Validation.Loss, two.Validation.Loss)
	}
}

func TestWhatCannotBeLearnedFromSaysSoAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"empty.txt": " \n", "bad.txt": "a\xff", "short.txt": "ab", "x.json": "{}", "pairs.jsonl": `{"source": "a"}`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ train, set, want string }{
		{"nowhere.txt", "", "data.train: "},
		{"empty.txt", "", "there are none"},
		{"empty.txt", "tokenizer.kind=", "no text"},
		{"bad.txt", "", "bad.txt:1: not UTF-8"},
		{"pairs.jsonl", "", `pairs.jsonl:1: there is no "text"`},
		{"short.txt", "data.held_out_share=0.001", "held_out_share"},
		{"-", "", "standard input"},
		{"toy.jsonl", "tokenizer.file=" + filepath.Join(dir, "x.json"), "x.json"},
		{"toy.jsonl", "model.from=" + dir, "config.json"},
		{"toy.jsonl", "model.heads=32", "head_dim"},
		{"toy.jsonl", "schedule.warmup=500", "schedule.warmup = 500 leaves nothing"},
	} {
		recipe := toyLanguage(t, dir, "data.train="+c.train, "tokenizer.vocab=300")
		if c.set != "" {
			if err := recipe.Set(c.set); err != nil {
				t.Fatal(err)
			}
		}
		out := filepath.Join(dir, "run")
		if _, err := Start(t.Context(), recipe, Options{Out: out}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want %q", c.train, c.set, err, c.want)
		}
		if exists(out) {
			t.Errorf("%s: the directory stays", c.train)
			os.RemoveAll(out)
		}
	}
}

func TestAStartThatWasCutOffDoesNotBlockTheNext(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "run")
	if err := os.MkdirAll(filepath.Join(out, tokensDir, "train"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(out, tokensDir, "train", "train-00000.tokens"), []byte("half"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), toyLanguage(t, dir, "train.updates=2", "schedule.warmup=1"), Options{Out: out}); err != nil {
		t.Error(err)
	}
}

func TestADryRunOfALanguageModelLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	out := filepath.Join(dir, "run")
	p, err := DryRun(t.Context(), toyLanguage(t, dir), Options{Out: out, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	if p.Parameters < 9000 || p.Vocabulary > 30 || p.SecondsPerUpdate <= 0 || p.TrainTokens < 20000 || p.Updates != 200 {
		t.Errorf("%+v", p)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 { // the text
		t.Errorf("left: %v", left)
	}
}

func TestDrawingFollowsTheTemperature(t *testing.T) {
	logits := []float32{0, float32(math.Log(3)), float32(math.Inf(-1))}
	rng := rand.New(rand.NewPCG(1, 1))
	for _, c := range []struct{ temperature, share float64 }{{0, 1}, {1, 0.75}, {0.5, 0.9}, {1e-9, 1}, {100, 0.503}} {
		n := 0
		for range 20000 {
			switch draw(logits, c.temperature, rng) {
			case 1:
				n++
			case 2:
				t.Fatal("what has no probability was drawn")
			}
		}
		if got := float64(n) / 20000; math.Abs(got-c.share) > 0.015 {
			t.Errorf("temperature %g: %g, want %g", c.temperature, got, c.share)
		}
	}
}

package train

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/tokenizer"
)

// writeToyModel writes a small model with random weights and a vocabulary for the toy language.
func writeToyModel(t testing.TB, dir string) {
	t.Helper()
	tok, err := tokenizer.Characters(func(yield func(string) bool) { yield("abcdefghijklmnopqrstuvwxyz ") }, []string{BeginToken})
	if err != nil {
		t.Fatal(err)
	}
	begin, _ := tok.ID(BeginToken)
	c := ModelRecipe{Architecture: "llama", Width: 32, Layers: 2, Heads: 4, KVHeads: 2, FeedForward: 64, Activation: "silu", Context: 64, TieOutput: true}
	config := c.decoderConfig(tok.Size(), begin)
	config.InitStd = 0.3
	m, err := model.NewDecoder(config)
	if err != nil {
		t.Fatal(err)
	}
	m.Initialize(3)
	text, err := tok.JSON()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{vocabularyFile: text, "chat_template.jinja": []byte("{{ messages }}")}
	if err := hub.SaveDecoder(dir, &hub.Decoder{Model: m, Files: files}); err != nil {
		t.Fatal(err)
	}
}

// toyLoRA adapts such a model to the toy language.
func toyLoRA(t testing.TB, dir string, set ...string) Recipe {
	t.Helper()
	base := filepath.Join(dir, "base")
	if !exists(base) {
		writeToyModel(t, base)
	}
	return toyLanguage(t, dir, append([]string{
		"tokenizer.kind=", "model.from=" + base, "optimizer.kind=adamw", "lora.rank=8", "lora.alpha=16", "lora.targets=all-linear", "lora.base=bf16",
	}, set...)...)
}

// loraBitsRecipe switches on everything that has a state.
func loraBitsRecipe(t testing.TB, dir string) Recipe {
	return toyLoRA(t, dir, "lora.dropout=0.1", "lora.arithmetic=bf16", "model.dropout=0.1", "train.ema=0.95", "train.micro_tokens=200", "train.updates=90",
		"train.checkpoint_every=7", "validation.every=31", "train.average=2", "validation.temperature=0.7")
}

func TestALoRALearnsBesideAModelThatStays(t *testing.T) {
	dir := t.TempDir()
	recipe := toyLoRA(t, dir)
	weights := filepath.Join(dir, "base", "model.safetensors")
	before, err := os.ReadFile(weights)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := DryRun(t.Context(), recipe, Options{Threads: 2})
	if err != nil || plan.Frozen == 0 || plan.Parameters >= plan.Frozen {
		t.Fatalf("plan %+v, %v", plan, err)
	}
	result, err := Start(t.Context(), recipe, Options{Out: filepath.Join(dir, "run"), Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	if result.Validation.Loss > 1.6 { // of 3.3 at first: the embeddings are random and stay so
		t.Errorf("result: %+v", result)
	}
	if after, err := os.ReadFile(weights); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the base model has changed, or %v", err)
	}
	if !hub.IsAdapter(result.Model) || !exists(filepath.Join(result.Model, "tokenizer.json")) || !exists(filepath.Join(result.Model, "chat_template.jinja")) {
		t.Error("model/ is not an adapter with a tokenizer")
	}
	card, err := os.ReadFile(filepath.Join(result.Model, "README.md"))
	if err != nil || !strings.Contains(string(card), "library_name: peft") {
		t.Errorf("the model card: %s, %v", card, err)
	}

	// The adapter can go on learning, and is as good as it was.
	second := toyLoRA(t, dir, "model.from="+result.Dir, "train.updates=50", "train.lr=0.001")
	again, err := Start(t.Context(), second, Options{Out: filepath.Join(dir, "second"), Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	if again.Validation.Loss > result.Validation.Loss+0.02 {
		t.Errorf("loss %g, after going on %g", result.Validation.Loss, again.Validation.Loss)
	}
}

func TestADoRALearnsAndGoesOnToTheSameBits(t *testing.T) {
	dir := t.TempDir()
	result, err := Start(t.Context(), toyLoRA(t, dir, "lora.dora=true"), Options{Out: filepath.Join(dir, "run"), Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	if result.Validation.Loss > 1.6 {
		t.Errorf("result: %+v", result)
	}
	if config, err := os.ReadFile(filepath.Join(result.Model, "adapter_config.json")); err != nil || !strings.Contains(string(config), `"use_dora": true`) {
		t.Errorf("%s, %v", config, err)
	}
	interruptAndGoOn(t, dir, toyLoRA(t, dir, "lora.dora=true", "lora.dropout=0.1", "model.dropout=0.1", "train.ema=0.95", "train.micro_tokens=200", "train.updates=90",
		"train.checkpoint_every=7", "validation.every=31", "train.average=2"))
}

func TestWhatALoRACannotBeTrainedOnSaysSo(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ set, want string }{
		{"model.from=", "lora.rank = 8 needs a trained model, in model.from"},
		{"model.from=" + filepath.Join(dir, "nowhere"), "no such model directory"},
		{"lora.targets=q_proj,c_attn", `target "c_attn" is not a linear layer of the model; it has q_proj`},
		{"lora.rank=100000", "lora.rank is 100000, must be from 0 to"},
		{"lora.dropout=1", "lora.dropout is 1"},
		{"lora.targets=q_proj,embed_tokens", "can be used but not trained"},
		{"lora.dora=true lora.rank=0", "lora.dora = true needs lora.rank"},
		{"lora.base=int8", `lora.base is "int8"`},
		{"lora.arithmetic=f16", `lora.arithmetic is "f16"`},
		{"lora.targts=q_proj", "lora.targets"},
	} {
		r := toyLoRA(t, dir)
		var err error
		for _, set := range strings.Fields(c.set) {
			err = errors.Join(err, r.Set(set))
		}
		if err == nil {
			_, err = Start(t.Context(), r, Options{Out: filepath.Join(dir, "run")})
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.set, err, c.want)
		}
	}
	r := toyLoRA(t, dir, "train.updates=5", "schedule.warmup=0", "validation.every=5")
	result, err := Start(t.Context(), r, Options{Out: filepath.Join(dir, "run")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), toyLoRA(t, dir, "model.from="+result.Dir, "lora.rank=0"), Options{Out: filepath.Join(dir, "other")}); err == nil || !strings.Contains(err.Error(), "is an adapter") {
		t.Errorf("a whole model from an adapter: %v", err)
	}
	// Another base under the same name.
	d, err := hub.LoadDecoder(filepath.Join(dir, "base"))
	if err != nil {
		t.Fatal(err)
	}
	tok, err := os.ReadFile(filepath.Join(dir, "base", vocabularyFile))
	if err != nil {
		t.Fatal(err)
	}
	d.Model.Store().Values()[7]++
	d.Files = map[string][]byte{vocabularyFile: tok}
	if err := hub.SaveDecoder(filepath.Join(dir, "base"), d); err != nil {
		t.Fatal(err)
	}
	if _, err := Resume(t.Context(), result.Dir, Options{Set: []string{"train.updates=9"}}); err == nil || !strings.Contains(err.Error(), "the base model is not that") {
		t.Errorf("resumed on another base: %v", err)
	}
}

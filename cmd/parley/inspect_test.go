package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/tokenizer"
)

// randomModel writes a small model directory with random weights.
func randomModel(t testing.TB) string {
	t.Helper()
	tok, err := tokenizer.Train(func(yield func(string) bool) {
		_ = yield("the old cat sleeps") && yield("le vieux chat dort")
	}, tokenizer.TrainOptions{
		VocabSize: 300, Pattern: tokenizer.Spaces, InitialAlphabet: true,
		SpecialTokens: []string{"</s>", "<unk>"}, LastTokens: []string{"<pad>"}, Suffix: []string{"</s>"},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := model.DefaultEncDecConfig()
	c.VocabSize, c.DModel, c.EncoderLayers, c.DecoderLayers = tok.Size(), 16, 1, 1
	c.EncoderHeads, c.DecoderHeads, c.EncoderFFN, c.DecoderFFN, c.MaxPositions = 2, 2, 32, 32, 24
	c.PadID, c.DecoderStartID = int32(tok.Size()-1), int32(tok.Size()-1)
	m, err := model.NewEncDec(c)
	if err != nil {
		t.Fatal(err)
	}
	m.Initialize(3)
	dir := filepath.Join(t.TempDir(), "model")
	if err := hub.SaveEncDec(dir, &hub.EncDec{Model: m, Tokenizer: tok, Generation: hub.DefaultGeneration(m.Config)}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestInspectPrintsAPictureOrJSONOrWritesAPage(t *testing.T) {
	dir := randomModel(t)
	page := filepath.Join(t.TempDir(), "cat.html")
	for _, c := range []struct {
		name, in, want string
		args           []string
		status         int
	}{
		{"picture", "", "Cross-attention, mean of all 2 heads", []string{"the old cat"}, 0},
		{"one layer", "", "Decoder self-attention, layer 1, head 2", []string{"--layer", "1", "the old cat"}, 0},
		{"standard input", "the old cat\n", "→ le vieux", []string{"--target", "le vieux chat", "-"}, 0},
		{"empty", "", "the sentence is empty", []string{" "}, 1},
		{"too long", "", "at most 24", []string{strings.Repeat("cat ", 40)}, 1},
		{"no such layer", "", "--layer 2: must be between 0 and 1", []string{"--layer", "2", "cat"}, 2},
		{"no sentence", "", "accepts 1 arg", nil, 2},
		{"page", "", "cat.html: open it", []string{"--html", page, "the old cat"}, 0},
	} {
		var out, err bytes.Buffer
		a := &app{in: strings.NewReader(c.in), out: &out, err: &err}
		status := run(context.Background(), a, append([]string{"inspect", "-m", dir}, c.args...))
		if status != c.status || !strings.Contains(out.String()+err.String(), c.want) {
			t.Errorf("%s: status %d, printed %s%s", c.name, status, &out, &err)
		}
	}
	if text, err := os.ReadFile(page); err != nil || !strings.Contains(string(text), "<!doctype html>") {
		t.Errorf("the page: %v, %.40s", err, text)
	}
	var out, err bytes.Buffer
	if status := run(context.Background(), &app{out: &out, err: &err}, []string{"inspect", "-m", dir, "--json", "the old cat"}); status != 0 {
		t.Fatal(err.String())
	}
	var report struct{ Source, Steps, Attention []any }
	if err := json.Unmarshal(out.Bytes(), &report); err != nil || len(report.Source) == 0 || len(report.Steps) == 0 || len(report.Attention) != 6 {
		t.Errorf("JSON: %v, %d source tokens, %d steps, %d heads", err, len(report.Source), len(report.Steps), len(report.Attention))
	}
}

func TestInspectOfALanguageModel(t *testing.T) {
	page := filepath.Join(t.TempDir(), "story.html")
	for want, args := range map[string][]string{
		"Logit lens":                       {"--max-tokens", "3", "Once upon a time"},
		"a given continuation of 1 tokens": {"--target", " time", "Once upon a"},
		"Self-attention, layer 2, head 1":  {"--layer", "2", "Once upon a time"},
	} {
		if out := succeed(t, "", append([]string{"inspect", "-m", storyteller}, args...)...); !strings.Contains(out, want) {
			t.Errorf("%q prints no %q:\n%s", args, want, out)
		}
	}
	var report struct {
		Prompt          string
		Lens, Attention []any
	}
	decode(t, succeed(t, "Once upon a\n", "inspect", "-m", storyteller, "--json", "-"), &report)
	if report.Prompt != "Once upon a" || len(report.Lens) != 6 || len(report.Attention) != 40 {
		t.Errorf("%q, %d layers, %d heads", report.Prompt, len(report.Lens), len(report.Attention))
	}
	succeed(t, "", "inspect", "-m", storyteller, "--html", page, "Once upon a time")
	if text, err := os.ReadFile(page); err != nil || !strings.Contains(string(text), "<!doctype html>") {
		t.Errorf("the page: %v, %.40s", err, text)
	}
	fail(t, 2, []string{"inspect", "-m", storyteller, "--beams", "2", "x"}, "--beams", "a language model")
	fail(t, 2, []string{"inspect", "-m", storyteller, "--max-tokens", "0", "x"}, "--max-tokens 0")
	fail(t, 2, []string{"inspect", "-m", storyteller, "--head", "9", "x"}, "between 0 and 8")
	fail(t, 2, []string{"inspect", "-m", randomModel(t), "--max-tokens", "3", "x"}, "--max-tokens", "a translation model")
	fail(t, 1, []string{"inspect", "-m", filepath.Join(t.TempDir(), "none"), "x"}, "no such model directory")
	other := filepath.Join(t.TempDir(), "bert")
	if err := os.MkdirAll(other, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(other, "config.json"), []byte(`{"model_type": "bert"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	fail(t, 1, []string{"inspect", "-m", other, "x"}, "config.json", "bert", "llama")
}

package parley_test

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-lm/parley"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/internal/kernel"
)

func TestWeightsThatWereInBFloat16ComputeTheSameBitsInIt(t *testing.T) {
	whole, err := hub.LoadDecoder(untrainedDecoder(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	tok, _, err := hub.LoadTokenizers(untrainedDecoder(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	text, err := tok.JSON()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "half")
	if err := hub.SaveDecoder(dir, &hub.Decoder{Model: whole.Model, DType: hub.BF16, Files: map[string][]byte{"tokenizer.json": text}}); err != nil {
		t.Fatal(err)
	}
	o := parley.GenerateOptions{MaxTokens: 20, LogProbs: 2}
	widened := mustGenerate(t, openModel(t, dir), "the old", o)[0].tokens
	if diff := cmp.Diff(widened, mustGenerate(t, openModel(t, dir, parley.WithPrecision(parley.BFloat16)), "the old", o)[0].tokens); diff != "" {
		t.Error(diff)
	}
}

func TestArithmeticInBFloat16(t *testing.T) {
	dir := untrainedDecoder(t, nil)
	bf16 := parley.WithArithmetic(parley.BFloat16)
	if !kernel.HasBF16() {
		if _, err := parley.Open(dir, bf16); err == nil || !strings.Contains(err.Error(), "no products of bf16") {
			t.Errorf("%v", err)
		}
		t.Skip("this processor has no products of bfloat16")
	}
	o := parley.GenerateOptions{MaxTokens: 1, LogProbs: 1}
	exact := mustGenerate(t, openModel(t, dir), "the old", o)[0].tokens[0].LogProb
	for _, precision := range []parley.Precision{parley.Float32, parley.BFloat16} {
		rounded := mustGenerate(t, openModel(t, dir, bf16, parley.WithPrecision(precision)), "the old", o)[0].tokens[0].LogProb
		if d := math.Abs(rounded - exact); d == 0 || d > 0.1 {
			t.Errorf("matrices held in %s: log p differs by %g", precision, d)
		}
	}
}

func TestAPrecisionThatThereIsNotIsAnError(t *testing.T) {
	for _, c := range []struct {
		dir       string
		precision parley.Precision
		want      string
	}{
		{untrainedDecoder(t, nil), "f16", "f32 and bf16"},
		{untrained(t), parley.BFloat16, "decoder-only"},
	} {
		if _, err := parley.Open(c.dir, parley.WithPrecision(c.precision)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.precision, err)
		}
	}
}

package model_test

import (
	"slices"
	"testing"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
)

// TestCheckpointingHasTheSameBitsInLessMemory compares the gradients of a pass that computes each block twice, dropout included.
func TestCheckpointingHasTheSameBitsInLessMemory(t *testing.T) {
	for _, name := range []string{"gpt2", "llama", "mistral", "qwen3"} {
		t.Run(name, func(t *testing.T) {
			m := deep(t, name, 8)
			b := longBatch(m)
			pass := func(tape *grad.Tape, checkpoint bool) (loss float64, gradients []float32) {
				clear(m.Store().Grads())
				tape.Begin(grad.Mode{Record: true, Checkpoint: checkpoint, Dropout: 1, Seed: 7, Step: 3})
				loss = m.Loss(tape, b, 1, nil)
				tape.Backward()
				return loss, slices.Clone(m.Store().Grads())
			}
			whole, parts := &grad.Tape{Pool: kernel.NewPool(2)}, &grad.Tape{Pool: kernel.NewPool(2)}
			wantLoss, want := pass(whole, false)
			for range 2 {
				loss, got := pass(parts, true)
				if loss != wantLoss || !slices.Equal(got, want) {
					t.Errorf("the loss is %v, want %v; gradients have the same bits: %v", loss, wantLoss, slices.Equal(got, want))
				}
			}
			if parts.Bytes() > whole.Bytes()/2 {
				t.Errorf("%d bytes for %d layers, and %d without", parts.Bytes(), m.Config.Layers, whole.Bytes())
			}
			if n := fewestAllocs(1, func() {
				parts.Begin(grad.Mode{Record: true, Checkpoint: true, Dropout: 1})
				m.Loss(parts, b, 1, nil)
				parts.Backward()
			}); n != 0 {
				t.Errorf("%v allocations once warm", n)
			}
		})
	}
}

// deep is a model of a family with so many layers, and a little dropout.
func deep(t *testing.T, family string, layers int) *model.Decoder {
	t.Helper()
	c := model.DecoderConfig{
		ModelType: family, VocabSize: 50, Hidden: 64, Layers: layers, Heads: 4, KVHeads: 4, HeadDim: 16, FeedForward: 128, MaxPositions: 200,
		Activation: "gelu_new", NormEps: 1e-5, ScaleAttention: true, InBias: true, OutBias: true, MLPBias: true,
		Dropout: 0.2, EmbeddingDropout: 0.1, InitStd: 0.1,
	}
	if family != "gpt2" {
		c.KVHeads, c.Activation, c.Rotary = 2, "silu", model.RotaryConfig{Type: "default", Theta: 10000, Factor: 1, Magnitude: 1}
		c.InBias, c.OutBias, c.MLPBias = false, false, false
	}
	switch family {
	case "mistral":
		c.Windows = slices.Repeat([]int{7}, c.Layers)
	case "qwen3":
		c.HeadNorms = true
	}
	m, err := model.NewDecoder(c)
	if err != nil {
		t.Fatal(err)
	}
	m.Initialize(3)
	m.Store().Trainable()
	return m
}

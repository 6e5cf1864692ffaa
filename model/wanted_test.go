package model_test

import (
	"math"
	"slices"
	"testing"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
)

// TestLossOfSomeRowsIsThatOfAllRowsThere compares what is computed for the rows with a target alone with what is computed for all: the
// log-probabilities have the same bits, and the gradients of two parts of the targets add up to those of all of them.
func TestLossOfSomeRowsIsThatOfAllRowsThere(t *testing.T) {
	for _, family := range []string{"gpt2", "qwen3"} {
		t.Run(family, func(t *testing.T) {
			m := deep(t, family, 2)
			m.SetDropout(0, 0)
			tape := &grad.Tape{Pool: kernel.NewPool(2)}
			pass := func(b *model.TokenBatch, checkpoint bool) (loss float64, nll, gradients []float32) {
				clear(m.Store().Grads())
				nll = slices.Repeat([]float32{-7}, len(b.Input))
				tape.Begin(grad.Mode{Record: true, Checkpoint: checkpoint})
				loss = m.Loss(tape, b, 1, nll)
				tape.Backward()
				return loss, nll, slices.Clone(m.Store().Grads())
			}
			all := longBatch(m)
			loss, nll, gradients := pass(all, false)
			kept := 0
			for part := range 2 {
				b := longBatch(m)
				for row := range b.Target {
					if (row%3 == 0) != (part == 0) {
						b.Target[row] = -1
					}
				}
				partLoss, partNLL, partGradients := pass(b, false)
				for row, target := range b.Target {
					switch {
					case target < 0 && partNLL[row] != 0:
						t.Fatalf("row %d has no target and −log p = %v", row, partNLL[row])
					case target >= 0 && partNLL[row] != nll[row]:
						t.Fatalf("row %d: −log p = %v, of all rows %v", row, partNLL[row], nll[row])
					case target >= 0:
						kept++
					}
				}
				again, _, repeated := pass(b, true)
				if again != partLoss || !slices.Equal(repeated, partGradients) {
					t.Error("checkpointing changes bits")
				}
				loss -= partLoss
				for i, g := range partGradients {
					gradients[i] -= g
				}
			}
			if kept == 0 || math.Abs(loss) > 1e-3 {
				t.Errorf("%d rows; the losses of the parts differ from that of all by %v", kept, loss)
			}
			for i, difference := range gradients {
				if math.Abs(float64(difference)) > 2e-3 {
					t.Fatalf("gradient %d: the parts differ from the whole by %v", i, difference)
				}
			}
		})
	}
}

package model_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/nn"
)

// disturbed fills a LoRA with numbers at which everything that it holds has an effect.
func disturbed(l *nn.LoRA) *nn.LoRA {
	l.Params.Allocate()
	l.Params.Initialize(5)
	disturb(l)
	return l
}

// disturb adds to all numbers of a LoRA.
func disturb(l *nn.LoRA) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, p := range l.Params.Params() {
		for i := range p.Data {
			p.Data[i] += 0.1 * float32(rng.NormFloat64())
		}
	}
}

// longLogits are those of a batch of several sequences.
func longLogits(tape *grad.Tape, m *model.Decoder) []float32 {
	tape.Begin(grad.Mode{})
	return contents(m.Logits(tape, longBatch(m)).Value())
}

// logitsBeside returns the logits of a model and those with a LoRA, which must leave nothing behind when it is taken off.
func logitsBeside(t *testing.T, tape *grad.Tape, m *model.Decoder, l *nn.LoRA) (plain, updated []float32) {
	t.Helper()
	plain = longLogits(tape, m)
	l.Attach(1)
	updated = longLogits(tape, m)
	l.Detach()
	if !slices.Equal(plain, longLogits(tape, m)) {
		t.Error("taken off, the LoRA leaves something behind")
	}
	return plain, updated
}

// copiedFor makes a LoRA for another model with the numbers of one.
func copiedFor(t *testing.T, m *model.Decoder, c model.LoRAConfig, l *nn.LoRA) *nn.LoRA {
	t.Helper()
	again, err := m.NewLoRA(c)
	if err != nil {
		t.Fatal(err)
	}
	again.Params.Allocate()
	copy(again.Params.Values(), l.Params.Values())
	return again
}

func byName(params []*nn.Param) map[string]*nn.Param {
	of := map[string]*nn.Param{}
	for _, p := range params {
		of[p.Name] = p
	}
	return of
}

// goldenRows are the sequences of a fixture whose input_ids are a matrix.
func goldenRows(t testing.TB, golden *hub.File) (rows [][]int32) {
	t.Helper()
	all, shape, err := golden.Int64("input_ids")
	if err != nil {
		t.Fatal(err)
	}
	for i := range shape[0] {
		var s []int32
		for _, id := range all[i*shape[1] : (i+1)*shape[1]] {
			s = append(s, int32(id))
		}
		rows = append(rows, s)
	}
	return rows
}

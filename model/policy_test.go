package model_test

import (
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
)

func TestAPolicyIsTheModelWithAHeadBeside(t *testing.T) {
	d, err := hub.LoadDecoder("testdata/llama-train")
	if err != nil {
		t.Fatal(err)
	}
	var b model.TokenBatch
	b.AddText([]int32{5, 9, 33, 2, 17, 8})
	rows, targets := []int32{2, 3, 4}, []int32{2, 17, 8}
	tape := &grad.Tape{Pool: kernel.NewPool(2)}
	tape.Begin(grad.Mode{})
	want := numbers(d.Model.LogProbs(tape, &b, rows, targets))
	p := model.NewPolicy(d.Model, d.Model.Store(), true, 1)
	tape.Begin(grad.Mode{})
	logProbs, values := p.Judge(tape, &b, rows, targets)
	if !slices.Equal(numbers(logProbs), want) || !slices.Equal(numbers(values), make([]float32, 3)) {
		t.Errorf("log-probabilities %v, want %v; values %v", numbers(logProbs), want, numbers(values))
	}
	dir := filepath.Join(t.TempDir(), "model")
	if err := hub.SaveDecoder(dir, d); err != nil {
		t.Fatal(err)
	}
	back, err := hub.LoadDecoder(dir)
	if err != nil {
		t.Fatal(err)
	}
	tape.Begin(grad.Mode{})
	if !slices.Equal(numbers(back.Model.LogProbs(tape, &b, rows, targets)), want) {
		t.Error("saved without its head it is another model")
	}
}

// numbers copies the numbers of a Var.
func numbers(v grad.Var) (out []float32) {
	for i := range v.Rows() {
		out = append(out, v.Value().Row(i)...)
	}
	return out
}

// TestGradientsOfLogProbsAndValues compares with central differences along the gradient itself.
func TestGradientsOfLogProbsAndValues(t *testing.T) {
	d, err := hub.LoadDecoder("testdata/gpt2-train")
	if err != nil {
		t.Fatal(err)
	}
	p := model.NewPolicy(d.Model, d.Model.Store(), true, 1)
	s := p.Store()
	for _, q := range p.Params() {
		if q.Name == "value.weight" {
			for i := range q.Data {
				q.Data[i] = float32(math.Sin(float64(i)))
			}
		}
	}
	s.Trainable()
	var b model.TokenBatch
	b.AddText([]int32{5, 9, 33, 2, 17, 8})
	b.AddText([]int32{7, 7, 1})
	rows, targets := []int32{2, 3, 4, 6}, []int32{2, 17, 8, 1}
	upstream := []float32{0.3, -0.2, 0.5, 0.1, -0.7, 0.2, 0.4, 0} // of log p and entropy
	ofValues := []float32{0.6, -0.9, 0.2, 0.4}
	tape := &grad.Tape{Pool: kernel.NewPool(1)}
	loss := func(record bool) float64 {
		tape.Begin(grad.Mode{Record: record})
		x, v := p.Judge(tape, &b, rows, targets)
		sum := 0.0
		for i, c := range upstream {
			sum += float64(c) * float64(x.Value().Row(i / 2)[i%2])
		}
		for i, c := range ofValues {
			sum += float64(c) * float64(v.Value().Row(i)[0])
		}
		if record {
			tape.Seed(x, kernel.NewMat(upstream, 4, 2))
			tape.Seed(v, kernel.NewMat(ofValues, 4, 1))
			tape.Backward()
		}
		return sum
	}
	loss(true)
	g, start := slices.Clone(s.Grads()), slices.Clone(s.Values())
	square := tape.Pool.SumSquares(g)
	step := 2e-3 / math.Sqrt(square)
	move := func(by float64) float64 {
		for i := range g {
			s.Values()[i] = start[i] + float32(by*float64(g[i]))
		}
		return loss(false)
	}
	if slope := (move(step) - move(-step)) / (2 * step); math.Abs(slope-square) > 0.01*square {
		t.Errorf("along the gradient the loss changes by %g, want %g", slope, square)
	}
}

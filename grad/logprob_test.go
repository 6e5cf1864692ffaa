package grad

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/parley-lm/parley/internal/kernel"
)

// logProb is log p of the targets and, in a second column, the entropy.
func logProb(h, w matrix, bias []float64, targets []int32, cols int) matrix {
	logits, y := linear(h, w, matrix{1, w.rows, bias}, kernel.None), zero(h.rows, cols)
	for i, target := range targets {
		if target < 0 {
			continue
		}
		row, sum := logits.v[i*logits.cols:][:logits.cols], 0.0
		for _, x := range row {
			sum += math.Exp(x)
		}
		y.v[i*cols] = row[target] - math.Log(sum)
		for _, x := range row[:(cols-1)*len(row)] {
			y.v[i*cols+1] -= math.Exp(x) / sum * (x - math.Log(sum))
		}
	}
	return y
}

func TestLogProb(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 16))
	targets := []int32{3, 0, -1, 12, 7, 7}
	for _, entropy := range []bool{false, true} {
		h, w, bias := random(rng, 6, 5), random(rng, 13, 5), random(rng, 1, 13)
		cols := 1
		if entropy {
			cols = 2
		}
		c, d := random(rng, 6, cols), random(rng, 6, 5)
		formula := func() matrix { return logProb(h, w, bias.v, targets, cols) }
		tape := &Tape{Pool: kernel.NewPool(2)}
		tape.Begin(recording)
		hv, wp := tape.Input(h.float32()), w.param()
		other := tape.Add(hv, tape.Input(zero(6, 5).float32())) // h is used twice, so that gradients accumulate
		y := tape.LogProb(hv, wp, bias.float32().Data, targets, entropy)
		sameValues(t, y.Value(), formula())
		seed(tape, y, c)
		seed(tape, other, d)
		tape.Backward()
		check(t, "h", h, gradientOf(hv), func() float64 { return dot(formula(), c) + dot(h, d) })
		check(t, "w", w, wp.Grad, func() float64 { return dot(formula(), c) })
	}
}

func TestLogProbHasTheBitsOfCrossEntropy(t *testing.T) {
	rng := rand.New(rand.NewPCG(17, 18))
	h, w, targets := random(rng, 250, 16), random(rng, 65, 16).param(), make([]int32, 250)
	for i := range targets {
		targets[i] = int32(i % 65)
	}
	tape := &Tape{Pool: kernel.NewPool(2)}
	nll := make([]float32, 250)
	for _, packed := range []bool{false, true} {
		if packed {
			w.Pack(tape.Pool)
		}
		tape.Begin(Mode{})
		in := tape.Input(h.float32())
		tape.CrossEntropy(in, w, nil, kernel.CrossEntropy{Targets: targets, Scale: 1}, nil, nll)
		y := tape.LogProb(in, w, nil, targets, true).Value()
		for i, x := range nll {
			if y.Row(i)[0] != -x {
				t.Fatalf("row %d: log p %v, −log p %v", i, y.Row(i)[0], x)
			}
		}
		alone := tape.LogProb(tape.Input(h.float32().Slice(200, 201)), w, nil, targets[200:201], true).Value()
		if !slices.Equal(alone.Row(0), y.Row(200)) {
			t.Errorf("a row alone has %v, in company %v", alone.Row(0), y.Row(200))
		}
	}
}

func TestLogProbAllocatesNothingOnceWarm(t *testing.T) {
	rng := rand.New(rand.NewPCG(19, 20))
	h, w, targets := random(rng, 20, 8).float32(), random(rng, 30, 8).param(), make([]int32, 20)
	c := random(rng, 20, 2).float32()
	tape := &Tape{Pool: kernel.NewPool(1)}
	step := func() {
		tape.Begin(recording)
		y := tape.LogProb(tape.Input(h), w, nil, targets, true)
		tape.Seed(y, c)
		tape.Backward()
	}
	step()
	if n := testing.AllocsPerRun(10, step); n != 0 {
		t.Errorf("%v allocations a pass", n)
	}
}

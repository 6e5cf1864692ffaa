package grad

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/parley-lm/parley/internal/kernel"
)

// What a layer and the loss compute in bfloat16, and their gradients, differ from float32 by the rounding of what is
// multiplied, and not at all where the processor lacks such products.
func TestLayersInBFloat16DifferByRoundingOnly(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 32))
	x, w := random(rng, 20, 40), random(rng, 50, 40)
	targets := make([]int32, 20)
	results := map[bool][][]float32{}
	for _, bf16 := range []bool{false, true} {
		p := w.param()
		p.BF16 = bf16
		tape := &Tape{Pool: kernel.NewPool(2)}
		defer tape.Pool.Close()
		tape.Begin(Mode{Record: true})
		in := tape.Input(x.float32())
		h := tape.Linear(in, p, nil, kernel.GELU)
		loss := tape.CrossEntropy(tape.Linear(h, &Param{Value: transposed(w), BF16: bf16}, nil, kernel.None), p, nil, kernel.CrossEntropy{Targets: targets, Scale: 1}, nil, nil)
		tape.Backward()
		results[bf16] = [][]float32{{float32(loss)}, h.Value().Data, in.n.grad.Data, p.Grad.Data}
	}
	for i, name := range []string{"loss", "layer", "gradient of the input", "gradient of the weight"} {
		difference, size := 0.0, 0.0
		for j, want := range results[false][i] {
			d := float64(results[true][i][j] - want)
			difference, size = difference+d*d, size+float64(want)*float64(want)
		}
		if relative := math.Sqrt(difference / size); relative > 0.02 || kernel.HasBF16() != (relative > 0) {
			t.Errorf("%s: differs by %g", name, relative)
		}
	}
}

// transposed is m with rows and columns exchanged.
func transposed(m matrix) kernel.Mat {
	x := m.float32()
	y := kernel.NewMat(make([]float32, len(x.Data)), x.Cols, x.Rows)
	for i := range x.Rows {
		for j, v := range x.Row(i) {
			y.Row(j)[i] = v
		}
	}
	return y
}

package train

import (
	"math"

	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/nn"
)

// muon moves the weight matrices of layers by Muon (Jordan et al. 2024), as torch.optim.Muon computes it with
// adjust_lr_fn = "match_rms_adamw" (Liu et al. 2025): the momentum of the gradient, made orthogonal by Newton–Schulz
// iterations and scaled to the size of an Adam update. Each matrix is one task of the pool.
type muon struct {
	matrices []muonMatrix
	scratch  [][]float32 // of each worker
	largest  int         // floats that the largest matrix needs

	lr, decay, momentum, scale float64
	bf16                       bool // as the products with the weights; the singular values come as near to 1
}

// muonMatrix is a parameter [rows, cols] and its momentum.
type muonMatrix struct {
	value, grad, momentum kernel.Mat
}

// newMuon takes the matrices that Muon moves. moments has the layout of the store.
func newMuon(o OptimizerRecipe, s *nn.Store, moments []float32) *muon {
	m := &muon{decay: o.WeightDecay, momentum: o.Momentum, bf16: s.UsesBF16()}
	for _, p := range s.Params() {
		if !orthogonalized(p) {
			continue
		}
		rows, cols, at := p.Shape[0], p.Shape[1], s.Offset(p)
		m.matrices = append(m.matrices, muonMatrix{
			kernel.NewMat(p.Data, rows, cols), kernel.NewMat(p.Grad, rows, cols), kernel.NewMat(moments[at:at+p.Size()], rows, cols),
		})
		short := min(rows, cols)
		m.largest = max(m.largest, 2*rows*cols+2*short*short)
	}
	return m
}

// orthogonalized reports whether Muon moves p: a matrix that multiplies vectors, not one whose rows are looked up.
func orthogonalized(p *nn.Param) bool { return len(p.Shape) == 2 && !p.Lookup }

// step moves the matrices against their gradients, multiplied by scale first, at the given learning rate.
func (m *muon) step(pool *kernel.Pool, lr, scale float64) {
	for len(m.scratch) < pool.Threads() {
		m.scratch = append(m.scratch, make([]float32, m.largest))
	}
	m.lr, m.scale = lr, scale
	pool.Run(len(m.matrices), m)
}

// Do moves one matrix.
func (m *muon) Do(worker, item int) {
	w := m.matrices[item]
	rows, cols := w.value.Rows, w.value.Cols
	memory := m.scratch[worker]
	x, memory := kernel.NewMat(memory[:rows*cols], rows, cols), memory[rows*cols:]
	var serial *kernel.Pool
	momentum, share := float32(m.momentum), float32((1-m.momentum)*m.scale)
	serial.WeightedSum(w.momentum, w.momentum, momentum, w.grad, share)
	serial.WeightedSum(x, w.grad, share, w.momentum, momentum) // Nesterov's look ahead
	serial.Scale(x, float32(1/max(math.Sqrt(serial.SumSquares(x.Data)), 1e-7)))
	x = orthogonalize(x, memory, m.bf16)
	keep := float32(1 - m.lr*m.decay)
	size := float32(m.lr * 0.2 * math.Sqrt(float64(max(rows, cols))))
	serial.WeightedSum(w.value, w.value, keep, x, -size)
}

// The coefficients of the quintic iteration X ← aX + (bS + cS²)X, S = XXᵀ, which brings all singular values near 1.
const newtonA, newtonB, newtonC, newtonSteps = 3.4445, -4.7750, 2.0315, 5

// orthogonalize returns the matrix nearest to x with singular values near 1, in x or in memory, which has room for x and
// two squares of its shorter side. The Frobenius norm of x must be at most 1.
func orthogonalize(x kernel.Mat, memory []float32, bf16 bool) kernel.Mat {
	var serial *kernel.Pool
	rows, cols := x.Rows, x.Cols
	n := min(rows, cols)
	y := kernel.NewMat(memory[:rows*cols], rows, cols)
	s := kernel.NewMat(memory[rows*cols:][:n*n], n, n)
	p := kernel.NewMat(memory[rows*cols+n*n:][:n*n], n, n)
	tall := rows > cols
	for range newtonSteps {
		serial.Gemm(s, x, tall, x, !tall, kernel.GemmOpt{BF16: bf16}) // XXᵀ, or XᵀX of a tall matrix
		serial.Copy(p, s)
		serial.Scale(p, newtonB/newtonC)
		serial.Gemm(p, s, false, s, false, kernel.GemmOpt{Acc: true, BF16: bf16}) // (bS + cS²)/c
		serial.Copy(y, x)
		serial.Scale(y, newtonA/newtonC)
		if tall {
			serial.Gemm(y, x, false, p, false, kernel.GemmOpt{Acc: true, BF16: bf16})
		} else {
			serial.Gemm(y, p, false, x, false, kernel.GemmOpt{Acc: true, BF16: bf16})
		}
		serial.Scale(y, newtonC)
		x, y = y, x
	}
	return x
}

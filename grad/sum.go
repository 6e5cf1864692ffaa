package grad

import (
	"math"

	"github.com/parley-lm/parley/tensor"
)

// sumOp is y[i] = the sum of the rows of x from starts[i] to starts[i+1], over the root of their number.
type sumOp struct {
	x, y   *node
	starts tensor.Starts
}

// SumRows returns the sum of each sequence's rows of x [N, D] over the root of their number, [sequences, D]: of independent rows it
// has the variance of one. The sequences lie end to end, and none may be empty. starts must live until Backward.
func (t *Tape) SumRows(x Var, starts tensor.Starts) Var {
	y := t.alloc(starts.Len(), x.Cols())
	op := t.sums.next()
	*op = sumOp{x.n, y.n, starts}
	for i := range starts.Len() {
		first, end := int(starts[i]), int(starts[i+1])
		total := y.n.value.Row(i)
		for j := range total {
			sum := 0.0
			for row := first; row < end; row++ {
				sum += float64(x.n.value.Row(row)[j])
			}
			total[j] = float32(sum / math.Sqrt(float64(end-first)))
		}
	}
	t.push(op)
	return y
}

func (op *sumOp) result() *node { return op.y }

func (op *sumOp) backward(t *Tape) {
	dx, acc := t.into(op.x)
	if !acc {
		t.Pool.Fill(dx, 0)
	}
	for i := range op.starts.Len() {
		first, end := int(op.starts[i]), int(op.starts[i+1])
		share := float32(1 / math.Sqrt(float64(end-first)))
		for row := first; row < end; row++ {
			to := dx.Row(row)
			for j, d := range op.y.grad.Row(i) {
				to[j] += d * share
			}
		}
	}
}

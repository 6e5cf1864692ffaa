package grad

import "github.com/parley-lm/parley/tensor"

// meanOp is y[i] = the mean of the rows of x from starts[i] to starts[i+1].
type meanOp struct {
	x, y   *node
	starts tensor.Starts
}

// MeanRows returns the mean of each sequence's rows of x [N, D], which end to end fill it: [sequences, D]. None of them may be
// empty. starts must live until Backward.
func (t *Tape) MeanRows(x Var, starts tensor.Starts) Var {
	y := t.alloc(starts.Len(), x.Cols())
	op := t.means.next()
	*op = meanOp{x.n, y.n, starts}
	for i := range starts.Len() {
		first, end := int(starts[i]), int(starts[i+1])
		mean := y.n.value.Row(i)
		for j := range mean {
			sum := 0.0
			for row := first; row < end; row++ {
				sum += float64(x.n.value.Row(row)[j])
			}
			mean[j] = float32(sum / float64(end-first))
		}
	}
	t.push(op)
	return y
}

func (op *meanOp) result() *node { return op.y }

func (op *meanOp) backward(t *Tape) {
	dx, acc := t.into(op.x)
	if !acc {
		t.Pool.Fill(dx, 0)
	}
	for i := range op.starts.Len() {
		first, end := int(op.starts[i]), int(op.starts[i+1])
		share := 1 / float32(end-first)
		for row := first; row < end; row++ {
			to := dx.Row(row)
			for j, d := range op.y.grad.Row(i) {
				to[j] += d * share
			}
		}
	}
}

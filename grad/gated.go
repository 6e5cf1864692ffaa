package grad

import "github.com/parley-lm/parley/internal/kernel"

// gatedOp is y = act(gate)·up, where x holds gate and up side by side.
type gatedOp struct {
	x, y *node
	act  kernel.Activation
}

// Gated returns act(gate)·up, the gated linear unit of Shazeer (2020), for x [N, 2·F] that holds gate [N, F] and then up
// [N, F]; it returns [N, F].
func (t *Tape) Gated(x Var, act kernel.Activation) Var {
	f := x.Cols() / 2
	mustCols("Gated", x.n.value, 2*f)
	y := t.alloc(x.Rows(), f)
	op := t.gates.next()
	*op = gatedOp{x.n, y.n, act}
	t.Pool.Gated(y.n.value, x.n.value.ColSlice(0, f), x.n.value.ColSlice(f, 2*f), act)
	t.push(op)
	return y
}

func (op *gatedOp) result() *node { return op.y }

func (op *gatedOp) backward(t *Tape) {
	if op.x.grad.Data != nil {
		panic("grad: the input of Gated has another consumer")
	}
	dx, _ := t.into(op.x)
	x, f := op.x.value, op.y.value.Cols
	t.Pool.GatedBackward(dx.ColSlice(0, f), dx.ColSlice(f, 2*f), op.y.grad, x.ColSlice(0, f), x.ColSlice(f, 2*f), op.act)
}

package grad

import "github.com/parley-lm/parley/internal/kernel"

type addOp struct{ a, b, y *node }

// Add returns a + b, element by element.
func (t *Tape) Add(a, b Var) Var {
	mustSameShape("Add", a.n.value, b.n.value)
	y := t.alloc(a.Rows(), a.Cols())
	op := t.adds.next()
	*op = addOp{a.n, b.n, y.n}
	t.Pool.Add(y.n.value, a.n.value, b.n.value)
	t.push(op)
	return y
}

func (op *addOp) result() *node { return op.y }

func (op *addOp) backward(t *Tape) {
	for _, n := range [...]*node{op.a, op.b} {
		if g, acc := t.into(n); acc {
			t.Pool.AddTo(g, op.y.grad)
		} else {
			t.Pool.Copy(g, op.y.grad)
		}
	}
}

type activateOp struct {
	x, y *node
	act  kernel.Activation
}

// Activate returns act(x), element by element.
func (t *Tape) Activate(x Var, act kernel.Activation) Var {
	y := t.alloc(x.Rows(), x.Cols())
	op := t.activations.next()
	*op = activateOp{x.n, y.n, act}
	t.Pool.Activate(y.n.value, x.n.value, act)
	t.push(op)
	return y
}

func (op *activateOp) result() *node { return op.y }

func (op *activateOp) backward(t *Tape) {
	dx, acc := t.into(op.x)
	t.Pool.ActivateBackward(dx, op.y.grad, op.x.value, op.act, acc)
}

type dropoutOp struct {
	x, y *node
	drop kernel.Dropout
}

// Dropout sets elements to zero with the given probability and scales the others by 1/(1 − rate) (Srivastava et al.
// 2014). Without dropout in the tape's mode it returns x.
func (t *Tape) Dropout(x Var, rate float32) Var {
	d := t.mask(rate)
	if d.Rate == 0 {
		return x
	}
	y := t.alloc(x.Rows(), x.Cols())
	op := t.dropouts.next()
	*op = dropoutOp{x.n, y.n, d}
	t.Pool.Dropout(y.n.value, x.n.value, d)
	t.push(op)
	return y
}

func (op *dropoutOp) result() *node { return op.y }

func (op *dropoutOp) backward(t *Tape) {
	t.Pool.Dropout(op.y.grad, op.y.grad, op.drop)
	t.pass(op.y, op.x)
}

package grad

import "github.com/parley-lm/parley/internal/kernel"

// linearOp is y = residual + dropout(act(x·Wᵀ + b)).
type linearOp struct {
	x, residual, y *node // residual may be nil
	w, b           *Param
	act            kernel.Activation
	pre            kernel.Mat // x·Wᵀ + b, where the activation's derivative needs it
	drop           kernel.Dropout
	updates        *updateUse // low-rank updates of W, the last one first
	decomposed     *decomposedUse
}

// Linear returns act(x·Wᵀ + b): x [N, in], W [out, in], b [1, out] or nil.
func (t *Tape) Linear(x Var, w, b *Param, act kernel.Activation) Var {
	return t.linear(x, w, b, act, 0, Var{})
}

// LinearAdd returns residual + dropout(x·Wᵀ + b), the end of every sublayer of a Transformer, in one pass over the
// result: x [N, in], W [out, in], b [1, out] or nil, residual [N, out].
func (t *Tape) LinearAdd(x Var, w, b *Param, rate float32, residual Var) Var {
	return t.linear(x, w, b, kernel.None, rate, residual)
}

func (t *Tape) linear(x Var, w, b *Param, act kernel.Activation, rate float32, residual Var) Var {
	mustCols("Linear", x.n.value, w.Value.Cols)
	w.mustRecord("Linear", t.mode)
	y := t.alloc(x.Rows(), w.Value.Rows)
	op := t.linears.next()
	*op = linearOp{x: x.n, y: y.n, w: w, b: b, act: act, drop: t.mask(rate)}
	y.n.fixed = x.n.fixed && w.Grad.Data == nil && (b == nil || b.Grad.Data == nil) && (residual.n == nil || residual.n.fixed)
	o := kernel.GemmOpt{Ep: kernel.Epilogue{Act: act, Drop: op.drop}}
	if b != nil {
		o.Ep.Bias = b.Value.Data
	}
	if residual.n != nil {
		mustSameShape("LinearAdd", residual.n.value, y.n.value)
		op.residual = residual.n
		o.Ep.Residual = residual.n.value
	}
	if t.mode.Record && act != kernel.None {
		op.pre = y.n.value // a ReLU's own output tells where it was active
		if act != kernel.ReLU {
			op.pre = t.scratch(y.Rows(), y.Cols())
			o.Ep.Pre = op.pre
		}
	}
	if len(w.updates) > 0 && !t.mode.Plain {
		op.updates, o.Acc = t.addUpdates(y.n.value, x.n.value, w), true
		y.n.fixed = false
	}
	if l := w.decomposed(t.mode); l != nil {
		op.decomposed = t.addDecomposed(y.n.value, x.n.value, w, l, op.updates, o)
	} else {
		w.multiply(t, y.n.value, x.n.value, o)
	}
	t.push(op)
	return y
}

func (op *linearOp) result() *node { return op.y }

func (op *linearOp) backward(t *Tape) {
	dy := op.y.grad
	var masked []float32 // dy through dropout, when dy itself must still reach the residual
	if op.drop.Rate > 0 {
		d := dy
		if op.residual != nil {
			masked = t.free.get(dy.Rows * dy.Cols)
			d = kernel.NewMat(masked, dy.Rows, dy.Cols)
		}
		t.Pool.Dropout(d, dy, op.drop)
		dy = d
	}
	if op.act != kernel.None {
		t.Pool.ActivateBackward(dy, dy, op.pre, op.act, false)
	}
	if op.b != nil && op.b.Grad.Data != nil {
		t.Pool.ColumnSum(op.b.Grad.Data, dy)
	}
	past, whole := dy, dy
	var product []float32 // the memory of dy by the product that a decomposed update multiplies
	if op.decomposed != nil {
		dy, product = op.decomposed.backward(t, whole)
		past = op.decomposed.past(whole, dy)
	}
	if op.w.Grad.Data != nil {
		t.Pool.Gemm(op.w.Grad, dy, true, op.x.value, false, kernel.GemmOpt{Acc: op.w.addTo(), BF16: op.w.BF16})
	}
	var dx kernel.Mat
	if !op.x.fixed {
		var acc bool
		dx, acc = t.into(op.x)
		op.w.multiplyAcross(t, dx, past, kernel.GemmOpt{Acc: acc})
	}
	for u := op.updates; u != nil; u = u.next {
		u.backward(t, dx, dy, op.x.value)
	}
	if op.decomposed != nil {
		op.decomposed.through(t, dx, whole, dy)
	}
	if op.residual != nil {
		t.pass(op.y, op.residual)
	}
	t.free.put(product)
	t.free.put(masked)
}

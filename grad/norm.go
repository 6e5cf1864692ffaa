package grad

import "github.com/parley-lm/parley/internal/kernel"

// normOp is LayerNorm (Ba et al. 2016), or RMSNorm (Zhang and Sennrich 2019) where there is no beta and no mean.
type normOp struct {
	x, y        *node
	gamma, beta *Param // beta nil: RMSNorm
	mean, rstd  []float32
}

// LayerNorm returns (x − mean)/√(var + eps)·gamma + beta over every row of x [N, D]; gamma and beta are [1, D].
func (t *Tape) LayerNorm(x Var, gamma, beta *Param, eps float32) Var {
	mustCols("LayerNorm", x.n.value, gamma.Value.Cols)
	y := t.alloc(x.Rows(), x.Cols())
	op := t.norms.next()
	*op = normOp{x: x.n, y: y.n, gamma: gamma, beta: beta}
	if t.mode.Record {
		op.mean, op.rstd = t.arena.Alloc(x.Rows()), t.arena.Alloc(x.Rows())
	}
	t.Pool.LayerNorm(y.n.value, x.n.value, gamma.Value.Data, beta.Value.Data, op.mean, op.rstd, eps)
	t.push(op)
	return y
}

// RMSNorm returns x/√(mean(x²) + eps)·gamma over every row of x [N, D]; gamma is [1, D].
func (t *Tape) RMSNorm(x Var, gamma *Param, eps float32) Var {
	mustCols("RMSNorm", x.n.value, gamma.Value.Cols)
	y := t.alloc(x.Rows(), x.Cols())
	op := t.norms.next()
	*op = normOp{x: x.n, y: y.n, gamma: gamma}
	if t.mode.Record {
		op.rstd = t.arena.Alloc(x.Rows())
	}
	t.Pool.RMSNorm(y.n.value, x.n.value, gamma.Value.Data, op.rstd, eps)
	t.push(op)
	return y
}

func (op *normOp) result() *node { return op.y }

func (op *normOp) backward(t *Tape) {
	dx, acc := op.x.grad, true
	if dx.Data == nil { // the gradient of y becomes the gradient of x where it lies
		dx, acc = op.y.grad, false
	}
	if op.beta == nil {
		t.Pool.RMSNormBackward(dx, op.gamma.Grad.Data, op.y.grad, op.x.value, op.gamma.Value.Data, op.rstd, acc)
	} else {
		t.Pool.LayerNormBackward(dx, op.gamma.Grad.Data, op.beta.Grad.Data, op.y.grad, op.x.value, op.gamma.Value.Data, op.mean, op.rstd, acc)
	}
	if !acc {
		op.x.grad, op.y.grad = op.y.grad, kernel.Mat{}
	}
}

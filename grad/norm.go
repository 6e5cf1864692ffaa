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
	y.n.fixed = x.n.fixed && gamma.Grad.Data == nil && beta.Grad.Data == nil
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
	y.n.fixed = x.n.fixed && gamma.Grad.Data == nil
	t.Pool.RMSNorm(y.n.value, x.n.value, gamma.Value.Data, op.rstd, eps)
	t.push(op)
	return y
}

func (op *normOp) result() *node { return op.y }

func (op *normOp) backward(t *Tape) {
	if op.y.fixed {
		return
	}
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

// headNormOp is an RMSNorm of every query and key head of a stacked projection.
type headNormOp struct {
	x, y  *node
	q, k  *Param
	rstd  []float32 // [N, Heads+KVHeads]
	shape kernel.AttnShape
}

// HeadNorm applies RMSNorm to every single query and key head (Henry et al. 2020; as Qwen3 has it). qkv is
// [N, (Heads + 2·KVHeads)·HeadDim]: queries, keys, values; the values pass unchanged. q and k are [1, HeadDim].
func (t *Tape) HeadNorm(qkv Var, q, k *Param, eps float32, s kernel.AttnShape) Var {
	mustCols("HeadNorm", qkv.n.value, (s.Heads+2*s.KVHeads)*s.HeadDim)
	y := t.alloc(qkv.Rows(), qkv.Cols())
	op := t.headNorms.next()
	*op = headNormOp{x: qkv.n, y: y.n, q: q, k: k, rstd: t.arena.Alloc(qkv.Rows() * (s.Heads + s.KVHeads)), shape: s}
	t.Pool.HeadNorm(y.n.value, qkv.n.value, q.Value.Data, k.Value.Data, op.rstd, s, eps)
	t.push(op)
	return y
}

func (op *headNormOp) result() *node { return op.y }

func (op *headNormOp) backward(t *Tape) {
	dy := op.y.grad // becomes the gradient of x where it lies
	t.Pool.HeadNormBackward(dy, op.q.Grad.Data, op.k.Grad.Data, dy, op.x.value, op.q.Value.Data, op.k.Value.Data, op.rstd, op.shape)
	t.pass(op.y, op.x)
}

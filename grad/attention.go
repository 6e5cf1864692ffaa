package grad

import (
	"fmt"

	"github.com/parley-lm/parley/internal/kernel"
)

// attentionOp is softmax(q·kᵀ·scale)·v for every span and head (Vaswani et al. 2017), in blocks that never hold the
// whole matrix of probabilities (Dao et al. 2022).
type attentionOp struct {
	q, k, v, o *node // k and v may be the same node, and q too
	qc, kc, vc int   // first column of each in its node
	lse        []float32
	spans      []kernel.AttnSpan
	shape      kernel.AttnShape
}

// SelfAttention attends within one matrix: qkv [N, (Heads + 2·KVHeads)·HeadDim] holds queries, then keys, then values.
// It returns [N, Heads·HeadDim]. Spans must cover every row once and live until Backward. The name is for the observer. rate is the dropout of probabilities.
func (t *Tape) SelfAttention(name string, qkv Var, spans []kernel.AttnSpan, s kernel.AttnShape, rate float32) Var {
	s.Drop = t.mask(rate)
	q, kv := s.Heads*s.HeadDim, s.KVHeads*s.HeadDim
	mustCols("SelfAttention", qkv.n.value, q+2*kv)
	return t.attention(name, attentionOp{q: qkv.n, k: qkv.n, v: qkv.n, kc: q, vc: q + kv, spans: spans, shape: s})
}

// CrossAttention attends from q [N, Heads·HeadDim] to kv [M, 2·KVHeads·HeadDim], keys then values, and returns
// [N, Heads·HeadDim]. Spans must cover every row of both once and live until Backward. rate is the dropout of
// probabilities.
func (t *Tape) CrossAttention(name string, q, kv Var, spans []kernel.AttnSpan, s kernel.AttnShape, rate float32) Var {
	s.Drop = t.mask(rate)
	mustCols("CrossAttention", q.n.value, s.Heads*s.HeadDim)
	mustCols("CrossAttention", kv.n.value, 2*s.KVHeads*s.HeadDim)
	return t.attention(name, attentionOp{q: q.n, k: kv.n, v: kv.n, vc: s.KVHeads * s.HeadDim, spans: spans, shape: s})
}

// PagedAttention attends from q [N, Heads·HeadDim] to keys and values in the pages of a cache. It cannot be recorded.
func (t *Tape) PagedAttention(q Var, store []float32, spans []kernel.PagedSpan, s kernel.AttnShape) Var {
	if t.mode.Record {
		panic("grad: PagedAttention on a recording tape")
	}
	width := s.Heads * s.HeadDim
	if q.Cols() < width {
		panic(fmt.Sprintf("grad: PagedAttention: queries are [%d, %d], want at least %d columns", q.Rows(), q.Cols(), width))
	}
	o := t.alloc(q.Rows(), width)
	t.Pool.AttentionPaged(o.n.value, q.n.value.ColSlice(0, width), store, spans, s)
	return o
}

func (t *Tape) attention(name string, a attentionOp) Var {
	o := t.alloc(a.q.value.Rows, a.shape.Heads*a.shape.HeadDim)
	op := t.attentions.next()
	*op = a
	op.o = o.n
	if t.mode.Record {
		op.lse = t.arena.Alloc(o.Rows() * a.shape.Heads)
	}
	q, k, v := op.part(op.q.value, op.k.value, op.v.value)
	t.Pool.Attention(o.n.value, op.lse, q, k, v, op.spans, op.shape)
	if t.Observer != nil {
		t.Observer.Attention(name, q, k, op.spans, op.shape)
	}
	t.push(op)
	return o
}

// part cuts queries, keys and values out of the matrices that hold them.
func (op *attentionOp) part(q, k, v kernel.Mat) (_, _, _ kernel.Mat) {
	width, kv := op.shape.Heads*op.shape.HeadDim, op.shape.KVHeads*op.shape.HeadDim
	return q.ColSlice(op.qc, op.qc+width), k.ColSlice(op.kc, op.kc+kv), v.ColSlice(op.vc, op.vc+kv)
}

func (op *attentionOp) result() *node { return op.o }

func (op *attentionOp) backward(t *Tape) {
	if op.q.grad.Data != nil || op.k.grad.Data != nil {
		panic("grad: the inputs of an attention have another consumer")
	}
	t.into(op.q)
	t.into(op.k) // the same matrix again in self-attention
	dq, dk, dv := op.part(op.q.grad, op.k.grad, op.v.grad)
	q, k, v := op.part(op.q.value, op.k.value, op.v.value)
	t.Pool.AttentionBackward(dq, dk, dv, op.o.grad, op.o.value, q, k, v, op.lse, op.spans, op.shape)
}

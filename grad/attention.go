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

	rows   []int32    // of k and v that the spans' keys are; nil: they are all, in their order
	copied kernel.Mat // with rows: these, [len(rows), 2·KVHeads·HeadDim]
}

// SelfAttention attends within one matrix: qkv [N, (Heads + 2·KVHeads)·HeadDim] holds queries, then keys, then values.
// It returns [N, Heads·HeadDim]. Spans must cover every row once and live until Backward. The name is for the observer. rate is the dropout of probabilities.
func (t *Tape) SelfAttention(name string, qkv Var, spans []kernel.AttnSpan, s kernel.AttnShape, rate float32) Var {
	s.Drop = t.mask(rate)
	q, kv := s.Heads*s.HeadDim, s.KVHeads*s.HeadDim
	mustCols("SelfAttention", qkv.n.value, q+2*kv)
	return t.attention(name, attentionOp{q: qkv.n, k: qkv.n, v: qkv.n, kc: q, vc: q + kv, spans: spans, shape: s})
}

// SharedAttention is SelfAttention in which a row may be seen by several sequences, as what they all begin with: key i of the spans
// is row rows[i] of qkv. Spans must cover every query and every key once; rows must live until Backward too.
func (t *Tape) SharedAttention(name string, qkv Var, rows []int32, spans []kernel.AttnSpan, s kernel.AttnShape, rate float32) Var {
	s.Drop = t.mask(rate)
	q, kv := s.Heads*s.HeadDim, s.KVHeads*s.HeadDim
	mustCols("SharedAttention", qkv.n.value, q+2*kv)
	copied := kernel.NewMat(t.arena.Alloc(len(rows)*2*kv), len(rows), 2*kv)
	t.Pool.Gather(copied, qkv.n.value.ColSlice(q, q+2*kv), rows, 1, kernel.Mat{}, nil, kernel.Dropout{})
	return t.attention(name, attentionOp{q: qkv.n, k: qkv.n, v: qkv.n, kc: q, vc: q + kv, spans: spans, shape: s, rows: rows, copied: copied})
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
	q, k, v := op.values()
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

// values are the queries, keys and values that the spans speak of.
func (op *attentionOp) values() (q, k, v kernel.Mat) {
	q, k, v = op.part(op.q.value, op.k.value, op.v.value)
	if op.rows != nil {
		k, v = op.halves(op.copied)
	}
	return q, k, v
}

// halves cuts keys and values out of a matrix that holds nothing else.
func (op *attentionOp) halves(m kernel.Mat) (k, v kernel.Mat) {
	return m.ColSlice(0, m.Cols/2), m.ColSlice(m.Cols/2, m.Cols)
}

func (op *attentionOp) result() *node { return op.o }

func (op *attentionOp) backward(t *Tape) {
	if op.q.grad.Data != nil || op.k.grad.Data != nil {
		panic("grad: the inputs of an attention have another consumer")
	}
	t.into(op.q)
	t.into(op.k) // the same matrix again in self-attention
	dq, dk, dv := op.part(op.q.grad, op.k.grad, op.v.grad)
	q, k, v := op.values()
	if op.rows == nil {
		t.Pool.AttentionBackward(dq, dk, dv, op.o.grad, op.o.value, q, k, v, op.lse, op.spans, op.shape)
		return
	}
	memory := t.free.get(len(op.copied.Data))
	d := kernel.NewMat(memory, op.copied.Rows, op.copied.Cols)
	dk, dv = op.halves(d)
	t.Pool.AttentionBackward(dq, dk, dv, op.o.grad, op.o.value, q, k, v, op.lse, op.spans, op.shape)
	shared := op.q.grad.ColSlice(op.kc, op.kc+d.Cols)
	t.Pool.Fill(shared, 0)
	t.Pool.ScatterAdd(shared, d, op.rows, 1, kernel.Dropout{}, -1)
	t.free.put(memory)
}

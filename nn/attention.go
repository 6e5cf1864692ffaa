package nn

import (
	"math"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/internal/kernel"
)

// Keys says what the rows of a pass look at in an attention: rows of the same pass, when training or encoding, or the
// pages of a cache, when decoding.
type Keys struct {
	Spans []kernel.AttnSpan  // rows of the same pass
	Cache *Cache             // not nil: pages of it
	Seqs  []*Sequence        // with Cache: the sequence of each row
	Paged []kernel.PagedSpan // with Cache: made by Cache.Look
}

// SelfAttention is multi-head attention of a sequence to itself.
type SelfAttention struct {
	name  string
	layer int // in the cache
	qkv   Linear
	out   Linear
	shape kernel.AttnShape
}

// NewSelfAttention asks for q_proj, k_proj, v_proj and out_proj under the name.
func NewSelfAttention(s *Store, name string, layer, width, heads int, causal bool, init Init) SelfAttention {
	return SelfAttention{
		name: name, layer: layer, shape: attnShape(width, heads, causal),
		qkv: NewStackedLinear(s, []string{name + ".q_proj", name + ".k_proj", name + ".v_proj"}, width, []int{width, width, width}, init),
		out: NewLinear(s, name+".out_proj", width, width, init),
	}
}

// ForwardAdd returns residual + dropout(attention(x)) for x [N, width]. With a cache, each row is a new token: its key
// and value are stored before anything is looked at.
func (a SelfAttention) ForwardAdd(t *grad.Tape, x grad.Var, k Keys, rate float32, residual grad.Var) grad.Var {
	qkv := a.qkv.Forward(t, x, kernel.None)
	var y grad.Var
	if k.Cache != nil {
		width := a.shape.Heads * a.shape.HeadDim
		k.Cache.store(a.layer, k.Seqs, qkv.Value().ColSlice(width, 3*width))
		y = t.PagedAttention(qkv, k.Cache.layers[a.layer], k.Paged, a.shape)
	} else {
		y = t.SelfAttention(a.name, qkv, k.Spans, a.shape)
	}
	return a.out.ForwardAdd(t, y, rate, residual)
}

// CrossAttention is multi-head attention of a sequence to another one.
type CrossAttention struct {
	name  string
	layer int
	q, kv Linear
	out   Linear
	shape kernel.AttnShape
}

// NewCrossAttention asks for q_proj, k_proj, v_proj and out_proj under the name.
func NewCrossAttention(s *Store, name string, layer, width, heads int, init Init) CrossAttention {
	return CrossAttention{
		name: name, layer: layer, shape: attnShape(width, heads, false),
		q:   NewLinear(s, name+".q_proj", width, width, init),
		kv:  NewStackedLinear(s, []string{name + ".k_proj", name + ".v_proj"}, width, []int{width, width}, init),
		out: NewLinear(s, name+".out_proj", width, width, init),
	}
}

// ForwardAdd returns residual + dropout(attention(x, memory)) for x [N, width] and memory [M, width]. With a cache,
// memory is not used: Remember has stored what it would give.
func (a CrossAttention) ForwardAdd(t *grad.Tape, x, memory grad.Var, k Keys, rate float32, residual grad.Var) grad.Var {
	q := a.q.Forward(t, x, kernel.None)
	var y grad.Var
	if k.Cache != nil {
		y = t.PagedAttention(q, k.Cache.layers[a.layer], k.Paged, a.shape)
	} else {
		y = t.CrossAttention(a.name, q, a.kv.Forward(t, memory, kernel.None), k.Spans, a.shape)
	}
	return a.out.ForwardAdd(t, y, rate, residual)
}

// Remember stores the keys and values of memory [M, width] in the cache: row i belongs to seqs[i], in order.
func (a CrossAttention) Remember(t *grad.Tape, c *Cache, seqs []*Sequence, memory grad.Var) {
	mark := t.Mark()
	kv := a.kv.Forward(t, memory, kernel.None)
	c.store(a.layer, seqs, kv.Value())
	t.Release(mark)
}

func attnShape(width, heads int, causal bool) kernel.AttnShape {
	return kernel.AttnShape{
		Heads: heads, KVHeads: heads, HeadDim: width / heads,
		Scale: float32(1 / math.Sqrt(float64(width/heads))), Causal: causal,
	}
}

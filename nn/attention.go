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
	Rows  []int32            // with Spans: the row that each of their keys is, where a row is a key of several sequences; nil: in their order
	Cache *Cache             // not nil: pages of it
	Seqs  []*Sequence        // with Cache: the sequence of each row
	Paged []kernel.PagedSpan // with Cache: made by Cache.Look

	Angles kernel.Mat // of Rotary.Angles, where positions are rotary
	At     []int32    // with Angles: the position of each row

	Wanted []int32 // rows of the result, the only ones that are computed beyond keys and values; nil: all
}

// SelfAttention is multi-head attention of a sequence to itself.
type SelfAttention struct {
	name  string
	layer int // in the cache
	qkv   Linear
	out   Linear
	shape kernel.AttnShape
	drop  float32 // of probabilities, in training

	qNorm, kNorm *grad.Param // of heads, or nil
	eps          float32
}

// CausalAttention describes the attention of a decoder-only Transformer.
type CausalAttention struct {
	Width, Heads, KVHeads, HeadDim int
	Scale                          float32 // of q·k
	Window                         int     // keys that a row sees; 0: all before it
	NormEps                        float32 // with HeadNorms
	HeadNorms                      bool    // RMSNorm of every query and key head, before the rotation
	Dropout                        float32 // of probabilities, in training
}

// Shape returns what the kernels need to know of it.
func (c CausalAttention) Shape() kernel.AttnShape {
	return kernel.AttnShape{Heads: c.Heads, KVHeads: c.KVHeads, HeadDim: c.HeadDim, Scale: c.Scale, Causal: true, Window: c.Window}
}

// NewCausalAttention asks for q_proj, k_proj, v_proj and o_proj under the name, the first three with a bias if inBias, the
// last if outBias; with head norms for q_norm and k_norm too.
func NewCausalAttention(s *Store, name string, layer int, c CausalAttention, inBias, outBias bool, in, out Init) SelfAttention {
	q, kv := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	a := SelfAttention{
		name: name, layer: layer, shape: c.Shape(), drop: c.Dropout,
		qkv: NewProjection(s, []string{name + ".q_proj", name + ".k_proj", name + ".v_proj"}, c.Width, []int{q, kv, kv}, inBias, in),
		out: NewProjection(s, []string{name + ".o_proj"}, q, []int{c.Width}, outBias, out),
	}
	if c.HeadNorms {
		a.qNorm = s.Vector(name+".q_norm.weight", c.HeadDim, Ones)
		a.kNorm = s.Vector(name+".k_norm.weight", c.HeadDim, Ones)
		a.eps = c.NormEps
	}
	return a
}

// NewConv1DAttention asks for c_attn and c_proj under the name: GPT-2's attention.
func NewConv1DAttention(s *Store, name string, layer int, c CausalAttention, in, out Init) SelfAttention {
	return SelfAttention{
		name: name, layer: layer, shape: c.Shape(), drop: c.Dropout,
		qkv: NewConv1D(s, name+".c_attn", c.Width, 3*c.Width, in),
		out: NewConv1D(s, name+".c_proj", c.Width, c.Width, out),
	}
}

// NewSelfAttention asks for q_proj, k_proj, v_proj and out_proj under the name. dropout is that of probabilities.
func NewSelfAttention(s *Store, name string, layer, width, heads int, causal bool, dropout float32, init Init) SelfAttention {
	return SelfAttention{
		name: name, layer: layer, shape: attnShape(width, heads, causal), drop: dropout,
		qkv: NewStackedLinear(s, []string{name + ".q_proj", name + ".k_proj", name + ".v_proj"}, width, []int{width, width, width}, init),
		out: NewLinear(s, name+".out_proj", width, width, init),
	}
}

// SetDropout sets the dropout of probabilities in training.
func (a *SelfAttention) SetDropout(rate float32) { a.drop = rate }

// FillHeadNorms sets the weights of the norms of queries and keys, if there are such norms.
func (a *SelfAttention) FillHeadNorms(weight float32) {
	for _, norm := range []*grad.Param{a.qNorm, a.kNorm} {
		if norm != nil {
			for i := range norm.Value.Data {
				norm.Value.Data[i] = weight
			}
		}
	}
}

// ForwardAdd returns residual + dropout(attention(x)) for x [N, width], of the rows that are wanted. With a cache, each row is a new
// token: its key and value are stored before anything is looked at.
func (a SelfAttention) ForwardAdd(t *grad.Tape, x grad.Var, k Keys, rate float32, residual grad.Var) grad.Var {
	width, kv := a.shape.Heads*a.shape.HeadDim, a.shape.KVHeads*a.shape.HeadDim
	qkv := a.qkv.Forward(t, x, kernel.None) // [N, width + 2·kv]
	if a.qNorm != nil {
		qkv = t.HeadNorm(qkv, a.qNorm, a.kNorm, a.eps, a.shape)
	}
	if k.Angles.Data != nil {
		qkv = t.Rotary(qkv, width+kv, k.Angles, k.At)
	}
	var y grad.Var
	if k.Cache != nil {
		k.Cache.store(a.layer, k.Seqs, qkv.Value().ColSlice(width, width+2*kv))
		y = t.PagedAttention(qkv, k.Cache.layers[a.layer], k.Paged, a.shape)
	} else if k.Rows != nil {
		y = t.SharedAttention(a.name, qkv, k.Rows, k.Spans, a.shape, a.drop)
	} else {
		y = t.SelfAttention(a.name, qkv, k.Spans, a.shape, a.drop)
	}
	if k.Wanted != nil {
		y, residual = t.Select(y, k.Wanted), t.Select(residual, k.Wanted)
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
	drop  float32 // of probabilities, in training
}

// NewCrossAttention asks for q_proj, k_proj, v_proj and out_proj under the name. dropout is that of probabilities.
func NewCrossAttention(s *Store, name string, layer, width, heads int, dropout float32, init Init) CrossAttention {
	return CrossAttention{
		name: name, layer: layer, shape: attnShape(width, heads, false), drop: dropout,
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
		y = t.CrossAttention(a.name, q, a.kv.Forward(t, memory, kernel.None), k.Spans, a.shape, a.drop)
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

package model

import (
	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/nn"
	"github.com/parley-lm/parley/tensor"
)

// EncDecCache is the memory of a decoding: for every target so far its keys and values, for every source those of the
// encoder's output. It serves one goroutine.
type EncDecCache struct {
	Targets *nn.Cache
	Sources *nn.Cache

	starts        tensor.Starts
	ids, at       []int32
	seqs          []*nn.Sequence
	spans         []kernel.AttnSpan
	selfs, crosss []kernel.PagedSpan
}

// Row is one token to go on from: the last of a target so far, its cached beginning, and the source that it translates.
type Row struct {
	Token  int32
	Target *nn.Sequence
	Source *nn.Sequence
}

// NewCache makes an empty cache for m.
func (m *EncDec) NewCache() *EncDecCache {
	c := m.Config
	shape := kernel.AttnShape{Heads: c.DecoderHeads, KVHeads: c.DecoderHeads, HeadDim: c.DModel / c.DecoderHeads}
	return &EncDecCache{Targets: nn.NewCache(c.DecoderLayers, shape), Sources: nn.NewCache(c.DecoderLayers, shape)}
}

// Read runs the encoder over the sources, each a non-empty list of ids of at most MaxPositions, and appends to dst a
// cached sequence for each. It begins a pass of its own on t.
func (m *EncDec) Read(t *grad.Tape, c *EncDecCache, sources [][]int32, dst []*nn.Sequence) []*nn.Sequence {
	t.Begin(grad.Mode{})
	c.starts, c.ids, c.seqs = c.starts[:0], c.ids[:0], c.seqs[:0]
	for _, s := range sources {
		q := c.Sources.New()
		c.Sources.Extend(q, len(s))
		dst = append(dst, q)
		for range s {
			c.seqs = append(c.seqs, q)
		}
		c.ids = append(c.ids, s...)
		c.starts = c.starts.Add(len(s))
	}
	c.at = c.starts.Positions(c.at[:0])
	c.spans = tensor.SelfSpans(c.spans[:0], c.starts)
	memory := m.encode(t, c.ids, c.at, nn.Keys{Spans: c.spans})
	for _, b := range m.decoder {
		b.cross.Remember(t, c.Sources, c.seqs, memory)
	}
	return dst
}

// Step feeds one token to each of several decodings and returns the logits of what follows, [len(rows), V]. The targets
// must be different sequences. It begins a pass of its own on t; the logits are valid until the next one.
func (m *EncDec) Step(t *grad.Tape, c *EncDecCache, rows []Row) kernel.Mat {
	t.Begin(grad.Mode{})
	c.ids, c.at, c.seqs = c.ids[:0], c.at[:0], c.seqs[:0]
	c.selfs, c.crosss = c.selfs[:0], c.crosss[:0]
	for i, r := range rows {
		c.ids = append(c.ids, r.Token)
		c.at = append(c.at, int32(r.Target.Len()))
		c.Targets.Extend(r.Target, 1)
		c.seqs = append(c.seqs, r.Target)
		c.selfs = c.Targets.Look(c.selfs, i, r.Target)
		if i > 0 && r.Source == rows[i-1].Source {
			c.crosss[len(c.crosss)-1].Q1++ // the beams of one source look at it together
		} else {
			c.crosss = c.Sources.Look(c.crosss, i, r.Source)
		}
	}
	h := m.decode(t, c.ids, c.at, grad.Var{},
		nn.Keys{Cache: c.Targets, Seqs: c.seqs, Paged: c.selfs}, nn.Keys{Cache: c.Sources, Paged: c.crosss})
	return m.logits(t, h).Value()
}

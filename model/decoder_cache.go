package model

import (
	"fmt"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/nn"
)

// DecoderCache is the memory of a decoding: the keys and values of every sequence so far. It serves one goroutine.
type DecoderCache struct {
	Sequences *nn.Cache

	ids, at []int32
	seqs    []*nn.Sequence
	spans   []kernel.PagedSpan
	wanted  []int32 // rows whose logits are asked for
}

// Piece is the next tokens of one sequence: one when it is being written, several when a prompt is read. Logits says of
// how many of them, the last ones, what follows is asked for: 0 while a long prompt is still being read.
type Piece struct {
	Sequence *nn.Sequence
	Tokens   []int32
	Logits   int
}

// NewCache makes an empty cache for m.
func (m *Decoder) NewCache() *DecoderCache {
	return &DecoderCache{Sequences: nn.NewCache(m.Config.Layers, m.Config.attention(0).Shape())}
}

// Step feeds each of several different sequences its next tokens and returns the logits of what follows, [Σ Logits, V], in
// the order of the pieces. A sequence may not become longer than the model has learned positions. Whatever the pieces, and
// whoever the company, a token gets the same bits. Step begins a pass of its own on t; the logits are valid until the
// next one.
func (m *Decoder) Step(t *grad.Tape, c *DecoderCache, pieces []Piece) kernel.Mat {
	return m.logits(t, m.step(t, c, pieces)).Value()
}

// StepNLL is [Decoder.Step] for known text: nll[i] becomes −log p of targets[i] as what follows the i-th of the tokens whose
// logits are asked for, 0 where the target is below 0. The logits of many rows never exist at a time.
func (m *Decoder) StepNLL(t *grad.Tape, c *DecoderCache, pieces []Piece, targets []int32, nll []float32) {
	x := m.step(t, c, pieces)
	if len(targets) != x.Rows() {
		panic(fmt.Sprintf("model: %d targets for the logits of %d tokens", len(targets), x.Rows()))
	}
	if len(targets) > 0 {
		t.CrossEntropy(m.norm.Forward(t, x), m.output, nil, kernel.CrossEntropy{Targets: targets, Scale: 1}, nil, nll)
	}
}

// step feeds the pieces and returns the last block's output at the tokens whose logits are asked for.
func (m *Decoder) step(t *grad.Tape, c *DecoderCache, pieces []Piece) grad.Var {
	t.Begin(grad.Mode{})
	c.ids, c.at, c.seqs, c.spans, c.wanted = c.ids[:0], c.at[:0], c.seqs[:0], c.spans[:0], c.wanted[:0]
	for _, p := range pieces {
		n, row, start := len(p.Tokens), len(c.ids), p.Sequence.Len()
		if p.Logits < 0 || p.Logits > n {
			panic(fmt.Sprintf("model: the logits of %d tokens of a piece of %d", p.Logits, n))
		}
		if m.positions != nil && start+n > m.Config.MaxPositions {
			panic(fmt.Sprintf("model: a sequence of %d tokens where %d positions were learned", start+n, m.Config.MaxPositions))
		}
		c.Sequences.Extend(p.Sequence, n)
		c.ids = append(c.ids, p.Tokens...)
		for j := range n {
			c.at = append(c.at, int32(start+j))
			c.seqs = append(c.seqs, p.Sequence)
			if j >= n-p.Logits {
				c.wanted = append(c.wanted, int32(row+j))
			}
		}
		c.spans = c.Sequences.LookRows(c.spans, row, n, p.Sequence)
	}
	x := m.hidden(t, c.ids, c.at, nn.Keys{Cache: c.Sequences, Seqs: c.seqs, Paged: c.spans}, nil)
	if len(c.wanted) < len(c.ids) {
		x = t.Select(x, c.wanted)
	}
	return x
}

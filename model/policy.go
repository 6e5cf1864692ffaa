package model

import (
	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/nn"
)

// Policy is a decoder-only model that is trained by reinforcement learning, and may have a head beside the output layer that
// says of every position what reward it expects: the value. The head shares the model's layers, so that one pass computes
// both.
type Policy struct {
	*Decoder
	value, valueBias *grad.Param // [1, D] and [1, 1]; nil without a head
}

// valueNames are those of the head's parameters.
var valueNames = []string{"value.weight", "value.bias"}

// NewPolicy builds a policy on a copy of a model, which is not changed. The head, if wanted, is zero: it expects nothing.
func NewPolicy(from *Decoder, valueHead bool) (*Policy, error) {
	m, err := DescribeDecoder(from.Config)
	if err != nil {
		return nil, err
	}
	p := &Policy{Decoder: m}
	if valueHead {
		p.value = m.params.Table(valueNames[0], 1, m.Config.Hidden, nn.Multiplied, nn.Zeros)
		p.valueBias = m.params.Vector(valueNames[1], 1, nn.Zeros)
	}
	m.params.Allocate()
	m.params.CopyFrom(&from.params)
	return p, nil
}

// Model returns a copy of the model without the head.
func (p *Policy) Model() (*Decoder, error) {
	m, err := NewDecoder(p.Config)
	if err != nil {
		return nil, err
	}
	m.params.CopyFrom(&p.params)
	return m, nil
}

// Judge returns what LogProbs does and, of a policy with a head, the values at the same rows, [len(rows), 1], before each row's
// target is known.
func (p *Policy) Judge(t *grad.Tape, b *TokenBatch, rows, targets []int32) (logProbs, values grad.Var) {
	h := p.norm.Forward(t, t.Select(p.Hidden(t, b), rows))
	if p.value != nil {
		values = t.Linear(h, p.value, p.valueBias, kernel.None)
	}
	return t.LogProb(h, p.output, nil, targets, true), values
}

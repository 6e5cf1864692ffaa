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

// NewPolicy makes a policy of a model. The head, if wanted, is among the parameters that are trained, which are the model's own
// or those of a LoRA; it begins as zero, expects nothing, and learns at rate times the learning rate of the others, which is too
// small for what begins from nothing. The store must not have been packed or made trainable before.
func NewPolicy(m *Decoder, trained *nn.Store, valueHead bool, rate float64) *Policy {
	p := &Policy{Decoder: m}
	if valueHead {
		p.value = trained.Aside("value.weight", 1, m.Config.Hidden, nn.Zeros)
		p.valueBias = trained.Aside("value.bias", 1, 1, nn.Zeros)
		for _, own := range trained.Params() {
			if own.Aside {
				own.Rate = rate
			}
		}
		trained.AllocateMore()
	}
	return p
}

// Judge returns what LogProbs does and, of a policy with a head, the values at the same rows, [len(rows), 1], before each row's
// target is known.
func (p *Policy) Judge(t *grad.Tape, b *TokenBatch, rows, targets []int32) (logProbs, values grad.Var) {
	h := p.norm.Forward(t, p.HiddenOf(t, b, rows))
	if p.value != nil {
		values = t.Linear(h, p.value, p.valueBias, kernel.None)
	}
	return t.LogProb(h, p.output, nil, targets, true), values
}

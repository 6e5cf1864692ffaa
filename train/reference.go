package train

import (
	"fmt"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/nn"
)

// reference is the model from which a policy starts, as it was. Where a LoRA is trained they share their weights: the reference
// is the model without it. Otherwise the reference is a copy.
type reference struct {
	model  *model.Decoder
	policy *nn.LoRA // is taken off while the reference computes; nil where they share nothing
	began  *nn.LoRA // with which the training of the policy's LoRA began; nil: without any
}

// newReference makes the reference of a policy, which computes in the policy's arithmetic: before the first update both give the
// same bits.
func (s *startingModel) newReference(pool *kernel.Pool, bf16 bool) (reference, error) {
	if s.adapter == nil {
		d, err := hub.LoadDecoder(s.base)
		if err != nil {
			return reference{}, fmt.Errorf("model.from: %w", err)
		}
		if bf16 {
			d.Model.Store().UseBF16()
		}
		d.Model.Store().Pack(pool)
		return reference{model: d.Model}, nil
	}
	r := reference{model: s.model, policy: s.adapter.LoRA}
	if s.from == "" {
		return r, nil
	}
	began, err := hub.LoadAdapter(s.from, s.model)
	if err != nil {
		return reference{}, err
	}
	r.began = began.LoRA
	return r, nil
}

// with runs f while the shared weights, if there are any, are the reference's.
func (r *reference) with(f func() error) error {
	if r.policy == nil {
		return f()
	}
	r.policy.Detach()
	if r.began != nil {
		r.began.Attach(1)
	}
	err := f()
	if r.began != nil {
		r.began.Detach()
	}
	r.policy.Attach(1)
	return err
}

// logProbs returns the reference's log-probabilities and entropies, as [model.Decoder.LogProbs] does. The tape does not record.
func (r *reference) logProbs(t *grad.Tape, b *model.TokenBatch, rows, targets []int32) (x grad.Var) {
	r.with(func() error {
		t.Begin(grad.Mode{})
		x = r.model.LogProbs(t, b, rows, targets)
		return nil
	})
	return x
}

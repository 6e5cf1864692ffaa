package train

import (
	"context"
	"fmt"
)

// validationSeed draws the answers of every validation with the same random numbers, so that two of them differ in the policy
// alone.
const validationSeed = 0x5eed

func (r *reinforcement) scoresStart() bool { return true }

// better prefers the greater mean reward, what is taken from answers that do not end included. A policy that has left the
// reference farther than policy.kl_limit is never better.
func (r *reinforcement) better(a, b Score) bool {
	if limit := r.recipe.Policy.KLLimit; limit > 0 && !(a.Measures.Of("divergence") <= limit) {
		return false
	}
	return a.Loss < b.Loss
}

func (r *reinforcement) test(context.Context) ([]TestScore, error) { return nil, nil }

// score has the policy answer held-out prompts, validation.limit of them while training. The loss is the mean reward, negated.
func (r *reinforcement) score(ctx context.Context, v *ValidationReport, final bool) error {
	n := len(r.held)
	if limit := r.recipe.Validation.Limit; limit > 0 && !final {
		n = min(n, limit)
	}
	asked := make([]int32, n)
	for i := range asked {
		asked[i] = int32(i)
	}
	o := &r.judged
	if err := r.draw(ctx, o, r.held, asked, 1, validationSeed); err != nil {
		return err
	}
	sum := 0.0
	for i := range o.len() {
		sum += r.scoreOf(o, i)
	}
	v.Loss, v.Measures = -sum/float64(n), o.measure(nil)
	return r.samples(ctx, v, min(n, r.recipe.Validation.Samples))
}

// samples shows some answers beside those that the model gave before the training.
func (r *reinforcement) samples(ctx context.Context, v *ValidationReport, n int) error {
	for i := range n {
		v.Samples = append(v.Samples, Sample{Source: r.held[i].Text, Hypothesis: shown(r.answers[i], r.judged.reward[i])})
	}
	if r.before == nil && n > 0 {
		if err := r.drawBefore(ctx, n); err != nil {
			return err
		}
	}
	for i := range v.Samples {
		v.Samples[i].Reference = r.before[i]
	}
	return nil
}

// drawBefore has the reference answer.
func (r *reinforcement) drawBefore(ctx context.Context, n int) error {
	asked := make([]int32, n)
	for i := range asked {
		asked[i] = int32(i)
	}
	own := append([]float32(nil), r.policy.Store().Values()...)
	r.policy.Store().CopyFrom(r.reference.Store())
	var o rollouts
	err := r.draw(ctx, &o, r.held, asked, 1, validationSeed)
	copy(r.policy.Store().Values(), own)
	if err != nil {
		return err
	}
	for i := range n {
		r.before = append(r.before, shown(r.answers[i], o.reward[i]))
	}
	return nil
}

// shown is an answer as the report has it.
func shown(a Answer, reward float64) string {
	end := ""
	if !a.Ended {
		end = " […]"
	}
	return fmt.Sprintf("%s%s (reward %.3g)", a.Text, end, reward)
}

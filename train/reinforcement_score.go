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

// score has the policy answer held-out prompts, validation.limit of them while training, and where there are fewer each
// several times. The loss is the mean reward, negated.
func (r *reinforcement) score(ctx context.Context, v *ValidationReport, final bool) error {
	n, each := len(r.held), 1
	if limit := r.recipe.Validation.Limit; limit > 0 {
		if each = min(max(1, limit/n), max(r.recipe.Rollout.Rows, r.recipe.Rollout.Group)); !final {
			n = min(n, limit)
		}
	}
	o := &r.judged
	if err := r.draw(ctx, o, r.held, numbered(n), each, validationSeed); err != nil {
		return err
	}
	sum := 0.0
	for i := range o.len() {
		sum += r.scoreOf(o, i)
	}
	v.Loss, v.Measures = 0-sum/float64(o.len()), o.measure(nil)
	for i := range min(n, r.recipe.Validation.Samples) {
		v.Samples = append(v.Samples, Sample{Source: r.held[i].Text, Hypothesis: shown(r.answers[i*each], o.reward[i*each])})
	}
	if r.before == nil && len(v.Samples) > 0 {
		if err := r.drawBefore(ctx, len(v.Samples)); err != nil {
			return err
		}
	}
	for i := range v.Samples {
		v.Samples[i].Reference = r.before[i]
	}
	return nil
}

// drawBefore has the reference answer the first n prompts.
func (r *reinforcement) drawBefore(ctx context.Context, n int) error {
	var o rollouts
	err := r.reference.with(func() error {
		return r.write(ctx, r.newWriter(r.reference.model), &o, r.held, numbered(n), 1, validationSeed)
	})
	if err != nil {
		return err
	}
	if err := r.assess(ctx, &o, r.held); err != nil {
		return err
	}
	for i := range n {
		r.before = append(r.before, shown(r.answers[i], o.reward[i]))
	}
	return nil
}

// numbered is the numbers below n.
func numbered(n int) []int32 {
	list := make([]int32, n)
	for i := range list {
		list[i] = int32(i)
	}
	return list
}

// shown is an answer as the report has it.
func shown(a Answer, reward float64) string {
	end := ""
	if !a.Ended {
		end = " […]"
	}
	return fmt.Sprintf("%s%s (reward %.3g)", a.Text, end, reward)
}

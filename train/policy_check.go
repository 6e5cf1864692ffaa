package train

import (
	"fmt"
	"math"

	"github.com/parley-lm/parley/rl"
)

// derivePolicy fills in what follows from other fields: updates from epochs, and ten validations.
func (r *Recipe) derivePolicy() {
	p, o, t := &r.Policy, &r.Rollout, &r.Train
	if each := max(1, p.Epochs) * max(1, o.perPass(max(1, p.Minibatch))); t.Updates == 0 && t.Epochs > 0 && t.Epochs < math.MaxInt32/each {
		t.Updates = t.Epochs * each
	}
	if r.Validation.Every == 0 {
		r.Validation.Every = max(1, t.Updates/10)
	}
	if p.Pretraining > 0 && p.PretrainingRows == 0 {
		p.PretrainingRows = 4
	}
}

// checkPolicy checks what is said of reinforcement learning.
func (r *Recipe) checkPolicy() error {
	p, o := &r.Policy, &r.Rollout
	if !r.reinforces() {
		return nil
	}
	const most = 1 << 24
	for _, n := range []struct {
		key              string
		value, low, high int
	}{
		{"rollout.answers", o.Answers, 1, most}, {"rollout.group", o.Group, 1, 4096}, {"rollout.max_tokens", o.MaxTokens, 1, 1 << 20}, {"rollout.rows", o.Rows, 1, 1 << 16},
		{"policy.epochs", p.Epochs, 1, 1000}, {"policy.minibatch", p.Minibatch, 1, most}, {"policy.pretraining_rows", p.PretrainingRows, 0, most},
	} {
		if n.value < n.low || n.value > n.high {
			return fmt.Errorf("recipe: %s is %d, must be from %d to %d", n.key, n.value, n.low, n.high)
		}
	}
	for _, n := range []struct {
		key              string
		value, low, high float64
	}{
		{"policy.clip", p.Clip, 1e-6, 1}, {"policy.clip_high", p.ClipHigh, 0, 1e6}, {"policy.entropy", p.Entropy, 0, 1e6}, {"policy.gamma", p.Gamma, 0, 1}, {"policy.lambda", p.Lambda, 0, 1},
		{"policy.value_weight", p.ValueWeight, 0, 1e6}, {"policy.value_rate", p.ValueRate, 0, 1e6}, {"policy.value_clip", p.ValueClip, 0, 1e6}, {"policy.kl", p.KL, 0, 1e6}, {"policy.kl_target", p.KLTarget, 0, 1e6},
		{"policy.kl_horizon", p.KLHorizon, 1, 1e12}, {"policy.kl_limit", p.KLLimit, 0, 1e9}, {"policy.step_limit", p.StepLimit, 0, 1e9}, {"policy.pretraining", p.Pretraining, 0, 1e6},
		{"reward.not_ended", r.Reward.NotEnded, 0, 1e6},
	} {
		if !(n.value >= n.low && n.value <= n.high) {
			return fmt.Errorf("recipe: %s is %g, must be from %g to %g", n.key, n.value, n.low, n.high)
		}
	}
	known := false
	for _, a := range rl.Aggregations {
		known = known || p.Loss == a
	}
	switch {
	case !known:
		return wrongName("policy.loss", p.Loss, rl.Aggregations...)
	case r.Model.From == "":
		return fmt.Errorf("recipe: model.from is empty: the policy starts from a trained model (-m DIR)")
	case r.Model.Dropout != 0 || r.Model.AttentionDropout != 0:
		return fmt.Errorf("recipe: model.dropout = %g, model.attention_dropout = %g: what draws answers and what learns from them must be the same policy; set them to 0", r.Model.Dropout, r.Model.AttentionDropout)
	case r.Train.Epochs == 0 && r.Train.Updates == 0:
		return fmt.Errorf("recipe: train.epochs is 0: say how many sets of rollouts to learn from")
	case o.Answers%o.Group != 0:
		return fmt.Errorf("recipe: rollout.group = %d must divide rollout.answers = %d", o.Group, o.Answers)
	case r.Objective.Kind == grpoKind && o.Group < 2:
		return fmt.Errorf("recipe: rollout.group = %d: GRPO compares the answers to one prompt with each other; it needs 2 or more", o.Group)
	case p.Minibatch > o.Answers:
		return fmt.Errorf("recipe: policy.minibatch = %d exceeds rollout.answers = %d", p.Minibatch, o.Answers)
	case p.Pretraining > 0 && len(p.PretrainingData) == 0:
		return fmt.Errorf("recipe: policy.pretraining = %g needs policy.pretraining_data, the files of its text", p.Pretraining)
	case p.Pretraining == 0 && len(p.PretrainingData) > 0:
		return fmt.Errorf("recipe: policy.pretraining_data needs policy.pretraining, the weight of its loss")
	}
	return nil
}

// checkPrompts checks what is said of the prompts that a policy is to answer.
func (d *DataRecipe) checkPrompts() error {
	switch {
	case len(d.Train) == 0:
		return fmt.Errorf("recipe: data.train names no files of prompts (--prompts FILE)")
	case len(d.OpeningWords) > 0 && (len(d.OpeningWords) != 2 || d.OpeningWords[0] < 1 || d.OpeningWords[1] < d.OpeningWords[0]):
		return fmt.Errorf("recipe: data.opening_words is %v, must be a least number of words, 1 or more, and a greatest one", d.OpeningWords)
	case len(d.Test) > 0:
		return fmt.Errorf("recipe: data.test has no meaning for reinforcement learning: a policy is scored on data.validation, or on what is held out")
	case len(d.Validation) == 0 && d.HeldOutShare == 0:
		return fmt.Errorf("recipe: data.validation is empty and data.held_out_share is 0: give one of them, so that the best model can be found")
	}
	return nil
}

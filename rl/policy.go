package rl

import "math"

// Clip bounds how far the probability of a token may move from what it was when the token was drawn: from 1 - Low to
// 1 + High times. PPO has them equal; a higher High lets unlikely tokens grow (DAPO, Yu et al. 2025).
type Clip struct{ Low, High float64 }

// Loss is the clipped surrogate of PPO for one token, max(-A·ρ, -A·clip(ρ)) with ρ = π/old (Schulman et al. 2017, eq. 7), its
// derivative by log π, and whether the clip holds.
func (c Clip) Loss(logProb, old, advantage float64) (loss, derivative float64, clipped bool) {
	ratio := math.Exp(logProb - old)
	free, bounded := -advantage*ratio, -advantage*min(1+c.High, max(1-c.Low, ratio))
	if bounded > free {
		return bounded, 0, true
	}
	return free, free, false
}

// ValueLoss is PPO's of one token's value, ½·max((v - R)², (clip(v) - R)²), where v is clipped to old ± clip (0: it is
// not), and its derivative by v.
func ValueLoss(value, old, ret, clip float64) (loss, derivative float64) {
	off := value - ret
	if clip > 0 {
		if bounded := min(old+clip, max(old-clip, value)) - ret; bounded*bounded > off*off {
			return 0.5 * bounded * bounded, 0
		}
	}
	return 0.5 * off * off, off
}

// Aggregation says what a token's loss counts for in that of a batch.
type Aggregation string

const (
	// PerToken is the mean over all tokens of the batch, as in PPO and DAPO: long answers count more.
	PerToken Aggregation = "tokens"
	// PerAnswer is the mean over answers of the mean over their tokens, as in GRPO.
	PerAnswer Aggregation = "answers"
	// PerLimit is the sum over tokens, for each answer and token that an answer can have, as in Dr. GRPO: the length of an answer
	// changes nothing.
	PerLimit Aggregation = "limit"
)

// Aggregations are all of them.
var Aggregations = []string{string(PerToken), string(PerAnswer), string(PerLimit)}

// Weight is what each token of an answer of length tokens counts for in a batch of so many answers and tokens, where answers
// may have limit tokens.
func (a Aggregation) Weight(length, answers, tokens, limit int) float64 {
	switch a {
	case PerAnswer:
		return 1 / (float64(answers) * float64(length))
	case PerLimit:
		return 1 / (float64(answers) * float64(limit))
	}
	return 1 / float64(tokens)
}

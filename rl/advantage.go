package rl

import "math"

// Shape writes the rewards of an answer's tokens: -coefficient·(log π - log ref) at each of them, and the score of the whole
// answer at the last one (Ziegler et al. 2019, eq. 2; Ouyang et al. 2022, eq. 2). All slices are of equal length.
func Shape(rewards, logProbs, reference []float64, coefficient, score float64) {
	for i := range rewards {
		rewards[i] = -coefficient * (logProbs[i] - reference[i])
	}
	if n := len(rewards); n > 0 {
		rewards[n-1] += score
	}
}

// Advantages writes the generalized advantage estimates of an answer's tokens (Schulman et al. 2015, eq. 16) and what their
// values should have been, advantage + value. values are those before each token; after the last one there is nothing more
// to gain. All slices are of equal length.
func Advantages(advantages, returns, rewards, values []float64, gamma, lambda float64) {
	next, following := 0.0, 0.0 // of the token after this one: its advantage, its value
	for i := len(rewards) - 1; i >= 0; i-- {
		surprise := rewards[i] + gamma*following - values[i]
		next, following = surprise+gamma*lambda*next, values[i]
		advantages[i], returns[i] = next, next+following
	}
}

// Whiten shifts and scales numbers to mean 0 and variance 1, by their unbiased variance. Fewer than two are left as they are.
func Whiten(x []float64) {
	if len(x) < 2 {
		return
	}
	mean, variance := Moments(x)
	scale := 1 / math.Sqrt(variance+1e-8)
	for i := range x {
		x[i] = (x[i] - mean) * scale
	}
}

// Moments returns the mean and the unbiased variance, 0 of fewer than two numbers.
func Moments(x []float64) (mean, variance float64) {
	if len(x) == 0 {
		return 0, 0
	}
	for _, v := range x {
		mean += v
	}
	mean /= float64(len(x))
	if len(x) == 1 {
		return mean, 0
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean)
	}
	return mean, variance / float64(len(x)-1)
}

// GroupAdvantages writes how much better each of several answers to one prompt was than their mean, in units of their
// standard deviation (Shao et al. 2024, section 4.1.2), by its unbiased estimate as in TRL; without normalize in the units of the
// reward (Dr. GRPO, Liu et al. 2025). A group of equal rewards teaches nothing: its advantages are 0.
func GroupAdvantages(advantages, rewards []float64, normalize bool) {
	mean, variance := Moments(rewards)
	scale := 1.0
	if normalize {
		scale = 1 / (math.Sqrt(variance) + 1e-4)
	}
	for i, r := range rewards {
		advantages[i] = (r - mean) * scale
	}
}

// ExplainedVariance is the part of the variance of what came that was foreseen, 1 - Var(returns - values)/Var(returns): 1 of a
// value function that is right, 0 of one that says nothing, below 0 of one that misleads; NaN where nothing varies.
func ExplainedVariance(returns, values []float64) float64 {
	_, all := Moments(returns)
	mean, left := 0.0, 0.0
	for i := range returns {
		mean += (returns[i] - values[i]) / float64(len(returns))
	}
	for i := range returns {
		off := returns[i] - values[i] - mean
		left += off * off / float64(len(returns)-1)
	}
	return 1 - left/all
}

package rl

import "math"

// Estimates of the divergence KL(π ‖ ref) from a token that was drawn from π, by its log-probabilities (Schulman 2020,
// "Approximating KL divergence"). All have its expectation, or nearly.

// K1 is log π - log ref: unbiased, but of either sign and with a large variance.
func K1(logProb, reference float64) float64 { return logProb - reference }

// K2 is ½(log π - log ref)²: never negative, little variance, biased.
func K2(logProb, reference float64) float64 {
	return 0.5 * (logProb - reference) * (logProb - reference)
}

// K3 is ref/π - 1 - log(ref/π): never negative and unbiased.
func K3(logProb, reference float64) float64 {
	return math.Expm1(reference-logProb) - (reference - logProb)
}

// K3Derivative is the derivative of K3 by log π.
func K3Derivative(logProb, reference float64) float64 { return -math.Expm1(reference - logProb) }

// Controller adapts the coefficient of the penalty for leaving the reference, so that the divergence of an answer comes to
// Target (Ziegler et al. 2019, section 2.2): in proportion to the relative error, which counts as 20 % at most, and to the answers
// seen.
type Controller struct {
	Coefficient float64
	Target      float64 // nats an answer; 0: the coefficient stays
	Horizon     float64 // answers over which an error of 20 % changes the coefficient by 20 %
}

// Update changes the coefficient after so many answers with a mean divergence, in nats an answer.
func (c *Controller) Update(divergence float64, answers int) {
	if c.Target <= 0 {
		return
	}
	const most = 0.2
	off := min(most, max(-most, divergence/c.Target-1))
	c.Coefficient *= 1 + off*float64(answers)/c.Horizon
}

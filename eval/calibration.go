package eval

import (
	"fmt"
	"math"
	"strings"
)

// Calibration compares the probabilities that a model gives to its choices with how often they are right, in bins of equal
// width (Guo et al. 2017). The zero value is empty.
type Calibration struct {
	Bins [CalibrationBins]CalibrationBin `json:"bins"`
}

// CalibrationBins is the number of bins.
const CalibrationBins = 10

// CalibrationBin is the choices of probabilities in one tenth of [0, 1].
type CalibrationBin struct {
	Count      int     `json:"count"`
	Confidence float64 `json:"confidence"` // sum of the probabilities
	Right      float64 `json:"right"`      // how many were right; half ones are possible
}

// Add counts a choice: the probability that it was given, and 1 if it was right, 0 if it was wrong.
func (c *Calibration) Add(probability, right float64) {
	at := int(probability * CalibrationBins)
	b := &c.Bins[min(max(at, 0), CalibrationBins-1)]
	b.Count++
	b.Confidence += probability
	b.Right += right
}

// Count returns the number of choices.
func (c *Calibration) Count() int {
	n := 0
	for _, b := range c.Bins {
		n += b.Count
	}
	return n
}

// Accuracy is the share of right choices.
func (c *Calibration) Accuracy() float64 {
	right := 0.0
	for _, b := range c.Bins {
		right += b.Right
	}
	return right / float64(max(1, c.Count()))
}

// Error is the expected calibration error: the mean over all choices of how far their bin's accuracy is from its mean
// probability.
func (c *Calibration) Error() float64 {
	sum := 0.0
	for _, b := range c.Bins {
		sum += math.Abs(b.Right - b.Confidence)
	}
	return sum / float64(max(1, c.Count()))
}

// String is the reliability table, a line for each bin that is not empty.
func (c *Calibration) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-11s %8s %8s %8s\n", "probability", "choices", "mean", "right")
	for i, bin := range c.Bins {
		if n := float64(bin.Count); n > 0 {
			fmt.Fprintf(&b, "%.1f to %.1f  %8d %8.3f %8.3f\n", float64(i)/CalibrationBins, float64(i+1)/CalibrationBins, bin.Count, bin.Confidence/n, bin.Right/n)
		}
	}
	return b.String()
}

// Wilson is the 95 % confidence interval of a share of which k in n were counted (Wilson 1927).
func Wilson(k float64, n int) (low, high float64) {
	const z = 1.959963984540054
	if n == 0 {
		return 0, 1
	}
	p, m := k/float64(n), float64(n)
	middle, half := p+z*z/(2*m), z*math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return max(0, (middle-half)/(1+z*z/m)), min(1, (middle+half)/(1+z*z/m))
}

package eval

import (
	"maps"
	"slices"
)

// Difference says how far two values are apart when agreement is measured: 0 for equal ones.
type Difference func(a, b float64) float64

// NominalDifference tells values apart and nothing more.
func NominalDifference(a, b float64) float64 {
	if a == b {
		return 0
	}
	return 1
}

// IntervalDifference is the square of the distance.
func IntervalDifference(a, b float64) float64 { return (a - b) * (a - b) }

// KrippendorffAlpha measures how far raters agree (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability"): 1 − Do/De,
// where Do is the mean difference of values within a unit and De that of all values with one another. A unit holds the values
// that raters gave to one thing; a rater who gave none is left out of it, and a unit with fewer than two does not count. It is
// false where nothing can be compared, or all values are the same.
func KrippendorffAlpha(units [][]float64, d Difference) (float64, bool) {
	counts := map[float64]float64{}
	n, observed := 0.0, 0.0
	for _, values := range units {
		m := float64(len(values))
		if m < 2 {
			continue
		}
		n += m
		sum := 0.0
		for i, a := range values {
			counts[a]++
			for _, b := range values[:i] {
				sum += 2 * d(a, b)
			}
		}
		observed += sum / (m - 1)
	}
	expected := 0.0
	levels := slices.Sorted(maps.Keys(counts))
	for _, a := range levels {
		for _, b := range levels {
			expected += counts[a] * counts[b] * d(a, b)
		}
	}
	if n == 0 || expected == 0 {
		return 0, false
	}
	return 1 - (n-1)*observed/expected, true
}

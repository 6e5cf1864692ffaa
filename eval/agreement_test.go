package eval

import (
	"math"
	"testing"
)

// The worked example of Krippendorff 2011, C: four observers, twelve units, missing data.
func TestKrippendorffsOwnExample(t *testing.T) {
	units := [][]float64{
		{1, 1, 1}, {2, 2, 3, 2}, {3, 3, 3, 3}, {3, 3, 3, 3}, {2, 2, 2, 2}, {1, 2, 3, 4},
		{4, 4, 4, 4}, {1, 1, 2, 1}, {2, 2, 2, 2}, {5, 5, 5}, {1, 1}, {3},
	}
	for _, c := range []struct {
		name string
		d    Difference
		want float64
	}{{"nominal", NominalDifference, 0.743}, {"interval", IntervalDifference, 0.849}} {
		got, ok := KrippendorffAlpha(units, c.d)
		if !ok || math.Abs(got-c.want) > 0.0005 {
			t.Errorf("%s: %.4f, %v; Krippendorff has %.3f", c.name, got, ok, c.want)
		}
	}
}

func TestAlphaOfNothing(t *testing.T) {
	for name, units := range map[string][][]float64{"none": nil, "single values": {{1}, {2}}, "one value": {{1, 1}, {1, 1}}} {
		if a, ok := KrippendorffAlpha(units, NominalDifference); ok {
			t.Errorf("%s: %v, and there is nothing to tell apart", name, a)
		}
	}
}

package eval

import (
	"math"
	"strings"
	"testing"
)

func TestCalibrationErrorIsThatOfItsBins(t *testing.T) {
	var c Calibration
	for range 8 { // says 0.8 and is right three times in four
		c.Add(0.8, 1)
	}
	for range 2 {
		c.Add(0.8, 0)
	}
	for i := range 10 { // says 0.95 and is right half of the time
		c.Add(0.95, float64(i%2))
	}
	c.Add(1, 1)
	if got, want := c.Error(), math.Abs(0.5*10+1-(0.95*10+1))/21; math.Abs(got-want) > 1e-12 {
		t.Errorf("the error is %g, want %g", got, want)
	}
	if got := c.Accuracy(); math.Abs(got-14.0/21) > 1e-12 || c.Count() != 21 {
		t.Errorf("an accuracy of %g of %d", got, c.Count())
	}
	if text := c.String(); !strings.Contains(text, "0.8 to 0.9        10    0.800    0.800") || strings.Contains(text, "0.1 to 0.2") {
		t.Errorf("the table is\n%s", text)
	}
	if (&Calibration{}).Error() != 0 {
		t.Error("without choices there is an error")
	}
}

// The interval's values are those of statsmodels' proportion_confint(k, n, method="wilson").
func TestWilsonInterval(t *testing.T) {
	for _, c := range []struct {
		k         float64
		n         int
		low, high float64
	}{{8, 10, 0.490162, 0.943318}, {0, 10, 0, 0.277533}, {10, 10, 0.722467, 1}, {0, 0, 0, 1}} {
		if low, high := Wilson(c.k, c.n); math.Abs(low-c.low) > 1e-6 || math.Abs(high-c.high) > 1e-6 {
			t.Errorf("%g of %d: %g to %g, want %g to %g", c.k, c.n, low, high, c.low, c.high)
		}
	}
}

package eval

import (
	"math"
	"testing"
)

func TestWinRateCountsTiesHalf(t *testing.T) {
	var p Preferences
	for _, more := range []float64{1, 0.1, 2, 3, 1, 1, 0.5, 0, 0, -1} { // seven wins, two ties, a loss
		p.Add(more)
	}
	low, high := p.Interval()
	// statsmodels: proportion_confint(8, 10, method="wilson")
	if p.Rate() != 0.8 || math.Abs(low-0.4901625) > 1e-6 || math.Abs(high-0.9433178) > 1e-6 {
		t.Errorf("rate %g in [%.7f, %.7f]", p.Rate(), low, high)
	}
	if low, high := (Preferences{}).Interval(); low != 0 || high != 1 || (Preferences{}).Rate() != 0.5 {
		t.Errorf("nothing is known of no comparisons, but the interval is [%g, %g]", low, high)
	}
}

func TestSampleHasMeanAndInterval(t *testing.T) {
	var s Sample
	if s.Mean() != 0 || s.HalfWidth() != 0 {
		t.Errorf("an empty sample has the mean %g ± %g", s.Mean(), s.HalfWidth())
	}
	for _, x := range []float64{1e9 + 1, 1e9 + 2, 1e9 + 3, 1e9 + 4} {
		s.Add(x)
	}
	if want := 1.959963984540054 * math.Sqrt(5.0/3/4); s.Mean() != 1e9+2.5 || math.Abs(s.HalfWidth()-want) > 1e-9 {
		t.Errorf("%.3f ± %.9f, want ± %.9f", s.Mean(), s.HalfWidth(), want)
	}
}

func TestRepetitionCountsGramsThatOccurredBefore(t *testing.T) {
	for _, c := range []struct {
		texts []string
		want  float64
	}{
		{nil, 0},
		{[]string{"one two three"}, 0},
		{[]string{"a b c d e f"}, 0},
		{[]string{"a b c d a b c d"}, 1.0 / 5},
		{[]string{"a a a a a a a a"}, 4.0 / 5},
		{[]string{"a b c d", "a b c d", "x x x x x"}, 1.0 / 4}, // repetition is within a text
	} {
		r := Repetition{N: 4}
		for _, text := range c.texts {
			r.Add(text)
		}
		if r.Share() != c.want {
			t.Errorf("%q: %g, want %g", c.texts, r.Share(), c.want)
		}
	}
}

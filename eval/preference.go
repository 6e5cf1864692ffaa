package eval

import (
	"fmt"
	"math"
)

// Preferences counts how often a judge prefers one system's answer to another's.
type Preferences struct{ Wins, Ties, Losses int }

// Add counts a comparison; more is how much better the answer is than the other's.
func (p *Preferences) Add(more float64) {
	switch {
	case more > 0:
		p.Wins++
	case more < 0:
		p.Losses++
	default:
		p.Ties++
	}
}

// Of is the number of comparisons.
func (p Preferences) Of() int { return p.Wins + p.Ties + p.Losses }

// Rate is the win rate, in which a tie is half a win; 0.5 of nothing.
func (p Preferences) Rate() float64 {
	if p.Of() == 0 {
		return 0.5
	}
	return (float64(p.Wins) + 0.5*float64(p.Ties)) / float64(p.Of())
}

// Interval is the rate's 95 % confidence interval by Wilson (1927). The rate counts as a share of wins, whose variance is at
// least that of a mean with halves in it: with ties the interval is rather too wide.
func (p Preferences) Interval() (low, high float64) { return wilson(p.Rate(), p.Of()) }

// MarshalJSON writes the rate with its interval and the counts.
func (p Preferences) MarshalJSON() ([]byte, error) {
	low, high := p.Interval()
	return fmt.Appendf(nil, `{"rate":%g,"interval":[%g,%g],"wins":%d,"ties":%d,"losses":%d}`, p.Rate(), low, high, p.Wins, p.Ties, p.Losses), nil
}

// Sample sums up numbers, of which their mean and its uncertainty are asked.
type Sample struct {
	N            int
	mean, spread float64 // spread is the sum of squared deviations from the mean
}

// Add takes a number (Welford 1962).
func (s *Sample) Add(x float64) {
	s.N++
	d := x - s.mean
	s.mean += d / float64(s.N)
	s.spread += d * (x - s.mean)
}

// Mean is 0 of nothing.
func (s Sample) Mean() float64 { return s.mean }

// HalfWidth is half of the 95 % confidence interval of the mean, by the normal approximation; 0 of fewer than two numbers.
func (s Sample) HalfWidth() float64 {
	if s.N < 2 {
		return 0
	}
	return z95 * math.Sqrt(s.spread/float64(s.N-1)/float64(s.N))
}

// MarshalJSON writes the mean with half of its interval, and the count.
func (s Sample) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, `{"mean":%g,"half_width":%g,"of":%d}`, s.Mean(), s.HalfWidth(), s.N), nil
}

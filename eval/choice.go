package eval

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// Choice is a possible answer to a question, and how probable it is after the question.
type Choice struct {
	Text    string
	LogProb float64
	Tokens  int
}

// ChoiceScores counts how often the most probable of several choices is a right one, where "most probable" is the largest of
// one of four numbers, the first where several are equal. The first three are those of lm-evaluation-harness.
type ChoiceScores struct {
	Plain      Accuracy `json:"acc"`       // the log-probability
	Characters Accuracy `json:"acc_norm"`  // for each character (code point) of the choice
	Bytes      Accuracy `json:"acc_bytes"` // for each byte of the choice
	Tokens     Accuracy `json:"acc_token"` // for each token
}

// Add counts a question. right holds the indices of the right choices, at least one.
func (s *ChoiceScores) Add(choices []Choice, right []int) error {
	if len(choices) == 0 || len(right) == 0 {
		return fmt.Errorf("eval: a question with %d choices, %d of them right", len(choices), len(right))
	}
	good := make([]bool, len(choices))
	for _, i := range right {
		if i < 0 || i >= len(choices) {
			return fmt.Errorf("eval: choice %d of %d is said to be right", i, len(choices))
		}
		good[i] = true
	}
	for _, c := range choices {
		if c.Text == "" || c.Tokens < 1 {
			return errors.New("eval: a choice without text or tokens")
		}
	}
	for _, by := range []struct {
		accuracy *Accuracy
		length   func(c Choice) int
	}{
		{&s.Plain, func(Choice) int { return 1 }},
		{&s.Characters, func(c Choice) int { return utf8.RuneCountInString(c.Text) }},
		{&s.Bytes, func(c Choice) int { return len(c.Text) }},
		{&s.Tokens, func(c Choice) int { return c.Tokens }},
	} {
		best, most := 0, math.Inf(-1)
		for i, c := range choices {
			if x := c.LogProb / float64(by.length(c)); x > most {
				best, most = i, x
			}
		}
		by.accuracy.Add(good[best])
	}
	return nil
}

// Accuracy is a share of right answers.
type Accuracy struct{ Right, Of int }

// Add counts an answer.
func (a *Accuracy) Add(right bool) {
	a.Of++
	if right {
		a.Right++
	}
}

// Value is the share; 0 of nothing.
func (a Accuracy) Value() float64 { return float64(a.Right) / float64(max(a.Of, 1)) }

// StdErr is the standard error of the share, as lm-evaluation-harness gives it: the deviation of the sample divided by √n.
// That of a single answer is 0.
func (a Accuracy) StdErr() float64 {
	p := a.Value()
	return math.Sqrt(p * (1 - p) / float64(max(a.Of-1, 1)))
}

// Interval is the share's 95 % confidence interval by Wilson (1927), which holds for few answers, and for shares near 0 and 1.
func (a Accuracy) Interval() (low, high float64) { return wilson(a.Value(), a.Of) }

// z95 is the number of standard deviations around the mean that hold 95 % of a normal distribution.
const z95 = 1.959963984540054

// wilson is the 95 % confidence interval of a share p of so many trials; everything is possible without any.
func wilson(p float64, trials int) (low, high float64) {
	if trials == 0 {
		return 0, 1
	}
	n := float64(trials)
	middle := p + z95*z95/(2*n)
	half := z95 * math.Sqrt(p*(1-p)/n+z95*z95/(4*n*n))
	return max(0, (middle-half)/(1+z95*z95/n)), min(1, (middle+half)/(1+z95*z95/n))
}

// MarshalJSON writes the share with its standard error, interval and counts.
func (a Accuracy) MarshalJSON() ([]byte, error) {
	low, high := a.Interval()
	return fmt.Appendf(nil, `{"value":%g,"stderr":%g,"interval":[%g,%g],"right":%d,"of":%d}`, a.Value(), a.StdErr(), low, high, a.Right, a.Of), nil
}

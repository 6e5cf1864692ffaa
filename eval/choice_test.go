package eval_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/parley-lm/parley/eval"
)

func TestChoicesAreNormalisedAsInTheHarness(t *testing.T) {
	// Worked out by hand: what each number prefers.
	for _, c := range []struct {
		name    string
		choices []eval.Choice
		prefers [4]int // plain, characters, bytes, tokens
	}{
		{"length", []eval.Choice{{"no", -4, 1}, {"certainly", -9, 3}}, [4]int{0, 1, 1, 1}},
		{"bytes are not characters", []eval.Choice{{"éé", -4, 4}, {"abc", -5, 1}}, [4]int{0, 1, 0, 0}},
		{"the first of equals", []eval.Choice{{"a", -2, 1}, {"b", -2, 1}}, [4]int{0, 0, 0, 0}},
	} {
		for right := range c.choices {
			var s eval.ChoiceScores
			if err := s.Add(c.choices, []int{right}); err != nil {
				t.Fatal(err)
			}
			for i, a := range []eval.Accuracy{s.Plain, s.Characters, s.Bytes, s.Tokens} {
				if (a.Right == 1) != (c.prefers[i] == right) || a.Of != 1 {
					t.Errorf("%s, number %d, %d is right: %+v", c.name, i, right, a)
				}
			}
		}
	}
	var s eval.ChoiceScores
	if err := s.Add([]eval.Choice{{"a", -2, 1}, {"b", -1, 1}, {"c", -3, 1}}, []int{0, 1}); err != nil || s.Plain.Right != 1 {
		t.Errorf("two right choices: %+v, %v", s, err)
	}
	for _, wrong := range []struct {
		choices []eval.Choice
		right   []int
	}{{nil, []int{0}}, {[]eval.Choice{{"a", -1, 1}}, nil}, {[]eval.Choice{{"a", -1, 1}}, []int{1}}, {[]eval.Choice{{"", -1, 1}}, []int{0}}, {[]eval.Choice{{"a", -1, 0}}, []int{0}}} {
		if err := s.Add(wrong.choices, wrong.right); err == nil {
			t.Errorf("%+v is counted", wrong)
		}
	}
}

func TestAccuracyHasAnInterval(t *testing.T) {
	near := func(got, want float64) bool { return math.Abs(got-want) < 5e-5 }
	for _, c := range []struct {
		a                 eval.Accuracy
		low, high, stderr float64
	}{
		// Wilson's formula in Python; numpy: std(ddof=1)/sqrt(n)
		{eval.Accuracy{Right: 62, Of: 100}, 0.52210, 0.70902, 0.04878},
		{eval.Accuracy{Right: 0, Of: 10}, 0, 0.27753, 0},
		{eval.Accuracy{Right: 10, Of: 10}, 0.72247, 1, 0},
		{eval.Accuracy{Right: 1, Of: 1}, 0.20655, 1, 0},
		{eval.Accuracy{}, 0, 1, 0},
	} {
		low, high := c.a.Interval()
		if !near(low, c.low) || !near(high, c.high) || !near(c.a.StdErr(), c.stderr) {
			t.Errorf("%+v: from %.5f to %.5f, ±%.5f", c.a, low, high, c.a.StdErr())
		}
		text, err := json.Marshal(c.a)
		var back struct {
			Value    float64
			Interval [2]float64
			Right    int
		}
		if err != nil || json.Unmarshal(text, &back) != nil || back.Value != c.a.Value() || back.Interval[0] != low || back.Right != c.a.Right {
			t.Errorf("%+v as JSON: %s, %v", c.a, text, err)
		}
	}
}

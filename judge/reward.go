package judge

import (
	"fmt"

	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/eval"
	"github.com/parley-lm/parley/loss"
)

// Agreement is how well a reward model's rewards agree with comparisons. Ties are left out of it.
type Agreement struct {
	Prompts          int              `json:"prompts"`
	Answers          int              `json:"answers"`
	Cut              int              `json:"cut"` // answers of which only the end was read, because they are too long
	Comparisons      int              `json:"comparisons"`
	Ties             int              `json:"ties"`
	Accuracy         float64          `json:"accuracy"` // equal rewards count half
	Interval         [2]float64       `json:"interval"` // of 95 % confidence (Wilson), as if comparisons were independent
	Longest          float64          `json:"longest"`  // accuracy of always preferring the longer answer
	CalibrationError float64          `json:"calibration_error"`
	Calibration      eval.Calibration `json:"calibration"`
	MeanReward       float64          `json:"mean_reward"`
}

// Rewarded is an answer with its reward.
type Rewarded struct {
	Where  string  `json:"where"` // file:line of its prompt
	Answer string  `json:"answer"`
	Reward float64 `json:"reward"`
}

// Rewards scores all answers to prompts, and counts how the rewards agree with the comparisons.
func (j *Judge) Rewards(p *corpus.Preferences) (Agreement, []Rewarded, error) {
	if n := len(j.Model.Labels); n != 1 {
		return Agreement{}, nil, fmt.Errorf("the model gives %d scores to a text, a reward model gives one", n)
	}
	a := Agreement{Prompts: len(p.Prompts), Comparisons: p.Comparisons - p.Ties, Ties: p.Ties, Longest: p.LongestWins()}
	var ids [][]int32
	for _, prompt := range p.Prompts {
		for _, answer := range prompt.Answers {
			tokens, cut, err := j.EncodeAnswer(nil, prompt, answer)
			if err != nil {
				return a, nil, err
			}
			if cut {
				a.Cut++
			}
			ids = append(ids, tokens)
		}
	}
	a.Answers = len(ids)
	scores, err := j.ScoresOfTokens(ids)
	if err != nil {
		return a, nil, err
	}
	list, at := make([]Rewarded, 0, len(ids)), 0
	for _, prompt := range p.Prompts {
		rewards := make([]float64, len(prompt.Answers))
		for i, answer := range prompt.Answers {
			rewards[i] = float64(scores[at+i][0])
			a.MeanReward += rewards[i] / float64(len(ids))
			list = append(list, Rewarded{prompt.Where, answer, rewards[i]})
		}
		at += len(rewards)
		for _, c := range prompt.Comparisons {
			if !c.Tied {
				CountComparison(&a.Calibration, rewards[c.Better], rewards[c.Worse])
			}
		}
	}
	a.Accuracy, a.CalibrationError = a.Calibration.Accuracy(), a.Calibration.Error()
	a.Interval[0], a.Interval[1] = eval.Wilson(a.Accuracy*float64(a.Comparisons), a.Comparisons)
	return a, list, nil
}

// CountComparison counts a comparison that was not a tie by the rewards of the better answer and of the worse one: as the choice
// of the higher, with the probability of Bradley and Terry's model. Of equal rewards half a choice is right.
func CountComparison(c *eval.Calibration, better, worse float64) {
	p := loss.PreferenceProbability(better, worse)
	switch {
	case better > worse:
		c.Add(p, 1)
	case better < worse:
		c.Add(1-p, 0)
	default:
		c.Add(0.5, 0.5)
	}
}

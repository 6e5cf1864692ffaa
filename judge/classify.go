package judge

import (
	"fmt"

	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/eval"
	"github.com/parley-lm/parley/loss"
)

// Classification is how well a classifier labels texts whose labels are known.
type Classification struct {
	Texts            int              `json:"texts"`
	Cut              int              `json:"cut"` // texts of which only a part was read, because they are too long
	Accuracy         float64          `json:"accuracy"`
	Interval         [2]float64       `json:"interval"` // of 95 % confidence (Wilson)
	Loss             float64          `json:"loss"`     // mean of −log of the probability of the right label
	CalibrationError float64          `json:"calibration_error"`
	Labels           []string         `json:"labels"`
	Confusion        [][]int          `json:"confusion"` // [label][label that was given]
	Calibration      eval.Calibration `json:"calibration"`
}

// Decision is what a classifier gives a text.
type Decision struct {
	Label       string  `json:"label"`
	Probability float64 `json:"probability"`
}

// Classify labels texts and counts how often it is right. Labels that the model does not know are an error.
func (j *Judge) Classify(l *corpus.Labelled) (Classification, []Decision, error) {
	c := Classification{Texts: len(l.Texts), Labels: j.Model.Labels}
	class, err := j.classes(l.Labels)
	if err != nil {
		return c, nil, err
	}
	for range c.Labels {
		c.Confusion = append(c.Confusion, make([]int, len(c.Labels)))
	}
	scores, cut, err := j.Scores(l.Texts)
	if err != nil {
		return c, nil, err
	}
	right := 0
	for i, s := range scores {
		of := class[l.Class[i]]
		loss, correct, confidence := loss.Classes(s, of, 0, 0, nil)
		given := highest(s)
		c.Loss += loss / float64(len(scores))
		c.Confusion[of][given]++
		if correct {
			right++
			c.Calibration.Add(confidence, 1)
		} else {
			c.Calibration.Add(confidence, 0)
		}
	}
	c.Cut, c.Accuracy, c.CalibrationError = cut, c.Calibration.Accuracy(), c.Calibration.Error()
	c.Interval[0], c.Interval[1] = eval.Wilson(float64(right), len(scores))
	return c, j.decisions(scores), nil
}

// Decide labels texts.
func (j *Judge) Decide(texts []string) ([]Decision, error) {
	scores, _, err := j.Scores(texts)
	if err != nil {
		return nil, err
	}
	return j.decisions(scores), nil
}

// decisions are the labels of the highest scores.
func (j *Judge) decisions(scores [][]float32) []Decision {
	list := make([]Decision, len(scores))
	for i, s := range scores {
		given := highest(s)
		_, _, confidence := loss.Classes(s, int32(given), 0, 0, nil)
		list[i] = Decision{j.Model.Labels[given], confidence}
	}
	return list
}

// classes finds the data's labels among the model's.
func (j *Judge) classes(labels []string) ([]int32, error) {
	of := map[string]int32{}
	for i, label := range j.Model.Labels {
		of[label] = int32(i)
	}
	class := make([]int32, len(labels))
	for i, label := range labels {
		var known bool
		if class[i], known = of[label]; !known {
			return nil, fmt.Errorf("the texts have a label %q, the model knows %q", label, j.Model.Labels)
		}
	}
	return class, nil
}

func highest(scores []float32) int {
	best := 0
	for i, s := range scores {
		if s > scores[best] {
			best = i
		}
	}
	return best
}

package loss

import "math"

// Classes is the cross-entropy of one text's class: −log of its probability under the softmax of the scores, or with label
// smoothing the mean under (1−smoothing) of that and smoothing of the same of all classes. It adds scale times the derivative to gradient, as
// long as scores, and reports whether the class has the highest score and the probability of the one that has.
func Classes(scores []float32, class int32, smoothing, scale float64, gradient []float32) (loss float64, correct bool, confidence float64) {
	best := 0
	for i, s := range scores {
		if s > scores[best] {
			best = i
		}
	}
	sum, mean := 0.0, 0.0
	for _, s := range scores {
		sum += math.Exp(float64(s) - float64(scores[best]))
		mean += float64(s) / float64(len(scores))
	}
	logSum := float64(scores[best]) + math.Log(sum)
	loss = logSum - (1-smoothing)*float64(scores[class]) - smoothing*mean
	for i, s := range scores {
		d := math.Exp(float64(s)-logSum) - smoothing/float64(len(scores))
		if i == int(class) {
			d -= 1 - smoothing
		}
		if gradient != nil {
			gradient[i] += float32(scale * d)
		}
	}
	return loss, int32(best) == class, 1 / sum
}

// LogOdds is the logarithm of the odds of a class under the softmax of the scores; of a single score that score itself, which is
// then the logit of a class against nothing, or a reward.
func LogOdds(scores []float32, class int) float64 {
	if len(scores) == 1 {
		return float64(scores[0])
	}
	most := math.Inf(-1)
	for i, s := range scores {
		if i != class {
			most = max(most, float64(s))
		}
	}
	others := 0.0
	for i, s := range scores {
		if i != class {
			others += math.Exp(float64(s) - most)
		}
	}
	return float64(scores[class]) - most - math.Log(others)
}

package inspect

import (
	"errors"
	"math"
	"slices"

	"github.com/parley-lm/parley/tokenizer"
)

// step works out the distribution that the logits of one row stand for, and the place of a token in it.
func step(t *tokenizer.Tokenizer, logits []float32, id int32, top int) (Step, error) {
	highest := float64(slices.Max(logits))
	sum := 0.0
	for _, x := range logits {
		sum += math.Exp(float64(x) - highest)
	}
	if math.IsNaN(sum) || math.IsInf(highest, 0) {
		return Step{}, errors.New("the model's logits are not numbers; its weights are damaged")
	}
	prob := func(id int32) float64 { return math.Exp(float64(logits[id])-highest) / sum }
	s := Step{ID: id, Prob: prob(id), Rank: 1}
	for other, x := range logits {
		if x > logits[id] || x == logits[id] && int32(other) < id {
			s.Rank++
		}
	}
	for _, best := range largest(top, len(logits), func(i int) float64 { return float64(logits[i]) }) {
		token := tokenOf(t, int32(best))
		s.Top = append(s.Top, Candidate{ID: token.ID, Token: token.Token, Text: token.Text, Prob: prob(token.ID)})
	}
	return s, nil
}

// largest returns the indices of the k largest of n values, largest first; of equals the first.
func largest(k, n int, value func(int) float64) []int {
	best := make([]int, 0, k+1)
	for i := range n {
		v := value(i)
		if len(best) == k && (k == 0 || v <= value(best[k-1])) {
			continue
		}
		at := len(best)
		for at > 0 && value(best[at-1]) < v {
			at--
		}
		best = slices.Insert(best, at, i)
		best = best[:min(len(best), k)]
	}
	return best
}

// finite replaces a logarithm of 0: JSON has no infinity, and nothing smaller can be told apart.
func finite(logProb float64) float64 { return max(logProb, -math.MaxFloat64) }

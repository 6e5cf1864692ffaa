package sandbox

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
)

// A Taste is what a judge likes and dislikes. An answer's utility is the worth of its outcome, and Polite if it has at
// least one courtesy, less Word for each word beyond those of the briefest right answer, but at most MostWords.
type Taste struct {
	Right, Wrong, Guess, Unsure, Unreadable float64 // worth of each outcome

	Polite    float64
	Word      float64
	MostWords float64
}

// DefaultTaste is that of a person who wants right answers above all, would rather hear "I do not know" than something
// wrong, likes a courtesy and has no time for more words. A second courtesy only costs its words.
var DefaultTaste = Taste{Right: 1, Wrong: -1, Guess: -1, Unsure: -0.4, Unreadable: -1.2, Polite: 0.3, Word: 0.05, MostWords: 0.6}

// A Judge ranks answers by a taste that is known, or as a person would who has this taste and errs now and then. Ranking
// is a function of the judge, the question and the answers.
type Judge struct {
	Taste Taste

	// Flip is the share of pairs that the judge ranks the wrong way round, from 0 to below 0.5. With two answers the
	// preferred one is flipped with this probability. With more the ranking is drawn from the Mallows model (1957) around
	// the true one, whose dispersion is such that this share of pairs is expected to be turned; neighbours are the likeliest
	// to be. At 0.1 no reward model can predict more than 90 % of the pairs.
	Flip float64

	// Temperature above 0 has the judge draw the ranking from the Plackett–Luce model instead, in which the best of what is
	// left is an answer with a probability in proportion to exp(utility / Temperature).
	Temperature float64

	Seed uint64 // of the errors
}

// Utility is the true worth of an answer, without any error.
func (j Judge) Utility(q *Question, answer string) float64 { return j.Taste.utility(q.Check(answer)) }

func (t Taste) utility(v Verdict) float64 {
	u := t.Unreadable
	switch v.Outcome {
	case Right:
		u = t.Right
	case Wrong:
		u = t.Wrong
	case Guess:
		u = t.Guess
	case Unsure:
		u = t.Unsure
	}
	if v.Courtesies > 0 {
		u += t.Polite
	}
	return u - min(t.MostWords, t.Word*float64(v.Excess))
}

// Rank returns the place of each answer, from 1 for the best. Answers of the same utility share a place, and the next
// place is one more.
func (j Judge) Rank(q *Question, answers []string) []int {
	utilities := make([]float64, len(answers))
	for i, a := range answers {
		utilities[i] = j.Utility(q, a)
	}
	levels := slices.Clone(utilities)
	slices.Sort(levels)
	levels = slices.Compact(levels)
	slices.Reverse(levels)
	r := j.random(q, answers)
	switch {
	case j.Temperature > 0:
		levels = plackettLuce(r, levels, j.Temperature)
	case j.Flip > 0:
		levels = mallows(r, levels, mallowsDispersion(len(levels), j.Flip))
	}
	places := make([]int, len(answers))
	for i, u := range utilities {
		places[i] = 1 + slices.Index(levels, u)
	}
	return places
}

// random returns the errors of the judge about these answers.
func (j Judge) random(q *Question, answers []string) *rand.Rand {
	h := fnv.New64a()
	for _, m := range q.Messages {
		h.Write([]byte(m.Content + "\x00"))
	}
	for _, a := range answers {
		h.Write([]byte(a + "\x00"))
	}
	return rand.New(rand.NewPCG(j.Seed, h.Sum64()))
}

// plackettLuce draws an order of utilities: by utility and Gumbel noise (Yellott 1977).
func plackettLuce(r *rand.Rand, utilities []float64, temperature float64) []float64 {
	type draw struct{ utility, score float64 }
	draws := make([]draw, len(utilities))
	for i, u := range utilities {
		draws[i] = draw{u, u/temperature - math.Log(r.ExpFloat64())}
	}
	slices.SortFunc(draws, func(a, b draw) int {
		if a.score > b.score {
			return -1
		}
		return 1
	})
	order := make([]float64, len(draws))
	for i, d := range draws {
		order[i] = d.utility
	}
	return order
}

// mallows draws an order around the given one by repeated insertion (Doignon, Pekeč and Regenwetter 2004): the i-th item
// is inserted d places before the end with a probability in proportion to dispersion^d.
func mallows[T any](r *rand.Rand, items []T, dispersion float64) []T {
	var order []T
	for i, item := range items {
		total, weight := 0.0, 1.0
		for range i + 1 {
			total += weight
			weight *= dispersion
		}
		d, left := 0, r.Float64()*total
		for weight = 1; d < i && left >= weight; d++ {
			left -= weight
			weight *= dispersion
		}
		order = slices.Insert(order, i-d, item)
	}
	return order
}

// mallowsDispersion returns the dispersion from 0 to 1 at which so large a share of the pairs of n items is expected to be
// turned. The expectation grows with the dispersion, so it is found by halving.
func mallowsDispersion(n int, share float64) float64 {
	if n < 2 {
		return 0
	}
	low, high := 0.0, 1.0
	for range 50 {
		middle := (low + high) / 2
		if turnedShare(n, middle) < share {
			low = middle
		} else {
			high = middle
		}
	}
	return (low + high) / 2
}

// turnedShare is the expected share of turned pairs in the Mallows model: the sum of the expected d of mallows.
func turnedShare(n int, dispersion float64) float64 {
	turned := 0.0
	for i := range n {
		total, sum, weight := 0.0, 0.0, 1.0
		for d := range i + 1 {
			total += weight
			sum += weight * float64(d)
			weight *= dispersion
		}
		turned += sum / total
	}
	return turned / float64(n*(n-1)/2)
}

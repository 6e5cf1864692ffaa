package eval

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// CHRF is the F-score of character n-grams, chrF (Popović 2015). With WordOrder
// 2 word n-grams count as well: chrF++ (Popović 2017). The zero value has
// sacrebleu's defaults.
type CHRF struct {
	CharOrder  int  // longest character n-grams; 0 is 6
	WordOrder  int  // longest word n-grams: 0 for chrF, 2 for chrF++
	Beta       int  // recall counts Beta times as much as precision; 0 is 2
	Lowercase  bool // compare lower-cased text
	Whitespace bool // white space takes part in character n-grams
	Epsilon    bool // orders that a side lacks count almost 0, as in chrF++.py, rather than not at all
}

// Corpus scores a whole corpus: refs[k][i] is the k-th reference of hyps[i]. Of
// several references the one with the best F-score counts.
func (c CHRF) Corpus(hyps []string, refs [][]string) (Score, error) {
	return corpus(c, hyps, refs)
}

// Sentence scores one sentence against its references.
func (c CHRF) Sentence(hyp string, refs []string) (Score, error) {
	return sentence(c, hyp, refs)
}

// Name is "chrF", beta, and a + for each order of word n-grams.
func (c CHRF) Name() string {
	c = c.withDefaults()
	return fmt.Sprintf("chrF%d%s", c.Beta, strings.Repeat("+", max(0, c.WordOrder)))
}

// Settings are the fields of the signature that belong to chrF.
func (c CHRF) Settings() string {
	c = c.withDefaults()
	return fmt.Sprintf("case:%s|eff:%s|nc:%d|nw:%d|space:%s",
		lowerOrMixed(c.Lowercase), yesNo(!c.Epsilon), c.CharOrder, c.WordOrder, yesNo(c.Whitespace))
}

func (c CHRF) withDefaults() CHRF {
	if c.CharOrder == 0 {
		c.CharOrder = 6
	}
	if c.Beta == 0 {
		c.Beta = 2
	}
	return c
}

func (c CHRF) check() error {
	if err := checkOrder("chrF's longest character n-gram", c.CharOrder, 1); err != nil {
		return err
	}
	if err := checkOrder("chrF's longest word n-gram", c.WordOrder, 0); err != nil {
		return err
	}
	if c.Beta < 0 {
		return fmt.Errorf("eval: chrF's beta is %d, must be positive", c.Beta)
	}
	return nil
}

// Statistics returns rows of three numbers an order, characters first:
// n-grams of the hypothesis (0 if the reference has none), n-grams of the
// reference, matches.
func (c CHRF) Statistics(hyps []string, refs [][]string) ([][]float64, error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := checkCorpus(hyps, refs); err != nil {
		return nil, err
	}
	width := 3 * (c.CharOrder + c.WordOrder)
	rows := newRows(len(hyps), width)
	counter := chrfCounter{
		CHRF:  c,
		chars: newNGrams[rune](c.CharOrder),
		words: newNGrams[string](c.WordOrder),
	}
	row := make([]float64, width)
	var lines []string
	for i := range hyps {
		hyp := c.read(hyps[i])
		best := -1.0
		lines = referencesOf(lines[:0], refs, i)
		for _, ref := range lines {
			counter.row(row, hyp, c.read(ref))
			if f := c.fScore(row); f > best {
				best = f
				copy(rows[i], row)
			}
		}
	}
	return rows, nil
}

// chrfText is a sentence as chrF sees it.
type chrfText struct {
	chars []rune
	words []string // nil without word n-grams
}

func (c CHRF) read(line string) chrfText {
	if c.Lowercase {
		line = lower(line)
	}
	var t chrfText
	if c.WordOrder > 0 {
		t.words = splitPunctuation(fields(line))
	}
	t.chars = make([]rune, 0, len(line))
	for _, r := range line {
		if c.Whitespace || !isSpace(r) {
			t.chars = append(t.chars, r)
		}
	}
	return t
}

// splitPunctuation cuts one ASCII punctuation mark off each word of two or more
// characters: the last character if it is one, otherwise the first.
func splitPunctuation(words []string) []string {
	out := make([]string, 0, len(words)+4)
	for _, w := range words {
		last := len(w) - 1
		switch {
		case utf8.RuneCountInString(w) == 1:
			out = append(out, w)
		case isASCIIPunct(w[last]):
			out = append(out, w[:last], w[last:])
		case isASCIIPunct(w[0]):
			out = append(out, w[:1], w[1:])
		default:
			out = append(out, w)
		}
	}
	return out
}

func isASCIIPunct(c byte) bool {
	return c >= '!' && c <= '/' || c >= ':' && c <= '@' || c >= '[' && c <= '`' || c >= '{' && c <= '~'
}

type chrfCounter struct {
	CHRF
	chars   *ngrams[rune]
	words   *ngrams[string]
	matches []float64
}

// row fills the statistics of a hypothesis against one reference.
func (c *chrfCounter) row(row []float64, hyp, ref chrfText) {
	chars, words := row[:3*c.CharOrder], row[3*c.CharOrder:]
	c.matches = chrfOrders(c.chars, chars, hyp.chars, ref.chars, c.matches)
	c.matches = chrfOrders(c.words, words, hyp.words, ref.words, c.matches)
}

// chrfOrders fills three numbers for each order of g. The slice matches is
// working memory, returned to be used again.
func chrfOrders[T comparable](g *ngrams[T], row []float64, hyp, ref []T, matches []float64) []float64 {
	matches = append(matches[:0], make([]float64, g.order)...)
	g.reset()
	g.addReference(ref)
	g.match(hyp, matches)
	for n, m := range matches {
		hypCount, refCount := max(0, len(hyp)-n), max(0, len(ref)-n)
		if refCount == 0 {
			hypCount = 0
		}
		row[3*n], row[3*n+1], row[3*n+2] = float64(hypCount), float64(refCount), m
	}
	return matches
}

// Score computes chrF from added-up statistics.
func (c CHRF) Score(sum []float64) Score {
	return Score{Metric: c.Name(), Value: c.withDefaults().fScore(sum)}
}

// fScore averages precision and recall over the orders that both sides have,
// and combines the averages; with Epsilon it averages the F-scores of all
// orders instead.
func (c CHRF) fScore(stats []float64) float64 {
	const epsilon = 1e-16
	factor := float64(c.Beta) * float64(c.Beta)
	var fSum, precision, recall, orders float64
	for i := 0; i < len(stats); i += 3 {
		nHyp, nRef, matches := stats[i], stats[i+1], stats[i+2]
		p, r, f := epsilon, epsilon, epsilon
		if nHyp > 0 {
			p = matches / nHyp
		}
		if nRef > 0 {
			r = matches / nRef
		}
		if denominator := factor*p + r; denominator > 0 {
			f = (1 + factor) * p * r / denominator
		}
		fSum += f
		if nHyp > 0 && nRef > 0 {
			precision += p
			recall += r
			orders++
		}
	}
	if c.Epsilon {
		return 100 * fSum / float64(len(stats)/3)
	}
	if precision+recall == 0 {
		return 0
	}
	precision /= orders
	recall /= orders
	return 100 * (1 + factor) * precision * recall / (factor*precision + recall)
}

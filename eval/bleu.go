package eval

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Smoothing is what BLEU does about an order of n-grams without a match (Chen
// and Cherry 2014, "A Systematic Comparison of Smoothing Techniques for
// Sentence-Level BLEU").
type Smoothing string

const (
	SmoothExp   Smoothing = "exp"   // the k-th order without a match counts 1/2ᵏ matches (mteval-v13a)
	SmoothNone  Smoothing = "none"  // BLEU is then practically 0
	SmoothFloor Smoothing = "floor" // counts SmoothValue matches
	SmoothAddK  Smoothing = "add-k" // SmoothValue is added to matches and totals above 1-grams
)

// BLEU measures how many n-grams of the hypotheses occur in their references
// (Papineni et al. 2002). The zero value has sacrebleu's defaults.
type BLEU struct {
	Tokenize       string    // "13a" (the default, ""), "none", "intl", "char" or "zh"
	Lowercase      bool      // compare lower-cased text
	Smoothing      Smoothing // "" is SmoothExp
	SmoothValue    float64   // for SmoothFloor and SmoothAddK; 0 is 0.1 and 1
	MaxOrder       int       // longest n-grams; 0 is 4
	EffectiveOrder bool      // leave out orders longer than every hypothesis
}

// BLEUDetail is what a BLEU score is made of. Slices are indexed by n-gram
// length less one.
type BLEUDetail struct {
	Counts         []float64 `json:"counts"`     // n-grams of the hypotheses found in a reference, k of add-k included
	Totals         []float64 `json:"totals"`     // n-grams of the hypotheses, k of add-k included
	Precisions     []float64 `json:"precisions"` // in per cent, smoothed
	BrevityPenalty float64   `json:"bp"`
	HypLen         int       `json:"sys_len"` // tokens
	RefLen         int       `json:"ref_len"` // tokens of the references closest in length
}

// String is the part of sacrebleu's line after the score.
func (d BLEUDetail) String() string {
	precisions := make([]string, len(d.Precisions))
	for i, p := range d.Precisions {
		precisions[i] = fmt.Sprintf("%.1f", p)
	}
	ratio := 0.0
	if d.RefLen > 0 {
		ratio = float64(d.HypLen) / float64(d.RefLen)
	}
	return fmt.Sprintf("%s (BP = %.3f ratio = %.3f hyp_len = %d ref_len = %d)",
		strings.Join(precisions, "/"), d.BrevityPenalty, ratio, d.HypLen, d.RefLen)
}

// Corpus scores a whole corpus: refs[k][i] is the k-th reference of hyps[i].
func (b BLEU) Corpus(hyps []string, refs [][]string) (Score, error) {
	return corpus(b, hyps, refs)
}

// Sentence scores one sentence against its references, with EffectiveOrder on:
// without it, a sentence of three words could only score 0.
func (b BLEU) Sentence(hyp string, refs []string) (Score, error) {
	b.EffectiveOrder = true
	return sentence(b, hyp, refs)
}

// Name is "BLEU".
func (b BLEU) Name() string { return "BLEU" }

// Settings are the fields of the signature that belong to BLEU.
func (b BLEU) Settings() string {
	b = b.withDefaults()
	smooth := string(b.Smoothing)
	if b.Smoothing == SmoothFloor || b.Smoothing == SmoothAddK {
		smooth = fmt.Sprintf("%s[%.2f]", smooth, b.SmoothValue)
	}
	return fmt.Sprintf("case:%s|eff:%s|tok:%s|smooth:%s",
		lowerOrMixed(b.Lowercase), yesNo(b.EffectiveOrder), b.Tokenize, smooth)
}

func (b BLEU) withDefaults() BLEU {
	if b.Tokenize == "" {
		b.Tokenize = "13a"
	}
	if b.Smoothing == "" {
		b.Smoothing = SmoothExp
	}
	if b.SmoothValue == 0 {
		switch b.Smoothing {
		case SmoothFloor:
			b.SmoothValue = 0.1
		case SmoothAddK:
			b.SmoothValue = 1
		}
	}
	if b.MaxOrder == 0 {
		b.MaxOrder = 4
	}
	return b
}

func (b BLEU) check() error {
	if tokenizers[b.Tokenize] == nil {
		return fmt.Errorf("eval: unknown tokenizer %q, want one of %s", b.Tokenize, strings.Join(Tokenizers(), ", "))
	}
	known := []Smoothing{SmoothExp, SmoothNone, SmoothFloor, SmoothAddK}
	if !slices.Contains(known, b.Smoothing) {
		return fmt.Errorf("eval: unknown smoothing %q, want one of %v", b.Smoothing, known)
	}
	if !(b.SmoothValue >= 0) || math.IsInf(b.SmoothValue, 1) {
		return fmt.Errorf("eval: smoothing value is %v, must be a positive number", b.SmoothValue)
	}
	return checkOrder("BLEU's longest n-gram", b.MaxOrder, 1)
}

// Statistics returns rows of 2 + 2·MaxOrder numbers: length of the hypothesis,
// length of the reference, matches of each order, totals of each order.
func (b BLEU) Statistics(hyps []string, refs [][]string) ([][]float64, error) {
	b = b.withDefaults()
	if err := b.check(); err != nil {
		return nil, err
	}
	if err := checkCorpus(hyps, refs); err != nil {
		return nil, err
	}
	rows := newRows(len(hyps), 2+2*b.MaxOrder)
	counter := newNGrams[string](b.MaxOrder)
	var lines []string
	var tokens [][]string
	for i, hyp := range hyps {
		lines, tokens = referencesOf(lines[:0], refs, i), tokens[:0]
		for _, ref := range lines {
			tokens = append(tokens, b.tokens(ref))
		}
		counter.row(rows[i], b.tokens(hyp), tokens)
	}
	return rows, nil
}

// tokens cuts a sentence as the settings say.
func (b BLEU) tokens(line string) []string {
	if b.Lowercase {
		line = lower(line)
	}
	return tokenizers[b.Tokenize](trimRight(line))
}

// row fills the statistics of one sentence. Matches of an n-gram are clipped to
// the most often that it occurs in any one reference.
func (g *ngrams[T]) row(row []float64, hyp []T, refs [][]T) {
	g.reset()
	closest := len(refs[0])
	for _, ref := range refs {
		g.addReference(ref)
		closest = closerLength(len(hyp), closest, len(ref))
	}
	row[0], row[1] = float64(len(hyp)), float64(closest)
	matches, totals := row[2:2+g.order], row[2+g.order:]
	g.match(hyp, matches)
	for n := range totals {
		totals[n] = float64(max(0, len(hyp)-n))
	}
}

// closerLength is the one of a and b that is closer to n, the smaller of two
// equally close.
func closerLength(n, a, b int) int {
	da, db := abs(n-a), abs(n-b)
	if da < db || da == db && a < b {
		return a
	}
	return b
}

func abs(x int) int {
	if x < 0 {
		return -x
	}
	return x
}

// Score computes BLEU from added-up statistics: the brevity penalty times the
// geometric mean of the precisions.
func (b BLEU) Score(sum []float64) Score {
	b = b.withDefaults()
	d := &BLEUDetail{
		Counts:         slices.Clone(sum[2 : 2+b.MaxOrder]),
		Totals:         slices.Clone(sum[2+b.MaxOrder:]),
		Precisions:     make([]float64, b.MaxOrder),
		BrevityPenalty: brevityPenalty(sum[0], sum[1]),
		HypLen:         int(sum[0]),
		RefLen:         int(sum[1]),
	}
	score := Score{Metric: b.Name(), BLEU: d}
	if !slices.ContainsFunc(d.Counts, func(c float64) bool { return c != 0 }) {
		return score // nothing in common: 0 whatever the smoothing
	}
	order := b.smooth(d)
	logs := 0.0
	for _, p := range d.Precisions[:order] {
		logs += flooredLog(p)
	}
	score.Value = d.BrevityPenalty * math.Exp(logs/float64(order))
	return score
}

func brevityPenalty(hypLen, refLen float64) float64 {
	switch {
	case hypLen >= refLen:
		return 1
	case hypLen == 0:
		return 0
	}
	return math.Exp(1 - refLen/hypLen)
}

// smooth fills the precisions and returns over how many orders to average.
func (b BLEU) smooth(d *BLEUDetail) (order int) {
	order = b.MaxOrder
	halves := 1.0
	for n := range d.Precisions {
		if b.Smoothing == SmoothAddK && n > 0 {
			d.Counts[n] += b.SmoothValue
			d.Totals[n] += b.SmoothValue
		}
		if d.Totals[n] == 0 {
			break
		}
		if b.EffectiveOrder {
			order = n + 1
		}
		matches := d.Counts[n]
		if matches == 0 {
			switch b.Smoothing {
			case SmoothExp:
				halves /= 2
				matches = halves
			case SmoothFloor:
				matches = b.SmoothValue
			}
		}
		d.Precisions[n] = 100 * matches / d.Totals[n]
	}
	return order
}

// flooredLog is the natural logarithm, and for 0 a number so low that the mean
// of any orders with it becomes 0.
func flooredLog(x float64) float64 {
	if x == 0 {
		return -9999999999
	}
	return math.Log(x)
}

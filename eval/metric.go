package eval

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Version is the release of sacrebleu whose definitions this package follows,
// as every signature says.
const Version = "2.6.0"

// Metric is a score of a corpus that depends only on statistics which add up
// over its sentences. [BLEU], [CHRF] and [TER] are metrics.
type Metric interface {
	// Name is what the score is called: "BLEU", "chrF2++", "TER".
	Name() string

	// Settings are the fields of the signature that belong to the metric, such
	// as "case:mixed|eff:no|tok:13a|smooth:exp".
	Settings() string

	// Statistics returns one row of numbers a sentence, all of the same
	// length. It fails if the settings are wrong or if refs does not hold as
	// many sentences as hyps in every stream.
	Statistics(hyps []string, refs [][]string) ([][]float64, error)

	// Score computes the score from rows of statistics added up. It does not
	// change sum, and leaves the signature empty.
	Score(sum []float64) Score
}

// Score is the value of one metric and where it comes from.
type Score struct {
	Metric    string  `json:"name"`
	Value     float64 `json:"score"` // 0 to 100 (TER: may be above 100; lower is better)
	Signature string  `json:"signature"`

	Interval *Interval   `json:"interval,omitempty"` // nil unless resampled
	BLEU     *BLEUDetail `json:"bleu,omitempty"`     // nil unless the metric is BLEU
	TER      *TERDetail  `json:"ter,omitempty"`      // nil unless the metric is TER
}

// Interval is a 95 % confidence interval from bootstrap resampling: Mean ±
// HalfWidth.
type Interval struct {
	Mean      float64 `json:"mean"`
	HalfWidth float64 `json:"half_width"`
}

// String is the line that sacrebleu prints, with two decimals.
func (s Score) String() string { return s.Format(2) }

// Format is the line that sacrebleu prints: name, signature, score with the
// given number of decimals, interval if there is one, and BLEU's precisions and
// lengths.
func (s Score) Format(decimals int) string {
	var b strings.Builder
	b.WriteString(s.Metric)
	if s.Signature != "" {
		b.WriteString("|" + s.Signature)
	}
	fmt.Fprintf(&b, " = %.*f", decimals, s.Value)
	if s.Interval != nil {
		fmt.Fprintf(&b, " (μ = %.*f ± %.*f)", decimals, s.Interval.Mean, decimals, s.Interval.HalfWidth)
	}
	if s.BLEU != nil {
		b.WriteString(" " + s.BLEU.String())
	}
	return b.String()
}

// corpus is the Corpus method of every metric.
func corpus(m Metric, hyps []string, refs [][]string) (Score, error) {
	stats, err := m.Statistics(hyps, refs)
	if err != nil {
		return Score{}, err
	}
	score := m.Score(sumRows(stats))
	score.Signature = signature(m, refs)
	return score, nil
}

// sentence is the Sentence method of every metric.
func sentence(m Metric, hyp string, refs []string) (Score, error) {
	streams := make([][]string, len(refs))
	for k := range refs {
		streams[k] = refs[k : k+1]
	}
	return corpus(m, []string{hyp}, streams)
}

// signature joins the fields of a signature: the number of references ("var"
// where sentences have different numbers), those of a test of significance
// ("bs:1000"), the metric's own, and the version.
func signature(m Metric, refs [][]string, test ...string) string {
	count, of := strconv.Itoa(len(refs)), []string(nil)
	for i := range refs[0] {
		before := len(of)
		of = referencesOf(of[:0], refs, i)
		if count = strconv.Itoa(len(of)); i > 0 && len(of) != before {
			count = "var"
			break
		}
	}
	fields := append([]string{"nrefs:" + count}, test...)
	fields = append(fields, m.Settings(), "version:"+Version)
	return strings.Join(fields, "|")
}

// NoReference stands in a stream of references for a sentence that has fewer of
// them than others. It is no text; sacrebleu has None in its place.
const NoReference = "\x00"

// referencesOf appends to dst the references of sentence i.
func referencesOf(dst []string, refs [][]string, i int) []string {
	for _, stream := range refs {
		if stream[i] != NoReference {
			dst = append(dst, stream[i])
		}
	}
	return dst
}

// Streams makes streams of references from lists, one for each sentence, that
// may differ in length: streams[k][i] is lists[i][k], or NoReference.
func Streams(lists [][]string) [][]string {
	most := 0
	for _, list := range lists {
		most = max(most, len(list))
	}
	streams := make([][]string, most)
	for k := range streams {
		streams[k] = make([]string, len(lists))
		for i, list := range lists {
			if streams[k][i] = NoReference; k < len(list) {
				streams[k][i] = list[k]
			}
		}
	}
	return streams
}

// sumRows adds up rows of equal length; there must be at least one.
func sumRows(rows [][]float64) []float64 {
	sum := make([]float64, len(rows[0]))
	for _, row := range rows {
		addTo(sum, row)
	}
	return sum
}

func addTo(sum, row []float64) {
	for i, x := range row {
		sum[i] += x
	}
}

// newRows returns n rows of the given width in one piece of memory.
func newRows(n, width int) [][]float64 {
	all := make([]float64, n*width)
	rows := make([][]float64, n)
	for i := range rows {
		rows[i] = all[i*width : (i+1)*width : (i+1)*width]
	}
	return rows
}

// checkCorpus reports hypotheses and reference streams that do not fit together.
func checkCorpus(hyps []string, refs [][]string) error {
	if len(hyps) == 0 {
		return errors.New("eval: there are no hypotheses to score")
	}
	if len(refs) == 0 {
		return errors.New("eval: there are no references to score against")
	}
	for k, stream := range refs {
		if len(stream) != len(hyps) {
			return fmt.Errorf("eval: reference stream %d has %s, but there are %s: line i of each belongs to line i of the others",
				k+1, counted(len(stream), "sentence", "sentences"), counted(len(hyps), "hypothesis", "hypotheses"))
		}
	}
	for i := range hyps {
		if !slices.ContainsFunc(refs, func(stream []string) bool { return stream[i] != NoReference }) {
			return fmt.Errorf("eval: sentence %d has no reference", i+1)
		}
	}
	return nil
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// maxOrder bounds the length of n-grams, so that a wrong flag cannot ask for
// unbounded memory.
const maxOrder = 100

func checkOrder(what string, order, smallest int) error {
	if order < smallest || order > maxOrder {
		return fmt.Errorf("eval: %s is %d, must be from %d to %d", what, order, smallest, maxOrder)
	}
	return nil
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func lowerOrMixed(lowercase bool) string {
	if lowercase {
		return "lc"
	}
	return "mixed"
}

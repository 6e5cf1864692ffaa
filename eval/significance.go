package eval

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// DefaultSeed is the seed with which sacrebleu draws unless told otherwise.
const DefaultSeed = 12345

// System is the output of one system, line by line of the references.
type System struct {
	Name       string
	Hypotheses []string
}

// Compared is one system's scores in a paired test.
type Compared struct {
	System string        `json:"system"`
	Scores []PairedScore `json:"scores"` // one for each metric, in their order
}

// PairedScore is a score and how probable a difference to the baseline's as
// large as this one is by chance. P is nil for the baseline itself.
type PairedScore struct {
	Score
	P *float64 `json:"p_value"`
}

// Bootstrap scores a corpus and estimates the interval in which the score lies
// with 95 % confidence, by scoring resamples: corpora of the same size drawn
// from it with replacement (Koehn 2004, "Statistical Significance Tests for
// Machine Translation Evaluation").
func Bootstrap(m Metric, hyps []string, refs [][]string, resamples int, seed uint64) (Score, error) {
	compared, err := PairedBootstrap([]Metric{m}, refs, []System{{Hypotheses: hyps}}, resamples, seed)
	if err != nil {
		return Score{}, err
	}
	return compared[0].Scores[0].Score, nil
}

// PairedBootstrap tests whether systems differ from a baseline, which is
// systems[0], by drawing the same resamples from all of them: p tells how often
// the difference on a resample exceeds the mean difference by more than the real
// difference. Scores have intervals. Sacrebleu's default is 1,000 resamples.
//
// Draws are those of sacrebleu for the same seed, so p-values agree with it;
// it adds up in single precision and this package in double.
func PairedBootstrap(metrics []Metric, refs [][]string, systems []System, resamples int, seed uint64) ([]Compared, error) {
	if err := checkDraws("resamples", resamples); err != nil {
		return nil, err
	}
	t, err := newPairedTest(metrics, refs, systems, "bs:"+strconv.Itoa(resamples), "seed:"+strconv.FormatUint(seed, 10))
	if err != nil {
		return nil, err
	}
	values := t.resample(newPCG64(seed), resamples)
	for m := range metrics {
		for s := range systems {
			t.result[s].Scores[m].Interval = interval(values[s][m])
			if s > 0 {
				t.setP(s, m, centredDifferences(values[0][m], values[s][m]))
			}
		}
	}
	return t.result, nil
}

// centredDifferences are |a[i] - b[i]| less their mean.
func centredDifferences(a, b []float64) []float64 {
	d := make([]float64, len(a))
	mean := 0.0
	for i := range d {
		d[i] = math.Abs(a[i] - b[i])
		mean += d[i] / float64(len(d))
	}
	for i := range d {
		d[i] -= mean
	}
	return d
}

// PairedRandomization tests whether systems differ from a baseline, which is
// systems[0], by swapping the outputs of both for randomly chosen sentences
// (Riezler and Maxwell 2005, "On Some Pitfalls in Automatic Evaluation and
// Significance Testing for MT"): p tells how often the difference after swapping
// exceeds the real one. Sacrebleu's default is 10,000 trials.
//
// With resamples > 0, scores also have intervals from that many bootstrap
// resamples.
func PairedRandomization(metrics []Metric, refs [][]string, systems []System, trials, resamples int, seed uint64) ([]Compared, error) {
	if err := checkDraws("trials", trials); err != nil {
		return nil, err
	}
	test := []string{"ar:" + strconv.Itoa(trials), "seed:" + strconv.FormatUint(seed, 10)}
	if resamples != 0 {
		if err := checkDraws("resamples", resamples); err != nil {
			return nil, err
		}
		test = append([]string{"bs:" + strconv.Itoa(resamples)}, test...)
	}
	t, err := newPairedTest(metrics, refs, systems, test...)
	if err != nil {
		return nil, err
	}
	rng := newPCG64(seed)
	differences := t.swap(rng, trials)
	for s := 1; s < len(systems); s++ {
		for m := range metrics {
			t.setP(s, m, differences[s][m])
		}
	}
	if resamples > 0 {
		t.intervals(seed, rng, resamples)
	}
	return t.result, nil
}

// maxDraws bounds the memory that the scores of the draws take.
const maxDraws = 10_000_000

func checkDraws(what string, n int) error {
	if n < 1 || n > maxDraws {
		return fmt.Errorf("eval: the number of %s is %d, must be from 1 to %d", what, n, maxDraws)
	}
	return nil
}

// pairedTest is what both tests share.
type pairedTest struct {
	metrics   []Metric
	sentences int
	stats     [][][][]float64 // [system][metric][sentence] to a row of statistics
	result    []Compared      // scores of the whole corpus
}

func newPairedTest(metrics []Metric, refs [][]string, systems []System, test ...string) (*pairedTest, error) {
	if len(metrics) == 0 {
		return nil, errors.New("eval: there is no metric to test with")
	}
	if len(systems) == 0 {
		return nil, errors.New("eval: there is no system to test")
	}
	t := &pairedTest{metrics: metrics, sentences: len(systems[0].Hypotheses)}
	for i, system := range systems {
		compared := Compared{System: system.Name}
		var stats [][][]float64
		for _, m := range metrics {
			rows, err := m.Statistics(system.Hypotheses, refs)
			if err != nil {
				return nil, fmt.Errorf("system %d (%s): %w", i+1, system.Name, err)
			}
			score := m.Score(sumRows(rows))
			score.Signature = signature(m, refs, test...)
			compared.Scores = append(compared.Scores, PairedScore{Score: score})
			stats = append(stats, rows)
		}
		t.stats = append(t.stats, stats)
		t.result = append(t.result, compared)
	}
	return t, nil
}

// setP counts the draws beyond the real difference. The draw that has happened
// counts as well, so that p is never 0.
func (t *pairedTest) setP(s, m int, draws []float64) {
	difference := math.Abs(t.result[0].Scores[m].Value - t.result[s].Scores[m].Value)
	beyond := 1
	for _, d := range draws {
		if d > difference {
			beyond++
		}
	}
	p := float64(beyond) / float64(len(draws)+1)
	t.result[s].Scores[m].P = &p
}

// resample returns values[system][metric][resample], from the same resamples for
// all systems.
func (t *pairedTest) resample(rng *pcg64, n int) [][][]float64 {
	values := t.newValues(n)
	drawn := make([]uint32, t.sentences)
	for i := range n {
		for k := range drawn {
			drawn[k] = rng.below(uint32(t.sentences))
		}
		for s, stats := range t.stats {
			for m, rows := range stats {
				sum := make([]float64, len(rows[0]))
				for _, k := range drawn {
					addTo(sum, rows[k])
				}
				values[s][m][i] = t.metrics[m].Score(sum).Value
			}
		}
	}
	return values
}

// swap returns differences[system][metric][trial] between the baseline and each
// other system after swapping.
func (t *pairedTest) swap(rng *pcg64, trials int) [][][]float64 {
	differences := t.newValues(trials)
	heads := coins{pcg64: rng}
	keep := make([]bool, t.sentences)
	for i := range trials {
		for k := range keep {
			keep[k] = heads.flip()
		}
		for s := 1; s < len(t.stats); s++ {
			for m, metric := range t.metrics {
				a, b := swapped(t.stats[0][m], t.stats[s][m], keep)
				differences[s][m][i] = math.Abs(metric.Score(a).Value - metric.Score(b).Value)
			}
		}
	}
	return differences
}

// swapped adds up the rows of two systems after exchanging those not kept.
func swapped(rowsA, rowsB [][]float64, keep []bool) (a, b []float64) {
	a, b = make([]float64, len(rowsA[0])), make([]float64, len(rowsA[0]))
	for k, kept := range keep {
		x, y := rowsA[k], rowsB[k]
		if !kept {
			x, y = y, x
		}
		addTo(a, x)
		addTo(b, y)
	}
	return a, b
}

// intervals resamples for a randomization test. As in sacrebleu, the baseline is
// resampled from the seed, the other systems by what follows the trials.
func (t *pairedTest) intervals(seed uint64, rng *pcg64, resamples int) {
	all := t.stats
	t.stats = all[:1]
	baseline := t.resample(newPCG64(seed), resamples)
	t.stats = all[1:]
	values := append(baseline, t.resample(rng, resamples)...)
	t.stats = all
	for s := range values {
		for m := range values[s] {
			t.result[s].Scores[m].Interval = interval(values[s][m])
		}
	}
}

func (t *pairedTest) newValues(n int) [][][]float64 {
	values := make([][][]float64, len(t.stats))
	for s := range values {
		values[s] = newRows(len(t.metrics), n)
	}
	return values
}

// interval is the mean of the values, and half the distance between the ends of
// the middle 95 % of them.
func interval(values []float64) *Interval {
	sorted := slices.Sorted(slices.Values(values))
	mean := 0.0
	for _, v := range sorted {
		mean += v
	}
	cut := len(sorted) / 40
	return &Interval{
		Mean:      mean / float64(len(sorted)),
		HalfWidth: 0.5 * (sorted[len(sorted)-1-cut] - sorted[cut]),
	}
}

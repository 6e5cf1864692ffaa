package train

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/decode"
	"github.com/parley-lm/parley/eval"
	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/hub"
)

// TestScore is the score of the final model on a test set.
type TestScore struct {
	Name      string  `json:"name"`
	Sentences int     `json:"sentences"`
	BLEU      float64 `json:"bleu"`
	Signature string  `json:"signature"`
	ChrF      float64 `json:"chrf"`
	Exact     float64 `json:"exact"` // share of translations equal to the reference, in per cent
}

type testLine struct {
	Kind string `json:"kind"` // "test"
	Step int    `json:"step"`
	TestScore
}

// evaluated returns the weights that are validated: the moving average where there is one.
func (r *run) evaluated() []float32 {
	if r.average != nil {
		return r.average
	}
	return r.store.Values()
}

// with runs f while the model has the given weights.
func (r *run) with(weights []float32, f func() error) error {
	own := r.store.Values()
	if &own[0] == &weights[0] {
		return f()
	}
	swap(own, weights)
	defer swap(own, weights)
	return f()
}

func swap(a, b []float32) {
	for i := range a {
		a[i], b[i] = b[i], a[i]
	}
}

// validate scores the present weights, notes whether they are the best so far, and saves everything.
func (r *run) validate(ctx context.Context) error {
	what := "weights"
	if r.average != nil {
		what = "moving average"
	}
	report, err := r.score(ctx, r.evaluated(), what, r.recipe.Validation.Beam, r.recipe.Validation.Limit)
	if err != nil {
		return err
	}
	s := &r.state
	s.Validated = s.Step
	if report.Best = s.Best == nil || r.better(report.Score, *s.Best); report.Best {
		best := report.Score
		s.Best, s.Worse = &best, 0
	} else {
		s.Worse++
	}
	if n := r.recipe.Train.Average; n > 0 {
		s.Window = append(s.Window, s.Step)
		s.Window = s.Window[max(0, len(s.Window)-n):]
	}
	if err := r.tell(report); err != nil {
		return err
	}
	if err := r.saveCheckpoint(); err != nil {
		return err
	}
	if report.Best {
		if err := r.saveBest(r.evaluated(), fmt.Sprintf("step %d", s.Step), report.Score, nil); err != nil {
			return err
		}
	}
	err = r.writeReport(nil)
	r.lap()
	return err
}

// tell writes a validation to metrics.jsonl and shows it.
func (r *run) tell(v ValidationReport) error {
	r.progress.Validation(v)
	return r.metrics.add(validationLine{
		Kind: "validation", Score: v.Score, What: v.What, Epoch: r.state.Epoch, Best: v.Best, Seconds: v.Seconds, Samples: v.Samples,
	})
}

// better compares by the recipe's metric; of equal BLEU the lower loss is better.
func (r *run) better(a, b Score) bool {
	if r.recipe.Validation.Metric == "bleu" && a.BLEU != b.BLEU {
		return a.BLEU > b.BLEU
	}
	return a.Loss < b.Loss
}

// score computes loss and, with beam > 0, BLEU of some weights on the validation pairs.
func (r *run) score(ctx context.Context, weights []float32, what string, beam, limit int) (v ValidationReport, err error) {
	v = ValidationReport{Score: Score{Step: r.state.Step, BLEU: -1}, What: what}
	r.lap()
	defer func() { v.Seconds = r.lap() }()
	err = r.with(weights, func() error {
		v.Loss = r.task.validationLoss(&r.tape, r.recipe.Train.MicroTokens)
		if beam == 0 {
			return nil
		}
		pairs := first(r.sets.validation, limit)
		hyps, err := r.translate(ctx, pairs.Source, beam)
		if err != nil {
			return err
		}
		bleu, err := eval.BLEU{Tokenize: r.recipe.Validation.BLEU}.Corpus(hyps, [][]string{pairs.Target})
		if err != nil {
			return err
		}
		v.BLEU = bleu.Value
		v.Samples = samples(pairs, hyps, r.recipe.Validation.Samples)
		return nil
	})
	return v, err
}

// first returns the first n pairs; 0 means all.
func first(p *corpus.Pairs, n int) *corpus.Pairs {
	if n == 0 || n >= p.Len() {
		return p
	}
	return &corpus.Pairs{Source: p.Source[:n], Target: p.Target[:n], Line: p.Line[:n]}
}

// samples picks n pairs spread over all of them.
func samples(p *corpus.Pairs, hyps []string, n int) []Sample {
	n = min(n, p.Len())
	list := make([]Sample, n)
	for i := range list {
		at := i * p.Len() / n
		list[i] = Sample{p.Source[at], p.Target[at], hyps[at]}
	}
	return list
}

// translate translates with the model's present weights. A sentence that is too long gives an empty translation. The
// activations of training, most of a run's memory, are given up for its duration, so that the two never add up.
func (r *run) translate(ctx context.Context, sources []string, beam int) ([]string, error) {
	r.tape = grad.Tape{Pool: r.pool}
	runtime.GC()
	r.store.Pack(r.pool)
	defer r.store.Unpack()
	d := &r.recipe.Decode
	translator, err := decode.NewTranslator(r.model, r.pool, decode.Options{
		Beams: beam, LengthPenalty: d.LengthPenalty, MaxRatio: d.MaxRatio, MaxExtra: d.MaxExtra,
	})
	if err != nil {
		return nil, err
	}
	hyps, at := make([]string, len(sources)), 0
	var ids []int32
	next := func(bool) ([]int32, decode.Supply) {
		if at == len(sources) {
			return nil, decode.Done
		}
		ids = append(r.tok.Append(nil, sources[at]), r.model.Config.EOSID)
		at++
		return ids, decode.Ready
	}
	err = translator.Run(ctx, next, func(i int, result decode.Result) error {
		if result.Err == nil {
			hyps[i] = r.tok.Decode(result.Hypotheses[0].IDs, true)
		}
		return nil
	})
	return hyps, err
}

// finish chooses between the best weights and the average of the last ones, scores the choice on the test set and
// completes the run directory.
func (r *run) finish(ctx context.Context, why string) (*Result, error) {
	r.lap()
	chosen, weights, score, err := r.choose(ctx)
	if err != nil {
		return nil, err
	}
	result := &Result{
		Dir: r.dir, Model: filepath.Join(r.dir, modelDir), Step: r.state.Step, Stopped: why, Chosen: chosen, Validation: score,
	}
	if result.Tests, err = r.tests(ctx, weights); err != nil {
		return nil, err
	}
	r.lap()
	result.Seconds = r.state.Seconds
	if err := r.saveBest(weights, chosen, score, result); err != nil {
		return nil, err
	}
	for _, t := range result.Tests {
		if err := r.metrics.add(testLine{"test", r.state.Step, t}); err != nil {
			return nil, err
		}
	}
	if err := r.writeReport(result); err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return nil, err
	}
	return result, hub.WriteBytesAtomic(filepath.Join(r.dir, resultFile), append(text, '\n'))
}

// choose returns the weights that are better on the validation pairs: those of the best validation, or the average of
// the last ones. Both are searched with the beam of decode, because that is how the model will be used.
func (r *run) choose(ctx context.Context) (what string, weights []float32, score Score, err error) {
	best := r.state.Best
	what = fmt.Sprintf("step %d", best.Step)
	weights = make([]float32, len(r.store.Values()))
	file := weightsFile
	if r.average != nil {
		file = averageFile
	}
	if err = r.readCheckpoint(weights, best.Step, file); err != nil {
		return "", nil, Score{}, err
	}
	if len(r.state.Window) < 2 {
		return what, weights, *best, nil
	}
	mean, err := r.averageWindow()
	if err != nil {
		return "", nil, Score{}, err
	}
	beam := r.recipe.Decode.Beam
	if r.recipe.Validation.Beam == 0 {
		beam = 0
	}
	one, err := r.score(ctx, weights, what, beam, 0)
	if err != nil {
		return "", nil, Score{}, err
	}
	one.Step = best.Step
	name := fmt.Sprintf("average of the last %d", len(r.state.Window))
	two, err := r.score(ctx, mean, name, beam, 0)
	if err != nil {
		return "", nil, Score{}, err
	}
	two.Best = r.better(two.Score, one.Score)
	one.Best = !two.Best
	for _, v := range []ValidationReport{one, two} {
		if err := r.tell(v); err != nil {
			return "", nil, Score{}, err
		}
	}
	if two.Best {
		return name, mean, two.Score, nil
	}
	return what, weights, one.Score, nil
}

// readCheckpoint fills weights from a file of the checkpoint of a step.
func (r *run) readCheckpoint(weights []float32, step int, file string) error {
	return readSlab(filepath.Join(r.dir, checkpointsDir, strconv.Itoa(step), file), r.store, weights, "")
}

// averageWindow returns the mean of the weights of the last validations.
func (r *run) averageWindow() ([]float32, error) {
	sum := make([]float64, len(r.store.Values()))
	one := make([]float32, len(sum))
	for _, step := range r.state.Window {
		if err := r.readCheckpoint(one, step, weightsFile); err != nil {
			return nil, err
		}
		for i, w := range one {
			sum[i] += float64(w)
		}
	}
	for i := range sum {
		one[i] = float32(sum[i] / float64(len(r.state.Window)))
	}
	return one, nil
}

// tests scores weights on the test sets, if anything is translated at all.
func (r *run) tests(ctx context.Context, weights []float32) (scores []TestScore, err error) {
	if r.recipe.Validation.Beam == 0 {
		return nil, nil
	}
	for _, t := range r.sets.tests {
		score, err := r.test(ctx, weights, t)
		if err != nil {
			return nil, err
		}
		scores = append(scores, score)
	}
	return scores, nil
}

func (r *run) test(ctx context.Context, weights []float32, t testSet) (TestScore, error) {
	pairs := t.pairs
	score := TestScore{Name: t.name, Sentences: pairs.Len()}
	err := r.with(weights, func() error {
		hyps, err := r.translate(ctx, pairs.Source, r.recipe.Decode.Beam)
		if err != nil {
			return err
		}
		bleu, err := eval.BLEU{Tokenize: r.recipe.Validation.BLEU}.Corpus(hyps, [][]string{pairs.Target})
		if err != nil {
			return err
		}
		chrf, err := eval.CHRF{}.Corpus(hyps, [][]string{pairs.Target})
		if err != nil {
			return err
		}
		score.BLEU, score.Signature, score.ChrF = bleu.Value, bleu.Signature, chrf.Value
		for i, h := range hyps {
			if h == pairs.Target[i] {
				score.Exact += 100 / float64(len(hyps))
			}
		}
		return nil
	})
	return score, err
}

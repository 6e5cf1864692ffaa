package train

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"

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

	Measures Measures `json:"measures,omitempty"` // instead of all these, where nothing is translated
}

// TestLine is the score on a test set.
type TestLine struct {
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
	report, err := r.score(ctx, r.evaluated(), what, false)
	if err != nil {
		return err
	}
	s := &r.state
	s.Validated = s.Step
	if report.Best = s.Best == nil || r.task.better(report.Score, *s.Best); report.Best {
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
	return r.metrics.add(ValidationLine{
		Kind: "validation", Score: v.Score, What: v.What, Epoch: r.state.Epoch, Best: v.Best, Seconds: v.Seconds, Samples: v.Samples, Calibration: v.Calibration,
	})
}

// score judges some weights on the validation data.
func (r *run) score(ctx context.Context, weights []float32, what string, final bool) (v ValidationReport, err error) {
	v = ValidationReport{Score: Score{Step: r.state.Step, BLEU: -1}, What: what}
	r.lap()
	defer func() { v.Seconds = r.lap() }()
	err = r.with(weights, func() error { return r.task.score(ctx, &v, final) })
	return v, err
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
		Kind: r.recipe.Objective.Kind, Dir: r.dir, Model: filepath.Join(r.dir, modelDir), Step: r.state.Step, Stopped: why, Chosen: chosen, Validation: score,
	}
	err = r.with(weights, func() (err error) {
		result.Tests, err = r.task.test(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	r.lap()
	result.Seconds = r.state.Seconds
	if err := r.saveBest(weights, chosen, score, result); err != nil {
		return nil, err
	}
	for _, t := range result.Tests {
		if err := r.metrics.add(TestLine{"test", r.state.Step, t}); err != nil {
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

// choose returns the weights that are better on the validation data: those of the best validation, or the average of the
// last ones, both judged as the model will be used.
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
	one, err := r.score(ctx, weights, what, true)
	if err != nil {
		return "", nil, Score{}, err
	}
	one.Step = best.Step
	name := fmt.Sprintf("average of the last %d", len(r.state.Window))
	two, err := r.score(ctx, mean, name, true)
	if err != nil {
		return "", nil, Score{}, err
	}
	two.Best = r.task.better(two.Score, one.Score)
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

package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"time"

	"github.com/parley-lm/parley/grad"
)

// train runs until an end is reached, then chooses the final model.
func (r *run) train(ctx context.Context) (*Result, error) {
	r.clock = time.Now()
	for {
		if r.validationDue() {
			if err := r.validate(ctx); err != nil {
				return nil, r.interrupted(ctx, err)
			}
		}
		if why := r.stopped(); why != "" {
			result, err := r.finish(ctx, why)
			if err != nil {
				return nil, r.interrupted(ctx, err)
			}
			return result, nil
		}
		if ctx.Err() != nil {
			return nil, r.interrupted(ctx, ctx.Err())
		}
		if err := r.step(ctx); err != nil {
			return nil, err
		}
		if r.state.Step%r.recipe.Train.CheckpointEvery == 0 && !r.validationDue() {
			if err := errors.Join(r.saveCheckpoint(), r.writeReport(nil)); err != nil {
				return nil, err
			}
			r.lap()
		}
	}
}

// interrupted saves the state of a run whose context has ended and returns what to tell; other errors pass.
func (r *run) interrupted(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	if r.saved != r.state.Step {
		if err := r.saveCheckpoint(); err != nil {
			return fmt.Errorf("stopped after step %d, but the state could not be saved: %w", r.state.Step, err)
		}
	}
	return &Interrupted{Dir: r.dir, Step: r.state.Step}
}

// validationDue reports whether the present state is to be validated and has not been yet.
func (r *run) validationDue() bool {
	s := &r.state
	if s.Step == 0 {
		return s.Best == nil && r.task.scoresStart()
	}
	if s.Validated == s.Step {
		return false
	}
	if every := r.recipe.Validation.Every; every > 0 && s.Step%every == 0 {
		return true
	}
	epochEnd := s.Batch >= r.task.batches()
	return r.recipe.Validation.Every == 0 && epochEnd || r.lastStep()
}

// lastStep reports whether updates or epochs are used up.
func (r *run) lastStep() bool {
	t := &r.recipe.Train
	return r.state.Step >= t.Updates || t.Epochs > 0 && r.state.Epoch+1 >= t.Epochs && r.state.Batch >= r.task.batches()
}

// stopped returns why the training has ended, or "".
func (r *run) stopped() string {
	switch patience := r.recipe.Validation.Patience; {
	case r.state.Step >= r.recipe.Train.Updates:
		return "updates"
	case r.lastStep():
		return "epochs"
	case patience > 0 && r.state.Worse >= patience:
		return "patience"
	}
	return r.task.ended()
}

// prepare moves to the next epoch where this one is over, and makes what the next batch is computed from.
func (r *run) prepare(ctx context.Context) error {
	s := &r.state
	if s.Batch >= r.task.batches() {
		s.Epoch, s.Batch = s.Epoch+1, 0
		r.task.beginEpoch(s.Epoch)
	}
	return r.task.ready(ctx, s.Batch)
}

// step makes one update: the gradient of some batches, clipped, and a move of the optimizer.
func (r *run) step(ctx context.Context) error {
	if err := r.prepare(ctx); err != nil {
		return r.interrupted(ctx, err)
	}
	if r.task.ended() != "" {
		return nil
	}
	s, o := &r.state, &r.recipe
	number := s.Step + 1
	report := StepReport{
		Step: number, Updates: o.Train.Updates, Epoch: s.Epoch,
		LR: o.Train.LR * o.Schedule.factor(number, o.Train.Updates),
	}
	if err := r.gradient(s.Batch, number, &report); err != nil {
		return err
	}
	report.GradNorm = math.Sqrt(r.pool.SumSquares(r.store.Grads()))
	if err := r.mustBeFinite(&report); err != nil {
		return err
	}
	r.optimizer.step(r.pool, number, report.LR, clipScale(report.GradNorm, o.Optimizer.Clip))
	r.store.ClearGrads()
	if r.average != nil {
		moveAverage(r.average, r.store.Values(), o.Train.EMA, number)
	}
	s.Step, s.Batch = number, s.Batch+1
	return r.report(&report)
}

// gradient leaves the gradient of a batch's mean loss in the store, and says in the report what the batch was and that loss.
func (r *run) gradient(batch, number int, report *StepReport) error {
	sequences, tokens, passes := r.task.size(batch)
	dropout := r.recipe.Schedule.dropout(number)
	for pass := range passes {
		r.tape.Begin(grad.Mode{Record: true, Checkpoint: r.recipe.Train.Checkpointing, Dropout: dropout, Seed: uint64(r.recipe.Train.Seed), Step: uint32(number), Micro: uint32(pass)})
		part, err := r.task.forward(&r.tape, batch, pass, passes, 1/float64(tokens))
		if err != nil {
			return err
		}
		report.Loss += part
		r.tape.Backward()
	}
	report.Sentences, report.TargetTokens, report.Measures = sequences, tokens, r.task.finishGradient()
	return nil
}

// mustBeFinite stops a run before a broken gradient reaches the parameters.
func (r *run) mustBeFinite(s *StepReport) error {
	switch {
	case !finite(s.Loss):
		return r.notFinite("loss", s.Loss, s)
	case !finite(s.GradNorm):
		return r.notFinite("gradient", s.GradNorm, s)
	}
	return nil
}

func (r *run) notFinite(what string, value float64, s *StepReport) error {
	return &NotFinite{
		Step: s.Step, What: what, Value: value, LR: s.LR,
		Checkpoint: filepath.Join(r.dir, checkpointsDir, strconv.Itoa(r.saved)),
	}
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// report counts an update and tells of it.
func (r *run) report(s *StepReport) error {
	r.state.Sentences += int64(s.Sentences)
	r.state.TargetTokens += int64(s.TargetTokens)
	seconds := r.lap()
	r.sinceLog.add(s.TargetTokens, seconds)
	s.Seconds = r.state.Seconds
	s.TokensPerSec = r.sinceLog.rate()
	s.Left = r.sinceLog.perStep() * float64(max(0, s.Updates-s.Step))
	r.progress.Step(*s)
	r.lastReport = *s
	if s.Step%r.recipe.Train.LogEvery == 0 || s.Step == 1 {
		return r.metrics.step(*s)
	}
	return nil
}

// lap adds the time since the last lap to the run's and returns it, in seconds.
func (r *run) lap() float64 {
	now := time.Now()
	seconds := now.Sub(r.clock).Seconds()
	r.clock = now
	r.state.Seconds += seconds
	return seconds
}

// window measures the speed of the last updates, the latest counting most.
type window struct{ steps, tokens, seconds float64 }

func (w *window) add(tokens int, seconds float64) {
	const keep = 0.97
	w.steps = keep*w.steps + 1
	w.tokens = keep*w.tokens + float64(tokens)
	w.seconds = keep*w.seconds + seconds
}

func (w *window) rate() float64 {
	if w.seconds == 0 {
		return 0
	}
	return w.tokens / w.seconds
}

func (w *window) perStep() float64 {
	if w.steps == 0 {
		return 0
	}
	return w.seconds / w.steps
}

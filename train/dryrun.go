package train

import (
	"context"
	"errors"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/parley-lm/parley/internal/kernel"
)

// Plan says what a run is about to do, and what that takes.
type Plan struct {
	Name           string
	Dir            string
	Parameters     int // that are trained
	Frozen         int // that stay as they are, beside a LoRA
	Vocabulary     int
	TrainPairs     int // sentence pairs of a translation
	ValidPairs     int
	TestPairs      int
	TrainTexts     int // of classification, and of answers to be judged
	ValidTexts     int
	TestTexts      int
	Documents      int64 // of a language model, held-out ones included
	TrainPrompts   int   // of reinforcement learning
	ValidPrompts   int
	TrainTokens    int64 // of a language model, in an epoch
	ValidTokens    int64
	Batches        int     // in an epoch
	StepTokens     int     // target tokens of an update, on average
	Step           int     // where it begins: 0, or where it was interrupted
	Updates        int     // at most
	Epochs         float64 // that the updates make
	FLOPsPerUpdate float64 // forward and backward, a multiply-add counting two
	Threads        int
	ISA            string

	// Measured by DryRun; otherwise 0.
	MemoryBytes      int     // of weights, gradients, moments, activations and data
	SecondsPerUpdate float64 // median of a few updates
	Seconds          float64 // of all updates, without validations
}

// plan describes the run that is built.
func (r *run) plan() Plan {
	t := &r.recipe.Train
	batches := r.task.batches()
	p := Plan{
		Name: r.recipe.Name, Dir: r.dir, Parameters: r.store.Count(), Vocabulary: r.task.tokenizer().Size(),
		Batches: batches, Step: r.state.Step, Updates: t.Updates, Threads: r.pool.Threads(), ISA: kernel.Active().String(),
	}
	r.task.describe(&p)
	if t.Epochs > 0 {
		p.Updates = min(p.Updates, t.Epochs*batches)
	}
	p.Epochs = float64(p.Updates) / float64(batches)
	return p
}

// DryRun prepares a recipe as Start would, makes a few updates to measure time and memory, and leaves nothing behind.
func DryRun(ctx context.Context, r Recipe, o Options) (*Plan, error) {
	if err := r.Resolve(); err != nil {
		return nil, err
	}
	if slices.Contains(r.Data.Train, standardInput) {
		return nil, errors.New("a dry run cannot read standard input, because the run could not read it again; write it to a file")
	}
	if r.generatesText() {
		dir, err := os.MkdirTemp("", "parley-generated-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		if err := r.keepGenerated(dir, o); err != nil {
			return nil, err
		}
	}
	run, err := build(ctx, "", r, o)
	if err != nil {
		return nil, err
	}
	defer run.close()
	run.task.beginEpoch(0)
	from := time.Now()
	if err := run.task.ready(ctx, 0); err != nil {
		return nil, err
	}
	epoch := time.Since(from).Seconds() // once in each
	p := run.plan()
	p.Dir = o.Out
	const updates = 7
	times := make([]float64, 0, updates)
	for i := 0; i < updates && ctx.Err() == nil; i++ {
		from := time.Now()
		if err := run.measured(i); err != nil {
			return nil, err
		}
		times = append(times, time.Since(from).Seconds())
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	p.SecondsPerUpdate = median(times[1:]) + epoch/float64(p.Batches) // the first one fills the arena
	p.Seconds = p.SecondsPerUpdate * float64(p.Updates)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	p.MemoryBytes = int(m.HeapInuse + m.StackInuse)
	return &p, nil
}

// measured makes one update without telling anybody.
func (r *run) measured(i int) error {
	if err := r.gradient(i%r.task.batches(), i+1, &StepReport{}); err != nil {
		return err
	}
	r.optimizer.step(r.pool, i+1, 1e-6, 1)
	r.store.ClearGrads()
	return nil
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return x[len(x)/2]
}

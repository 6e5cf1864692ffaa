package train

import (
	"context"
	"runtime"
	"slices"
	"time"
)

// Plan says what a run is about to do, and what that takes.
type Plan struct {
	Name           string
	Dir            string
	Parameters     int
	Vocabulary     int
	TrainPairs     int
	ValidPairs     int
	TestPairs      int
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
	source, target := r.task.train.tokens()
	t := &r.recipe.Train
	batches := r.task.batches.Len()
	p := Plan{
		Name: r.recipe.Name, Dir: r.dir, Parameters: r.store.Count(), Vocabulary: r.tok.Size(),
		TrainPairs: r.sets.train.Len(), ValidPairs: r.sets.validation.Len(),
		Batches: batches, Step: r.state.Step, Updates: t.Updates, Threads: r.pool.Threads(), ISA: isaName(),
	}
	for _, t := range r.sets.tests {
		p.TestPairs += t.pairs.Len()
	}
	if t.Epochs > 0 {
		p.Updates = min(p.Updates, t.Epochs*batches)
	}
	p.StepTokens = target / batches
	p.Epochs = float64(p.Updates) / float64(batches)
	p.FLOPsPerUpdate = r.flops(source, target) / float64(batches)
	return p
}

// flops returns the operations of training on so many tokens: three times those of the forward pass, whose matrix
// products are counted, attention's included for sentences of average length.
func (r *run) flops(source, target int) float64 {
	c := r.model.Config
	d, s, t := float64(c.DModel), float64(source), float64(target)
	pairs := float64(max(1, r.sets.train.Len()))
	encoder := float64(c.EncoderLayers) * s * (4*d*d + 2*d*float64(c.EncoderFFN) + 2*d*s/pairs)
	decoder := float64(c.DecoderLayers) * (t*(6*d*d+2*d*float64(c.DecoderFFN)+d*t/pairs+2*d*s/pairs) + s*2*d*d)
	return 3 * 2 * (encoder + decoder + t*d*float64(c.DecoderVocabSize))
}

// tokens returns how many tokens both sides have.
func (e *encodedPairs) tokens() (source, target int) {
	for i := range e.sourceLen {
		source += int(e.sourceLen[i])
		target += int(e.targetLen[i])
	}
	return source, target
}

// DryRun prepares a recipe as Start would, makes a few updates to measure time and memory, and writes nothing.
func DryRun(ctx context.Context, r Recipe, o Options) (*Plan, error) {
	if err := r.Resolve(); err != nil {
		return nil, err
	}
	run, err := build("", r, o)
	if err != nil {
		return nil, err
	}
	defer run.close()
	run.task.beginEpoch(run.pool, 0, uint64(r.Train.Seed), r.Tokenizer.Dropout)
	p := run.plan()
	p.Dir = o.Out
	const updates = 7
	times := make([]float64, 0, updates)
	for i := 0; i < updates && ctx.Err() == nil; i++ {
		from := time.Now()
		run.measured(i)
		times = append(times, time.Since(from).Seconds())
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	p.SecondsPerUpdate = median(times[1:]) // the first one fills the arena
	p.Seconds = p.SecondsPerUpdate * float64(p.Updates)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	p.MemoryBytes = int(m.HeapInuse + m.StackInuse)
	return &p, nil
}

// measured makes one update without telling anybody.
func (r *run) measured(i int) {
	r.gradient(i%r.task.batches.Len(), i+1)
	r.optimizer.step(r.pool, i+1, 1e-6, 1)
	clear(r.store.Grads())
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return x[len(x)/2]
}

package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/nn"
)

// Options say how to carry a recipe out, as far as that does not change the result.
type Options struct {
	Out      string   // run directory; Start makes it
	Threads  int      // 0: all processors
	Progress Progress // nil: silent
	Set      []string // Resume: changes to the saved recipe, as "train.updates=9000"

	Input io.Reader // what "-" among the files of documents stands for; a run keeps a copy

	// Rewards are kinds of reward that the recipe may name beside those that every run knows.
	Rewards map[string]func(Recipe) (Reward, error)

	// Generate makes the sentence pairs of data.format = "sandbox"; test may be nil.
	Generate func(d DataRecipe) (train, validation, test *corpus.Pairs, err error)

	// GenerateText writes the JSONL of data.format = "sandbox" for an objective that learns from text; a run keeps it.
	GenerateText func(r Recipe, w io.Writer) error
}

// Result is what a finished run has come to.
type Result struct {
	Kind       string      `json:"kind"` // objective.kind of the recipe
	Dir        string      `json:"dir"`
	Model      string      `json:"model"` // directory of the best model
	Step       int         `json:"step"`
	Stopped    string      `json:"stopped"` // why: "updates", "epochs" or "patience"
	Chosen     string      `json:"chosen"`  // what the model is: "step 4000", "average of the last 10"
	Validation Score       `json:"validation"`
	Tests      []TestScore `json:"tests"`
	Seconds    float64     `json:"seconds"` // of the whole run, interruptions not counted
}

// Interrupted is the error of a run that was told to stop. Its state is saved.
type Interrupted struct {
	Dir  string
	Step int
}

func (e *Interrupted) Error() string {
	return fmt.Sprintf("stopped after step %d; the state is saved in %s", e.Step, e.Dir)
}

// Unwrap makes errors.Is(err, context.Canceled) hold.
func (e *Interrupted) Unwrap() error { return context.Canceled }

// NotFinite is the error of a run whose loss or gradient is not a number any more. The parameters of before that step
// are not changed by it, and the checkpoints are untouched.
type NotFinite struct {
	Step       int
	What       string // "loss" or "gradient"
	Value, LR  float64
	Checkpoint string // last good state
}

func (e *NotFinite) Error() string {
	return fmt.Sprintf("the %s is %v at step %d (learning rate %.3g); the last good state is %s; lower train.lr, or set optimizer.clip = 1, and start again",
		e.What, e.Value, e.Step, e.LR, e.Checkpoint)
}

// run is one training in progress.
type run struct {
	dir      string
	recipe   Recipe
	options  Options
	progress Progress

	pool       *kernel.Pool
	tape       grad.Tape
	task       objective
	store      *nn.Store // of task
	optimizer  *optimizer
	average    []float32 // moving average of the weights; nil without train.ema
	metrics    *metrics
	state      state
	saved      int // step of the last checkpoint; −1: none
	clock      time.Time
	sinceLog   window
	lastReport StepReport
}

// Start carries out a recipe in a new run directory. If ctx ends it saves its state and returns an [Interrupted].
func Start(ctx context.Context, r Recipe, o Options) (*Result, error) {
	if err := r.Resolve(); err != nil {
		return nil, err
	}
	if o.Out == "" {
		return nil, errors.New("train: no directory for the run (--out DIR)")
	}
	free, err := claim(o.Out)
	if err != nil {
		return nil, err
	}
	defer free()
	if err := errors.Join(r.Data.keepInput(o), r.keepGenerated(o.Out, o)); err != nil {
		return nil, errors.Join(err, unclaim(o.Out, free))
	}
	run, err := build(ctx, o.Out, r, o)
	if err != nil {
		return nil, errors.Join(err, unclaim(o.Out, free))
	}
	defer run.close()
	r.Train, r.Schedule, r.Validation = run.recipe.Train, run.recipe.Schedule, run.recipe.Validation // as they follow from the data
	if err := hub.WriteBytesAtomic(filepath.Join(o.Out, recipeFile), r.TOML()); err != nil {
		return nil, err
	}
	if err := run.place(""); err != nil {
		return nil, err
	}
	run.progress.Begin(run.plan())
	return run.train(ctx)
}

// leftovers are what a start that was cut off before its run began may have left in a directory.
var leftovers = []string{tokensDir, inputFile, generatedFile, leftOutFile, "." + recipeFile + ".tmp", lockFile}

// claim makes a run directory, which must be new or empty, and keeps others out of it until free is called. What a start that was cut off
// has left there does not count.
func claim(dir string) (free func(), err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("cannot make the run directory: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.Name() == recipeFile {
			return nil, fmt.Errorf("%s holds a run already; go on with it by --resume, or choose another --out", dir)
		}
	}
	entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool { return slices.Contains(leftovers, e.Name()) })
	if len(entries) > 0 {
		return nil, fmt.Errorf("%s is not empty (%s …); choose another --out", dir, entries[0].Name())
	}
	return occupy(dir)
}

// unclaim leaves the directory of a run that has not begun as it was, for the corrected command.
func unclaim(dir string, free func()) error {
	var errs []error
	for _, name := range leftovers {
		if name != lockFile {
			errs = append(errs, os.RemoveAll(filepath.Join(dir, name)))
		}
	}
	free()
	errs = append(errs, os.RemoveAll(filepath.Join(dir, lockFile)))
	os.Remove(dir) // unless somebody else uses it
	return errors.Join(errs...)
}

// Resume goes on with an interrupted run from its last checkpoint, and ends with the same bits as if it had not been
// interrupted. Of a finished run it returns the result again, unless o.Set prolongs it.
func Resume(ctx context.Context, dir string, o Options) (*Result, error) {
	path := filepath.Join(dir, recipeFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is not a run directory: there is no %s in it", dir, recipeFile)
	}
	free, err := occupy(dir)
	if err != nil {
		return nil, err
	}
	defer free()
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r, err := ParseRecipe(path, string(text))
	if err != nil {
		return nil, err
	}
	for _, s := range o.Set {
		if err := r.Set(s); err != nil {
			return nil, err
		}
	}
	if err := r.Resolve(); err != nil {
		return nil, err
	}
	if len(o.Set) == 0 {
		if done, err := finished(dir); done != nil || err != nil {
			return done, err
		}
	}
	checkpoint, err := latestCheckpoint(dir)
	if err != nil {
		return nil, err
	}
	run, err := build(ctx, dir, r, o)
	if err != nil {
		return nil, err
	}
	defer run.close()
	if err := run.place(checkpoint); err != nil {
		return nil, err
	}
	if len(o.Set) > 0 {
		if err := run.saveChanges(); err != nil {
			return nil, err
		}
	}
	run.progress.Begin(run.plan())
	return run.train(ctx)
}

// finished returns the result of a run that is complete, or nil.
func finished(dir string) (*Result, error) {
	path := filepath.Join(dir, resultFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var result Result
	if err := json.Unmarshal(text, &result); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &result, nil
}

// saveChanges keeps what Options.Set has changed, once it is known to fit; a result of before does not count any more.
func (r *run) saveChanges() error {
	if err := hub.WriteBytesAtomic(filepath.Join(r.dir, recipeFile), r.recipe.TOML()); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(r.dir, resultFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// build reads the data, learns or reads the vocabulary and makes model and optimizer. With an empty dir nothing is
// written.
func build(ctx context.Context, dir string, recipe Recipe, o Options) (*run, error) {
	if recipe.Train.Arithmetic == "bf16" && !kernel.HasBF16() {
		return nil, errors.New(`train.arithmetic is "bf16", and this processor has no products of bfloat16 (AVX-512 BF16 or AMX), or PARLEY_ISA hides them; set it to "f32"`)
	}
	r := &run{dir: dir, recipe: recipe, options: o, progress: o.Progress, saved: -1}
	if r.progress == nil {
		r.progress = silent{}
	}
	r.pool = kernel.NewPool(o.Threads)
	r.tape.Pool = r.pool
	var err error
	r.task, err = newObjective(ctx, workplace{
		dir: dir, resumed: dir != "" && exists(filepath.Join(dir, recipeFile)), recipe: &r.recipe, options: o,
		progress: r.progress, pool: r.pool, tape: &r.tape,
	})
	if err != nil {
		r.close()
		return nil, err
	}
	r.store = r.task.store()
	if r.recipe.Train.Arithmetic == "bf16" {
		r.store.UseBF16()
	}
	r.optimizer = newOptimizer(r.recipe.Optimizer, r.store)
	if r.recipe.Train.EMA > 0 {
		r.average = append([]float32(nil), r.store.Values()...)
	}
	return r, nil
}

// place puts a run where a checkpoint left it, or makes the first checkpoint.
func (r *run) place(checkpoint string) error {
	if checkpoint == "" {
		r.state = state{Data: r.task.fingerprint(), ISA: kernel.Active().String()}
		text, err := r.task.tokenizer().JSON()
		if err != nil {
			return err
		}
		if err := hub.WriteBytesAtomic(filepath.Join(r.dir, vocabularyFile), text); err != nil {
			return err
		}
	} else if err := r.restore(checkpoint); err != nil {
		return err
	}
	if isa := kernel.Active().String(); r.state.ISA != isa {
		r.progress.Note(fmt.Sprintf("warning: this run began on %s and goes on on %s: the last bits will differ from those of a run that was not moved", r.state.ISA, isa))
		r.state.ISA = isa
	}
	var err error
	if r.metrics, err = openMetrics(filepath.Join(r.dir, metricsFile), r.state.MetricsBytes); err != nil {
		return err
	}
	r.task.beginEpoch(r.state.Epoch)
	if checkpoint == "" {
		return errors.Join(r.saveCheckpoint(), r.writeReport(nil))
	}
	r.progress.Note(fmt.Sprintf("resumed after step %d", r.state.Step))
	if b := r.state.Best; b != nil && b.Step == r.state.Step { // it may have ended before the model was saved
		return r.saveBest(r.evaluated(), fmt.Sprintf("step %d", b.Step), *b, nil)
	}
	return nil
}

func (r *run) close() {
	if r.metrics != nil {
		r.metrics.close()
	}
	if r.task != nil {
		r.task.close()
	}
	r.pool.Close()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// silent is the Progress of nobody.
type silent struct{}

func (silent) Begin(Plan)                  {}
func (silent) Step(StepReport)             {}
func (silent) Validation(ValidationReport) {}
func (silent) Note(string)                 {}

package quickstart

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/train"
)

// Files in the directory of a quickstart, beside the run directories of the stages.
const (
	stateFile  = "quickstart.json"
	reportFile = "report.html"
)

// step is a stage to be carried out. It takes what those before have left in the directory, and leaves there what it makes.
type step struct {
	name     string   // also of what the state notes
	why      string   // one sentence
	paper    string   // that it follows; "" for none
	commands []string // that do the same
	do       func(ctx context.Context) error
	recall   func() error // reads what a stage that was done before has come to; nil: nothing is asked of it
}

// progressState is what a directory holds, and which stages are done.
type progressState struct {
	Effort  effort             `json:"effort"`
	Seed    int                `json:"seed"`
	Done    map[string]bool    `json:"done"`
	Seconds map[string]float64 `json:"seconds"` // spent on each stage
}

// workshop is the directory of a quickstart and the stages to be carried out in it.
type workshop struct {
	Options
	effort
	state progressState
	steps []step
}

// openWorkshop makes the directory, or finds out how far a quickstart has come in it. What was begun in an arithmetic goes on in it.
func openWorkshop(o Options, e effort) (*workshop, error) {
	w := &workshop{Options: o}
	path := w.path(stateFile)
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := w.claim(); err != nil {
			return nil, err
		}
		w.effort = e.computing(fastestArithmetic())
		w.state = progressState{Effort: w.effort, Seed: o.Seed, Done: map[string]bool{}, Seconds: map[string]float64{}}
		return w, w.save()
	case err != nil:
		return nil, err
	}
	if err := json.Unmarshal(text, &w.state); err != nil || w.state.Done == nil || w.state.Seconds == nil {
		return nil, fmt.Errorf("%s is damaged (%v); remove %s, or choose another --out", path, err, o.Out)
	}
	w.effort = e.computing(w.state.Effort.Arithmetic)
	switch {
	case w.state.Effort.Name != e.Name:
		return nil, fmt.Errorf("%s holds %s; go on with that, or choose another --out", o.Out, w.state.Effort.Name)
	case !reflect.DeepEqual(w.state.Effort, w.effort):
		return nil, fmt.Errorf("%s was begun with other settings, by another version of Parley; remove it, or choose another --out", o.Out)
	case w.state.Seed != o.Seed:
		return nil, fmt.Errorf("%s was begun with --seed %d; go on with that, or choose another --out", o.Out, w.state.Seed)
	}
	return w, nil
}

// claim makes a directory, which must be new or empty.
func (w *workshop) claim() error {
	if err := os.MkdirAll(w.Out, 0o777); err != nil {
		return fmt.Errorf("cannot make the directory of the quickstart: %w", err)
	}
	entries, err := os.ReadDir(w.Out)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "."+stateFile) { // of a first write that was cut off
			return fmt.Errorf("%s is not empty, and what is in it (%s …) is no quickstart; choose another --out", w.Out, e.Name())
		}
	}
	return nil
}

func (w *workshop) path(name string) string { return filepath.Join(w.Out, name) }

func (w *workshop) save() error {
	text, err := json.MarshalIndent(w.state, "", "  ")
	if err != nil {
		return err
	}
	return hub.WriteBytesAtomic(w.path(stateFile), append(text, '\n'))
}

func (w *workshop) say(format string, args ...any) {
	if w.Log != nil {
		fmt.Fprintf(w.Log, format+"\n", args...)
	}
}

// tell says something about the stage that is being carried out.
func (w *workshop) tell(format string, args ...any) { w.say("   "+format, args...) }

func (w *workshop) add(steps ...step) { w.steps = append(w.steps, steps...) }

// carryOut carries out the stages that are not done yet.
func (w *workshop) carryOut(ctx context.Context) error {
	for i, s := range w.steps {
		paper := ""
		if s.paper != "" {
			paper = " (" + s.paper + ")"
		}
		w.say("\n%d of %d. %s. %s%s", i+1, len(w.steps), s.name, s.why, paper)
		if w.state.Done[s.name] {
			w.tell("Done before.")
			if s.recall != nil {
				if err := s.recall(); err != nil {
					return err
				}
			}
			continue
		}
		for _, c := range s.commands {
			w.tell("$ %s", c)
		}
		if err := w.carryOutOne(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (w *workshop) carryOutOne(ctx context.Context, s step) error {
	start := time.Now()
	err := s.do(ctx)
	w.state.Seconds[s.name] += time.Since(start).Seconds()
	w.state.Done[s.name] = err == nil
	if saved := w.save(); saved != nil {
		return errors.Join(err, saved)
	}
	if err != nil && ctx.Err() != nil {
		return &Stopped{Dir: w.Out, Stage: s.name, err: err}
	}
	return err
}

// spent returns the stages with the time that each has taken, and the sum.
func (w *workshop) spent() (list []Stage, sum float64) {
	for _, s := range w.steps {
		seconds := w.state.Seconds[s.name]
		list = append(list, Stage{Name: s.name, Why: s.why, Paper: s.paper, Seconds: seconds})
		sum += seconds
	}
	return list, sum
}

// command is a command line of parley, with the settings as its flags.
func command(line string, set settings) string {
	var b strings.Builder
	b.WriteString("parley " + line)
	for _, s := range set {
		b.WriteString(" --set " + s)
	}
	return b.String()
}

// checkpointEvery is after how many updates a training keeps its state at least: what a kill costs at most is some seconds.
const checkpointEvery = 100

// recipe is a recipe with its settings; later ones count more.
func (w *workshop) recipe(name string, set ...settings) (train.Recipe, error) {
	r, err := train.LoadRecipe(name)
	if err != nil {
		return r, err
	}
	r.Train.Seed = w.Seed
	r.Train.CheckpointEvery = min(checkpointEvery, r.Train.CheckpointEvery)
	for _, list := range set {
		for _, s := range list {
			if err := r.Set(s); err != nil {
				return r, err
			}
		}
	}
	return r, nil
}

// train carries a recipe out in a directory of its own, or goes on with it.
func (w *workshop) train(ctx context.Context, name string, r train.Recipe, generate func(train.DataRecipe) (training, validation, test *corpus.Pairs, err error)) (*train.Result, error) {
	dir := w.path(name)
	o := train.Options{Out: dir, Threads: w.Threads, Progress: w.Progress, Generate: generate, Rewards: Rewards()}
	if exists(filepath.Join(dir, "recipe.toml")) {
		return train.Resume(ctx, dir, o)
	}
	return train.Start(ctx, r, o)
}

// count shows how far something has come.
func (w *workshop) count(what string, done, of int) {
	if w.Count != nil {
		w.Count(what, done, of)
	}
}

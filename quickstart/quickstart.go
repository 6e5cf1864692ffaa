// Package quickstart shows the whole of Parley in minutes, with nothing to download: it trains a translator on the
// sandbox world, and measures it on sentences that the training has never seen.
//
// It knows the stages and what to say about them; the stages themselves are in the packages below. Start at [Run].
package quickstart

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/parley-lm/parley"
	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/sandbox"
	"github.com/parley-lm/parley/train"
)

// World is the seed of the sentences; the seed of the training is another matter.
const World = 2

// Options say how to run.
type Options struct {
	Out      string // run directory; if it holds a run that was stopped, that one goes on
	Threads  int    // 0: all
	Seed     int
	Progress train.Progress // of the training; nil: silent
	Log      io.Writer      // what is being done and why; nil: nobody is told
}

// Result is what came out.
type Result struct {
	Dir        string       `json:"dir"`
	Parameters int          `json:"parameters"`
	Seconds    float64      `json:"seconds"`      // of everything
	Sentences  Accuracy     `json:"sentences"`    // never-seen sentences
	Combos     Accuracy     `json:"combinations"` // never-seen combinations of known words
	Phenomena  []Phenomenon `json:"phenomena"`    // of the never-seen sentences, the hardest first
	Examples   []Example    `json:"examples"`
}

// Accuracy counts translations that equal the reference in every character.
type Accuracy struct {
	Exact int `json:"exact"`
	Of    int `json:"of"`
}

// Percent returns the share of exact translations.
func (a Accuracy) Percent() float64 { return 100 * float64(a.Exact) / float64(max(1, a.Of)) }

func (a Accuracy) String() string { return fmt.Sprintf("%.1f %% of %d", a.Percent(), a.Of) }

// Phenomenon is the accuracy on the sentences in which something that makes translation hard occurs.
type Phenomenon struct {
	Name string `json:"name"`
	Accuracy
}

// Example is one translation of a never-seen sentence.
type Example struct {
	English   string `json:"english"`
	French    string `json:"french"` // as the model says it
	Reference string `json:"reference"`
}

// measured is how many never-seen sentences, and how many sentences with never-seen combinations, are translated.
const measured = 1000

// Run trains and measures. It returns an error of the training, [train.Interrupted] among them.
func Run(ctx context.Context, o Options) (*Result, error) {
	recipe, err := train.LoadRecipe("sandbox")
	if err != nil {
		return nil, err
	}
	return run(ctx, recipe, o)
}

func run(ctx context.Context, recipe train.Recipe, o Options) (*Result, error) {
	start := time.Now()
	say := func(format string, args ...any) {
		if o.Log != nil {
			fmt.Fprintf(o.Log, format+"\n", args...)
		}
	}
	recipe.Train.Seed = o.Seed
	say("1. A small world. Parley generates %d English sentences with their French translations: genders that agree,", recipe.Data.Pairs)
	say("   verbs in four tenses, negation, questions, numbers, words built from pieces. Nothing is downloaded.")
	for _, p := range sandbox.NewWorld(World).Pairs(3) {
		say("     %s  →  %s", p.English, p.French)
	}
	say("2. Training: a tokenizer learns the pieces of words, then an encoder-decoder Transformer learns to translate.")
	w := newWorld(recipe.Data)
	trained, err := trainOrResume(ctx, recipe, o, w)
	if err != nil {
		return nil, err
	}
	say("3. Measuring: sentences that the training has never seen, and combinations of words that it has never seen together.")
	result := &Result{Dir: trained.Dir}
	if err := result.measure(ctx, w, o); err != nil {
		return nil, err
	}
	result.Seconds = time.Since(start).Seconds()
	return result, nil
}

func trainOrResume(ctx context.Context, recipe train.Recipe, o Options, w *world) (*train.Result, error) {
	options := train.Options{Out: o.Out, Threads: o.Threads, Progress: o.Progress}
	options.Generate = func(train.DataRecipe) (training, validation, test *corpus.Pairs, err error) {
		return asPairs(w.training), asPairs(w.validation), nil, nil // the tests are measured afterwards, in detail
	}
	if _, err := os.Stat(filepath.Join(o.Out, "recipe.toml")); !errors.Is(err, fs.ErrNotExist) {
		return train.Resume(ctx, o.Out, options)
	}
	return train.Start(ctx, recipe, options)
}

// Pairs generates the data of a recipe with data.format = "sandbox".
func Pairs(d train.DataRecipe) (training, validation, test *corpus.Pairs, err error) {
	if d.Pairs < 1 || d.HeldOut < 1 {
		return nil, nil, nil, errors.New("data.pairs and data.held_out must be at least 1 for generated data")
	}
	w := newWorld(d)
	return asPairs(w.training), asPairs(w.validation), asPairs(w.unseen), nil
}

// world is the generated sentences of one run.
type world struct{ training, validation, unseen, combinations []sandbox.Pair }

func newWorld(d train.DataRecipe) *world {
	w := &world{}
	w.training, w.validation, w.unseen, w.combinations = sandbox.Split(World, d.Pairs, d.HeldOut, measured)
	return w
}

func asPairs(generated []sandbox.Pair) *corpus.Pairs {
	p := &corpus.Pairs{}
	for i, g := range generated {
		p.Source, p.Target, p.Line = append(p.Source, g.English), append(p.Target, g.French), append(p.Line, int32(i+1))
	}
	return p
}

// measure translates the test sets with the model of the run.
func (r *Result) measure(ctx context.Context, w *world, o Options) error {
	m, err := parley.Open(r.Dir, parley.Threads(o.Threads))
	if err != nil {
		return err
	}
	defer m.Close()
	r.Parameters = m.Parameters()
	phenomena := map[string]*Accuracy{}
	if r.Sentences, err = accuracy(ctx, m, w.unseen, func(p sandbox.Pair, french string) {
		for _, tag := range p.Tags {
			if phenomena[tag] == nil {
				phenomena[tag] = &Accuracy{}
			}
			phenomena[tag].count(french == p.French)
		}
		if len(r.Examples) < 5 {
			r.Examples = append(r.Examples, Example{p.English, french, p.French})
		}
	}); err != nil {
		return err
	}
	for name, a := range phenomena {
		r.Phenomena = append(r.Phenomena, Phenomenon{name, *a})
	}
	slices.SortFunc(r.Phenomena, func(a, b Phenomenon) int {
		if d := a.Percent() - b.Percent(); d != 0 {
			return int(1e6 * d)
		}
		return b.Of - a.Of
	})
	r.Combos, err = accuracy(ctx, m, w.combinations, func(sandbox.Pair, string) {})
	return err
}

func (a *Accuracy) count(exact bool) {
	a.Of++
	if exact {
		a.Exact++
	}
}

func accuracy(ctx context.Context, m *parley.Model, pairs []sandbox.Pair, each func(p sandbox.Pair, french string)) (Accuracy, error) {
	english := make([]string, len(pairs))
	for i, p := range pairs {
		english[i] = p.English
	}
	french, err := m.Translate(ctx, english...)
	if err != nil {
		return Accuracy{}, err
	}
	var a Accuracy
	for i, p := range pairs {
		a.count(french[i] == p.French)
		each(p, french[i])
	}
	return a, nil
}

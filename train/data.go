package train

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/hub"
)

// pairSets are the sentence pairs of a run.
type pairSets struct {
	train, validation *corpus.Pairs
	tests             []testSet
	notes             []string // what was read and what was left out
}

// testSet is pairs on which the final model is scored, and what the score is listed under.
type testSet struct {
	name  string
	pairs *corpus.Pairs
}

// SplitSeed chooses the held-out sentences and texts. It is the same for all runs, so that runs with different seeds can be
// compared, and what one of them holds out no other one with the same data.held_out_share has learned from.
const SplitSeed = 20160811

// documentFiles finds the files of a key that hold documents.
func (w *workplace) documentFiles(key string, names []string) (*corpus.Texts, error) {
	d := &w.recipe.Data
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = d.path(name)
	}
	files, err := corpus.Expand(paths)
	if err != nil {
		return nil, fmt.Errorf("%s: %w (relative names are looked for under data.dir = %s)", key, err, d.Dir)
	}
	t := &corpus.Texts{Files: files, Field: d.Field, Separator: d.Separator}
	if d.Format != "auto" {
		t.Format = d.Format
	}
	return t, nil
}

// absolutePaths makes the recipe independent of where the program is started.
func (r *Recipe) absolutePaths() error {
	for _, f := range []struct {
		key   string
		path  *string
		empty bool // to be made absolute even so
	}{
		{"data.dir", &r.Data.Dir, r.Data.Format != sandboxFormat}, {"tokenizer.file", &r.Tokenizer.File, false}, {"model.from", &r.Model.From, false},
		{"data.tokens", &r.Data.Tokens, false}, {"reward.model", &r.Reward.Model, false},
	} {
		if *f.path == "" && !f.empty {
			continue
		}
		path, err := filepath.Abs(*f.path)
		if err != nil {
			return fmt.Errorf("recipe: %s: %w", f.key, err)
		}
		*f.path = path
	}
	return nil
}

// load reads all sentence pairs, or has them generated.
func (d *DataRecipe) load(generate func(DataRecipe) (train, validation, test *corpus.Pairs, err error)) (*pairSets, error) {
	if d.Format == sandboxFormat {
		if generate == nil {
			return nil, errors.New(`recipe: data.format = "sandbox" needs a generator of sentences (train.Options.Generate)`)
		}
		train, validation, test, err := generate(*d)
		sets := &pairSets{train: train, validation: validation}
		if test != nil {
			sets.tests = []testSet{{"sandbox", test}}
		}
		return sets, err
	}
	sets := &pairSets{}
	var err error
	if sets.train, err = d.read(sets, "data.train", d.Train); err != nil {
		return nil, err
	}
	if len(d.Validation) > 0 {
		if sets.validation, err = d.read(sets, "data.validation", d.Validation); err != nil {
			return nil, err
		}
	}
	for files := range slices.Chunk(d.Test, d.filesOfSet()) {
		pairs, err := d.read(sets, "data.test", files)
		if err != nil {
			return nil, err
		}
		sets.tests = append(sets.tests, testSet{testName(files[0]), pairs})
	}
	if err := d.holdOut(sets); err != nil {
		return nil, err
	}
	if d.Limit > 0 && d.Limit < sets.train.Len() {
		if _, sets.train, err = sets.train.Split(SplitSeed, d.Limit); err != nil {
			return nil, err
		}
	}
	return sets, nil
}

// holdOut takes what is missing for validation and test from the training pairs.
func (d *DataRecipe) holdOut(sets *pairSets) error {
	if d.HeldOut == 0 {
		return nil
	}
	hold := func(purpose string) (*corpus.Pairs, error) {
		rest, held, err := sets.train.Split(SplitSeed, d.HeldOut)
		if err != nil {
			return nil, fmt.Errorf("data.held_out = %d: %w", d.HeldOut, err)
		}
		sets.train = rest
		sets.notes = append(sets.notes, fmt.Sprintf("%d pairs held out for %s", held.Len(), purpose))
		return held, nil
	}
	var err error
	if sets.validation == nil {
		if sets.validation, err = hold("validation"); err != nil {
			return err
		}
	}
	if len(sets.tests) == 0 {
		held, err := hold("test")
		if err != nil {
			return err
		}
		sets.tests = []testSet{{"held-out", held}}
	}
	return nil
}

// sandboxFormat is the data.format of what is generated.
const sandboxFormat = "sandbox"

// standardInput is the file name that stands for it.
const standardInput = "-"

// keepInput copies standard input, if it is named, to a file of the run, which takes its place: it must be read more than
// once, and again on resuming.
func (d *DataRecipe) keepInput(o Options) error {
	at := slices.Index(d.Train, standardInput)
	if at < 0 {
		return nil
	}
	if o.Input == nil {
		return errors.New("data.train names standard input, and there is none (train.Options.Input)")
	}
	path, err := filepath.Abs(filepath.Join(o.Out, inputFile))
	if err != nil {
		return err
	}
	err = hub.WriteFileAtomic(path, func(w io.Writer) error {
		_, err := io.Copy(w, o.Input)
		return err
	})
	if err != nil {
		return err
	}
	d.Train = slices.Clone(d.Train)
	d.Train[at] = path
	return nil
}

// generatesText reports whether the recipe learns from text that is generated.
func (r *Recipe) generatesText() bool {
	return r.Data.Format == sandboxFormat && r.Objective.Kind != translationKind
}

// keepGenerated has generated text written to a file in a directory, and has the recipe name that file.
func (r *Recipe) keepGenerated(dir string, o Options) error {
	if !r.generatesText() {
		return nil
	}
	if o.GenerateText == nil {
		return errors.New(`recipe: data.format = "sandbox" needs a generator of text (train.Options.GenerateText)`)
	}
	path, err := filepath.Abs(filepath.Join(dir, generatedFile))
	if err != nil {
		return err
	}
	if err := hub.WriteFileAtomic(path, func(w io.Writer) error { return o.GenerateText(*r, w) }); err != nil {
		return err
	}
	r.Data.Format, r.Data.Train = "auto", []string{path} // JSONL, as its name says
	return nil
}

// filesOfSet returns how many files hold one set of pairs.
func (d *DataRecipe) filesOfSet() int {
	if d.Format == "pair" {
		return 2
	}
	return 1
}

// read reads one set of pairs.
func (d *DataRecipe) read(sets *pairSets, key string, files []string) (*corpus.Pairs, error) {
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = d.path(f)
		if _, err := os.Stat(paths[i]); err != nil {
			return nil, fmt.Errorf("%s: %w (relative names are looked for under data.dir = %s; --data DIR sets it)", key, err, d.Dir)
		}
	}
	var pairs *corpus.Pairs
	var report corpus.Report
	var err error
	switch d.Format {
	case "pair":
		pairs, report, err = corpus.ReadParallel(paths[0], paths[1])
	case "tsv":
		pairs, report, err = corpus.ReadTSV(paths[0])
	case "jsonl":
		pairs, report, err = corpus.ReadJSONL(paths[0], d.Source, d.Target)
	}
	if err != nil {
		return nil, err
	}
	sets.notes = append(sets.notes, report.String())
	if d.Reverse {
		pairs = pairs.Reverse()
	}
	return pairs, nil
}

// path returns where a file of the recipe lies.
func (d *DataRecipe) path(name string) string {
	name = strings.NewReplacer("{source}", d.Source, "{target}", d.Target).Replace(name)
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(d.Dir, name)
}

// testName is what scores on a test file are listed under: its name up to the first dot.
func testName(file string) string {
	name, _, _ := strings.Cut(filepath.Base(file), ".")
	return name
}

// fingerprint is a hash of all training and validation text, by which a resumed run knows its data again.
func (s *pairSets) fingerprint() string {
	h := fnv.New64a()
	for _, p := range []*corpus.Pairs{s.train, s.validation} {
		for i := range p.Source {
			io.WriteString(h, p.Source[i])
			h.Write([]byte{'\t'})
			io.WriteString(h, p.Target[i])
			h.Write([]byte{'\n'})
		}
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

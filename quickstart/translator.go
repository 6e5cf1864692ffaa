package quickstart

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/parley-lm/parley"
	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/sandbox"
	"github.com/parley-lm/parley/train"
)

const (
	translatorRun    = "translator"
	translationsFile = "translations.json"
)

// Translator is what became of the translator.
type Translator struct {
	Dir        string       `json:"dir"`
	Parameters int          `json:"parameters"`
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

// translatorStages train a translator and measure it.
func (w *workshop) translatorStages(t *Translator) []step {
	t.Dir = w.path(translatorRun)
	return []step{
		{
			name: "Translator", paper: "Vaswani et al. 2017",
			why:      "An encoder and a decoder learn from sentence pairs, with a vocabulary of their own: genders that agree, verbs in four tenses, words built from pieces.",
			commands: []string{w.command("train sandbox --out "+t.Dir, w.Translator)},
			do:       w.trainTranslator,
		},
		{
			name: "Translations",
			why:  "It translates sentences that the training has never seen, and combinations of words that it has never seen together.",
			do:   func(ctx context.Context) error { return w.measureTranslator(ctx, t) },
			recall: func() error {
				err := readJSON(w.path(translationsFile), t)
				t.Dir = w.path(translatorRun)
				return err
			},
		},
	}
}

func (w *workshop) trainTranslator(ctx context.Context) error {
	r, err := w.recipe("sandbox", w.Translator)
	if err != nil {
		return err
	}
	for _, p := range sandbox.NewWorld(World).Pairs(3) {
		w.tell("  %s  →  %s", p.English, p.French)
	}
	_, err = w.train(ctx, translatorRun, r, func(d train.DataRecipe) (training, validation, test *corpus.Pairs, err error) {
		s := newSentences(d, w.Sentences)
		return asPairs(s.training), asPairs(s.validation), nil, nil // the tests are measured afterwards, in detail
	})
	return err
}

// measuredPairs is how many sentences the test set of a run of its own has.
const measuredPairs = 1000

// Pairs generates the data of a recipe with data.format = "sandbox".
func Pairs(d train.DataRecipe) (training, validation, test *corpus.Pairs, err error) {
	if d.Pairs < 1 || d.HeldOut < 1 {
		return nil, nil, nil, errors.New("data.pairs and data.held_out must be at least 1 for generated data")
	}
	s := newSentences(d, measuredPairs)
	return asPairs(s.training), asPairs(s.validation), asPairs(s.unseen), nil
}

// sentences are the generated sentences of one run.
type sentences struct{ training, validation, unseen, combinations []sandbox.Pair }

func newSentences(d train.DataRecipe, measured int) *sentences {
	s := &sentences{}
	s.training, s.validation, s.unseen, s.combinations = sandbox.Split(World, d.Pairs, d.HeldOut, measured)
	return s
}

func asPairs(generated []sandbox.Pair) *corpus.Pairs {
	p := &corpus.Pairs{}
	for i, g := range generated {
		p.Source, p.Target, p.Line = append(p.Source, g.English), append(p.Target, g.French), append(p.Line, int32(i+1))
	}
	return p
}

// measureTranslator translates what no training has seen.
func (w *workshop) measureTranslator(ctx context.Context, t *Translator) error {
	r, err := w.recipe("sandbox", w.Translator)
	if err != nil {
		return err
	}
	m, err := parley.Open(t.Dir, parley.Threads(w.Threads))
	if err != nil {
		return err
	}
	defer m.Close()
	s := newSentences(r.Data, w.Sentences)
	if err := t.measure(ctx, m, s); err != nil {
		return err
	}
	kept := *t
	kept.Dir = "" // the directory may be moved
	text, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	return hub.WriteBytesAtomic(w.path(translationsFile), append(text, '\n'))
}

// measure translates the test sets.
func (t *Translator) measure(ctx context.Context, m *parley.Model, s *sentences) (err error) {
	t.Parameters = m.Parameters()
	phenomena := map[string]*Accuracy{}
	if t.Sentences, err = accuracy(ctx, m, s.unseen, func(p sandbox.Pair, french string) {
		for _, tag := range p.Tags {
			if phenomena[tag] == nil {
				phenomena[tag] = &Accuracy{}
			}
			phenomena[tag].count(french == p.French)
		}
		if len(t.Examples) < 5 {
			t.Examples = append(t.Examples, Example{p.English, french, p.French})
		}
	}); err != nil {
		return err
	}
	for name, a := range phenomena {
		t.Phenomena = append(t.Phenomena, Phenomenon{name, *a})
	}
	slices.SortFunc(t.Phenomena, func(a, b Phenomenon) int {
		return cmp.Or(cmp.Compare(a.Percent(), b.Percent()), b.Of-a.Of, strings.Compare(a.Name, b.Name))
	})
	t.Combos, err = accuracy(ctx, m, s.combinations, func(sandbox.Pair, string) {})
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

// readJSON fills a value from a file.
func readJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

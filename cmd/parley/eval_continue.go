package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/parley-lm/parley/chat"
	"github.com/parley-lm/parley/compare"
	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/judge"
	"github.com/parley-lm/parley/train"
)

// continuations is the flags of eval continue.
type continuations struct {
	models                []string
	prompts, words, field string
	openings              []string
	heldOut               float64
	count, show           int
	reference, classifier string
	o                     compare.Options
}

func (a *app) evalContinueCommand() *cobra.Command {
	e := &continuations{o: compare.Options{Continue: true}}
	c := &cobra.Command{
		Use:   "continue -m DIR [-m DIR2 ...] (--openings FILE | --prompts FILE)",
		Short: "Have models go on with texts: what a classifier says of them, divergence, length, repetition",
		Long: `Have models go on with the same beginnings of texts, and compare what they write, side by side.

--openings takes documents, as training a language model does: files, directories or directories in tar archives with commas between
them; their first --words are gone on with. --held-out 0.04 takes only documents that trainings with data.held_out_share = 0.04 have
not learned from. --prompts takes lines of text, or JSONL with "prompt". Of more than --count some are taken, spread over all of them.

labelled          share of the texts, beginning and continuation together, to which the classifier of --classifier gives each label,
                  with Wilson's 95 % confidence interval
divergence        from --reference, in nats a continuation: log p - log p(reference), on average over continuations drawn at temperature 1
words, repeated   length of the continuations, and the share of 4-grams that occurred before in the same one`,
		Example: `  parley eval continue -m runs/imdb-lm -m runs/imdb-ppo --reference runs/imdb-lm --classifier runs/imdb-judge --openings aclImdb.tar.gz/aclImdb/train --held-out 0.04
  parley eval continue -m DIR --prompts prompts.txt --tokens 64 --show 20`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return a.evalContinue(c, e) },
	}
	f := c.Flags()
	f.StringArrayVarP(&e.models, "model", "m", nil, "model directory or run; repeat it to compare models")
	c.MarkFlagRequired("model")
	f.StringSliceVar(&e.openings, "openings", nil, "documents whose first words are gone on with")
	f.StringVar(&e.words, "words", "4-8", "of --openings: how many words, a least and a greatest number")
	f.StringVar(&e.field, "field", "text", "of --openings in JSONL, CSV and Parquet: key or column of the text")
	f.Float64Var(&e.heldOut, "held-out", 0, "of --openings: only of the documents that a data.held_out_share of so much holds out")
	f.StringVar(&e.prompts, "prompts", "", "file of texts to go on with")
	f.IntVar(&e.count, "count", 1000, "most texts to go on with")
	f.IntVar(&e.show, "show", 3, "continuations of so many texts are shown")
	f.StringVar(&e.reference, "reference", "", "model from which divergence is measured")
	f.StringVar(&e.classifier, "classifier", "", "text classifier that labels the texts")
	f.Float64Var(&e.o.Temperature, "temperature", 1, "of the continuations; 0 takes the most probable token each time")
	f.IntVar(&e.o.MaxTokens, "tokens", 32, "most tokens of a continuation")
	return c
}

func (e *continuations) check() error {
	switch {
	case (len(e.openings) > 0) == (e.prompts != ""):
		return usagef("what is to be gone on with? give either --openings FILE or --prompts FILE")
	case !(e.heldOut >= 0 && e.heldOut < 1):
		return usagef("--held-out %g: must be from 0 to below 1", e.heldOut)
	case e.count < 1:
		return usagef("--count %d: must be at least 1", e.count)
	case e.o.MaxTokens < 1:
		return usagef("--tokens %d: must be at least 1", e.o.MaxTokens)
	case !(e.o.Temperature >= 0 && e.o.Temperature < 100):
		return usagef("--temperature %g: must be from 0 to below 100", e.o.Temperature)
	case e.show < 0:
		return usagef("--show %d: must be at least 0", e.show)
	}
	_, err := e.howMany()
	return err
}

// howMany reads --words.
func (e *continuations) howMany() (o corpus.Openings, err error) {
	if _, err = fmt.Sscanf(e.words+"\n", "%d-%d\n", &o.Least, &o.Most); err != nil || o.Least < 1 || o.Most < o.Least {
		return o, usagef("--words %q: must be a least and a greatest number of words, as in 4-8", e.words)
	}
	return o, nil
}

func (a *app) evalContinue(c *cobra.Command, e *continuations) error {
	if err := e.check(); err != nil {
		return err
	}
	texts, err := e.beginnings()
	if err != nil {
		return err
	}
	if e.classifier != "" {
		if e.o.Classifier, err = judge.Open(e.classifier, a.threads); err != nil {
			return err
		}
		defer e.o.Classifier.Close()
	}
	return a.compareModels(c, e.models, e.reference, texts, "texts continued", e.o, e.show)
}

// beginnings are the texts to go on with.
func (e *continuations) beginnings() ([]compare.Question, error) {
	texts, err := e.readTexts()
	if err != nil {
		return nil, err
	}
	if len(texts) == 0 {
		return nil, errors.New("there is no text to go on with")
	}
	list := make([]compare.Question, min(e.count, len(texts)))
	for i := range list {
		list[i] = compare.Question{Messages: []chat.Message{{Role: chat.User, Content: texts[i*len(texts)/len(list)]}}}
	}
	return list, nil
}

func (e *continuations) readTexts() (texts []string, err error) {
	if e.prompts == "" {
		return e.readOpenings()
	}
	prompts, err := train.ReadPrompts(e.prompts)
	for _, p := range prompts {
		texts = append(texts, p.Text)
	}
	return texts, err
}

// readOpenings reads the first words of documents.
func (e *continuations) readOpenings() (texts []string, err error) {
	o, err := e.howMany()
	if err != nil {
		return nil, err
	}
	files, err := corpus.Expand(e.openings)
	if err != nil {
		return nil, fmt.Errorf("--openings: %w", err)
	}
	for opening, err := range o.All(&corpus.Texts{Files: files, Field: e.field}, corpus.Split{Seed: train.SplitSeed, Share: e.heldOut}) {
		if err != nil {
			return nil, err
		}
		if opening.Held || e.heldOut == 0 {
			texts = append(texts, opening.Text)
		}
	}
	return texts, nil
}

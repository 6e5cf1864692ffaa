package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/spf13/cobra"

	"github.com/parley-lm/parley"
)

func (a *app) translateCommand() *cobra.Command {
	var (
		model   string
		penalty float64
		scores  bool
		o       parley.TranslateOptions
	)
	c := &cobra.Command{
		Use:   "translate -m DIR [SENTENCE...]",
		Short: "Translate sentences: arguments, or standard input, one line a sentence",
		Long: `Translate sentences: arguments, or standard input, one line a sentence.

Lines come out in the order in which they went in, each as soon as its turn is done. A line that cannot be translated is
reported on standard error and leaves an empty line; the exit status is then 1.`,
		Example: `  parley translate -m runs/quickstart/translator "The old cat sleeps."
  parley translate -m runs/mine < text.en > text.fr
  parley translate -m runs/mine --beams 5 --nbest 3 --scores "The old cat sleeps."`,
		RunE: func(c *cobra.Command, sentences []string) error {
			if c.Flags().Changed("length-penalty") {
				o.LengthPenalty = &penalty
			}
			o.Scores = scores
			if err := checkSearch(o); err != nil {
				return err
			}
			m, err := parley.Open(model, parley.Threads(a.threads))
			if err != nil {
				return err
			}
			defer m.Close()
			if m.Architecture() != parley.EncoderDecoder {
				return fmt.Errorf("%s is a %s model, which continues text: parley generate -m %s", model, m.Architecture(), model)
			}
			next := eachOf(sentences)
			if len(sentences) == 0 {
				next = newLineReader(a.input(c.Context()), longestSentence).next
				if !a.quiet && isTerminal(a.in) {
					fmt.Fprintln(a.err, "Type a sentence and press Enter; end with Ctrl-D.")
				}
			}
			t := translation{app: a, model: m, options: o, scores: scores}
			return t.stream(c.Context(), next)
		},
	}
	f := c.Flags()
	f.StringVarP(&model, "model", "m", "", "model directory or run")
	c.MarkFlagRequired("model")
	f.IntVar(&o.Beams, "beams", 0, "beam search with so many hypotheses; 1 is greedy (0: as the model's generation_config.json says)")
	f.IntVar(&o.NBest, "nbest", 1, "print so many translations of each sentence, best first")
	f.Float64Var(&penalty, "length-penalty", 1, "scores are divided by length to this power")
	f.IntVar(&o.MaxLength, "max-length", 0, "most tokens of a translation (0: as the model says)")
	f.Float64Var(&o.MaxRatio, "max-ratio", 0, "most tokens of a translation for each token of the sentence, and 10 more (0: no such limit)")
	f.BoolVar(&scores, "scores", false, "print the score before each translation, with a tab between")
	return c
}

// checkSearch rejects options that no sentence could be translated with.
func checkSearch(o parley.TranslateOptions) error {
	switch {
	case o.Beams < 0 || o.Beams > 1024:
		return usagef("--beams %d: must be between 0 and 1024", o.Beams)
	case o.NBest < 1 || o.Beams > 0 && o.NBest > o.Beams:
		return usagef("--nbest %d: must be between 1 and --beams", o.NBest)
	case o.MaxLength < 0:
		return usagef("--max-length %d: must not be negative", o.MaxLength)
	case !(o.MaxRatio >= 0) || math.IsInf(o.MaxRatio, 1):
		return usagef("--max-ratio %g: must be a number that is not negative", o.MaxRatio)
	case o.LengthPenalty != nil && (math.IsNaN(*o.LengthPenalty) || math.IsInf(*o.LengthPenalty, 0)):
		return usagef("--length-penalty %g: must be a finite number", *o.LengthPenalty)
	}
	return nil
}

// translation is one use of the translate verb.
type translation struct {
	*app
	model   *parley.Model
	options parley.TranslateOptions
	scores  bool
}

// outcome is what became of one line.
type outcome struct {
	source string
	found  []parley.Translation
	err    error
}

// inFlight bounds the lines that are read ahead of the oldest that is not translated yet.
const inFlight = 512

// longestSentence is the most bytes of a line: far more than any model reads, and little enough for inFlight of them.
const longestSentence = 1 << 20

// eachOf returns the sentences one after the other, then io.EOF.
func eachOf(sentences []string) func() (string, error) {
	return func() (string, error) {
		if len(sentences) == 0 {
			return "", io.EOF
		}
		s := sentences[0]
		sentences = sentences[1:]
		return s, nil
	}
}

// stream translates line by line, as next hands them out. Lines are translated together, and printed in their order.
func (t translation) stream(ctx context.Context, next func() (string, error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	outcomes := make(chan chan outcome, inFlight)
	read := make(chan error, 1)
	go func() {
		defer close(outcomes)
		read <- t.read(ctx, next, outcomes)
	}()
	w := bufio.NewWriter(t.screen())
	failed, number := 0, 0
	for waiting := range outcomes {
		o, err := result(waiting, w)
		if err != nil {
			return err
		}
		number++
		if err := ctx.Err(); err != nil {
			return errors.Join(err, w.Flush())
		}
		if o.err != nil {
			failed++
			fmt.Fprintf(t.err, "parley: line %d: %v\n", number, o.err)
		}
		if err := t.print(w, o); err != nil {
			return err
		}
		if len(outcomes) == 0 {
			if err := w.Flush(); err != nil {
				return err
			}
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := <-read; err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d lines could not be translated", failed, number)
	}
	return nil
}

// result returns an outcome. If it is not there yet, whoever reads the output gets what is done so far.
func result(waiting <-chan outcome, w *bufio.Writer) (outcome, error) {
	select {
	case o := <-waiting:
		return o, nil
	default:
	}
	if err := w.Flush(); err != nil {
		return outcome{}, err
	}
	return <-waiting, nil
}

// read starts the translation of each line, and queues where its outcome will be.
func (t translation) read(ctx context.Context, next func() (string, error), outcomes chan<- chan outcome) error {
	for {
		source, err := next()
		if err == io.EOF {
			return nil
		}
		if err != nil && !errors.Is(err, errLongLine) {
			return err
		}
		done := make(chan outcome, 1)
		select {
		case outcomes <- done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err != nil {
			done <- outcome{err: err}
			continue
		}
		go func() { done <- t.one(ctx, source) }()
	}
}

func (t translation) one(ctx context.Context, source string) outcome {
	found, err := t.model.TranslateWith(ctx, t.options, source)
	o := outcome{source: source, err: err}
	if e, ok := err.(interface{ Unwrap() []error }); ok && len(e.Unwrap()) == 1 { // the line's number is said already
		if s, ok := e.Unwrap()[0].(*parley.SentenceError); ok {
			o.err = s.Err
		}
	}
	if len(found) > 0 {
		o.found = found[0]
	}
	return o
}

func (t translation) print(w *bufio.Writer, o outcome) error {
	if t.json {
		return printTranslation(w, o)
	}
	if len(o.found) == 0 {
		return w.WriteByte('\n')
	}
	for _, f := range o.found {
		if t.scores {
			fmt.Fprintf(w, "%.4f\t", f.Score)
		}
		w.WriteString(f.Text)
		if err := w.WriteByte('\n'); err != nil {
			return err
		}
	}
	return nil
}

// printTranslation writes one line of JSON for one line of input.
func printTranslation(w *bufio.Writer, o outcome) error {
	type scored struct {
		Text    string  `json:"text"`
		Score   float64 `json:"score"`
		LogProb float64 `json:"log_prob"`
	}
	v := struct {
		Source       string   `json:"source"`
		Translations []scored `json:"translations"`
		Error        string   `json:"error,omitempty"`
	}{Source: o.source, Translations: []scored{}}
	for _, f := range o.found {
		v.Translations = append(v.Translations, scored(f))
	}
	if o.err != nil {
		v.Error = o.err.Error()
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

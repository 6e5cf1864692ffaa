package main

import (
	"context"
	"fmt"
	"iter"
	"math"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/parley-lm/parley"
	"github.com/parley-lm/parley/corpus"
)

// scoredModels are the flags of everything that scores text with models.
type scoredModels struct {
	dirs      []string
	bos       string
	precision precisionFlag
}

func (s *scoredModels) define(c *cobra.Command) {
	f := c.Flags()
	f.StringArrayVarP(&s.dirs, "model", "m", nil, "model directory or run; repeat it to compare models")
	c.MarkFlagRequired("model")
	f.StringVar(&s.bos, "bos", "tokenizer", "what text begins with: tokenizer (what it puts there), always (the model's token in any case) or never")
	s.precision.define(f)
}

// start returns the BOS that is asked for.
func (s *scoredModels) start() (parley.BOS, error) {
	b, ok := map[string]parley.BOS{"tokenizer": parley.BOSOfTokenizer, "always": parley.BOSAlways, "never": parley.BOSNever}[s.bos]
	if !ok {
		return "", usagef("--bos %q: must be tokenizer, always or never", s.bos)
	}
	return b, nil
}

// each opens one model after the other. One that is not there is an error before the first is asked.
func (a *app) each(s *scoredModels, f func(dir string, m *parley.Model) error) error {
	for _, dir := range s.dirs {
		if _, err := os.Stat(dir); err != nil {
			return fmt.Errorf("%s: no such model directory", dir)
		}
	}
	for _, dir := range s.dirs {
		m, err := parley.Open(dir, parley.Threads(a.threads), s.precision.option())
		if err != nil {
			return err
		}
		err = scores(dir, m)
		if err == nil {
			err = f(dir, m)
		}
		m.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// scores says whether a model can score text.
func scores(dir string, m *parley.Model) error {
	if m.Architecture() != parley.DecoderOnly {
		return fmt.Errorf("%s is an %s, which translates; score its translations: parley eval bleu", dir, m.Architecture())
	}
	return nil
}

func (a *app) perplexityCommand() *cobra.Command {
	var (
		models scoredModels
		texts  documentFlags
		o      parley.ScoreOptions
	)
	c := &cobra.Command{
		Use:   "perplexity -m DIR [-m DIR2 ...] FILE [FILE...]",
		Short: "How well language models predict text: perplexity, bits per token and bits per byte",
		Long: `How well language models predict text: every token is predicted from those before it in its document, as far as the window
reaches. FILE is plain text, JSONL, CSV or Parquet, compressed with gzip or Zstandard or not, a directory or a pattern; "-" is
standard input. A file of plain text is one document, unless --separator cuts it.

The window moves as in Hugging Face's recipe for models of fixed length, and in each place those tokens are predicted that were
not before: the smaller the stride, the more each of them sees, and the longer it takes. No token is predicted twice; the first
of a document only if something stands before it, which --bos says and the table tells. Tokens and bytes are those that were
predicted, and the text that they stand for.

Perplexities can be compared between models with the same tokens; bits per byte always.`,
		Example: `  parley eval perplexity -m DIR book.txt
  parley eval perplexity -m runs/lm -m runs/larger --json valid.jsonl
  parley eval perplexity -m DIR --window 1024 --stride 512 --bos always wiki.test.txt
  parley eval perplexity -m DIR --separator "<|endoftext|>" pages.txt.gz
  parley eval perplexity -m DIR - < book.txt`,
		Args: arguments(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, paths []string) (err error) {
			if o.BOS, err = models.start(); err != nil {
				return err
			}
			if o.Window < 0 || o.Window == 1 || o.Stride < 0 || o.Window > 0 && o.Stride > o.Window {
				return usagef("--window %d --stride %d: a window has at least 2 tokens, and moves on by 1 to as many as it has", o.Window, o.Stride)
			}
			documents, err := a.documents(c.Context(), &texts, paths, len(models.dirs))
			if err != nil {
				return err
			}
			return a.perplexities(c.Context(), &models, documents, o)
		},
	}
	models.define(c)
	f := c.Flags()
	f.IntVar(&o.Window, "window", 0, "tokens that the model sees at a time (0: its context, at most 2,048)")
	f.IntVar(&o.Stride, "stride", 0, "tokens that the window moves on by (0: half of it)")
	texts.define(f)
	return c
}

// documentFlags say how documents are read.
type documentFlags struct{ format, field, separator string }

func (d *documentFlags) define(f *pflag.FlagSet) {
	f.StringVar(&d.format, "format", "auto", "of the files: text, jsonl, csv, parquet, or auto, by their names")
	f.StringVar(&d.field, "field", "text", "key or column of the text in JSONL, CSV and Parquet")
	f.StringVar(&d.separator, "separator", "", "what stands between documents of plain text (default: a file is one)")
}

// documents returns the documents of files, or of standard input, which can be read by one model only.
func (a *app) documents(ctx context.Context, d *documentFlags, paths []string, models int) (iter.Seq2[parley.Document, error], error) {
	texts := &corpus.Texts{Format: d.format, Field: d.field, Separator: d.separator}
	switch d.format {
	case "auto":
		texts.Format = ""
	case corpus.PlainText, corpus.JSONL, corpus.CSV, corpus.Parquet:
	default:
		return nil, usagef("--format %q: must be auto, %s, %s, %s or %s", d.format, corpus.PlainText, corpus.JSONL, corpus.CSV, corpus.Parquet)
	}
	var read iter.Seq2[corpus.Document, error]
	switch {
	case len(paths) == 1 && paths[0] == "-" && models > 1:
		return nil, usagef("standard input (-) can be read only once; for several models, give a file")
	case len(paths) == 1 && paths[0] == "-":
		read = texts.AllFrom("standard input", a.input(ctx))
	default:
		var err error
		if texts.Files, err = corpus.Expand(paths); err != nil {
			return nil, err
		}
		read = texts.All()
	}
	return func(yield func(parley.Document, error) bool) {
		for d, err := range read {
			if !yield(parley.Document(d), err) {
				return
			}
		}
	}, nil
}

// perplexityJSON is a row of the table in the form of --json.
type perplexityJSON struct {
	Model        string  `json:"model"`
	Perplexity   float64 `json:"perplexity"`
	BitsPerToken float64 `json:"bits_per_token"`
	BitsPerByte  float64 `json:"bits_per_byte"`
	NLL          float64 `json:"nll"` // in nats, of all tokens
	Tokens       int     `json:"tokens"`
	Bytes        int     `json:"bytes"`
	Documents    int     `json:"documents"`
	Window       int     `json:"window"`
	Stride       int     `json:"stride"`
	Begin        string  `json:"begin"`
	Precision    string  `json:"precision"`
}

func (a *app) perplexities(ctx context.Context, models *scoredModels, documents iter.Seq2[parley.Document, error], o parley.ScoreOptions) error {
	rows := []perplexityJSON{}
	err := a.each(models, func(dir string, m *parley.Model) error {
		start := time.Now()
		p, err := m.Perplexity(ctx, watched(a, dir, documents), o)
		if err != nil {
			return err
		}
		a.rate(dir, p.Tokens, "tokens", start)
		rows = append(rows, perplexityJSON{
			Model: dir, Perplexity: min(p.Value(), math.MaxFloat64), BitsPerToken: p.BitsPerToken(), BitsPerByte: p.BitsPerByte(), NLL: p.NLL,
			Tokens: p.Tokens, Bytes: p.Bytes, Documents: p.Documents, Window: p.Window, Stride: p.Stride, Begin: p.Begin, Precision: models.precision.String(),
		})
		return nil
	})
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(rows)
	}
	table := [][]string{{"model", "perplexity", "bits/token", "bits/byte", "tokens", "bytes", "documents", "window", "stride", "begins with"}}
	for _, r := range rows {
		begin := r.Begin
		if begin == "" {
			begin = "nothing"
		}
		table = append(table, []string{
			r.Model, fmt.Sprintf("%.4f", r.Perplexity), fmt.Sprintf("%.4f", r.BitsPerToken), fmt.Sprintf("%.4f", r.BitsPerByte),
			count(r.Tokens), count(r.Bytes), count(r.Documents), count(r.Window), count(r.Stride), begin,
		})
	}
	return a.printTable(table)
}

// watched passes things on and says now and then how many there were.
func watched[T any](a *app, dir string, things iter.Seq2[T, error]) iter.Seq2[T, error] {
	if a.quiet {
		return things
	}
	return func(yield func(T, error) bool) {
		n, last := 0, time.Now()
		for x, err := range things {
			if n++; time.Since(last) > 15*time.Second {
				last = time.Now()
				fmt.Fprintf(a.err, "%s: at text %s\n", dir, count(n))
			}
			if !yield(x, err) {
				return
			}
		}
	}
}

// rate says how fast a model was.
func (a *app) rate(dir string, n int, what string, start time.Time) {
	if took := time.Since(start).Seconds(); !a.quiet && took > 0 {
		fmt.Fprintf(a.err, "%s: %s %s in %.1f s, %.0f a second\n", dir, count(n), what, took, float64(n)/took)
	}
}

package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/inspect"
	"github.com/parley-lm/parley/internal/kernel"
)

func (a *app) inspectCommand() *cobra.Command {
	var (
		dir, html string
		o         inspect.Options
		v         inspect.View
	)
	c := &cobra.Command{
		Use:   `inspect -m DIR "SENTENCE"`,
		Short: "Show what a model does with a sentence: tokens, neighbours, attention, probabilities",
		Long: `Shows what a translation model does with one sentence ("-" reads it from standard input): its tokens, the neighbours of
their embeddings, where each attention head looks, and what the decoder thinks likely at each step.

Without --layer and --head the picture is an overview; with them it shows the weights of the selected heads, from 1.
--json prints everything; --html writes a page on which everything can be pointed at.`,
		Example: `  parley inspect -m runs/quickstart "The old cat sleeps."
  parley inspect -m runs/quickstart --layer 2 "The old cat sleeps."                        # every head of layer 2
  parley inspect -m runs/quickstart --target "Le vieux chat dort." "The old cat sleeps."   # how likely is this one?
  parley inspect -m runs/quickstart --html cat.html "The old cat sleeps."`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			text, err := a.sentence(args[0])
			if err != nil {
				return err
			}
			if c.Flags().Changed("target") && strings.TrimSpace(o.Target) == "" {
				return usagef("--target is empty; leave it out to see the model's own translation")
			}
			if o.Beams < 0 {
				return usagef("--beams %d: must not be negative", o.Beams)
			}
			e, err := hub.LoadEncDec(hub.ModelDir(dir))
			if err != nil {
				return err
			}
			if err := checkSelection(e, &o, v); err != nil {
				return err
			}
			pool := kernel.NewPool(a.threads)
			defer pool.Close()
			r, err := inspect.Sentence(c.Context(), e, pool, text, o)
			if err != nil {
				return err
			}
			if html != "" {
				if err := hub.WriteFileAtomic(html, r.WriteHTML); err != nil {
					return err
				}
				if !a.quiet {
					fmt.Fprintf(a.err, "%s: open it in a browser\n", html)
				}
			}
			if a.json {
				return a.printJSON(r)
			}
			if html != "" {
				return nil
			}
			v.Width = a.columns()
			return r.WriteText(a.out, v)
		},
	}
	f := c.Flags()
	f.StringVarP(&dir, "model", "m", "", "model directory or run")
	c.MarkFlagRequired("model")
	f.StringVar(&o.Target, "target", "", "follow the decoder through this translation, not through the model's own")
	f.IntVar(&o.Beams, "beams", 0, "beams of the search for the model's own translation (0: as the model is set up; 1: greedy)")
	f.IntVar(&o.Neighbours, "neighbours", 4, "neighbours of each token's embedding")
	f.IntVar(&o.Top, "top", 5, "most probable tokens of each step")
	f.IntVar(&v.Layer, "layer", 0, "draw the attention of this layer (0: all)")
	f.IntVar(&v.Head, "head", 0, "draw the attention of this head (0: all)")
	f.StringVar(&html, "html", "", "write a self-contained page to this file")
	return c
}

// checkSelection reports the first number that is outside of what the model has.
func checkSelection(e *hub.EncDec, o *inspect.Options, v inspect.View) error {
	m := e.Model.Config
	for _, f := range []struct {
		flag             string
		value, low, high int
	}{
		{"layer", v.Layer, 0, max(m.EncoderLayers, m.DecoderLayers)},
		{"head", v.Head, 0, max(m.EncoderHeads, m.DecoderHeads)},
		{"neighbours", o.Neighbours, 0, m.DecoderVocabSize},
		{"top", o.Top, 1, m.DecoderVocabSize},
	} {
		if f.value < f.low || f.value > f.high {
			return usagef("--%s %d: must be between %d and %d with this model", f.flag, f.value, f.low, f.high)
		}
	}
	return nil
}

// sentence returns the argument, or standard input for "-".
func (a *app) sentence(argument string) (string, error) {
	if argument != "-" {
		return argument, nil
	}
	const most = 1 << 20
	text, err := io.ReadAll(io.LimitReader(a.in, most+1))
	if err != nil {
		return "", err
	}
	if len(text) > most {
		return "", fmt.Errorf("standard input: more than %d bytes; give one sentence", most)
	}
	return string(text), nil
}

// columns returns the width of the terminal that output goes to, or 100.
func (a *app) columns() int {
	if f, ok := a.out.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width >= 40 {
			return width
		}
	}
	return 100
}

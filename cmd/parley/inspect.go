package main

import (
	"context"
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
	o := inspectFlags{}
	c := &cobra.Command{
		Use:   `inspect -m DIR "TEXT"`,
		Short: "Show what a model does with a text: tokens, neighbours, attention, probabilities, layers",
		Long: `Shows what a model does with one text ("-" reads it from standard input): its tokens, the neighbours of their embeddings, where
each attention head looks, and what the model thinks likely at each step.

A translation model is followed through its translation of the sentence, a language model through its continuation of the
prompt; --target gives another to follow. Of a language model it also shows the logit lens: what each layer would have said if
the model ended there (nostalgebraist 2020).

Without --layer and --head the picture is an overview; with them it shows the weights of the selected heads, from 1.
--json prints everything; --html writes a page on which everything can be pointed at.`,
		Example: `  parley inspect -m runs/quickstart/translator "The old cat sleeps."
  parley inspect -m runs/quickstart/translator --layer 2 "The old cat sleeps."                        # every head of layer 2
  parley inspect -m runs/quickstart/translator --target "Le vieux chat dort." "The old cat sleeps."   # how likely is this one?
  parley inspect -m runs/quickstart/translator --html cat.html "The old cat sleeps."
  parley inspect -m DIR --max-tokens 8 "Once upon a time"
  parley inspect -m DIR --target " there was a dragon" "Once upon a time,"`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("target") && strings.TrimSpace(o.target) == "" {
				return usagef("--target is empty; leave it out to see the model's own")
			}
			dir := hub.ModelDir(o.dir)
			decoderOnly, err := hub.IsDecoder(dir)
			if err != nil {
				return err
			}
			for flag, wrong := range map[string]bool{"beams": decoderOnly, "max-tokens": !decoderOnly} {
				if kind := map[bool]string{true: "a language model, which continues text", false: "a translation model"}[decoderOnly]; wrong && c.Flags().Changed(flag) {
					return usagef("--%s does not go with %s, which is %s", flag, o.dir, kind)
				}
			}
			text, err := a.sentence(args[0])
			if err != nil {
				return err
			}
			pool := kernel.NewPool(a.threads)
			defer pool.Close()
			var r report
			if decoderOnly {
				r, err = o.text(c.Context(), dir, pool, text)
			} else {
				r, err = o.translation(c.Context(), dir, pool, text)
			}
			if err != nil {
				return err
			}
			return a.show(r, o)
		},
	}
	f := c.Flags()
	f.StringVarP(&o.dir, "model", "m", "", "model directory or run")
	c.MarkFlagRequired("model")
	f.StringVar(&o.target, "target", "", "follow the model through this translation or continuation, not through its own")
	f.IntVar(&o.beams, "beams", 0, "beams of the search for the model's own translation (0: as the model is set up; 1: greedy)")
	f.IntVar(&o.maxTokens, "max-tokens", 16, "tokens of a language model's own continuation")
	f.IntVar(&o.neighbours, "neighbours", 4, "neighbours of each token's embedding")
	f.IntVar(&o.top, "top", 5, "most probable tokens of each step")
	f.IntVar(&o.view.Layer, "layer", 0, "draw the attention of this layer (0: all)")
	f.IntVar(&o.view.Head, "head", 0, "draw the attention of this head (0: all)")
	f.StringVar(&o.html, "html", "", "write a self-contained page to this file")
	return c
}

// inspectFlags are what the command line asks for.
type inspectFlags struct {
	dir, target, html string
	beams, maxTokens  int
	neighbours, top   int
	view              inspect.View
}

// report is what was seen, of either kind of model.
type report interface {
	WriteText(w io.Writer, v inspect.View) error
	WriteHTML(w io.Writer) error
}

// translation looks at a translation model.
func (o *inspectFlags) translation(ctx context.Context, dir string, pool *kernel.Pool, text string) (report, error) {
	if o.beams < 0 {
		return nil, usagef("--beams %d: must not be negative", o.beams)
	}
	e, err := hub.LoadEncDec(dir)
	if err != nil {
		return nil, err
	}
	m := e.Model.Config
	if err := o.check(max(m.EncoderLayers, m.DecoderLayers), max(m.EncoderHeads, m.DecoderHeads), m.DecoderVocabSize); err != nil {
		return nil, err
	}
	return inspect.Sentence(ctx, e, pool, text, inspect.Options{Target: o.target, Beams: o.beams, Neighbours: o.neighbours, Top: o.top})
}

// text looks at a language model.
func (o *inspectFlags) text(ctx context.Context, dir string, pool *kernel.Pool, text string) (report, error) {
	if o.maxTokens < 1 {
		return nil, usagef("--max-tokens %d: must be at least 1", o.maxTokens)
	}
	d, err := hub.LoadDecoder(dir)
	if err != nil {
		return nil, err
	}
	t, _, err := hub.LoadTokenizers(dir)
	if err != nil {
		return nil, err
	}
	c := d.Model.Config
	if err := o.check(c.Layers, c.Heads, c.VocabSize); err != nil {
		return nil, err
	}
	return inspect.Text(ctx, d, t, pool, text, inspect.TextOptions{Continuation: o.target, MaxTokens: o.maxTokens, Neighbours: o.neighbours, Top: o.top})
}

// check reports the first number that is outside of what the model has.
func (o *inspectFlags) check(layers, heads, vocabulary int) error {
	for _, f := range []struct {
		flag             string
		value, low, high int
	}{
		{"layer", o.view.Layer, 0, layers},
		{"head", o.view.Head, 0, heads},
		{"neighbours", o.neighbours, 0, vocabulary},
		{"top", o.top, 1, vocabulary},
	} {
		if f.value < f.low || f.value > f.high {
			return usagef("--%s %d: must be between %d and %d with this model", f.flag, f.value, f.low, f.high)
		}
	}
	return nil
}

// show writes a report in the form that is asked for.
func (a *app) show(r report, o inspectFlags) error {
	if o.html != "" {
		if err := hub.WriteFileAtomic(o.html, r.WriteHTML); err != nil {
			return err
		}
		if !a.quiet {
			fmt.Fprintf(a.err, "%s: open it in a browser\n", o.html)
		}
	}
	if a.json {
		return a.printJSON(r)
	}
	if o.html != "" {
		return nil
	}
	o.view.Width = a.columns()
	return r.WriteText(a.out, o.view)
}

// sentence returns the argument, or standard input for "-", without the line break at its end.
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
	return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"), nil
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

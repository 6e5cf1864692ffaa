package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/parley-lm/parley"
	"github.com/parley-lm/parley/quickstart"
)

// quickstartFlags are those of the verb and of its parts.
type quickstartFlags struct {
	out  string
	fast bool
}

func (o *quickstartFlags) dir() string {
	switch {
	case o.out != "":
		return o.out
	case o.fast:
		return "runs/quickstart-fast"
	}
	return "runs/quickstart"
}

func (a *app) quickstartCommand() *cobra.Command {
	o := &quickstartFlags{}
	c := &cobra.Command{
		Use:   "quickstart",
		Short: "The whole recipe in minutes, with nothing to download: an assistant and a translator, every stage measured",
		Long: `The whole recipe in minutes, with nothing to download. On a small generated world it learns a vocabulary, pre-trains a language model,
fine-tunes it on dialogues, has its answers ranked by a judge, trains a reward model on the rankings and the model on its reward (PPO) and on
right answers (GRPO), shows where reward goes too far, measures the model after each stage on questions that no training has seen, and trains a translator. Every stage says what it is for,
which paper it follows and which command does the same on data of your own.

Stopped by Ctrl-C or by anything else, it goes on when it is called again, to the same models; what is done is not done again. The directory holds a
model directory for each stage and report.html, a page with all curves, samples and tables.`,
		Example: `  parley quickstart                                     # all of it
  parley quickstart --fast                              # in two minutes; the models are weaker
  parley chat -m runs/quickstart/grpo                    # talk to the assistant
  parley translate -m runs/quickstart/translator "The old cat sleeps."`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return a.quickstart(c.Context(), o, quickstart.Everything) },
	}
	f := c.PersistentFlags()
	f.StringVarP(&o.out, "out", "o", "", "directory of all stages (default runs/quickstart, with --fast runs/quickstart-fast)")
	f.BoolVar(&o.fast, "fast", false, "less of everything, in two minutes; the models are weaker")
	c.AddCommand(&cobra.Command{
		Use:   "assistant",
		Short: "Only the assistant: pre-training, fine-tuning, ranking, reward model, PPO, GRPO",
		Long: `Only the assistant of the quickstart: pre-training on generated stories, fine-tuning on dialogues, ranking of its answers by a judge, a reward
model, reinforcement learning (PPO, then GRPO), and what each stage changed.`,
		Example: "  parley quickstart assistant\n  parley chat -m runs/quickstart/grpo",
		Args:    arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.quickstart(c.Context(), o, quickstart.AssistantOnly)
		},
	}, &cobra.Command{
		Use:     "translator",
		Short:   "Only the translator, which on a terminal then takes your sentences",
		Long:    `Only the translator of the quickstart: an encoder-decoder Transformer that learns from generated sentences with exact French translations. On a terminal you can then translate sentences of your own.`,
		Example: "  parley quickstart translator\n  parley translate -m runs/quickstart/translator \"The old cat sleeps.\"",
		Args:    arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.quickstart(c.Context(), o, quickstart.TranslatorOnly)
		},
	})
	return c
}

func (a *app) quickstart(ctx context.Context, flags *quickstartFlags, part string) error {
	collectGarbage(rarely)
	o := quickstart.Options{Out: flags.dir(), Part: part, Fast: flags.fast, Threads: a.threads, Seed: int(a.seed), Progress: a.progress(), Count: a.counter(), Log: a.err}
	if a.quiet {
		o.Log = nil
	}
	r, err := quickstart.Run(ctx, o)
	var stopped *quickstart.Stopped
	if errors.As(err, &stopped) {
		return fmt.Errorf("%w; go on with the same command", err)
	}
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(r)
	}
	if err := a.printQuickstart(r); err != nil || !isTerminal(a.in) || !isTerminal(a.out) {
		return err
	}
	if r.Assistant == nil {
		return a.translateTyped(ctx, r.Translator.Dir)
	}
	return a.talkTo(ctx, r.Assistant.Dir)
}

// talkTo opens a talk as parley chat does.
func (a *app) talkTo(ctx context.Context, dir string) error {
	m, err := parley.Open(dir, parley.Threads(a.threads))
	if err != nil {
		return err
	}
	defer m.Close()
	fmt.Fprintln(a.out, "\nTell it a story of this small village and ask about it:")
	t := &talk{app: a, model: m, name: dir, options: parley.GenerateOptions{N: 1, Seed: a.seed}, feedback: "feedback.db", interactive: true}
	ctx, end := t.ownInterrupts(ctx)
	defer end()
	return t.run(ctx)
}

// translateTyped translates what a person types.
func (a *app) translateTyped(ctx context.Context, dir string) error {
	m, err := parley.Open(dir, parley.Threads(a.threads))
	if err != nil {
		return err
	}
	defer m.Close()
	fmt.Fprintln(a.out, "\nType an English sentence of this small world (an empty line ends):")
	lines := newLineReader(a.input(ctx), longestSentence)
	for {
		fmt.Fprint(a.out, "> ")
		line, err := lines.next()
		if err == io.EOF || err == nil && strings.TrimSpace(line) == "" {
			return nil
		}
		texts := []string{""}
		if err == nil {
			texts, err = m.Translate(ctx, line)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			fmt.Fprintln(a.out, err)
			continue
		}
		fmt.Fprintln(a.out, texts[0])
	}
}

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
	"github.com/parley-lm/parley/train"
)

func (a *app) quickstartCommand() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "quickstart",
		Short: "Train a small translator in minutes, with nothing to download, and talk to it",
		Long: `Train a small translator in minutes, with nothing to download, and talk to it.

It generates a small world of English sentences with French translations, trains a tokenizer and a Transformer on them,
and measures the translator on sentences that it has never seen. On a terminal you can then translate sentences of your
own. Stopped by Ctrl-C, it goes on where it was when you call it again.`,
		Example: "  parley quickstart\n  parley translate -m runs/quickstart \"The old cat sleeps.\"",
		Args:    arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			frugal()
			o := quickstart.Options{Out: out, Threads: a.threads, Seed: int(a.seed), Progress: a.progress(), Log: a.err}
			if a.quiet {
				o.Log = nil
			}
			r, err := quickstart.Run(c.Context(), o)
			var stopped *train.Interrupted
			if errors.As(err, &stopped) {
				return fmt.Errorf("%w; go on with: parley quickstart --out %s", err, out)
			}
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(r)
			}
			a.printQuickstart(r)
			if isTerminal(a.in) && isTerminal(a.out) {
				return a.talk(c.Context(), r.Dir)
			}
			return nil
		},
	}
	c.Flags().StringVarP(&out, "out", "o", "runs/quickstart", "run directory")
	c.AddCommand(a.quickstartAssistant())
	return c
}

func (a *app) quickstartAssistant() *cobra.Command {
	var (
		out  string
		fast bool
	)
	c := &cobra.Command{
		Use:   "assistant",
		Short: "Make a small assistant by the whole recipe: pre-training, fine-tuning, ranking, reward model, PPO",
		Long: `Make a small assistant by the whole recipe, with nothing to download: pre-training on generated stories, fine-tuning on dialogues, ranking of its
answers by a judge, a reward model, reinforcement learning (PPO), and a comparison of what each stage changed. Every stage says which
command does the same on data of your own. Stopped by Ctrl-C, it goes on where it was when you call it again.`,
		Example: "  parley quickstart assistant\n  parley chat -m runs/assistant/ppo",
		Args:    arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			frugal()
			o := quickstart.Options{Out: out, Threads: a.threads, Seed: int(a.seed), Progress: a.progress(), Log: a.err}
			if a.quiet {
				o.Log = nil
			}
			r, err := quickstart.RunAssistant(c.Context(), o, fast)
			var stopped *train.Interrupted
			if errors.As(err, &stopped) {
				return fmt.Errorf("%w; go on with: parley quickstart assistant --out %s", err, out)
			}
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(r)
			}
			fmt.Fprintf(a.out, "\nAn assistant, made and measured in %s, beside what it was after each stage:\n\n", duration(r.Seconds))
			if err := a.printComparison(r.Comparison, r.Questions, 3); err != nil {
				return err
			}
			fmt.Fprintf(a.out, "\nTalk to it:  parley chat -m %s\n", r.Dir)
			return nil
		},
	}
	c.Flags().StringVarP(&out, "out", "o", "runs/assistant", "directory of all stages")
	c.Flags().BoolVar(&fast, "fast", false, "less of everything, for a first look; the assistant is weaker")
	return c
}

func (a *app) printQuickstart(r *quickstart.Result) {
	fmt.Fprintf(a.out, "\nA translator of %s parameters, trained and measured in %s.\n\n", count(r.Parameters), duration(r.Seconds))
	fmt.Fprintf(a.out, "  never-seen sentences translated exactly:     %s\n", r.Sentences)
	fmt.Fprintf(a.out, "  never-seen combinations translated exactly:  %s\n\n", r.Combos)
	fmt.Fprintln(a.out, "  where it is weakest:")
	for _, p := range r.Phenomena[:min(5, len(r.Phenomena))] {
		fmt.Fprintf(a.out, "    %-44s %s\n", p.Name, p.Accuracy)
	}
	fmt.Fprintln(a.out, "\n  never-seen sentences, as the model translates them:")
	for _, e := range r.Examples {
		fmt.Fprintf(a.out, "    %s\n      → %s\n", e.English, e.French)
		if e.French != e.Reference {
			fmt.Fprintf(a.out, "        (should be: %s)\n", e.Reference)
		}
	}
	fmt.Fprintf(a.out, "\nIt is in %s: report.html shows the training, model/ opens in transformers and CTranslate2.\n", r.Dir)
	fmt.Fprintf(a.out, "  parley translate -m %s \"The old cat sleeps.\"\n  parley inspect -m %s \"The old cat sleeps.\"\n", r.Dir, r.Dir)
}

// talk translates what a person types.
func (a *app) talk(ctx context.Context, dir string) error {
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

package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/user"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/parley-lm/parley/feedback"
	"github.com/parley-lm/parley/rank"
	"github.com/parley-lm/parley/sandbox"
)

// rankFlags are the options of rank.
type rankFlags struct {
	feedback string
	rater    string
	judge    string
	noise    float64
	sampling rankSampling
}

func (a *app) rankCommand() *cobra.Command {
	var o rankFlags
	c := &cobra.Command{
		Use:   "rank",
		Short: "Sample several answers to each prompt and have them ranked, by people or by a judge",
		Long: `Sample several answers to each prompt of a file and rank them at the terminal. Everything is kept in --feedback, a SQLite file or a
PostgreSQL address for several raters on several machines, as soon as it is made: quit at any time and go on with the same command.
Without -m the answers that are there already are ranked.

` + feedback.KeyHelp + `

Prompts are JSONL with "prompt" (a text, or a list of messages) or "messages", or lines of text. --judge sandbox has the judge of the
sandbox world rank in a person's place, turning a share of the pairs round (--noise); --judge FILE takes rankings made elsewhere.`,
		Example: `  parley rank -m runs/sft --prompts questions.jsonl -n 6            # you rank
  parley rank --feedback postgres://ann@server/talks --rater ann    # answers that are in a database
  parley rank -m runs/sft --prompts questions.jsonl --judge sandbox --noise 0.1
  parley rank report
  parley rank pairs > preferences.jsonl                             # for parley train reward and dpo`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return a.rank(c.Context(), o) },
	}
	c.PersistentFlags().StringVar(&o.feedback, "feedback", "feedback.db", "SQLite file or postgres:// address where everything is kept")
	f := c.Flags()
	f.StringVar(&o.rater, "rater", "", "whose rankings these are (default: who is logged in)")
	f.StringVar(&o.judge, "judge", "", `"sandbox", or a JSONL file of rankings made elsewhere; otherwise a person judges`)
	f.Float64Var(&o.noise, "noise", 0, "share of pairs that --judge sandbox turns round")
	o.sampling.register(f)
	c.AddCommand(a.rankReport(&o), a.rankExport(&o), a.rankPairs(&o), a.rankImport(&o))
	return c
}

func (a *app) rank(ctx context.Context, o rankFlags) error {
	if !(o.noise >= 0 && o.noise < 0.5) {
		return usagef("--noise %g: must be from 0 to below 0.5", o.noise)
	}
	if o.noise != 0 && o.judge != "sandbox" {
		return usagef("--noise %g: is for --judge sandbox", o.noise)
	}
	if err := o.sampling.check(); err != nil {
		return err
	}
	if o.rater == "" {
		o.rater = whoIsHere()
	}
	if o.sampling.model == "" && (o.judge == "" || o.judge == "sandbox") {
		if err := mustExist(o.feedback); err != nil {
			return fmt.Errorf("%w; there are no answers to rank: have a model give some (-m and --prompts), or add some (parley rank import)", err)
		}
	}
	store, err := feedback.Open(ctx, o.feedback)
	if err != nil {
		return err
	}
	defer store.Close()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sampled := a.sampleInto(ctx, store, o.sampling)
	defer a.tellAlike(sampled)
	switch o.judge {
	case "":
		return a.rankByPerson(ctx, store, o, sampled)
	case "sandbox":
		if err := sampled.wait(); err != nil {
			return err
		}
		return a.rankBySandbox(ctx, store, o)
	default:
		if err := sampled.wait(); err != nil {
			return err
		}
		return a.importRankings(ctx, store, o.judge, o.rater)
	}
}

// rankByPerson reads keys from the terminal as they are pressed, or from a stream.
func (a *app) rankByPerson(ctx context.Context, store *feedback.Store, o rankFlags, sampled *sampling) error {
	if f, ok := a.in.(*os.File); ok && isTerminal(a.in) {
		before, err := term.MakeRaw(int(f.Fd()))
		if err != nil {
			return fmt.Errorf("the terminal does not pass on single keys: %w", err)
		}
		defer term.Restore(int(f.Fd()), before)
	}
	session := feedback.Session{
		Store: store, Rater: o.rater, Seed: a.seed, Keys: bufio.NewReader(a.input(ctx)), More: sampled.more,
		Print: func(text string) { fmt.Fprint(a.out, strings.ReplaceAll(text, "\n", "\r\n")) },
	}
	if !isTerminal(a.in) {
		session.Print = func(text string) { fmt.Fprint(a.out, strings.ReplaceAll(text, "\r\033[K", "\n")) }
	}
	_, err := session.Run(ctx)
	return err
}

// rankBySandbox has the judge of the sandbox rank what it has not ranked.
func (a *app) rankBySandbox(ctx context.Context, store *feedback.Store, o rankFlags) error {
	ranked, foreign, err := rank.BySandbox(ctx, store, sandbox.Judge{Taste: sandbox.DefaultTaste, Flip: o.noise, Seed: a.seed})
	if err != nil {
		return err
	}
	if !a.quiet {
		fmt.Fprintf(a.err, "the sandbox's judge ranked the answers to %d prompts\n", ranked)
		if foreign > 0 {
			fmt.Fprintf(a.err, "%d prompts are no questions of the sandbox and were left out\n", foreign)
		}
	}
	return nil
}

// whoIsHere names the person at the machine.
func whoIsHere() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "somebody"
}

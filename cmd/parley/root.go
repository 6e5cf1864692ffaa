package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// app is what every verb shares: the streams, and the flags that mean the same everywhere.
type app struct {
	in       io.Reader
	out, err io.Writer

	threads int
	seed    uint64
	json    bool
	quiet   bool

	bar *barProgress // nil: there is none
}

// usageError is a command line that cannot be meant; the program exits 2.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// command builds the whole command line.
func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "parley",
		Short: "Train and run language models on an ordinary processor",
		Long: `Parley takes a person from a pile of text to a model of their own, on the processor they have:
a tokenizer, a Transformer, training, translation, generation, and a measure for every step.`,
		Example: `  parley quickstart                                     # an assistant and a translator in minutes, every stage measured
  parley train translate --data train.en,train.fr       # a translator for your own sentences
  parley translate -m runs/translate < text.en          # use it
  parley eval bleu --ref text.fr output.fr              # measure it
  parley generate -m DIR --prompt "Once upon a time"    # write with a published model`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          arguments(cobra.NoArgs),
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		if args := c.Flags().Args(); c.HasSubCommands() && len(args) > 0 { // the flag was meant for a verb that is misspelt
			return arguments(cobra.NoArgs)(c, args)
		}
		return usagef("%w; see %s --help", err, c.CommandPath())
	})
	f := root.PersistentFlags()
	f.IntVar(&a.threads, "threads", 0, "processors to compute on (0: all); results do not depend on it")
	f.Uint64Var(&a.seed, "seed", 1, "where random numbers start; the same seed gives the same bits")
	f.BoolVar(&a.json, "json", false, "print results as JSON")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "print results only, no progress")
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		if err := c.ValidateRequiredFlags(); err != nil {
			return usagef("%w; see %s --help", err, c.CommandPath())
		}
		if a.threads < 0 || a.threads > 1024 {
			return usagef("--threads %d: must be between 0 and 1024", a.threads)
		}
		return nil
	}
	root.AddCommand(
		a.quickstartCommand(), a.trainCommand(), a.translateCommand(), a.generateCommand(), a.chatCommand(),
		a.tokenizerCommand(), a.evalCommand(), a.rankCommand(), a.inspectCommand(),
		a.convertCommand(), a.sandboxCommand(), a.benchCommand(), a.versionCommand(),
	)
	return root
}

// arguments makes a wrong number of arguments wrong usage.
func arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return usagef("%w%s; see %s --help", err, similar(c, args), c.CommandPath())
		}
		return nil
	}
}

// similar names the verbs that a wrong one may have meant.
func similar(c *cobra.Command, args []string) string {
	if !c.HasSubCommands() || len(args) == 0 {
		return ""
	}
	c.SuggestionsMinimumDistance = 2
	verbs := c.SuggestionsFor(args[0])
	if len(verbs) == 0 {
		return ""
	}
	return " (did you mean " + strings.Join(verbs, " or ") + "?)"
}

// printJSON writes v as indented JSON.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

package main

import (
	"encoding/json"
	"fmt"
	"io"

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
a tokenizer, a Transformer, training, translation, and a measure for every step.`,
		Example: `  parley quickstart                                     # train a small translator and talk to it
  parley train translate --data train.en,train.fr       # a translator for your own sentences
  parley translate -m runs/translate < text.en          # use it
  parley eval bleu --ref text.fr output.fr              # measure it`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          arguments(cobra.NoArgs),
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usagef("%w; see %s --help", err, c.CommandPath())
	})
	f := root.PersistentFlags()
	f.IntVar(&a.threads, "threads", 0, "processors to compute on (0: all); results do not depend on it")
	f.Uint64Var(&a.seed, "seed", 1, "where random numbers start; the same seed gives the same bits")
	f.BoolVar(&a.json, "json", false, "print results as JSON")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "print results only, no progress")
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if a.threads < 0 || a.threads > 1024 {
			return usagef("--threads %d: must be between 0 and 1024", a.threads)
		}
		return nil
	}
	root.AddCommand(a.quickstartCommand(), a.trainCommand(), a.translateCommand(), a.tokenizerCommand(), a.evalCommand(), a.versionCommand())
	return root
}

// arguments makes a wrong number of arguments wrong usage.
func arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return usagef("%w; see %s --help", err, c.CommandPath())
		}
		return nil
	}
}

// printJSON writes v as indented JSON.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

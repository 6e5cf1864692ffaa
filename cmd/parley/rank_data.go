package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/parley-lm/parley/feedback"
)

func (a *app) rankReport(o *rankFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "report",
		Short:   "Say what was ranked, by whom, and how far the raters agree",
		Example: "  parley rank report --feedback talks.db",
		Args:    arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return withStore(c.Context(), o.feedback, func(s *feedback.Store) error {
				r, err := s.Report(c.Context())
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON(r)
				}
				a.printFeedback(r)
				return nil
			})
		},
	}
}

func (a *app) printFeedback(r feedback.Report) {
	fmt.Fprintf(a.out, "%d prompts, %d answers, %d rankings (%d times nobody could judge)\n", r.Prompts, r.Answers, r.Rankings, r.CannotJudge)
	fmt.Fprintf(a.out, "%d pairs, %d ties", r.Pairs, r.Ties)
	if r.Contrary > 0 {
		fmt.Fprintf(a.out, ", %d comparisons that one rater made twice, differently", r.Contrary)
	}
	fmt.Fprintln(a.out)
	width := len("rater")
	for _, rater := range r.Raters {
		width = max(width, len(rater.Name))
	}
	fmt.Fprintf(a.out, "\n%-*s  rankings  cannot judge  agreement with others\n", width, "rater")
	for _, rater := range r.Raters {
		fmt.Fprintf(a.out, "%-*s  %8d  %12d  %s\n", width, rater.Name, rater.Rankings, rater.CannotJudge, percentOr(rater.Agreement, "-"))
	}
	if r.Alpha != nil {
		fmt.Fprintf(a.out, "\nKrippendorff's alpha %.3f, over %d comparisons that several raters made (1: full agreement, 0: chance)\n", *r.Alpha, r.Compared)
	}
}

func percentOr(share *float64, none string) string {
	if share == nil {
		return none
	}
	return strconv.FormatFloat(100**share, 'f', 1, 64) + " %"
}

func (a *app) rankExport(o *rankFlags) *cobra.Command {
	return a.rankWriter(o, "export", "Print all answers and rankings as JSONL, one ranking a line", (*feedback.Store).Export)
}

func (a *app) rankPairs(o *rankFlags) *cobra.Command {
	return a.rankWriter(o, "pairs", "Print all comparisons as JSONL with prompt, chosen and rejected, as TRL has them", (*feedback.Store).ExportPairs)
}

func (a *app) rankWriter(o *rankFlags, name, short string, write func(*feedback.Store, context.Context, io.Writer) (int, error)) *cobra.Command {
	return &cobra.Command{
		Use:     name,
		Short:   short,
		Example: "  parley rank " + name + " --feedback talks.db > " + name + ".jsonl",
		Args:    arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return withStore(c.Context(), o.feedback, func(s *feedback.Store) error {
				w := bufio.NewWriter(a.out)
				n, err := write(s, c.Context(), w)
				if err != nil {
					return err
				}
				if err := w.Flush(); err != nil {
					return err
				}
				if !a.quiet {
					fmt.Fprintf(a.err, "%d lines\n", n)
				}
				return nil
			})
		},
	}
}

func (a *app) rankImport(o *rankFlags) *cobra.Command {
	var rater string
	c := &cobra.Command{
		Use:   "import FILE",
		Short: "Add prompts, answers and rankings from JSONL",
		Long: `Add the lines of a JSONL file, all of them or none: what "parley rank export" prints, or prompt, chosen and rejected as TRL has them.
What is there already stays as it is. Rankings that contradict an earlier one of the same rater are named and left out.`,
		Example: "  parley rank import rankings.jsonl --feedback talks.db",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := feedback.Open(c.Context(), o.feedback)
			if err != nil {
				return err
			}
			defer s.Close()
			return a.importRankings(c.Context(), s, args[0], rater)
		},
	}
	c.Flags().StringVar(&rater, "rater", "import", "whose rankings those are that name nobody")
	return c
}

func (a *app) importRankings(ctx context.Context, s *feedback.Store, path, rater string) error {
	added, err := s.Import(ctx, path, rater, func(place string) {
		fmt.Fprintf(a.err, "%s: contradicts an earlier ranking by the same rater; the earlier one stays\n", place)
	})
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(added)
	}
	if !a.quiet {
		fmt.Fprintf(a.err, "added %d prompts, %d answers, %d rankings; %d rankings were there, %d were contradicted\n",
			added.Prompts, added.Answers, added.Rankings, added.Known, added.Refused)
	}
	return nil
}

// withStore opens what is there already.
func withStore(ctx context.Context, location string, do func(s *feedback.Store) error) error {
	if err := mustExist(location); err != nil {
		return err
	}
	s, err := feedback.Open(ctx, location)
	if err != nil {
		return err
	}
	defer s.Close()
	return do(s)
}

// mustExist reports a file of feedback that is not there.
func mustExist(location string) error {
	if _, err := os.Stat(location); !strings.Contains(location, "://") && err != nil {
		return fmt.Errorf("--feedback: %w", err)
	}
	return nil
}

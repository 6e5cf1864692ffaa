package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/judge"
)

func (a *app) evalRewardCommand() *cobra.Command {
	var model string
	var rewards bool
	files := corpus.PreferenceFiles{Unjudged: true}
	c := &cobra.Command{
		Use:   "reward -m DIR FILE [FILE...]",
		Short: "Score answers with a reward model, and how it agrees with people's preferences",
		Long: `Score the answers in a file with a reward model. Where the file holds preferences, print how often the model prefers what
people preferred, with a 95 % confidence interval, beside always preferring the longer answer, and whether its probabilities
mean what they say (reliability, expected calibration error). Ties are left out of that.

FILE is a .jsonl of {"prompt": …, "chosen": …, "rejected": …}, as TRL has it, or of {"prompt": …, "answers": […]} with "ranks"
or without. A prompt is a text or a list of messages.`,
		Example: `  parley eval reward -m runs/reward held-out.jsonl
  parley eval reward -m runs/reward answers.jsonl --rewards > scored.jsonl`,
		Args: arguments(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, names []string) error {
			j, err := judge.Open(model, a.threads)
			if err != nil {
				return err
			}
			defer j.Close()
			p, err := files.Read(names)
			if err != nil {
				return err
			}
			agreement, list, err := j.Rewards(p)
			if err != nil {
				return err
			}
			if !a.quiet {
				for _, note := range p.Notes() {
					fmt.Fprintln(a.err, note)
				}
			}
			switch {
			case rewards:
				return a.printRewards(list)
			case a.json:
				return a.printJSON(agreement)
			}
			a.printAgreement(agreement)
			return nil
		},
	}
	f := c.Flags()
	f.StringVarP(&model, "model", "m", "", "model directory or run")
	c.MarkFlagRequired("model")
	f.StringVar(&files.Prompt, "prompt-field", "prompt", "key of the prompt")
	f.BoolVar(&rewards, "rewards", false, "print each answer with its reward instead, a JSON object a line")
	return c
}

func (a *app) printRewards(list []judge.Rewarded) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	for _, r := range list {
		if err := e.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) printAgreement(g judge.Agreement) {
	fmt.Fprintf(a.out, "answers            %s to %s prompts, mean reward %.4f\n", count(g.Answers), count(g.Prompts), g.MeanReward)
	if g.Cut > 0 {
		fmt.Fprintf(a.out, "too long           %s answers, of which the end was read\n", count(g.Cut))
	}
	if g.Comparisons == 0 {
		fmt.Fprintln(a.out, "comparisons        none")
		return
	}
	fmt.Fprintf(a.out, "accuracy           %.4f (%.4f to %.4f) of %s comparisons; %s ties are left out\n", g.Accuracy, g.Interval[0], g.Interval[1], count(g.Comparisons), count(g.Ties))
	fmt.Fprintf(a.out, "the longer answer  %.4f\n", g.Longest)
	fmt.Fprintf(a.out, "calibration error  %.4f\n\n%s", g.CalibrationError, &g.Calibration)
}

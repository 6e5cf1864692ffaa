package main

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/spf13/cobra"

	"github.com/parley-lm/parley"
	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/eval"
)

func (a *app) choiceCommand() *cobra.Command {
	var (
		models    scoredModels
		delimiter string
		o         parley.ScoreOptions
	)
	c := &cobra.Command{
		Use:   "choice -m DIR [-m DIR2 ...] FILE.jsonl",
		Short: "Multiple choice: does a language model find the right answer the most probable?",
		Long: `Multiple choice by likelihood, as lm-evaluation-harness defines it: each choice is appended to the query, and the model's answer
is the choice whose tokens are the most probable. FILE has an object a line; "-" is standard input:

  {"query": "The sky is", "choices": ["blue", "made of cheese"], "gold": 0}

The query may also be called question, gold also answer or label. Gold is an index from 0, a list of indices where several are
right, or the text of a choice. Few-shot examples are part of the query.

acc compares log-probabilities, acc_norm divides them by the characters of the choice, acc_bytes by its bytes, acc_token by its
tokens. Each comes with its 95 % confidence interval (Wilson). What does not fit in the model's context is cut from the query's
beginning, and counted.`,
		Example: `  parley eval choice -m DIR questions.jsonl
  parley eval choice -m runs/lm -m runs/larger --json questions.jsonl
  parley eval choice -m DIR --delimiter "" --bos always questions.jsonl`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) (err error) {
			if o.BOS, err = models.start(); err != nil {
				return err
			}
			var questions iter.Seq2[corpus.Question, error]
			switch path := args[0]; {
			case path == "-" && len(models.dirs) > 1:
				return usagef("standard input (-) can be read only once; for several models, give a file")
			case path == "-":
				questions = corpus.QuestionsFrom("standard input", a.input(c.Context()))
			default:
				questions = corpus.Questions(path)
			}
			return a.choices(c.Context(), &models, questions, delimiter, o)
		},
	}
	models.define(c)
	c.Flags().StringVar(&delimiter, "delimiter", " ", "what stands between query and choice")
	return c
}

// choiceJSON is a row of the table in the form of --json.
type choiceJSON struct {
	Model     string `json:"model"`
	Questions int    `json:"questions"`
	eval.ChoiceScores
	Cut       int    `json:"cut"` // questions of which the beginning was left out
	Precision string `json:"precision"`
}

func (a *app) choices(ctx context.Context, models *scoredModels, questions iter.Seq2[corpus.Question, error], delimiter string, o parley.ScoreOptions) error {
	rows := []choiceJSON{}
	err := a.each(models, func(dir string, m *parley.Model) error {
		start := time.Now()
		row := choiceJSON{Model: dir, Precision: models.precision.String()}
		var waiting []corpus.Question // that are not answered yet
		asked := func(yield func(parley.Continuations, error) bool) {
			for q, err := range watched(a, dir, questions) {
				c := parley.Continuations{Prompt: q.Query}
				for _, choice := range q.Choices {
					c.Texts = append(c.Texts, delimiter+choice)
				}
				waiting = append(waiting, q)
				if !yield(c, err) {
					return
				}
			}
		}
		for found, err := range m.LogLikelihoods(ctx, asked, o) {
			if err != nil {
				return err
			}
			q := waiting[0]
			waiting = waiting[1:]
			choices := make([]eval.Choice, len(found))
			for i, l := range found {
				choices[i] = eval.Choice{Text: q.Choices[i], LogProb: l.LogProb, Tokens: len(l.LogProbs)}
			}
			if err := row.Add(choices, q.Right); err != nil {
				return err
			}
			row.Questions++
			if found[0].Cut > 0 {
				row.Cut++
			}
		}
		a.rate(dir, row.Questions, "questions", start)
		rows = append(rows, row)
		return nil
	})
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(rows)
	}
	table := [][]string{{"model", "questions", "acc", "acc_norm", "acc_bytes", "acc_token", "cut"}}
	for _, r := range rows {
		table = append(table, []string{
			r.Model, count(r.Questions), share(r.Plain), share(r.Characters), share(r.Bytes), share(r.Tokens), count(r.Cut),
		})
	}
	return a.printTable(table)
}

// share prints an accuracy with its interval.
func share(a eval.Accuracy) string {
	low, high := a.Interval()
	return fmt.Sprintf("%.4f [%.2f, %.2f]", a.Value(), low, high)
}

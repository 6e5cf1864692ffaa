package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/parley-lm/parley/chat"
	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/sandbox"
)

// judgedLine is answers to a prompt with what the judge found, in the form of rankings of feedback.
type judgedLine struct {
	Prompt    []chat.Message    `json:"prompt"`
	Answers   []string          `json:"answers"`
	Ranks     []int             `json:"ranks"`
	Utilities []float64         `json:"utilities"`
	Outcomes  []sandbox.Outcome `json:"outcomes"`
	Rater     string            `json:"rater"`
}

func (l *judgedLine) String() string {
	var b strings.Builder
	b.WriteString(asPlay(l.Prompt))
	for i, answer := range l.Answers {
		fmt.Fprintf(&b, "  %d. %+.2f  %-10s  %s\n", l.Ranks[i], l.Utilities[i], l.Outcomes[i], answer)
	}
	return b.String()
}

func (a *app) sandboxJudge() *cobra.Command {
	o := &sandboxFlags{}
	t := sandbox.DefaultTaste
	c := &cobra.Command{
		Use:   "judge [FILE]",
		Short: "Rank answers by a known taste, or as a person would who has this taste and errs now and then",
		Long: fmt.Sprintf(`Rank answers by a known taste, or as a person would who has this taste and errs now and then. FILE is JSONL with lines like
{"prompt": [{"role": "user", "content": "…"}], "answers": ["…", "…"]}, and - is standard input; without it, four answers of
careless writers to questions of the sandbox are ranked.

The utility of an answer is %+g if it is right, %+g if it is wrong, %+g if it guesses what the story does not say, %+g if it
does not know what the story says, %+g if it cannot be read; %+g if there is a courtesy in it; less %g for each word beyond those
of the briefest right answer, but not more than %g. Rank 1 is best; equal utilities share a rank.`,
			t.Right, t.Wrong, t.Guess, t.Unsure, t.Unreadable, t.Polite, t.Word, t.MostWords),
		Example: `  parley sandbox judge --count 5
  parley sandbox judge --flip 0.1 --json answers.jsonl      # one pair in ten is ranked the wrong way round`,
		Args: arguments(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			part, err := o.check()
			if err != nil {
				return err
			}
			judge := sandbox.Judge{Taste: t, Flip: o.flip, Temperature: o.heat, Seed: a.seed}
			if len(args) > 0 {
				return a.judgeFile(c, judge, args[0])
			}
			v := sandbox.Village{Seed: a.seed, Part: part}
			return a.printItems(c, o.count, func(i int) (string, any) {
				line := judged(judge, v.Question(i), v.Answers(i, 4, sandbox.Careless))
				return line.String(), line
			})
		},
	}
	o.register(c)
	c.Flags().Float64Var(&o.flip, "flip", 0, "share of pairs that are ranked the wrong way round")
	c.Flags().Float64Var(&o.heat, "temperature", 0, "draw rankings from the Plackett-Luce model of utilities divided by this")
	return c
}

func judged(j sandbox.Judge, q *sandbox.Question, answers []string) *judgedLine {
	line := &judgedLine{Prompt: q.Messages, Answers: answers, Ranks: j.Rank(q, answers), Rater: "sandbox"}
	for _, answer := range answers {
		line.Utilities = append(line.Utilities, j.Utility(q, answer))
		line.Outcomes = append(line.Outcomes, q.Check(answer).Outcome)
	}
	return line
}

// judgeFile ranks the answers of a file, line by line.
func (a *app) judgeFile(c *cobra.Command, j sandbox.Judge, path string) error {
	lines, err := a.openLines(c, path)
	if err != nil {
		return err
	}
	defer lines.Close()
	for {
		text, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(strings.TrimSpace(string(text))) == 0 {
			continue
		}
		line, err := judgedFrom(text, j)
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, lines.Number(), err)
		}
		if err := a.printItems(c, 1, func(int) (string, any) { return line.String(), line }); err != nil {
			return err
		}
	}
}

// judgedFrom judges the answers of one line.
func judgedFrom(text []byte, j sandbox.Judge) (*judgedLine, error) {
	var in struct {
		Prompt  []chat.Message `json:"prompt"`
		Answers []string       `json:"answers"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return nil, fmt.Errorf(`must be an object with "prompt", a list of messages, and "answers", a list of texts: %w`, err)
	}
	if len(in.Answers) == 0 {
		return nil, errors.New(`"answers" is missing or empty: there is nothing to judge`)
	}
	q, err := sandbox.ReadQuestion(in.Prompt)
	if err != nil {
		return nil, err
	}
	return judged(j, q, in.Answers), nil
}

// openLines opens a text file, or standard input for "-".
func (a *app) openLines(c *cobra.Command, path string) (*corpus.Lines, error) {
	if path == "-" {
		return corpus.NewLines("standard input", a.input(c.Context()))
	}
	return corpus.OpenLines(path)
}

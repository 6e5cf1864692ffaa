package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/parley-lm/parley"
	"github.com/parley-lm/parley/compare"
	"github.com/parley-lm/parley/sandbox"
)

// chatComparison is the flags of eval chat.
type chatComparison struct {
	models            []string
	questions, part   string
	sandbox           bool
	count, show       int
	reference, reward string
	o                 compare.Options
}

func (a *app) evalChatCommand() *cobra.Command {
	e := &chatComparison{}
	c := &cobra.Command{
		Use:   "chat -m DIR [-m DIR2 ...] [--questions FILE | --sandbox]",
		Short: "Ask models the same questions: exact answers, win rate, reward, divergence, length, repetition",
		Long: `Ask models the same questions and compare their answers, side by side and for each kind of question.

FILE is JSONL with {"messages": [...]} or {"prompt": "…"}, perhaps with the right "answer" and a "kind"; "-" is standard input. --sandbox asks about never-seen
combinations of words of the sandbox's stories; its questions are checked exactly, also in a FILE, and its judge says whose answer is
better.

exact answers     share of right answers, with Wilson's 95 % confidence interval
won               how often the judge prefers the answer to the first model's; a tie is half a win
utility           what the answers are worth to the judge, on average
reward            by the reward model of --reward
divergence        from --reference, in nats an answer: log p - log p(reference), on average over answers drawn at temperature 1
words, repeated   length of the answers, and the share of 4-grams that occurred before in the same answer`,
		Example: `  parley eval chat -m runs/sft -m runs/ppo --sandbox
  parley eval chat -m runs/sft -m runs/ppo --reference runs/sft --reward runs/reward --sandbox --json
  parley eval chat -m DIR --questions questions.jsonl --show 10`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return a.evalChat(c, e) },
	}
	f := c.Flags()
	f.StringArrayVarP(&e.models, "model", "m", nil, "model directory or run; repeat it to compare models with the first")
	c.MarkFlagRequired("model")
	f.StringVar(&e.questions, "questions", "", "JSONL file of questions")
	f.BoolVar(&e.sandbox, "sandbox", false, "ask questions of the sandbox")
	f.StringVar(&e.part, "split", string(sandbox.Unseen), "of the sandbox: test (never-seen combinations) or valid")
	f.IntVar(&e.count, "count", 500, "of the sandbox: how many questions")
	f.IntVar(&e.show, "show", 3, "answers to so many questions are shown")
	f.StringVar(&e.reference, "reference", "", "model from which divergence is measured")
	f.StringVar(&e.reward, "reward", "", "reward model that scores the answers")
	f.Float64Var(&e.o.Temperature, "temperature", 0, "of the answers; 0 takes the most probable token each time")
	f.IntVar(&e.o.MaxTokens, "max-tokens", 128, "most tokens of an answer")
	return c
}

func (e *chatComparison) check() error {
	switch {
	case e.sandbox == (e.questions != ""):
		return usagef("what is asked? give either --sandbox or --questions FILE")
	case e.part != string(sandbox.Unseen) && e.part != string(sandbox.Validation):
		return usagef("--split %q: must be test or valid", e.part)
	case e.count < 1:
		return usagef("--count %d: must be at least 1", e.count)
	case e.o.MaxTokens < 1:
		return usagef("--max-tokens %d: must be at least 1", e.o.MaxTokens)
	case !(e.o.Temperature >= 0 && e.o.Temperature < 100):
		return usagef("--temperature %g: must be from 0 to below 100", e.o.Temperature)
	case e.show < 0:
		return usagef("--show %d: must be at least 0", e.show)
	}
	return nil
}

func (a *app) evalChat(c *cobra.Command, e *chatComparison) error {
	if err := e.check(); err != nil {
		return err
	}
	questions, err := a.chatQuestions(c, e)
	if err != nil {
		return err
	}
	if e.reward != "" {
		if e.o.Reward, err = compare.OpenRewardModel(e.reward, a.threads); err != nil {
			return err
		}
		defer e.o.Reward.Close()
	}
	return a.compareModels(c, e.models, e.reference, questions, "questions asked", e.o, e.show)
}

// compareModels runs a comparison and prints it: with the model in the directory reference, if any, as the one from which
// divergence is measured, and with examples of so many questions. what is counted meanwhile.
func (a *app) compareModels(c *cobra.Command, models []string, reference string, questions []compare.Question, what string, o compare.Options, show int) (err error) {
	o.Seed = a.seed
	if reference != "" {
		if o.Reference, err = parley.Open(reference, parley.Threads(a.threads)); err != nil {
			return err
		}
		defer o.Reference.Close()
	}
	if count := a.counter(); count != nil {
		o.Progress = func(model string, done, of int) { count(model+": "+what, done, of) }
	}
	report, err := compare.Run(c.Context(), models, func(i int) (*parley.Model, error) {
		return parley.Open(models[i], parley.Threads(a.threads))
	}, questions, o)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(report)
	}
	return a.printComparison(report, questions, show)
}

func (a *app) chatQuestions(c *cobra.Command, e *chatComparison) ([]compare.Question, error) {
	if e.sandbox {
		return compare.Sandbox(sandbox.Village{Seed: a.seed, Part: sandbox.Part(e.part)}, e.count), nil
	}
	lines, err := a.openLines(c, e.questions)
	if err != nil {
		return nil, err
	}
	defer lines.Close()
	return compare.Read(lines, e.questions)
}

// printComparison prints a column for each model, then kinds of questions, then examples.
func (a *app) printComparison(r *compare.Report, questions []compare.Question, show int) error {
	if err := a.printTable(r.Table()); err != nil {
		return err
	}
	w := a.screen()
	for i := range questions[:min(show, len(questions))] {
		q := &questions[i]
		fmt.Fprintf(w, "\n%s\n", q.Messages[len(q.Messages)-1].Content)
		if q.Answer != "" {
			fmt.Fprintf(w, "  right: %s\n", q.Answer)
		}
		for _, m := range r.Models {
			fmt.Fprintf(w, "  %s: %s\n", m.Name, strings.ReplaceAll(m.Answers[i].Text, "\n", " "))
		}
	}
	return nil
}

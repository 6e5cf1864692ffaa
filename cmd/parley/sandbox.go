package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/parley-lm/parley/chat"
	"github.com/parley-lm/parley/sandbox"
)

// sandboxFlags are what the kinds of data share.
type sandboxFlags struct {
	count   int
	part    string
	writers string
	flip    float64
	heat    float64
}

func (a *app) sandboxCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "sandbox",
		Short: "Print generated stories, questions, dialogues and translations, and judge answers",
		Long: `Print the data of the sandbox, a small generated world in which every answer can be checked, to look at it or to train with it.
What is printed depends on --seed and --split alone. Combinations of words such as "the key in the park" are held out: --split train
and valid never contain or imply them, and what --split test asks for is nothing else. They are the same for all seeds.`,
		Example: `  parley sandbox stories --count 3                                  # to pre-train on
  parley sandbox dialogues --count 20000 --json > dialogues.jsonl   # to fine-tune on
  parley sandbox questions --split test --json > questions.jsonl    # to be asked
  parley sandbox judge --flip 0.1                                   # what the judge likes`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.sandboxStories(), a.sandboxQuestions(), a.sandboxDialogues(), a.sandboxTranslations(), a.sandboxJudge())
	return c
}

// sandboxVerb makes a subcommand; each prints one item and a blank line, or as JSON one line.
func (a *app) sandboxVerb(o *sandboxFlags, c *cobra.Command, item func(v sandbox.Village, i int) (text string, object any)) *cobra.Command {
	c.Args = arguments(cobra.NoArgs)
	c.RunE = func(c *cobra.Command, _ []string) error {
		part, err := o.check()
		if err != nil {
			return err
		}
		v := sandbox.Village{Seed: a.seed, Part: part}
		return a.printItems(c, o.count, func(i int) (string, any) { return item(v, i) })
	}
	o.register(c)
	return c
}

func (o *sandboxFlags) register(c *cobra.Command) {
	c.Flags().IntVar(&o.count, "count", 10, "how many")
	c.Flags().StringVar(&o.part, "split", string(sandbox.Train), "train, valid (other items of the same kind) or test (never-seen combinations)")
}

func (o *sandboxFlags) check() (sandbox.Part, error) {
	part := sandbox.Part(o.part)
	switch {
	case o.count < 0:
		return "", usagef("--count %d: must not be negative", o.count)
	case !slices.Contains(sandbox.Parts, part):
		return "", usagef("--split %q: must be train, valid or test", o.part)
	case o.writers != "" && o.writers != "careless" && o.writers != "careful":
		return "", usagef("--writers %q: must be careless or careful", o.writers)
	case !(o.flip >= 0 && o.flip < 0.5):
		return "", usagef("--flip %g: must be from 0 to below 0.5", o.flip)
	case !(o.heat >= 0 && o.heat < 1e6):
		return "", usagef("--temperature %g: must be from 0 to below 1,000,000", o.heat)
	case o.flip > 0 && o.heat > 0:
		return "", usagef("--flip and --temperature are two kinds of error; give one")
	}
	return part, nil
}

func (o *sandboxFlags) writer() sandbox.Writer {
	if o.writers == "careful" {
		return sandbox.Careful
	}
	return sandbox.Careless
}

// printItems prints items until all are there or the command is interrupted.
func (a *app) printItems(c *cobra.Command, count int, item func(i int) (text string, object any)) error {
	w := bufio.NewWriterSize(a.out, 1<<16)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for i := range count {
		if err := c.Context().Err(); err != nil {
			return errors.Join(w.Flush(), err)
		}
		text, object := item(i)
		var err error
		if a.json {
			err = e.Encode(object)
		} else {
			_, err = fmt.Fprintln(w, text)
		}
		if err != nil {
			return err
		}
	}
	return w.Flush()
}

func (a *app) sandboxStories() *cobra.Command {
	return a.sandboxVerb(&sandboxFlags{}, &cobra.Command{
		Use:   "stories",
		Short: "Stories of three to six sentences with what is true at their end, and some sentences in two languages: text to pre-train on",
		Example: `  parley sandbox stories --count 5
  parley sandbox stories --count 40000 --json > stories.jsonl; parley train lm --data stories.jsonl`,
	}, func(v sandbox.Village, i int) (string, any) {
		text := v.Document(i)
		return text + "\n", struct {
			Text string `json:"text"`
		}{text}
	})
}

// questionLine is a question as JSONL has it.
type questionLine struct {
	Messages []chat.Message `json:"messages"`
	Kind     sandbox.Kind   `json:"kind"`
	Answer   string         `json:"answer"` // the briefest right one
}

func (a *app) sandboxQuestions() *cobra.Command {
	return a.sandboxVerb(&sandboxFlags{}, &cobra.Command{
		Use:   "questions",
		Short: "Questions about stories, some of which the story does not answer, with the briefest right answer",
		Example: `  parley sandbox questions --split test
  parley sandbox questions --split test --count 1000 --json > questions.jsonl`,
	}, func(v sandbox.Village, i int) (string, any) {
		q := v.Question(i)
		return asPlay(q.Messages) + fmt.Sprintf("[%s] %s\n", q.Kind, q.Answer()), questionLine{q.Messages, q.Kind, q.Answer()}
	})
}

func (a *app) sandboxDialogues() *cobra.Command {
	o := &sandboxFlags{}
	c := a.sandboxVerb(o, &cobra.Command{
		Use:   "dialogues",
		Short: "Dialogues about stories, to fine-tune on",
		Long: `Dialogues about stories, to fine-tune on. --writers says who wrote the assistant's answers. Careful writers are right. Careless ones,
the default, are as people are who are paid by the dialogue: they are wordy, every other time they guess where the story does not say,
and now and then they take an earlier state of the story for the last one. What is trained on them can be improved by ranking its answers.`,
		Example: `  parley sandbox dialogues --count 5
  parley sandbox dialogues --writers careful --count 20000 --json > dialogues.jsonl`,
	}, func(v sandbox.Village, i int) (string, any) {
		messages := v.Dialogue(i, o.writer())
		return asPlay(messages), struct {
			Messages []chat.Message `json:"messages"`
		}{messages}
	})
	c.Flags().StringVar(&o.writers, "writers", "careless", "who wrote the answers: careless or careful people")
	return c
}

// asPlay says messages as a play does, with a line each.
func asPlay(messages []chat.Message) string {
	var b strings.Builder
	for _, m := range messages {
		fmt.Fprintf(&b, "%s: %s\n", m.Role, m.Content)
	}
	return b.String()
}

func (a *app) sandboxTranslations() *cobra.Command {
	o := &sandboxFlags{}
	c := &cobra.Command{
		Use:   "translations",
		Short: "English sentences with their French translations, with a tab between",
		Example: `  parley sandbox translations --count 5
  parley sandbox translations --count 100000 --json > pairs.jsonl; parley train translate --data pairs.jsonl`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			part, err := o.check()
			if err != nil {
				return err
			}
			next, stop := iter.Pull(sandbox.Translations(a.seed, part))
			defer stop()
			return a.printItems(c, o.count, func(int) (string, any) {
				p, _ := next()
				return p.English + "\t" + p.French, struct {
					English string `json:"en"`
					French  string `json:"fr"`
				}{p.English, p.French}
			})
		},
	}
	o.register(c)
	return c
}

// Package compare asks any number of models the same questions and tells how they differ: how many answers are exact, whose answers
// a judge prefers, what a reward model thinks of them, how far a model has gone from its reference, and how long-winded and
// repetitive it is; for each kind of question too.
//
// Numbers come with their uncertainty from package eval. Start from [Run].
package compare

import (
	"context"
	"fmt"
	"hash/fnv"
	"strings"
	"sync"

	"github.com/parley-lm/parley"
	"github.com/parley-lm/parley/chat"
	"github.com/parley-lm/parley/judge"
)

// Options say how models are asked and measured.
type Options struct {
	// Continue has models go on with the text of the question, whether they were made to talk or not, for MaxTokens tokens or until
	// they end it.
	Continue bool

	Temperature float64 // of the answers; 0: the most probable token each time
	MaxTokens   int     // most tokens of an answer
	Seed        uint64  // of the drawing

	// Reference, if there is one, is what models diverge from. For that, another answer to each question is drawn as the model would
	// by itself, at temperature 1: the mean of log p − log p(reference) over such answers estimates the Kullback–Leibler divergence.
	Reference *parley.Model

	Reward *RewardModel // of the answers; nil: there is none

	Classifier *judge.Judge // says what label text and continuation together have; nil: there is none

	Baseline int // the model whose answers the judge compares the others' with

	Progress func(model string, answered, of int) // may be nil
}

// comparison is one in progress.
type comparison struct {
	options   Options
	questions []Question
}

// Run asks the models, one after the other; one that was not made to talk continues the text of the dialogue by a
// sentence, and its divergence is not measured. Open returns the i-th of them, which is closed again after it has answered. Answers do
// not depend on the company in which they are asked for.
func Run(ctx context.Context, names []string, open func(i int) (*parley.Model, error), questions []Question, o Options) (*Report, error) {
	c := &comparison{options: o, questions: questions}
	answers := make([][]Answer, len(names))
	for i, name := range names {
		m, err := open(i)
		if err != nil {
			return nil, err
		}
		answers[i], err = c.ask(ctx, name, m)
		m.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	r := NewReport(questions, names, answers, o.Baseline)
	r.Continued = o.Continue
	return r, nil
}

// ask has a model answer all questions and measures the answers.
func (c *comparison) ask(ctx context.Context, name string, m *parley.Model) ([]Answer, error) {
	answers, err := c.answers(ctx, name, m, c.options.Temperature)
	if err != nil {
		return nil, err
	}
	if c.options.Reference != nil && (c.options.Continue || m.Talks() == nil) {
		drawn := answers
		if c.options.Temperature != 1 {
			if drawn, err = c.answers(ctx, name, m, 1); err != nil {
				return nil, err
			}
		}
		if err := c.diverge(ctx, m, answers, drawn); err != nil {
			return nil, err
		}
	}
	if c.options.Classifier != nil {
		if err := c.classify(answers); err != nil {
			return nil, err
		}
	}
	if c.options.Reward == nil {
		return answers, nil
	}
	messages, texts := make([][]chat.Message, len(answers)), make([]string, len(answers))
	for i, a := range answers {
		messages[i], texts[i] = c.questions[i].Messages, a.Text
	}
	rewards, err := c.options.Reward.Rewards(messages, texts)
	if err != nil {
		return nil, err
	}
	for i, r := range rewards {
		answers[i].Reward = &r
	}
	return answers, nil
}

// inFlight is how many questions a model is asked at a time.
const inFlight = 64

// answers has a model answer all questions at a temperature.
func (c *comparison) answers(ctx context.Context, name string, m *parley.Model, temperature float64) ([]Answer, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	answers := make([]Answer, len(c.questions))
	places := make(chan struct{}, inFlight)
	var asking sync.WaitGroup
	for i := range c.questions {
		places <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		if c.options.Progress != nil {
			c.options.Progress(name, i, len(c.questions))
		}
		asking.Go(func() {
			defer func() { <-places }()
			if err := c.answer(ctx, m, i, temperature, &answers[i]); err != nil {
				cancel(fmt.Errorf("%s: %w", c.questions[i].name(i), err))
			}
		})
	}
	asking.Wait()
	return answers, context.Cause(ctx)
}

// answer has a model answer one question.
func (c *comparison) answer(ctx context.Context, m *parley.Model, i int, temperature float64, a *Answer) error {
	var text strings.Builder
	o := parley.GenerateOptions{MaxTokens: c.options.MaxTokens, Temperature: &temperature, Seed: c.seed(i)}
	answer := m.Chat(ctx, c.questions[i].Messages, o)
	if c.options.Continue || m.Talks() != nil {
		if !c.options.Continue {
			o.Stop = sentenceEnds
		}
		answer = m.Generate(ctx, plainText(c.questions[i].Messages), o)
	}
	for t, err := range answer {
		if err != nil {
			return err
		}
		text.WriteString(t.Text)
		a.ids = append(a.ids, t.ID)
		a.Tokens++
		a.Ended = t.End == parley.EndOfText || t.End == parley.StopString
	}
	if a.Text = text.String(); !c.options.Continue {
		a.Text = strings.TrimSpace(a.Text)
	}
	return nil
}

// sentenceEnds end the answer of a model that only continues text, and would go on for ever.
var sentenceEnds = []string{".", "!", "?", "\n"}

// plainText is what is said in a dialogue, without the system's messages, for a model that only continues text.
func plainText(messages []chat.Message) string {
	var said []string
	for _, m := range messages {
		if m.Role != chat.System {
			said = append(said, m.Content)
		}
	}
	return strings.Join(said, " ")
}

// seed is what an answer is drawn from: it depends on the question, not on its number.
func (c *comparison) seed(i int) uint64 {
	h := fnv.New64a()
	for _, m := range c.questions[i].Messages {
		fmt.Fprintf(h, "%s\x00%s\x00", m.Role, m.Content)
	}
	return c.options.Seed ^ h.Sum64()
}

// diverge measures how much more probable the drawn answers are to the model than to the reference.
func (c *comparison) diverge(ctx context.Context, m *parley.Model, answers, drawn []Answer) error {
	own, err := c.logProbs(ctx, m, drawn)
	if err != nil {
		return err
	}
	reference, err := c.logProbs(ctx, c.options.Reference, drawn)
	if err != nil {
		return fmt.Errorf("the reference: %w", err)
	}
	for i := range answers {
		answers[i].LogRatio = new(own[i] - reference[i])
	}
	return nil
}

// logProbs returns how probable answers are to a model: of continuations just the tokens that were drawn, of answers their text and
// that the turn ends there.
func (c *comparison) logProbs(ctx context.Context, m *parley.Model, drawn []Answer) ([]float64, error) {
	if c.options.Continue {
		written := make([]parley.Written, len(drawn))
		for i, d := range drawn {
			written[i] = parley.Written{Prompt: plainText(c.questions[i].Messages), Tokens: d.ids}
		}
		return m.LogProbsOfTokens(ctx, written)
	}
	dialogues := make([][]chat.Message, len(drawn))
	for i, d := range drawn {
		dialogues[i] = append(c.questions[i].Messages[:len(c.questions[i].Messages):len(c.questions[i].Messages)], chat.Message{Role: chat.Assistant, Content: d.Text})
	}
	return m.AnswerLogProbs(ctx, dialogues)
}

// classify gives question and answer together a label.
func (c *comparison) classify(answers []Answer) error {
	texts := make([]string, len(answers))
	for i, a := range answers {
		texts[i] = plainText(c.questions[i].Messages) + a.Text
	}
	decisions, err := c.options.Classifier.Decide(texts)
	for i, d := range decisions {
		answers[i].Label = d.Label
	}
	return err
}

func words(text string) int { return len(strings.Fields(text)) }

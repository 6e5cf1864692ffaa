package parley

import (
	"context"
	"fmt"

	"github.com/parley-lm/parley/chat"
	"github.com/parley-lm/parley/score"
)

// Talks says why a model cannot [Model.Chat], or nil: an encoder–decoder translates, and a model that has no chat template was not
// made to talk.
func (m *Model) Talks() error {
	if m.decoder == nil {
		return errNotGenerator
	}
	_, err := m.decoder.talk()
	return err
}

// AnswerLogProbs returns for each dialogue the natural logarithm of the probability of what its last message says, which is the
// assistant's, and that the turn ends there, given the messages before. Each dialogue gets the bits that it gets alone.
func (m *Model) AnswerLogProbs(ctx context.Context, dialogues [][]Message) ([]float64, error) {
	if err := m.Talks(); err != nil {
		return nil, err
	}
	return m.sumLogProbs(ctx, len(dialogues), func(i int) (*score.Request, error) {
		r, err := m.decoder.answerScoring(dialogues[i])
		if err != nil {
			err = fmt.Errorf("dialogue %d: %w", i+1, err)
		}
		return r, err
	})
}

// answerScoring asks how probable the last message of a dialogue is.
func (l *languageModel) answerScoring(messages []Message) (*score.Request, error) {
	n := len(messages)
	if n < 2 || messages[n-1].Role != chat.Assistant {
		return nil, fmt.Errorf("the last of %d messages must be the assistant's answer to those before", n)
	}
	t, err := l.talk()
	if err != nil {
		return nil, err
	}
	before, err := t.template.Prompt(l.tokenizer, messages[:n-1])
	if err != nil {
		return nil, err
	}
	whole, said, err := t.template.Encode(l.tokenizer, messages)
	if err != nil {
		return nil, err
	}
	from, to := common(before, whole), len(whole)
	for to > from && !said[to-1] { // what the template writes after the end of a turn
		to--
	}
	if from == 0 || from == to {
		return nil, fmt.Errorf("the answer %q adds no token to the dialogue", messages[n-1].Content)
	}
	return &score.Request{Context: whole[:from], Continuations: []score.Continuation{{Tokens: whole[from:to], Scored: to - from}}}, nil
}

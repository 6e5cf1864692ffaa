package parley

import (
	"context"
	"fmt"

	"github.com/parley-lm/parley/score"
)

// Written is what a model wrote to a prompt: the ids of an answer of [Model.Generate].
type Written struct {
	Prompt string
	Tokens []int32
}

// LogProbsOfTokens returns the natural logarithm of the probability of each sequence of tokens after its prompt, before any setting
// of the sampling. They need not be those into which the tokenizer would cut their text, so that the models by which they are
// judged must have the vocabulary of the one that wrote them. Each gets the bits that it gets alone.
func (m *Model) LogProbsOfTokens(ctx context.Context, written []Written) ([]float64, error) {
	if m.decoder == nil {
		return nil, errNotScorer
	}
	return m.sumLogProbs(ctx, len(written), func(i int) (*score.Request, error) {
		before, err := m.decoder.prompt(written[i].Prompt)
		if err != nil {
			return nil, fmt.Errorf("answer %d: %w", i+1, err)
		}
		tokens := written[i].Tokens
		return &score.Request{Context: before, Continuations: []score.Continuation{{Tokens: tokens, Scored: len(tokens)}}}, nil
	})
}

package parley

import (
	"context"
	"errors"
	"fmt"

	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/score"
)

// ScoreOptions changes how text is scored.
type ScoreOptions struct {
	BOS BOS // what each document or prompt begins with

	// Window is how many tokens the model sees at a time; 0: its context, but at most 2,048. Stride is how far the window moves
	// on; 0: half of it. They are for [Model.Perplexity].
	Window, Stride int
}

// BOS says whether text that is scored begins with the token that begins a text.
type BOS string

const (
	// BOSOfTokenizer is the default: what the tokenizer puts before a text, which may be nothing.
	BOSOfTokenizer BOS = ""
	// BOSAlways puts bos_token_id, or where there is none eos_token_id, before text to which the tokenizer adds nothing.
	BOSAlways BOS = "always"
	// BOSNever puts nothing before it.
	BOSNever BOS = "never"
)

// beginning returns the ids that text begins with.
func (l *languageModel) beginning(b BOS) ([]int32, error) {
	switch prefix := l.tokenizer.Prefix(); {
	case b == BOSNever:
		return nil, nil
	case b == BOSOfTokenizer || b == BOSAlways && len(prefix) > 0:
		return prefix, nil
	case b != BOSAlways:
		return nil, fmt.Errorf("a BOS of %q; it is %q, %q or %q", b, BOSOfTokenizer, BOSAlways, BOSNever)
	}
	if id, ok := l.first(); ok {
		return []int32{id}, nil
	}
	return nil, errors.New("the model has no token that begins a text")
}

// first is the token before a text that nothing else stands before.
func (l *languageModel) first() (int32, bool) {
	switch g := l.Generation; {
	case g.BOSID != nil:
		return *g.BOSID, true
	case len(g.EOSIDs) > 0:
		return g.EOSIDs[0], true
	}
	return 0, false
}

var errNotScorer = errors.New("this is an encoder–decoder, which translates (Translate); scoring text takes a decoder-only model")

// scorer is a score.Scorer with the pool that it computes on.
type scorer struct {
	*score.Scorer
	pool *kernel.Pool
}

// takeScorer returns a scorer that nobody else uses.
func (m *Model) takeScorer() *scorer {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.scorers); n > 0 {
		s := m.scorers[n-1]
		m.scorers = m.scorers[:n-1]
		return s
	}
	pool := kernel.NewPool(m.threads)
	return &scorer{score.New(m.decoder.Model, pool, 0), pool}
}

// sumLogProbs returns for each of n requests, which have one continuation, the logarithm of its probability.
func (m *Model) sumLogProbs(ctx context.Context, n int, request func(i int) (*score.Request, error)) ([]float64, error) {
	s := m.takeScorer()
	defer m.giveScorer(s)
	next := 0
	sums := make([]float64, 0, n)
	err := s.Run(ctx, func() (*score.Request, error) {
		if next == n {
			return nil, nil
		}
		next++
		return request(next - 1)
	}, func(r *score.Request) error {
		sum := 0.0
		for _, x := range r.Continuations[0].NLL {
			sum -= float64(x)
		}
		sums = append(sums, sum)
		return nil
	})
	return sums, err
}

// giveScorer keeps a scorer for the next call.
func (m *Model) giveScorer(s *scorer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.scorers = append(m.scorers, s)
}

package parley

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"unicode"

	"github.com/parley-lm/parley/score"
)

// Continuations asks how probable texts are after a prompt.
type Continuations struct {
	Prompt string
	Texts  []string // none empty
}

// Likelihood is how probable a text is after a prompt.
type Likelihood struct {
	LogProb  float64   // natural logarithm of the text's probability
	LogProbs []float64 // of each of its tokens
	Cut      int       // so many tokens at the prompt's beginning were left out, because the model's context is full
}

// LogLikelihood returns how probable each of the texts is after the prompt. The prompt is read once; each text gets the bits
// that it gets alone.
//
// What is a token of the text is decided as in lm-evaluation-harness: prompt and text are cut into tokens together, white
// space at the prompt's end counts to the text, and an empty prompt is the token that begins a text. Where no border of
// tokens lies between prompt and text, the token over it counts to the text.
func (m *Model) LogLikelihood(ctx context.Context, prompt string, texts ...string) ([]Likelihood, error) {
	one := func(yield func(Continuations, error) bool) { yield(Continuations{prompt, texts}, nil) }
	for found, err := range m.LogLikelihoods(ctx, one, ScoreOptions{}) {
		return found, err
	}
	return nil, ctx.Err()
}

// LogLikelihoods is [Model.LogLikelihood] for many prompts, which are computed together. It yields the answers in their order;
// an error, which is that of asked or ctx or says what cannot be scored, ends them.
func (m *Model) LogLikelihoods(ctx context.Context, asked iter.Seq2[Continuations, error], o ScoreOptions) iter.Seq2[[]Likelihood, error] {
	return func(yield func([]Likelihood, error) bool) {
		if m.decoder == nil {
			yield(nil, errNotScorer)
			return
		}
		begin, err := m.decoder.beginning(o.BOS)
		if err != nil {
			yield(nil, err)
			return
		}
		next, stop := iter.Pull2(asked)
		defer stop()
		s := m.takeScorer()
		defer m.giveScorer(s)
		var cuts []int // of the requests that are not answered yet
		err = s.Run(ctx, func() (*score.Request, error) {
			c, err, more := next()
			if err != nil || !more {
				return nil, err
			}
			r, cut, err := m.decoder.scoring(begin, c)
			cuts = append(cuts, cut)
			return r, err
		}, func(r *score.Request) error {
			cut := cuts[0]
			cuts = cuts[1:]
			if !yield(likelihoods(r, cut), nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && err != errEnough {
			yield(nil, err)
		}
	}
}

// errEnough ends a scoring whose consumer wants no more.
var errEnough = errors.New("enough")

func likelihoods(r *score.Request, cut int) []Likelihood {
	list := make([]Likelihood, len(r.Continuations))
	for i, c := range r.Continuations {
		l := Likelihood{Cut: cut, LogProbs: make([]float64, len(c.NLL))}
		for j, x := range c.NLL {
			l.LogProbs[j] = -float64(x)
			l.LogProb -= float64(x)
		}
		list[i] = l
	}
	return list
}

// scoring says in ids what is asked for in text, and how many tokens of the prompt are left out for it to fit.
func (l *languageModel) scoring(begin []int32, c Continuations) (r *score.Request, cut int, err error) {
	if len(c.Texts) == 0 {
		return nil, 0, errors.New("there is no text to score after the prompt")
	}
	prompt := strings.TrimRightFunc(c.Prompt, unicode.IsSpace)
	space := c.Prompt[len(prompt):]
	alone := l.tokenizer.Append(nil, prompt)
	wholes, shared, longest := make([][]int32, len(c.Texts)), len(alone), 0
	borders := make([]int, len(c.Texts)) // where the text begins in whole
	for i, text := range c.Texts {
		if text == "" {
			return nil, 0, errors.New("a text to score is empty")
		}
		whole := l.tokenizer.Append(nil, prompt+space+text)
		borders[i] = common(alone, whole)
		if borders[i] == len(whole) {
			return nil, 0, fmt.Errorf("the text %q adds no token to its prompt", text)
		}
		wholes[i], shared, longest = whole, min(shared, borders[i]), max(longest, len(whole))
	}
	if len(begin)+shared == 0 { // something must stand before what is scored
		id, ok := l.first()
		if !ok {
			return nil, 0, errors.New("no token stands before the text, and the model has none that begins a text; give a prompt")
		}
		begin = []int32{id}
	}
	before := append(begin[:len(begin):len(begin)], wholes[0][:shared]...)
	context := l.Model.Config.MaxPositions
	if cut = max(0, len(begin)+longest-1-context); cut >= len(before) {
		return nil, 0, fmt.Errorf("a text to score has %d tokens, and the model's context is %d; shorten it", longest-shared, context)
	}
	r = &score.Request{Context: before[cut:]}
	for i, whole := range wholes {
		r.Continuations = append(r.Continuations, score.Continuation{Tokens: whole[shared:], Scored: len(whole) - borders[i]})
	}
	return r, cut, nil
}

// common returns how many tokens two sequences have in common at their beginning.
func common(a, b []int32) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

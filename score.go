package parley

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"
	"unicode"

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

// mostWindow is the longest window that is chosen where nobody says how long it should be.
const mostWindow = 2048

// Document is a text, or a part of one that is too long to be handed over at once.
type Document struct {
	Text      string
	Continues bool // it goes on with the text of the document before
}

// Perplexity is how well a model predicts text.
type Perplexity struct {
	Documents int     // that had something to predict
	Tokens    int     // that were predicted
	Bytes     int     // of the text that these tokens stand for
	NLL       float64 // the sum of −log p of these tokens, in nats

	Window, Stride int    // in tokens
	Begin          string // the token before each document; "": none, and so the first token of a document is not predicted
}

// Value is exp of the mean of −log p: that of two models may be compared only if they have the same tokens.
func (p Perplexity) Value() float64 { return math.Exp(p.NLL / float64(max(p.Tokens, 1))) }

// BitsPerToken is the mean of −log₂ p.
func (p Perplexity) BitsPerToken() float64 { return p.NLL / math.Ln2 / float64(max(p.Tokens, 1)) }

// BitsPerByte is the sum of −log₂ p for each byte of text: it may be compared whatever the tokens.
func (p Perplexity) BitsPerByte() float64 { return p.NLL / math.Ln2 / float64(max(p.Bytes, 1)) }

// Perplexity predicts every token of documents from those before it in the same document, as far as the window reaches, as
// Hugging Face's recipe for models of fixed length does ([score.Windows] says how). Memory does not grow with the text.
// A document that comes in parts is cut into tokens part by part.
//
// The error is that of documents or ctx, or says what the model cannot do.
func (m *Model) Perplexity(ctx context.Context, documents iter.Seq2[Document, error], o ScoreOptions) (Perplexity, error) {
	if m.decoder == nil {
		return Perplexity{}, errNotScorer
	}
	p, err := m.decoder.newPerplexity(o)
	if err != nil {
		return Perplexity{}, err
	}
	next, stop := iter.Pull2(documents)
	defer stop()
	p.next = next
	s := m.takeScorer()
	defer m.giveScorer(s)
	if err := s.Run(ctx, p.request, p.done); err != nil {
		return Perplexity{}, err
	}
	if p.result.Tokens == 0 {
		return p.result, errors.New("there is no token to predict: the text has none, or one that nothing stands before")
	}
	return p.result, nil
}

// perplexity cuts documents into requests and adds up the answers.
type perplexity struct {
	*languageModel
	result  Perplexity
	begin   []int32 // before each document
	windows score.Windows
	next    func() (Document, error, bool)
	ahead   Document // the next document or part
	more    bool     // there is one
	begun   bool     // ahead has been asked for
	ids     []int32
	spare   []*score.Request
}

func (l *languageModel) newPerplexity(o ScoreOptions) (*perplexity, error) {
	p := &perplexity{languageModel: l}
	context := l.Model.Config.MaxPositions
	if o.Window == 0 {
		o.Window = min(context, mostWindow)
	}
	if o.Stride == 0 {
		o.Stride = max(1, o.Window/2)
	}
	p.windows = score.Windows{Size: o.Window, Stride: o.Stride}
	if err := p.windows.Check(); err != nil {
		return nil, err
	}
	if o.Window > context {
		return nil, fmt.Errorf("a window of %d tokens, but the model's context is %d", o.Window, context)
	}
	var err error
	p.begin, err = l.beginning(o.BOS)
	p.result.Window, p.result.Stride = o.Window, o.Stride
	for _, id := range p.begin {
		spelled, _ := l.tokenizer.Token(id)
		p.result.Begin += spelled
	}
	return p, err
}

// request returns the next window, nil after the last.
func (p *perplexity) request() (*score.Request, error) {
	r := new(score.Request)
	if n := len(p.spare); n > 0 {
		r, p.spare = p.spare[n-1], p.spare[:n-1]
	}
	for !p.windows.Next(r) {
		if more, err := p.read(); err != nil || !more {
			return nil, err
		}
	}
	return r, nil
}

// read hands the next document, or part of one, to the windows.
func (p *perplexity) read() (more bool, err error) {
	if !p.begun {
		p.begun = true
		if err := p.look(); err != nil {
			return false, err
		}
	}
	if !p.more {
		return false, nil
	}
	d := p.ahead
	p.ids = p.ids[:0]
	if !d.Continues {
		p.ids = append(p.ids, p.begin...)
	}
	before := len(p.ids)
	p.ids = p.tokenizer.Append(p.ids, d.Text)
	bytes := len(d.Text)
	if before == 0 && !d.Continues && len(p.ids) > 0 { // the first token is not predicted
		bytes = max(0, bytes-len(p.tokenizer.Decode(p.ids[:1], false)))
	}
	if d.Continues || len(p.ids) > 1 {
		p.result.Bytes += bytes
	}
	if !d.Continues && len(p.ids) > 1 {
		p.result.Documents++
	}
	err = p.look()
	p.windows.Add(p.ids, !p.more || !p.ahead.Continues)
	return true, err
}

// look reads one document, or part, ahead.
func (p *perplexity) look() error {
	var err error
	p.ahead, err, p.more = p.next()
	return err
}

// done adds up an answer.
func (p *perplexity) done(r *score.Request) error {
	for _, x := range r.Continuations[0].NLL {
		p.result.NLL += float64(x)
	}
	p.result.Tokens += len(r.Continuations[0].NLL)
	p.spare = append(p.spare, r)
	return nil
}

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

// giveScorer keeps a scorer for the next call.
func (m *Model) giveScorer(s *scorer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.scorers = append(m.scorers, s)
}

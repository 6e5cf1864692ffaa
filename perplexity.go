package parley

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/parley-lm/parley/score"
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

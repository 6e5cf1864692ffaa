package inspect

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/parley-lm/parley/decode"
	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/tokenizer"
)

// TextReport is everything that was seen of a prompt and its continuation. All lists of tokens are in reading order; layers and
// heads count from 1.
type TextReport struct {
	Prompt       string  `json:"prompt"`
	Continuation string  `json:"continuation"` // what the model was followed through after the prompt
	Forced       bool    `json:"forced"`       // the continuation was given, not the model's own
	LogProb      float64 `json:"log_prob"`     // natural logarithm of the continuation's probability

	Tokens   []Token `json:"tokens"`   // what the model reads: what begins a text, the prompt, the continuation
	Prompted int     `json:"prompted"` // how many of them come before the continuation

	// Steps[i] is the model's view of what follows Tokens[i]: its ID is that of Tokens[i+1]. The last step is about what would
	// come next; its ID is the most probable token.
	Steps     []Step  `json:"steps"`
	Lens      []Layer `json:"lens"`      // the embedding, then layer by layer
	Attention []Head  `json:"attention"` // layer by layer, head by head
}

// Layer is what a layer would have said: the final norm and the output layer applied to its output, as if the model ended there
// (nostalgebraist 2020, "interpreting GPT: the logit lens"). Its Steps are as those of the report; those of the last layer
// are the same.
type Layer struct {
	Layer int    `json:"layer"` // 0: the embedding, before any layer
	Steps []Step `json:"steps"`
}

// TextOptions say what to look at.
type TextOptions struct {
	Continuation string // follow the model through this; "": through its own, the most probable token each time
	MaxTokens    int    // of its own continuation; 0: 16
	Neighbours   int    // of each token's embedding
	Top          int    // most probable tokens of each step
}

// defaultTokens is how many tokens the model writes.
const defaultTokens = 16

// lensTop is how many tokens are told of what a layer would have said, if not fewer are asked for.
const lensTop = 3

// Text runs a decoder-only model over a prompt and its continuation, and reports what happens. It computes on pool. The
// tokenizer is the model's own.
func Text(ctx context.Context, d *hub.Decoder, t *tokenizer.Tokenizer, pool *kernel.Pool, prompt string, o TextOptions) (*TextReport, error) {
	c := d.Model.Config
	if o.Neighbours < 0 || o.Neighbours > c.VocabSize || o.Top < 1 || o.Top > c.VocabSize || o.MaxTokens < 0 {
		return nil, fmt.Errorf("inspect: %d neighbours, the %d most probable tokens of a vocabulary of %d, and %d tokens to write", o.Neighbours, o.Top, c.VocabSize, o.MaxTokens)
	}
	r := &TextReport{Prompt: prompt, Continuation: o.Continuation, Forced: o.Continuation != ""}
	ids, err := r.read(d, t)
	if err != nil {
		return nil, err
	}
	if !r.Forced {
		written, err := write(ctx, d, pool, ids, o.MaxTokens)
		if err != nil {
			return nil, err
		}
		ids = append(ids, written...)
		r.Continuation = continued(t, ids, r.Prompted)
	}
	if most := min(MaxTokens, c.MaxPositions); len(ids) > most {
		return nil, fmt.Errorf("there are %d tokens with the continuation; at most %d can be inspected with this model", len(ids), most)
	}
	r.Tokens = tokens(t, ids)
	if err := r.run(ctx, d.Model, t, pool, ids, o.Top); err != nil {
		return nil, err
	}
	return r, findNeighbours(ctx, t, r.Tokens, c.VocabSize, d.Model.EmbeddingOf, o.Neighbours)
}

// read cuts the prompt and a given continuation into tokens, together.
func (r *TextReport) read(d *hub.Decoder, t *tokenizer.Tokenizer) ([]int32, error) {
	c := d.Model.Config
	begin := slices.Clone(t.Prefix())
	before := t.Append(begin, r.Prompt)
	if len(before) == 0 {
		if d.Generation.BOSID == nil {
			return nil, errors.New("the prompt is empty, and the model has no token that begins a text; give it something to continue")
		}
		begin = []int32{*d.Generation.BOSID}
		before = begin
	}
	if most := min(MaxTokens, c.MaxPositions) - 1; len(before) > most {
		return nil, fmt.Errorf("the prompt has %d tokens; at most %d can be inspected with this model", len(before), most)
	}
	r.Prompted = len(before)
	if !r.Forced {
		return before, nil
	}
	ids := t.Append(begin[:len(begin):len(begin)], r.Prompt+r.Continuation)
	shared := 0
	for shared < len(before) && shared < len(ids) && before[shared] == ids[shared] {
		shared++
	}
	if shared == len(ids) {
		return nil, fmt.Errorf("the continuation %q adds no token to the prompt", r.Continuation)
	}
	if shared == 0 {
		return nil, fmt.Errorf("no token stands before the continuation %q; give a longer prompt", r.Continuation)
	}
	r.Prompted = shared // where no border of tokens lies between the two, the token over it is the continuation's
	return ids, nil
}

// write returns the model's own continuation: the most probable token each time, until it ends the text.
func write(ctx context.Context, d *hub.Decoder, pool *kernel.Pool, prompt []int32, most int) (written []int32, err error) {
	if most == 0 {
		most = defaultTokens
	}
	s := decode.DefaultSampling()
	s.Temperature = 0
	g := decode.NewGenerator(d.Model, pool, decode.GeneratorOptions{})
	request := &decode.Request{
		Context: ctx, Prompt: prompt, Sampling: s, Ends: d.Generation.EOSIDs, MaxTokens: min(most, MaxTokens-len(prompt)),
		Emit: func(_ int, t decode.Token) bool {
			if t.End != decode.EndOfText {
				written = append(written, t.ID)
			}
			return true
		},
		Fail: func(failed error) { err = failed },
	}
	if err := g.Add(request); err != nil {
		return nil, err
	}
	for g.Step() {
	}
	return written, err
}

// continued returns the text of the tokens from the given one on, in the company of those before it.
func continued(t *tokenizer.Tokenizer, ids []int32, from int) string {
	stream, text := t.Stream(true), ""
	for i, id := range ids {
		if said := stream.Next(id); i >= from {
			text += said
		}
	}
	return strings.ToValidUTF8(text+stream.End(), "\ufffd")
}

// run takes the model through the tokens and notes probabilities and attention.
func (r *TextReport) run(ctx context.Context, m *model.Decoder, t *tokenizer.Tokenizer, pool *kernel.Pool, ids []int32, top int) error {
	var b model.TokenBatch
	b.Reset()
	b.Add(ids, make([]int32, len(ids)))
	o := &textObserver{pool: pool}
	tape := grad.Tape{Pool: pool, Observer: o}
	tape.Begin(grad.Mode{})
	m.Hidden(&tape, &b)
	r.Attention = o.heads
	tape.Observer = nil
	for i, output := range o.outputs {
		last := i == len(o.outputs)-1
		show := min(top, lensTop)
		if last {
			show = top
		}
		layer := Layer{Layer: i}
		var err error
		if layer.Steps, err = said(ctx, m, &tape, t, output, ids, show); err != nil {
			return err
		}
		if last {
			r.Steps = layer.Steps
		}
		r.Lens = append(r.Lens, layer)
	}
	for _, s := range r.Steps[r.Prompted-1 : len(ids)-1] {
		r.LogProb += math.Log(s.Prob)
	}
	r.LogProb = finite(r.LogProb)
	return nil
}

// lensRows is the number of rows whose logits exist at a time.
const lensRows = 32

// said is what the output layer makes of a layer's output, [tokens, D].
func said(ctx context.Context, m *model.Decoder, tape *grad.Tape, t *tokenizer.Tokenizer, output kernel.Mat, ids []int32, top int) (steps []Step, err error) {
	for from := 0; from < output.Rows; from += lensRows {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		to := min(from+lensRows, output.Rows)
		tape.Begin(grad.Mode{})
		logits := m.Lens(tape, tape.Input(output.Slice(from, to))).Value()
		for i := range to - from {
			next := int32(0)
			if at := from + i + 1; at < len(ids) {
				next = ids[at]
			} else {
				next = int32(largest(1, logits.Cols, func(j int) float64 { return float64(logits.Row(i)[j]) })[0])
			}
			s, err := step(t, logits.Row(i), next, top)
			if err != nil {
				return nil, err
			}
			steps = append(steps, s)
		}
	}
	return steps, nil
}

// textObserver keeps what each layer hands on, and asks for the probabilities of its attention; it is a [grad.Observer].
type textObserver struct {
	pool    *kernel.Pool
	heads   []Head
	layers  int
	outputs []kernel.Mat // the embedding's first
}

// Attention notes the weights of all heads of a layer.
func (o *textObserver) Attention(_ string, q, k kernel.Mat, spans []kernel.AttnSpan, s kernel.AttnShape) {
	o.layers++
	o.heads = append(o.heads, headsOf(o.pool, Decoder, o.layers, q, k, spans[0], s)...)
}

// Output copies what a layer hands on.
func (o *textObserver) Output(_ string, x kernel.Mat) {
	kept := kernel.NewMat(make([]float32, x.Rows*x.Cols), x.Rows, x.Cols)
	for i := range x.Rows {
		copy(kept.Row(i), x.Row(i))
	}
	o.outputs = append(o.outputs, kept)
}

// Select returns the heads in a layer (0: all), with a number (0: all).
func (r *TextReport) Select(layer, head int) []Head {
	return selected(r.Attention, Decoder, layer, head)
}

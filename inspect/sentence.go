package inspect

import (
	"context"
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

// MaxTokens is the longest sentence that is inspected: the weights of all heads are kept, and nobody can read more.
const MaxTokens = 512

// Options say what to look at.
type Options struct {
	Target     string // follow the decoder through this translation; "": through the model's own
	Beams      int    // of the search for the model's own translation; 0: as its generation_config.json says
	Neighbours int    // of each token's embedding
	Top        int    // most probable tokens of each step
}

// Sentence runs the model over text and reports what happens. It computes on pool.
func Sentence(ctx context.Context, e *hub.EncDec, pool *kernel.Pool, text string, o Options) (*Report, error) {
	vocabulary := e.Model.Config.DecoderVocabSize
	if o.Neighbours < 0 || o.Neighbours > vocabulary || o.Top < 1 || o.Top > vocabulary {
		return nil, fmt.Errorf("inspect: %d neighbours and the %d most probable tokens, of a vocabulary of %d", o.Neighbours, o.Top, vocabulary)
	}
	r := &Report{Text: strings.TrimSpace(text), Translation: strings.TrimSpace(o.Target), Forced: o.Target != ""}
	source, err := encode(e, e.Tokenizer, "sentence", r.Text)
	if err != nil {
		return nil, err
	}
	var target []int32
	if r.Forced {
		target, err = encode(e, e.ForTarget(), "target", r.Translation)
	} else {
		target, r.Translation, err = translate(ctx, e, pool, source, o)
	}
	if err != nil {
		return nil, err
	}
	if err := r.run(e, pool, source, target, o.Top); err != nil {
		return nil, err
	}
	return r, r.findNeighbours(ctx, e, o.Neighbours)
}

// encode returns the ids of a text as the model reads it, or says why it cannot.
func encode(e *hub.EncDec, t *tokenizer.Tokenizer, what, text string) ([]int32, error) {
	if text == "" {
		return nil, fmt.Errorf("the %s is empty", what)
	}
	ids := append(t.Append(nil, text), e.Model.Config.EOSID)
	if most := min(MaxTokens, e.Model.Config.MaxPositions); len(ids) > most {
		return nil, fmt.Errorf("the %s has %d tokens, its end counted; at most %d can be inspected with this model", what, len(ids), most)
	}
	return ids, nil
}

// translate returns the ids of the model's own translation, the end included, and its text.
func translate(ctx context.Context, e *hub.EncDec, pool *kernel.Pool, source []int32, o Options) ([]int32, string, error) {
	g := e.Generation
	d := decode.Options{Beams: g.NumBeams, LengthPenalty: g.LengthPenalty, Early: g.EarlyStopping, MaxLength: min(g.MaxLength, MaxTokens)}
	if o.Beams > 0 {
		d.Beams = o.Beams
	}
	t, err := decode.NewTranslator(e.Model, pool, d)
	if err != nil {
		return nil, "", err
	}
	results, err := t.All(ctx, [][]int32{source})
	if err != nil {
		return nil, "", err
	}
	if results[0].Err != nil {
		return nil, "", results[0].Err
	}
	ids := results[0].Hypotheses[0].IDs
	ids = ids[:min(len(ids), e.Model.Config.MaxPositions-1)]
	return append(ids, e.Model.Config.EOSID), strings.ToValidUTF8(e.Tokenizer.Decode(ids, true), "\ufffd"), nil
}

// run takes the model through the pair and notes tokens, probabilities and attention.
func (r *Report) run(e *hub.EncDec, pool *kernel.Pool, source, target []int32, top int) error {
	var b model.PairBatch
	b.Reset()
	b.Add(source, target, e.Model.Config.DecoderStartID)
	r.Source, r.Inputs, r.Target = tokens(e.Tokenizer, b.Source), tokens(e.Tokenizer, b.Input), tokens(e.Tokenizer, b.Target)

	o := &observer{pool: pool}
	tape := grad.Tape{Pool: pool, Observer: o}
	tape.Begin(grad.Mode{})
	logits := e.Model.Logits(&tape, &b).Value()
	order := []Kind{Encoder, Decoder, Cross}
	slices.SortStableFunc(o.heads, func(a, b Head) int { return slices.Index(order, a.Kind) - slices.Index(order, b.Kind) })
	r.Attention = o.heads
	for i, id := range target {
		s, err := step(e.Tokenizer, logits.Row(i), id, top)
		if err != nil {
			return err
		}
		r.Steps = append(r.Steps, s)
		r.LogProb += math.Log(s.Prob)
	}
	r.LogProb = finite(r.LogProb)
	return nil
}

// findNeighbours looks for the n nearest tokens of every token of the sentence and its translation.
func (r *Report) findNeighbours(ctx context.Context, e *hub.EncDec, n int) error {
	source := func(id int32) []float32 { return e.Model.EmbeddingOf(id, true) }
	target := func(id int32) []float32 { return e.Model.EmbeddingOf(id, false) }
	if err := findNeighbours(ctx, e.Tokenizer, r.Source, e.Model.Config.VocabSize, source, n); err != nil {
		return err
	}
	return findNeighbours(ctx, e.Tokenizer, r.Target, e.Model.Config.DecoderVocabSize, target, n)
}

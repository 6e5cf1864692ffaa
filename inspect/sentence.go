package inspect

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
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
	r.Source, r.Inputs, r.Target = tokens(e, b.Source), tokens(e, b.Input), tokens(e, b.Target)

	o := &observer{pool: pool}
	tape := grad.Tape{Pool: pool, Observer: o}
	tape.Begin(grad.Mode{})
	logits := e.Model.Logits(&tape, &b).Value()
	order := []Kind{Encoder, Decoder, Cross}
	slices.SortStableFunc(o.heads, func(a, b Head) int { return slices.Index(order, a.Kind) - slices.Index(order, b.Kind) })
	r.Attention = o.heads
	for i, id := range target {
		s, err := step(e, logits.Row(i), id, top)
		if err != nil {
			return err
		}
		r.Steps = append(r.Steps, s)
		r.LogProb += math.Log(s.Prob)
	}
	if math.IsInf(r.LogProb, 0) { // JSON has no infinity, and nothing smaller can be told apart
		r.LogProb = -math.MaxFloat64
	}
	return nil
}

// step works out the distribution that the logits of one row stand for.
func step(e *hub.EncDec, logits []float32, id int32, top int) (Step, error) {
	highest := float64(slices.Max(logits))
	sum := 0.0
	for _, x := range logits {
		sum += math.Exp(float64(x) - highest)
	}
	if math.IsNaN(sum) || math.IsInf(highest, 0) {
		return Step{}, errors.New("the model's logits are not numbers; its weights are damaged")
	}
	prob := func(id int32) float64 { return math.Exp(float64(logits[id])-highest) / sum }
	s := Step{ID: id, Prob: prob(id), Rank: 1}
	for other, x := range logits {
		if x > logits[id] || x == logits[id] && int32(other) < id {
			s.Rank++
		}
	}
	for _, best := range largest(top, len(logits), func(i int) float64 { return float64(logits[i]) }) {
		t := tokenOf(e, int32(best))
		s.Top = append(s.Top, Candidate{ID: t.ID, Token: t.Token, Text: t.Text, Prob: prob(t.ID)})
	}
	return s, nil
}

// largest returns the indices of the k largest of n values, largest first; of equals the first.
func largest(k, n int, value func(int) float64) []int {
	best := make([]int, 0, k+1)
	for i := range n {
		v := value(i)
		if len(best) == k && (k == 0 || v <= value(best[k-1])) {
			continue
		}
		at := len(best)
		for at > 0 && value(best[at-1]) < v {
			at--
		}
		best = slices.Insert(best, at, i)
		best = best[:min(len(best), k)]
	}
	return best
}

func tokens(e *hub.EncDec, ids []int32) []Token {
	list := make([]Token, len(ids))
	for i, id := range ids {
		list[i] = tokenOf(e, id)
	}
	return list
}

// tokenOf describes an id. The model may know more ids than the tokenizer; those are named by their number.
func tokenOf(e *hub.EncDec, id int32) Token {
	spelled, ok := e.Tokenizer.Token(id)
	if !ok {
		name := "<" + strconv.Itoa(int(id)) + ">"
		return Token{ID: id, Token: name, Text: name, Special: true}
	}
	text := strings.ToValidUTF8(e.Tokenizer.Decode([]int32{id}, false), "\ufffd")
	return Token{ID: id, Token: spelled, Text: text, Special: e.Tokenizer.Special(id)}
}

// findNeighbours looks for the n nearest tokens of every token of the sentence and its translation.
func (r *Report) findNeighbours(ctx context.Context, e *hub.EncDec, n int) error {
	if n == 0 {
		return nil
	}
	for _, side := range []struct {
		tokens []Token
		source bool
		size   int
	}{{r.Source, true, e.Model.Config.VocabSize}, {r.Target, false, e.Model.Config.DecoderVocabSize}} {
		found := map[int32][]Neighbour{}
		lengths := make([]float64, side.size)
		for id := range lengths {
			v := e.Model.EmbeddingOf(int32(id), side.source)
			lengths[id] = math.Sqrt(dot(v, v))
		}
		for i := range side.tokens {
			t := &side.tokens[i]
			if _, known := found[t.ID]; !known {
				if err := ctx.Err(); err != nil {
					return err
				}
				found[t.ID] = neighbours(e, t.ID, side.source, lengths, n)
			}
			t.Neighbours = found[t.ID]
		}
	}
	return nil
}

// neighbours returns the tokens whose embeddings make the smallest angle with that of id. lengths holds the norms of all.
// An embedding of zeros, such as that of <pad>, has no neighbours and is none.
func neighbours(e *hub.EncDec, id int32, source bool, lengths []float64, n int) []Neighbour {
	if lengths[id] == 0 {
		return nil
	}
	v := e.Model.EmbeddingOf(id, source)
	cosines := make([]float64, len(lengths))
	for other := range cosines {
		cosines[other] = math.Inf(-1)
		if other != int(id) && lengths[other] > 0 {
			cosines[other] = dot(v, e.Model.EmbeddingOf(int32(other), source)) / (lengths[id] * lengths[other])
		}
	}
	var list []Neighbour
	for _, other := range largest(n, len(cosines), func(i int) float64 { return cosines[i] }) {
		if c := cosines[other]; c >= -2 { // neither excluded nor not a number
			t := tokenOf(e, int32(other))
			list = append(list, Neighbour{ID: t.ID, Token: t.Token, Text: t.Text, Cosine: min(1, max(-1, c))})
		}
	}
	return list
}

func dot(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

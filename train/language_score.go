package train

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/model"
)

func (l *languageModel) better(a, b Score) bool { return a.Loss < b.Loss }

// test scores nothing: a language model is judged on its validation text.
func (l *languageModel) test(context.Context) ([]TestScore, error) { return nil, nil }

// score computes loss and bits per byte of the validation text, or while training of as much as validation.limit says, and
// lets the model continue some of it.
func (l *languageModel) score(ctx context.Context, v *ValidationReport, final bool) (err error) {
	limit := l.valid.Tokens()
	if n := int64(l.recipe.Validation.Limit); n > 0 && !final {
		limit = min(limit, n)
	}
	if v.Loss, v.BitsPerByte, err = l.validationLoss(ctx, limit); err != nil {
		return err
	}
	v.Samples, err = l.samples(ctx)
	return err
}

// validationLoss returns the mean of −log p over the first tokens of the validation text, in rows of the context length that
// do not overlap, and its sum in bits for each byte that the tokens stand for.
func (l *languageModel) validationLoss(ctx context.Context, limit int64) (loss, bitsPerByte float64, err error) {
	sum, tokens, bytes := 0.0, 0, 0
	for i := int64(0); i < l.valid.Len() && int64(tokens) < limit; {
		if ctx.Err() != nil {
			return 0, 0, ctx.Err()
		}
		l.batch.Reset()
		for i < l.valid.Len() && (len(l.batch.Target) == 0 || len(l.batch.Target)+l.recipe.Model.Context <= l.recipe.Train.MicroTokens) {
			if err := l.add(l.valid, i); err != nil {
				return 0, 0, err
			}
			i++
		}
		rows := len(l.batch.Target)
		l.nll = slices.Grow(l.nll[:0], rows)[:rows]
		l.tape.Begin(grad.Mode{})
		l.model.Loss(l.tape, &l.batch, 1, l.nll)
		for n, x := range l.nll {
			sum += float64(x)
			bytes += int(l.tokenBytes[l.batch.Target[n]])
		}
		tokens += rows
	}
	return sum / float64(max(1, tokens)), sum / math.Ln2 / float64(max(1, bytes)), nil
}

// samples lets the model continue beginnings of validation rows, spread over all of them.
func (l *languageModel) samples(ctx context.Context) ([]Sample, error) {
	v := &l.recipe.Validation
	length := min(v.SampleTokens, l.recipe.Model.Context-1)
	count := min(int64(v.Samples), l.valid.Len())
	if length == 0 {
		return nil, nil
	}
	defer l.start.settle(l.pool)()
	var list []Sample
	for i := range count {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		row, err := l.valid.Read(nil, i*l.valid.Len()/count)
		if err != nil {
			return nil, err
		}
		from := 0 // a document's beginning, if there is one in the first half of the row
		if to := corpus.NextBegin(row, l.begin, 0); row[0] != l.begin && to < len(row)/2 {
			from = to
		}
		row = row[from:corpus.NextBegin(row, l.begin, from)]
		prompt := row[:min(len(row), max(1, length/4))]
		rng := rand.New(rand.NewPCG(uint64(l.recipe.Train.Seed), uint64(i)))
		written := continuation(l.model, l.tape, prompt, length-len(prompt), v.Temperature, rng, l.begin)
		list = append(list, Sample{
			Source: l.tok.Decode(prompt, true), Reference: l.tok.Decode(row[len(prompt):min(len(row), length)], true), Hypothesis: l.tok.Decode(written, true),
		})
	}
	return list, nil
}

// continuation returns up to n tokens that a model writes after a prompt, until one is end: each the likeliest one, or with
// a temperature above 0 drawn.
func continuation(m *model.Decoder, tape *grad.Tape, prompt []int32, n int, temperature float64, rng *rand.Rand, end int32) (written []int32) {
	cache := m.NewCache()
	piece := model.Piece{Sequence: cache.Sequences.New(), Tokens: prompt, Logits: 1}
	for range n {
		next := draw(m.Step(tape, cache, []model.Piece{piece}).Row(0), temperature, rng)
		if next == end {
			break
		}
		written = append(written, next)
		piece.Tokens = written[len(written)-1:]
	}
	return written
}

// draw chooses a token by its logit.
func draw(logits []float32, temperature float64, rng *rand.Rand) int32 {
	best := slices.Max(logits)
	if temperature == 0 {
		return int32(slices.Index(logits, best))
	}
	weight := func(x float32) float64 { return math.Exp(float64(x-best) / temperature) }
	sum := 0.0
	for _, x := range logits {
		sum += weight(x)
	}
	left := rng.Float64() * sum
	for id, x := range logits {
		if left -= weight(x); left < 0 {
			return int32(id)
		}
	}
	return int32(slices.Index(logits, best)) // rounding used the sum up
}

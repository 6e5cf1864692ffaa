package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/decode"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/model"
)

// Decode measures greedy and beam search, tokens to tokens: the text is cut into tokens beforehand. Without Model it is
// Transformer-Tiny with random weights, which seldom stops by itself, so that every translation gets 16 tokens. With Shape, or
// a Model that is a language model, it measures how fast that reads and writes.
func (b *Bench) Decode(ctx context.Context) error {
	writes := b.Shape != ""
	if b.Model != "" {
		var err error
		if writes, err = hub.IsDecoder(b.Model); err != nil {
			return err
		}
	}
	if writes {
		return b.write(ctx)
	}
	m, sources, o, err := b.sentences()
	if err != nil {
		return err
	}
	pool := b.pools[len(b.pools)-1]
	m.Store().Pack(pool)
	defer m.Store().Unpack()
	for _, beams := range []int{1, 5} {
		o.Beams = beams
		t, err := decode.NewTranslator(m, pool, o)
		if err != nil {
			return err
		}
		if _, err := t.All(ctx, sources[:min(50, len(sources))]); err != nil {
			return err
		}
		var s, tokens series
		for repeat := range b.Repeats {
			b.say("decoding with %d beams, %d of %d", beams, repeat+1, b.Repeats)
			before, start := b.peak(pool), time.Now()
			results, err := t.All(ctx, sources)
			took := time.Since(start).Seconds()
			if err != nil {
				return err
			}
			written, ops := 0, 0.0
			for i, r := range results {
				if r.Err != nil {
					return fmt.Errorf("%s:%d: %w", b.Source, i+1, r.Err)
				}
				n := len(r.Hypotheses[0].IDs) + 1
				written += n
				encoder, decoder := forwardOps(m.Config, float64(len(sources[i])), float64(n))
				ops += encoder + decoder
			}
			s.add(1/took, ops, before, b.peak(pool))
			tokens.rates = append(tokens.rates, float64(written)/took)
		}
		name := "greedy"
		if beams > 1 {
			name = fmt.Sprintf("beam %d", beams)
		}
		f := s.figure("decode", name, pool.Threads(), "sentences/s", float64(len(sources)))
		if beams == 1 { // how many hypotheses a beam search went through is not known
			f = s.ofPeak(f)
		}
		b.add(f)
		b.add(tokens.figure("decode", "", pool.Threads(), "tokens/s", 1))
	}
	return nil
}

// sentences returns the model, the sentences to translate, and how.
func (b *Bench) sentences() (*model.EncDec, [][]int32, decode.Options, error) {
	if b.Model == "" {
		vocabulary, count := 10000, 256
		if b.Small {
			vocabulary, count = 50, 6
		}
		m, err := transformerTiny(vocabulary)
		sources, _ := sentencePairs(vocabulary, count*20)
		return m, sources[:min(count, len(sources))], decode.Options{LengthPenalty: 1, MaxLength: 17}, err
	}
	if b.Source == "" {
		return nil, nil, decode.Options{}, errors.New("bench: a model needs a file of sentences to translate")
	}
	e, err := hub.LoadEncDec(b.Model)
	if err != nil {
		return nil, nil, decode.Options{}, err
	}
	lines, err := corpus.ReadLines(b.Source)
	if err != nil {
		return nil, nil, decode.Options{}, err
	}
	if len(lines) == 0 {
		return nil, nil, decode.Options{}, fmt.Errorf("%s: empty", b.Source)
	}
	sources := make([][]int32, len(lines))
	for i, l := range lines {
		sources[i] = append(e.Tokenizer.Append(nil, l), e.Model.Config.EOSID)
	}
	return e.Model, sources, decode.Options{LengthPenalty: e.Generation.LengthPenalty, Early: e.Generation.EarlyStopping, MaxLength: e.Generation.MaxLength}, nil
}

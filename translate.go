package parley

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/parley-lm/parley/decode"
)

// TranslateOptions changes how translations are searched. In the zero value every field follows the model's
// generation_config.json.
type TranslateOptions struct {
	Beams         int      // hypotheses kept while searching; 1 is greedy search, the fastest
	NBest         int      // translations returned of each sentence, best first; 0 means 1; at most Beams
	LengthPenalty *float64 // scores are divided by length to this power
	MaxLength     int      // most tokens of a translation
	MaxRatio      float64  // with MaxLength 0: at most so many tokens for each token of the sentence, and 10 more
	Scores        bool     // compute scores in greedy search too
}

// Translation is one translation of a sentence.
type Translation struct {
	Text    string
	Score   float64 // LogProb / tokens^LengthPenalty; 0 in greedy search without Scores
	LogProb float64 // natural logarithm of the probability that the model gives it; likewise
}

// SentenceError tells which of several sentences could not be translated, and why.
type SentenceError struct {
	Index int // from 0
	Err   error
}

func (e *SentenceError) Error() string { return fmt.Sprintf("sentence %d: %v", e.Index+1, e.Err) }

// Unwrap returns the cause.
func (e *SentenceError) Unwrap() error { return e.Err }

// Translate translates sentences, with the search that the model's generation_config.json asks for. A sentence that
// cannot be translated, because it is longer than the model reads for example, leaves an empty string and a [SentenceError]
// in the returned error; the others are translated all the same.
func (m *Model) Translate(ctx context.Context, sentences ...string) ([]string, error) {
	found, err := m.TranslateWith(ctx, TranslateOptions{}, sentences...)
	texts := make([]string, len(found))
	for i, t := range found {
		if len(t) > 0 {
			texts[i] = t[0].Text
		}
	}
	return texts, err
}

// TranslateWith is Translate with options; it returns up to NBest translations of each sentence, best first.
func (m *Model) TranslateWith(ctx context.Context, o TranslateOptions, sentences ...string) ([][]Translation, error) {
	if m.translator == nil {
		return nil, errNotTranslator
	}
	e, err := m.engine(o)
	if err != nil {
		return nil, err
	}
	asked := make([]*request, len(sentences))
	for i, s := range sentences {
		asked[i] = e.submit(ctx, m.encode(s))
	}
	found, failed := make([][]Translation, len(sentences)), []error(nil)
	for i, r := range asked {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case result := <-r.reply:
			if result.Err != nil {
				failed = append(failed, &SentenceError{i, result.Err})
			}
			for _, h := range result.Hypotheses {
				found[i] = append(found[i], Translation{Text: m.translator.Tokenizer.Decode(h.IDs, true), Score: h.Score, LogProb: h.LogProb})
			}
		}
	}
	return found, errors.Join(failed...)
}

// encode returns the ids of a sentence as the encoder reads it, EOS at the end; none for an empty sentence.
func (m *Model) encode(sentence string) []int32 {
	sentence = strings.TrimSpace(sentence)
	if sentence == "" {
		return nil
	}
	ids := m.translator.Tokenizer.Append(nil, sentence)
	return append(ids, m.translator.Model.Config.EOSID)
}

// engine returns the one engine for a kind of search.
func (m *Model) engine(o TranslateOptions) (*engine, error) {
	g := m.translator.Generation
	d := decode.Options{Beams: o.Beams, NBest: o.NBest, LengthPenalty: g.LengthPenalty, Early: g.EarlyStopping, MaxLength: o.MaxLength, Scores: o.Scores}
	if d.Beams == 0 {
		d.Beams = max(g.NumBeams, o.NBest)
	}
	if o.LengthPenalty != nil {
		d.LengthPenalty = *o.LengthPenalty
	}
	switch {
	case d.MaxLength != 0:
	case o.MaxRatio != 0:
		d.MaxRatio, d.MaxExtra = o.MaxRatio, 10
	default:
		d.MaxLength = g.MaxLength
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.engines[d]; ok {
		return e, nil
	}
	e, err := newEngine(m.translator.Model, m.threads, d)
	if err != nil {
		return nil, err
	}
	m.engines[d] = e
	return e, nil
}

package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"

	"github.com/parley-lm/parley/model"
)

// Generation holds what generation_config.json says about decoding, in the terms of transformers' generate().
type Generation struct {
	MaxLength     int                 `json:"max_length"` // tokens of the output, the start token included
	NumBeams      int                 `json:"num_beams"`  // 1 is greedy
	LengthPenalty float64             `json:"length_penalty"`
	EarlyStopping model.EarlyStopping `json:"early_stopping"`
	DoSample      bool                `json:"do_sample"`
	Renormalize   bool                `json:"renormalize_logits"` // after banning

	BadWords       [][]int32 `json:"bad_words_ids,omitempty"` // token sequences that may not be produced; [[pad]] for Marian
	PadID          int32     `json:"pad_token_id"`
	EOSID          int32     `json:"eos_token_id"`
	DecoderStartID int32     `json:"decoder_start_token_id"`
	ForcedEOSID    *int32    `json:"forced_eos_token_id,omitempty"` // at max_length; nil forces nothing
}

// DefaultGeneration returns what a model trained by Parley is saved with: beam search with five beams, <pad> banned, the
// end forced at the model's last position.
func DefaultGeneration(c model.EncDecConfig) Generation {
	return Generation{
		MaxLength: c.MaxPositions, NumBeams: 5, LengthPenalty: 1, EarlyStopping: model.StopHeuristic, Renormalize: true,
		BadWords: [][]int32{{c.PadID}}, PadID: c.PadID, EOSID: c.EOSID, DecoderStartID: c.DecoderStartID, ForcedEOSID: c.ForcedEOSID,
	}
}

// readGeneration reads generation_config.json; where a key or the file is missing config.json's value holds, as in
// models published before that file existed; after that greedy search of at most 512 tokens.
func readGeneration(dir string, config *Config, c model.EncDecConfig) (Generation, *Config, error) {
	path := filepath.Join(dir, "generation_config.json")
	raw, err := ReadConfig(path)
	missing := errors.Is(err, fs.ErrNotExist)
	if missing {
		raw, err = NewConfig(path), nil
	}
	if err != nil {
		return Generation{}, nil, err
	}
	g := Generation{
		MaxLength: min(512, c.MaxPositions), NumBeams: 1, LengthPenalty: 1, EarlyStopping: model.StopHeuristic,
		PadID: c.PadID, EOSID: c.EOSID, DecoderStartID: c.DecoderStartID, ForcedEOSID: c.ForcedEOSID,
	}
	if !missing && !raw.Has("forced_eos_token_id") { // config.json's counts only where there is no such file
		g.ForcedEOSID, config = nil, config.without("forced_eos_token_id")
	}
	for _, source := range []*Config{config, raw} {
		if err := source.decodeKnown(&g); err != nil {
			return Generation{}, nil, err
		}
	}
	if err := g.validate(c); err != nil {
		return Generation{}, nil, fmt.Errorf("%s: %w", path, err)
	}
	return g, raw, nil
}

// decodeKnown decodes after turning a list of one end token into that token.
func (c *Config) decodeKnown(g *Generation) error {
	one := &Config{path: c.path, fields: make(map[string]json.RawMessage, len(c.fields))}
	for key, raw := range c.fields {
		one.fields[key] = raw
	}
	if err := one.single("eos_token_id"); err != nil {
		return err
	}
	return one.Decode(g)
}

// single replaces a list of one id by the id; more of them an encoder–decoder has no use for.
func (c *Config) single(key string) error {
	list, err := c.Ints(key)
	if err != nil || len(list) == 0 {
		return err
	}
	if len(list) > 1 {
		return c.errorf(key, "one token id")
	}
	return c.Set(key, list[0])
}

// validate reports the first key whose value cannot be used with the model.
func (g *Generation) validate(c model.EncDecConfig) error {
	if g.MaxLength < 1 {
		return fmt.Errorf("max_length must be at least 1, not %d", g.MaxLength)
	}
	if g.NumBeams < 1 || g.NumBeams > 1024 {
		return fmt.Errorf("num_beams must be from 1 to 1024, not %d", g.NumBeams)
	}
	if math.IsNaN(g.LengthPenalty) || math.Abs(g.LengthPenalty) > 100 {
		return fmt.Errorf("length_penalty must be from -100 to 100, not %g", g.LengthPenalty)
	}
	ids := []struct {
		key string
		id  int32
	}{{"pad_token_id", g.PadID}, {"eos_token_id", g.EOSID}, {"decoder_start_token_id", g.DecoderStartID}}
	if g.ForcedEOSID != nil {
		ids = append(ids, struct {
			key string
			id  int32
		}{"forced_eos_token_id", *g.ForcedEOSID})
	}
	for _, k := range ids {
		if k.id < 0 || int(k.id) >= c.DecoderVocabSize {
			return fmt.Errorf("%s must be in the vocabulary of %d, not %d", k.key, c.DecoderVocabSize, k.id)
		}
	}
	for _, word := range g.BadWords {
		if len(word) != 1 || word[0] < 0 || int(word[0]) >= c.DecoderVocabSize {
			return fmt.Errorf("bad_words_ids must hold single tokens of the vocabulary of %d, not %v", c.DecoderVocabSize, word)
		}
	}
	return nil
}

package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"

	"github.com/parley-lm/parley/model"
)

// DecoderGeneration holds what generation_config.json says about decoding with a decoder-only model, in the terms of
// transformers' generate(), and with its defaults.
type DecoderGeneration struct {
	DoSample      bool                `json:"do_sample"`
	Temperature   float64             `json:"temperature"`
	TopK          int                 `json:"top_k"` // where it samples and nothing is said: 50
	TopP          float64             `json:"top_p"`
	MinP          float64             `json:"min_p"`
	TypicalP      float64             `json:"typical_p"`
	EpsilonCutoff float64             `json:"epsilon_cutoff"`
	EtaCutoff     float64             `json:"eta_cutoff"`
	NumBeams      int                 `json:"num_beams"`
	LengthPenalty float64             `json:"length_penalty"`
	EarlyStopping model.EarlyStopping `json:"early_stopping"`

	RepetitionPenalty float64   `json:"repetition_penalty"`
	NoRepeatNGram     int       `json:"no_repeat_ngram_size"`
	BadWords          [][]int32 `json:"bad_words_ids"`
	Suppress          []int32   `json:"suppress_tokens"`

	MaxLength    int `json:"max_length"`     // prompt included; 0: nothing is said
	MaxNewTokens int `json:"max_new_tokens"` // prompt not included; it counts more; 0: nothing is said
	MinLength    int `json:"min_length"`
	MinNewTokens int `json:"min_new_tokens"`

	BOSID  *int32  `json:"bos_token_id"`
	EOSIDs []int32 `json:"-"` // eos_token_id, one or a list, as far as the vocabulary has them
}

// defaultTopK is what transformers samples from where nobody says anything.
const defaultTopK = 50

// readDecoderGeneration reads generation_config.json; where a key or the file is missing config.json's value holds. The
// returned Config is nil where there is no file.
func readDecoderGeneration(dir string, config *Config, c model.DecoderConfig) (DecoderGeneration, *Config, error) {
	path := filepath.Join(dir, "generation_config.json")
	raw, err := ReadConfig(path)
	if errors.Is(err, fs.ErrNotExist) {
		g, err := parseDecoderGeneration(config, NewConfig(path), c)
		return g, nil, err
	}
	if err != nil {
		return DecoderGeneration{}, nil, err
	}
	g, err := parseDecoderGeneration(config, raw, c)
	return g, raw, err
}

func parseDecoderGeneration(config, raw *Config, c model.DecoderConfig) (DecoderGeneration, error) {
	g := DecoderGeneration{
		Temperature: 1, TopP: 1, TypicalP: 1, NumBeams: 1, LengthPenalty: 1, RepetitionPenalty: 1, BOSID: c.BOSID, EOSIDs: c.EOSIDs,
	}
	for _, source := range []*Config{config, raw} {
		if err := source.Decode(&g); err != nil {
			return g, err
		}
		ends, err := source.Ints("eos_token_id")
		if err != nil {
			return g, err
		}
		if ends != nil {
			g.EOSIDs = nil
		}
		for _, id := range ends {
			if id >= 0 && id < c.VocabSize { // others are never written, so they end nothing
				g.EOSIDs = append(g.EOSIDs, int32(id))
			}
		}
	}
	if g.DoSample && !raw.Has("top_k") && !config.Has("top_k") {
		g.TopK = defaultTopK
	}
	if err := g.validate(c); err != nil {
		return g, fmt.Errorf("%s: %w", raw.Path(), err)
	}
	return g, nil
}

// validate reports the first key whose value cannot be used with the model; those that are only about the choice of a
// token are left to whoever chooses.
func (g *DecoderGeneration) validate(c model.DecoderConfig) error {
	for _, k := range []struct {
		key       string
		got, most int
	}{
		{"num_beams", g.NumBeams - 1, 1023}, {"max_length", g.MaxLength, math.MaxInt}, {"max_new_tokens", g.MaxNewTokens, math.MaxInt},
		{"min_length", g.MinLength, math.MaxInt}, {"min_new_tokens", g.MinNewTokens, math.MaxInt},
	} {
		if k.got < 0 || k.got > k.most {
			return fmt.Errorf("%s must be neither too small nor too large", k.key)
		}
	}
	if math.IsNaN(g.LengthPenalty) || math.Abs(g.LengthPenalty) > 100 {
		return fmt.Errorf("length_penalty must be from -100 to 100, not %g", g.LengthPenalty)
	}
	if g.BOSID != nil && (*g.BOSID < 0 || int(*g.BOSID) >= c.VocabSize) {
		return fmt.Errorf("bos_token_id must be in the vocabulary of %d, not %d", c.VocabSize, *g.BOSID)
	}
	return nil
}

package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/tokenizer"
)

// GGUF files that Parley writes hold, beside what llama.cpp reads, the files of the directory that they were made of, which say
// more: defaults of decoding, several ends of text, how a tokenizer normalizes. The first key is the specification's.
const (
	ggufTokenizerJSON   = "tokenizer.huggingface.json"
	ggufConfigJSON      = "parley.config.json"
	ggufGenerationJSON  = "parley.generation_config.json"
	ggufTokenizerConfig = "parley.tokenizer_config.json"
)

// loadGGUF is loadDecoder for a GGUF file.
func loadGGUF(path string, fill func(m *model.Decoder, sources []source) error) (*Decoder, error) {
	g, err := openGGUF(path)
	if err != nil {
		return nil, err
	}
	d, err := g.decoder(fill)
	return d, errors.Join(err, g.Close())
}

func (g *ggufFile) decoder(fill func(m *model.Decoder, sources []source) error) (*Decoder, error) {
	config, generation, c, err := g.describe()
	if err != nil {
		return nil, err
	}
	d := &Decoder{config: config, generation: generation}
	if generation == nil {
		generation = NewConfig(g.path)
	}
	if d.Generation, err = parseDecoderGeneration(config, generation, c); err != nil {
		return nil, err
	}
	d.Model, err = decoderFrom(g.weights(), c, "its metadata", fill)
	return d, err
}

// weights are the tensors of the file.
func (g *ggufFile) weights() *Weights {
	w := &Weights{path: g.path, files: []*File{g.File}, where: map[string]*File{}, gguf: true}
	for _, name := range g.names {
		w.where[name] = g.File
	}
	return w
}

// describe returns the model's configuration and, where it has one, that of decoding: those of the directory that the file was
// made of if it holds them and they say the same as the metadata that llama.cpp reads, otherwise from these.
func (g *ggufFile) describe() (config, generation *Config, c model.DecoderConfig, err error) {
	if config, generation, c, ok := g.kept(); ok {
		return config, generation, c, nil
	}
	fields, err := g.config()
	if err != nil {
		return nil, nil, c, err
	}
	config = NewConfig(g.path)
	if err := config.Merge(fields); err != nil {
		return nil, nil, c, err
	}
	if c, err = model.ParseDecoderConfig(config.Bytes()); err != nil {
		return nil, nil, c, fmt.Errorf("%s: its metadata, as config.json: %w", g.path, err)
	}
	return config, nil, c, nil
}

// kept returns the configurations that the file holds, if they agree with the metadata.
func (g *ggufFile) kept() (config, generation *Config, c model.DecoderConfig, ok bool) {
	read := func(key string) (config *Config, ok bool) {
		text, ok := g.values[key].(string)
		if !ok {
			return nil, false
		}
		config, err := ParseConfig(g.path+": "+key, []byte(text))
		return config, err == nil
	}
	if config, ok = read(ggufConfigJSON); !ok {
		return nil, nil, c, false
	}
	c, err := model.ParseDecoderConfig(config.Bytes())
	if err != nil {
		return nil, nil, c, false
	}
	if _, separate := g.Info("output.weight"); separate == c.TieEmbeddings {
		if err := config.Set("tie_word_embeddings", !separate); err != nil {
			return nil, nil, c, false
		}
		c.TieEmbeddings = !separate
	}
	pairs, _, _, err := ggufConfig(c)
	if err != nil || slices.ContainsFunc(pairs, func(p ggufPair) bool { return !g.says(p) }) {
		return nil, nil, c, false
	}
	generation, _ = read(ggufGenerationJSON)
	return config, generation, c, true
}

// says reports whether the metadata hold a value.
func (g *ggufFile) says(p ggufPair) bool {
	switch want := p.value.(type) {
	case uint32:
		return g.values[p.key] == int64(want)
	case float32:
		return g.values[p.key] == float64(want)
	case string:
		return g.values[p.key] == want
	case []int32:
		have, err := g.ints(p.key)
		return err == nil && slices.Equal(have, want)
	}
	return false
}

// special reads which tokens begin and end texts. llama.cpp stops at several: those that the file names, and those with names
// that are known for it.
func (g *ggufFile) special(fields map[string]any) error {
	id := func(name string) (*int32, error) {
		key := "tokenizer.ggml." + name + "_token_id"
		if !g.has(key) {
			return nil, nil
		}
		v, err := g.int(key, 0, math.MaxInt32)
		return new(int32(v)), err
	}
	bos, err := id("bos")
	if err != nil {
		return err
	}
	if bos != nil {
		fields["bos_token_id"] = *bos
	}
	var ends []int32
	for _, name := range []string{"eos", "eot", "eom"} {
		end, err := id(name)
		if err != nil {
			return err
		}
		if end != nil && !slices.Contains(ends, *end) {
			ends = append(ends, *end)
		}
	}
	if tokens, err := g.texts("tokenizer.ggml.tokens"); err == nil && len(ends) > 0 {
		for i, token := range tokens {
			if slices.Contains(ggufEnds, token) && !slices.Contains(ends, int32(i)) {
				ends = append(ends, int32(i))
			}
		}
	}
	if len(ends) > 0 {
		fields["eos_token_id"] = ends
	}
	if len(ends) == 1 {
		fields["eos_token_id"] = ends[0]
	}
	return nil
}

// ggufEnds are tokens at which llama.cpp ends a text whatever the file says, of those that decoder-only models have.
var ggufEnds = []string{
	"<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "</s>", "<|eom_id|>", "<EOT>", "<|end_of_text|>", "<｜end▁of▁sentence｜>",
}

// loadGGUFTokenizer reads the tokenizer of a GGUF file.
func loadGGUFTokenizer(path string) (*tokenizer.Tokenizer, error) {
	g, err := openGGUF(path)
	if err != nil {
		return nil, err
	}
	t, err := g.tokenizer()
	return t, errors.Join(err, g.Close())
}

// tokenizer returns the tokenizer.json that the file holds or, if there is none that Parley reads, what llama.cpp reads.
func (g *ggufFile) tokenizer() (*tokenizer.Tokenizer, error) {
	const ggml = "tokenizer.ggml."
	if text, ok := g.values[ggufTokenizerJSON].(string); ok && json.Valid([]byte(text)) {
		if t, err := tokenizer.Parse([]byte(text)); err == nil {
			return t, nil
		}
	}
	v := &tokenizer.GGML{}
	var err error
	if v.Model, err = g.text(ggml + "model"); err != nil {
		return nil, fmt.Errorf("%w: the file has no tokenizer", err)
	}
	if v.Model == ggufNoVocabulary {
		return nil, fmt.Errorf("%s: the file has no tokenizer", g.path)
	}
	if v.Pre, err = g.textOr(ggml+"pre", "default"); err != nil {
		return nil, err
	}
	if v.Tokens, err = g.texts(ggml + "tokens"); err != nil {
		return nil, err
	}
	if g.has(ggml + "token_type") {
		if v.Types, err = g.ints(ggml + "token_type"); err != nil {
			return nil, err
		}
	}
	if g.has(ggml + "scores") {
		if v.Scores, err = g.floats(ggml + "scores"); err != nil {
			return nil, err
		}
	}
	if g.has(ggml + "merges") {
		if v.Merges, err = g.texts(ggml + "merges"); err != nil {
			return nil, err
		}
	}
	for key, id := range map[string]**int32{"bos_token_id": &v.BOS, "eos_token_id": &v.EOS, "unknown_token_id": &v.Unknown} {
		if g.has(ggml + key) {
			n, err := g.int(ggml+key, 0, math.MaxInt32)
			if err != nil {
				return nil, err
			}
			*id = new(int32(n))
		}
	}
	if v.Model == "llama" { // llama.cpp's defaults
		for id, usual := range map[**int32]int32{&v.BOS: 1, &v.EOS: 2, &v.Unknown: 0} {
			if *id == nil && int(usual) < len(v.Tokens) {
				*id = &usual
			}
		}
	}
	for key, flag := range map[string]struct {
		to     *bool
		absent bool
	}{
		"add_bos_token":    {&v.AddBOS, tokenizer.GGMLAddsBOS(v.Model, v.Pre)},
		"add_eos_token":    {&v.AddEOS, false},
		"add_space_prefix": {&v.SpacePrefix, v.Model == "llama"},
	} {
		if *flag.to, err = g.boolOr(ggml+key, flag.absent); err != nil {
			return nil, err
		}
	}
	t, err := tokenizer.ParseGGML(v)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", g.path, err)
	}
	return t, nil
}

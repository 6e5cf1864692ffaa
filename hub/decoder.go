package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/nn"
)

// Decoder is the contents of a decoder-only model's directory.
type Decoder struct {
	Model *model.Decoder
	// Generation is what the directory says about decoding. Saving keeps the file that was read, whatever stands here.
	Generation DecoderGeneration
	// DType is the type in which the weights are saved: F32, F16 or BF16; empty means F32. Loading leaves it empty: the
	// numbers in memory are float32.
	DType DType
	// ShardBytes is how large a file of weights may become before there are several with an index; 0: one file.
	ShardBytes int
	// Files holds further files to save in the directory by name, a tokenizer.json for instance. Loading leaves it empty.
	Files map[string][]byte

	config, generation *Config // as read, with keys that Parley does not know; nil for a new model
}

// LoadDecoder opens a GGUF file, or a directory as GPT2LMHeadModel and the …ForCausalLM of Llama, Mistral, Qwen2 and Qwen3 save it:
// config.json, model.safetensors or its parts with an index, and generation_config.json, which may be missing. Names of
// tensors may lack the prefix of the base model, as those of the published GPT-2 do. Errors name file and key, or tensor.
func LoadDecoder(dir string) (*Decoder, error) {
	return loadDecoder(dir, func(m *model.Decoder, sources []source) error {
		m.Store().Allocate()
		return readSources(sources)
	})
}

// LoadDecoderHalf is [LoadDecoder] for a model that is only used: its matrices are held in bfloat16, laid out by pool, in
// half the memory or less. Numbers of other types are rounded; a model published in bfloat16 computes the same bits, unless
// with bf16 it also multiplies in bfloat16 ([nn.Store.UseBF16]).
func LoadDecoderHalf(dir string, pool *kernel.Pool, bf16 bool) (*Decoder, error) {
	return loadHalf(dir, func(s *nn.Store, fill fillHalf) error {
		if bf16 {
			s.UseBF16()
		}
		return s.AllocateHalf(pool, fill)
	})
}

// LoadDecoderFrozenHalf is [LoadDecoderHalf] for a model that stays as it is while a LoRA learns: gradients can go back
// through its matrices. Call Freeze before they do.
func LoadDecoderFrozenHalf(dir string) (*Decoder, error) {
	return loadHalf(dir, (*nn.Store).AllocateFrozenHalf)
}

// fillHalf writes the numbers of a parameter.
type fillHalf = func(p *nn.Param, to kernel.Half) error

func loadHalf(dir string, allocate func(s *nn.Store, fill fillHalf) error) (*Decoder, error) {
	return loadDecoder(dir, func(m *model.Decoder, sources []source) error {
		of := map[*nn.Param]source{}
		for _, s := range sources {
			of[s.param] = s
		}
		if err := allocate(m.Store(), func(p *nn.Param, to kernel.Half) error { return of[p].readHalf(to) }); err != nil {
			return err
		}
		return readSources(slices.DeleteFunc(sources, func(s source) bool { return s.param.Data == nil }))
	})
}

func loadDecoder(dir string, fill func(m *model.Decoder, sources []source) error) (*Decoder, error) {
	if IsGGUF(dir) {
		return loadGGUF(dir, fill)
	}
	dir = ResolveDir(dir)
	if !isDir(dir) {
		return nil, fmt.Errorf("%s: no such model directory", dir)
	}
	var c model.DecoderConfig
	config, err := readModelConfig(dir, func(data []byte) (err error) {
		c, err = model.ParseDecoderConfig(data)
		return err
	})
	if err != nil {
		return nil, err
	}
	d := &Decoder{config: config}
	if d.Generation, d.generation, err = readDecoderGeneration(dir, config, c); err != nil {
		return nil, err
	}
	w, err := OpenWeights(dir)
	if err != nil {
		return nil, err
	}
	if d.Model, err = decoderFrom(w, c, config.Path(), fill); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return d, w.Close()
}

// readModelConfig reads config.json and hands it to parse.
func readModelConfig(dir string, parse func(data []byte) error) (*Config, error) {
	path := filepath.Join(dir, "config.json")
	data, err := readBounded(path, maxJSON)
	if err != nil {
		return nil, err
	}
	config, err := ParseConfig(path, data)
	if err != nil {
		return nil, err
	}
	if err := parse(data); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return config, nil
}

// decoderFrom builds the model and fills it.
func decoderFrom(w *Weights, c model.DecoderConfig, configPath string, fill func(m *model.Decoder, sources []source) error) (*model.Decoder, error) {
	m, sources, err := planDecoder(w, c, configPath)
	if err != nil {
		return nil, err
	}
	return m, fill(m, sources)
}

// planDecoder builds the model without memory, and finds where its parameters are stored. Everything is compared before memory
// is asked for, so that a false configuration costs nothing.
func planDecoder(w *Weights, c model.DecoderConfig, configPath string) (*model.Decoder, []source, error) {
	if err := checkDecoder(w, c, configPath); err != nil {
		return nil, nil, err
	}
	if c.TieEmbeddings && !w.gguf {
		// Where both are stored and differ, transformers believes the tensors.
		name, _ := findDecoder(w, embeddingName(c), true)
		if _, both := w.Info(headWeight); both && name != headWeight {
			var err error
			if c.TieEmbeddings, err = w.same(name, headWeight); err != nil {
				return nil, nil, err
			}
		}
	}
	m, err := model.DescribeDecoder(c)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", configPath, err)
	}
	sources, err := decoderSources(w, c, m.Params())
	return m, sources, err
}

// headWeight is the output layer's name, in all architectures.
const headWeight = "lm_head.weight"

// embeddingName and firstNormName are tensors by which a configuration is compared with what is stored.
func embeddingName(c model.DecoderConfig) string {
	if c.ModelType == "gpt2" {
		return "transformer.wte.weight"
	}
	return "model.embed_tokens.weight"
}

func firstNormName(c model.DecoderConfig, layer int) string {
	if c.ModelType == "gpt2" {
		return fmt.Sprintf("transformer.h.%d.ln_1.weight", layer)
	}
	return fmt.Sprintf("model.layers.%d.input_layernorm.weight", layer)
}

// checkDecoder compares the sizes in config.json with tensors that are stored: the embedding, one of each layer, and that
// which knows the heads.
func checkDecoder(w *Weights, c model.DecoderConfig, configPath string) error {
	expect := func(name string, shape ...int) error {
		stored, ok := findDecoder(w, name, c.TieEmbeddings)
		if !ok {
			return fmt.Errorf("%s: there is no tensor %q of shape %v, which %s asks for", w.Path(), w.stored(name), shape, configPath)
		}
		if info, _ := w.Info(stored); !slices.Equal(info.Shape, shape) {
			return fmt.Errorf("%s: tensor %q has shape %v; %s asks for %v", w.Path(), stored, info.Shape, configPath, shape)
		}
		return nil
	}
	if err := expect(embeddingName(c), c.VocabSize, c.Hidden); err != nil {
		return err
	}
	for i := range c.Layers {
		if err := expect(firstNormName(c, i), c.Hidden); err != nil {
			return err
		}
	}
	if c.ModelType == "gpt2" {
		return expect("transformer.wpe.weight", c.MaxPositions, c.Hidden)
	}
	return expect("model.layers.0.self_attn.q_proj.weight", c.Heads*c.HeadDim, c.Hidden)
}

// findDecoder returns the name under which a parameter is stored: its own, with or without the base model's prefix, or for
// a tied embedding that of the output layer.
func findDecoder(w *Weights, name string, tied bool) (string, bool) {
	if w.gguf {
		_, ok := w.Info(ggufName(name))
		return ggufName(name), ok
	}
	short := strings.TrimPrefix(strings.TrimPrefix(name, "transformer."), "model.")
	for _, n := range []string{name, short} {
		if _, ok := w.Info(n); ok {
			return n, true
		}
	}
	if tied && (short == "wte.weight" || short == "embed_tokens.weight") {
		_, ok := w.Info(headWeight)
		return headWeight, ok
	}
	return "", false
}

// decoderSources finds every parameter among the stored tensors. A missing, misshapen or superfluous one is an error that
// names it and what was expected; buffers (anything not called weight or bias, and GPT-2's masks) and a second copy of tied
// embeddings are ignored.
func decoderSources(w *Weights, c model.DecoderConfig, params []*nn.Param) ([]source, error) {
	var sources []source
	used := map[string]bool{}
	for _, p := range params {
		name, ok := findDecoder(w, p.Name, c.TieEmbeddings)
		if !ok {
			return nil, fmt.Errorf("%s: there is no tensor %q of shape %v, which the model needs", w.Path(), w.stored(p.Name), p.StoredShape())
		}
		used[name] = true
		s, err := w.source(p, name)
		if err != nil {
			return nil, err
		}
		if w.gguf {
			s.heads = interleavedHeads(c, p.Name)
		}
		sources = append(sources, s)
	}
	for _, name := range w.Tensors() {
		parameter := strings.HasSuffix(name, ".weight") || strings.HasSuffix(name, ".bias")
		mask := c.ModelType == "gpt2" && strings.HasSuffix(name, ".attn.bias") || w.gguf && name == ropeDivisors
		if parameter && !mask && !used[name] && !(name == headWeight && c.TieEmbeddings) {
			info, _ := w.Info(name)
			return nil, fmt.Errorf("%s: tensor %q of shape %v has no place in the model that %s describes", w.Path(), name, info.Shape, describer(w))
		}
	}
	return sources, nil
}

// describer is what says which tensors there should be.
func describer(w *Weights) string {
	if w.gguf {
		return "its metadata"
	}
	return "config.json"
}

// DecoderTensors lists what a model's weights files hold, as transformers names it, tied matrices once. The data is the
// model's own, but for matrices that are stored transposed.
func DecoderTensors(m *model.Decoder, as DType) []Tensor {
	return tensorsOf(m.Params(), as)
}

func tensorsOf(params []*nn.Param, as DType) []Tensor {
	tensors := make([]Tensor, 0, len(params))
	for _, p := range params {
		if !p.Aside {
			tensors = append(tensors, tensorOf(p, as))
		}
	}
	return tensors
}

// SaveDecoder writes a model directory, atomically ([WriteDirAtomic]), that opens in transformers. Of a model that was
// loaded, keys of its configurations that Parley does not know are kept. A directory that holds something other than a
// model is not replaced.
func SaveDecoder(dir string, d *Decoder) error {
	if d.Model.Store().Half() {
		return fmt.Errorf("cannot save %s: the model is held in bfloat16, for use only; load it with its numbers in float32", dir)
	}
	if err := mayReplace(dir); err != nil {
		return err
	}
	if d.DType == "" {
		saved := *d
		saved.DType = F32
		d = &saved
	}
	files, err := d.texts()
	if err != nil {
		return fmt.Errorf("cannot save %s: %w", dir, err)
	}
	return saveModel(dir, files, DecoderTensors(d.Model, d.DType), d.ShardBytes)
}

// saveModel writes the files and the weights of a directory, atomically.
func saveModel(dir string, files map[string][]byte, weights []Tensor, shardBytes int) error {
	return WriteDirAtomic(dir, func(tmp string) error {
		for name, data := range files {
			if err := os.WriteFile(filepath.Join(tmp, name), data, 0o666); err != nil {
				return err
			}
		}
		return saveWeights(tmp, weights, shardBytes)
	})
}

// texts returns all files of the directory but the weights.
func (d *Decoder) texts() (map[string][]byte, error) {
	files, err := furtherFiles(d.Files)
	if err != nil {
		return nil, err
	}
	config, err := modelConfig(d.config, d.Model.Config.Fields(), []string{"architectures", "tie_word_embeddings", "vocab_size"}, d.DType)
	if err != nil {
		return nil, err
	}
	generation, tokens := NewConfig("generation_config.json"), map[string]json.RawMessage{}
	if d.generation != nil {
		tokens = d.generation.fields
	}
	if err := generation.Merge(tokens); err != nil {
		return nil, err
	}
	if d.generation == nil {
		for _, key := range []string{"bos_token_id", "eos_token_id", "pad_token_id"} {
			if config.Has(key) {
				generation.fields[key] = config.fields[key]
			}
		}
	}
	files["config.json"], files["generation_config.json"] = config.Bytes(), generation.Bytes()
	return files, nil
}

// furtherFiles checks the names of files that stand beside a model, and copies the map.
func furtherFiles(given map[string][]byte) (map[string][]byte, error) {
	files := map[string][]byte{}
	for name, data := range given {
		if name != filepath.Base(name) || strings.HasSuffix(name, ".safetensors") {
			return nil, fmt.Errorf("%q is not the name of a further file", name)
		}
		files[name] = data
	}
	return files, nil
}

// modelConfig returns the config.json of a model that is saved with its weights in a type: the model's fields or, of one
// that was read from a directory, that file with only the changed keys new.
func modelConfig(read *Config, fields map[string]any, changed []string, as DType) (*Config, error) {
	name, ok := map[DType]string{F32: "float32", F16: "float16", BF16: "bfloat16"}[as]
	if !ok {
		return nil, fmt.Errorf("weights of type %q; supported: F32, F16, BF16", as)
	}
	config := NewConfig("config.json")
	if read != nil {
		if err := config.Merge(read.fields); err != nil {
			return nil, err
		}
		all := fields
		fields = map[string]any{}
		for _, key := range changed {
			fields[key] = all[key]
		}
	}
	fields["torch_dtype"] = name
	if config.Has("dtype") { // transformers 5's spelling
		delete(fields, "torch_dtype")
		delete(config.fields, "torch_dtype")
		fields["dtype"] = name
	}
	return config, config.Merge(fields)
}

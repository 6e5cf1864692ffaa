package hub

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/tokenizer"
)

// EncDec is the contents of an encoder–decoder's model directory.
type EncDec struct {
	Model      *model.EncDec
	Tokenizer  *tokenizer.Tokenizer
	Generation Generation
	// TargetTokenizer cuts text of the target language where that is done in another way than for the source language
	// (opus-mt models); nil where Tokenizer does both. The ids mean the same.
	TargetTokenizer *tokenizer.Tokenizer
	// Files holds further files to save in the directory by name, a README.md for instance. Loading leaves it empty.
	Files map[string][]byte

	config, generation *Config           // as read, with keys that Parley does not know; nil for a new model
	tokenizerFiles     map[string][]byte // of a tokenizer that has no tokenizer.json
}

// maxTable bounds the table of positions, which no file has to back: rows × width, in numbers.
const maxTable = 1 << 24

// LoadEncDec opens a directory as MarianMTModel and PreTrainedTokenizerFast save it: config.json, model.safetensors or its
// parts with an index, tokenizer.json and generation_config.json, of which only the last may be missing; opus-mt models have source.spm,
// target.spm and vocab.json in place of tokenizer.json. Errors name file and key, or tensor.
func LoadEncDec(dir string) (*EncDec, error) {
	e, err := LoadEncDecModel(dir)
	if err != nil {
		return nil, err
	}
	dir = ResolveDir(dir)
	source, target, err := LoadTokenizers(dir)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "tokenizer.json")
	e.Tokenizer = source
	if target != source {
		e.TargetTokenizer, path = target, filepath.Join(dir, marianVocab)
		if e.tokenizerFiles, err = marianFiles(dir); err != nil {
			return nil, err
		}
	}
	if c := e.Model.Config; source.Size() > min(c.VocabSize, c.DecoderVocabSize) {
		return nil, fmt.Errorf("%s: has %d tokens, the model's vocab_size is %d", path, source.Size(), min(c.VocabSize, c.DecoderVocabSize))
	}
	return e, nil
}

// ForTarget returns the tokenizer for text of the target language.
func (e *EncDec) ForTarget() *tokenizer.Tokenizer {
	if e.TargetTokenizer != nil {
		return e.TargetTokenizer
	}
	return e.Tokenizer
}

// LoadEncDecModel is [LoadEncDec] without the tokenizer.
func LoadEncDecModel(dir string) (*EncDec, error) {
	dir = ResolveDir(dir)
	if !isDir(dir) {
		return nil, fmt.Errorf("%s: no such model directory", dir)
	}
	config, err := ReadConfig(filepath.Join(dir, "config.json"))
	if err != nil {
		return nil, err
	}
	c, err := encDecConfig(config)
	if err != nil {
		return nil, err
	}
	e := &EncDec{config: config}
	if e.Generation, e.generation, err = readGeneration(dir, config, c); err != nil {
		return nil, err
	}
	c.ForcedEOSID = e.Generation.ForcedEOSID
	w, err := OpenWeights(dir)
	if err != nil {
		return nil, err
	}
	if e.Model, err = encDecFrom(w, config.Path(), c); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return e, w.Close()
}

// encDecFrom builds the model and fills it.
func encDecFrom(w *Weights, configPath string, c model.EncDecConfig) (*model.EncDec, error) {
	if err := checkSize(w, configPath, c); err != nil {
		return nil, err
	}
	c, err := untie(w, c)
	if err != nil {
		return nil, err
	}
	m, err := model.NewEncDec(c)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", configPath, err)
	}
	return m, readEncDec(w, m)
}

// untie corrects what the configuration says of embeddings that are one by what is stored: where several are, and
// differ, transformers believes the tensors.
func untie(w *Weights, c model.EncDecConfig) (model.EncDecConfig, error) {
	differs := func(name, other string) (bool, error) {
		if _, both := w.Info(name); !both || name == other {
			return false, nil
		}
		same, err := w.same(name, other)
		return !same, err
	}
	const source, target = "model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight"
	table := target
	if c.ShareEmbeddings {
		table, _ = find(w, "model.shared.weight")
		first, err := differs(source, table)
		second, err2 := differs(target, table)
		if err = errors.Join(err, err2); err != nil {
			return c, err
		}
		if first || second {
			c.ShareEmbeddings, table = false, target
		}
	}
	if _, ok := w.Info(table); !ok || !c.TieEmbeddings {
		return c, nil
	}
	untied, err := differs(headWeight, table)
	c.TieEmbeddings = !untied
	return c, err
}

func isFile(path string) bool {
	stat, err := os.Stat(path)
	return err == nil && stat.Mode().IsRegular()
}

// encDecConfig takes the keys of config.json that the model has, with the library's defaults for missing ones.
func encDecConfig(config *Config) (model.EncDecConfig, error) {
	c := model.DefaultEncDecConfig()
	if kind, err := config.StringOr("model_type", ""); err != nil {
		return c, err
	} else if kind != "marian" {
		return c, config.errorf("model_type", `"marian"`)
	}
	for _, key := range []string{"eos_token_id", "forced_eos_token_id"} {
		if err := config.single(key); err != nil {
			return c, err
		}
	}
	if err := config.Decode(&c); err != nil {
		return c, err
	}
	if config.isNull("forced_eos_token_id") {
		c.ForcedEOSID = nil
	}
	if err := c.Validate(); err != nil {
		return c, fmt.Errorf("%s: %w", config.Path(), err)
	}
	if c.MaxPositions > maxTable/c.DModel {
		return c, config.errorf("max_position_embeddings", fmt.Sprintf("at most %d for d_model %d", maxTable/c.DModel, c.DModel))
	}
	return c, nil
}

// checkSize compares the sizes that config.json gives with tensors that the file has, before any memory is asked for: a
// false config.json costs no more than a few times the file's size.
func checkSize(w *Weights, configPath string, c model.EncDecConfig) error {
	embedding := "model.shared.weight"
	if !c.ShareEmbeddings {
		embedding = "model.encoder.embed_tokens.weight"
	}
	expect := func(name, key string, rows, cols int) error {
		if stored, ok := find(w, name); ok {
			return matchShape(w, stored, []int{rows, cols}, fmt.Sprintf("%s (%s, d_model)", configPath, key))
		}
		return fmt.Errorf("%s: there is no tensor %q of shape %v, which %s asks for", w.Path(), name, []int{rows, cols}, configPath)
	}
	if err := expect(embedding, "vocab_size", c.VocabSize, c.DModel); err != nil {
		return err
	}
	for i := range c.EncoderLayers {
		if err := expect(fmt.Sprintf("model.encoder.layers.%d.fc1.weight", i), "encoder_ffn_dim", c.EncoderFFN, c.DModel); err != nil {
			return err
		}
	}
	for i := range c.DecoderLayers {
		if err := expect(fmt.Sprintf("model.decoder.layers.%d.fc1.weight", i), "decoder_ffn_dim", c.DecoderFFN, c.DModel); err != nil {
			return err
		}
	}
	stored := 0.0
	for _, name := range w.Tensors() {
		info, _ := w.Info(name)
		stored += float64(info.Len())
	}
	if needed := encDecSize(c); needed > 4*stored+1<<20 {
		return fmt.Errorf("%s: describes a model of %.3g numbers, but %s holds %.3g", configPath, needed, w.Path(), stored)
	}
	return nil
}

// encDecSize counts a model's parameters; floating point, because a hostile configuration overflows integers.
func encDecSize(c model.EncDecConfig) float64 {
	d := float64(c.DModel)
	attention := 4 * (d*d + d)
	size := float64(c.VocabSize)*d + float64(c.DecoderVocabSize)*(2*d+1)
	size += float64(c.EncoderLayers) * (attention + 2*d*float64(c.EncoderFFN))
	return size + float64(c.DecoderLayers)*(2*attention+2*d*float64(c.DecoderFFN))
}

// tied lists the names under which published files carry one shared matrix.
var tied = []string{"model.shared.weight", "lm_head.weight", "model.decoder.embed_tokens.weight", "model.encoder.embed_tokens.weight"}

// find returns the name under which a parameter is stored: its own, or for the shared embeddings another of the tied
// names.
func find(w *Weights, name string) (string, bool) {
	if _, ok := w.Info(name); ok {
		return name, true
	}
	if name == "model.shared.weight" {
		for _, other := range tied {
			if _, ok := w.Info(other); ok {
				return other, true
			}
		}
	}
	return "", false
}

func matchShape(w *Weights, name string, want []int, whose string) error {
	if info, _ := w.Info(name); !slices.Equal(info.Shape, want) {
		return fmt.Errorf("%s: tensor %q has shape %v; %s asks for %v", w.where[name].Path(), name, info.Shape, whose, want)
	}
	return nil
}

// readEncDec fills a model's parameters. A missing, misshapen or superfluous parameter is an
// error naming it and what was expected; buffers (anything not called weight or bias), stored sinusoidal positions and
// second copies of tied embeddings are ignored; a missing final_logits_bias is zero.
func readEncDec(w *Weights, m *model.EncDec) error {
	known := map[string]bool{"final_logits_bias": true}
	for _, name := range tied {
		known[name] = true // where embeddings are tied, second copies
	}
	for _, p := range m.Params() {
		known[p.Name] = true
		name, ok := find(w, p.Name)
		if !ok {
			return fmt.Errorf("%s: there is no tensor %q of shape %v, which the model needs", w.Path(), p.Name, p.Shape)
		}
		if err := matchShape(w, name, p.Shape, "the model"); err != nil {
			return err
		}
		if err := w.where[name].ReadFloat32(name, p.Data); err != nil {
			return err
		}
	}
	for _, name := range w.Tensors() {
		parameter := strings.HasSuffix(name, ".weight") || strings.HasSuffix(name, ".bias")
		if parameter && !known[name] && !strings.HasSuffix(name, ".embed_positions.weight") {
			info, _ := w.Info(name)
			return fmt.Errorf("%s: tensor %q of shape %v has no place in the model that config.json describes", w.where[name].Path(), name, info.Shape)
		}
	}
	bias := m.LogitsBias()
	clear(bias)
	info, ok := w.Info("final_logits_bias")
	if !ok {
		return nil
	}
	if info.Len() != len(bias) {
		return matchShape(w, info.Name, []int{1, len(bias)}, "the model")
	}
	return w.where[info.Name].ReadFloat32(info.Name, bias)
}

// EncDecTensors lists what a model's model.safetensors holds, as transformers names it: each tied matrix once. The data
// is the model's own.
func EncDecTensors(m *model.EncDec) []Tensor {
	var tensors []Tensor
	add := func(name string, shape []int, data []float32) {
		tensors = append(tensors, Tensor{Name: name, DType: F32, Shape: shape, Float32: data})
	}
	for _, p := range m.Params() {
		add(p.Name, p.Shape, p.Data)
		if p.Name == "model.shared.weight" && !m.Config.TieEmbeddings {
			// transformers 5 ties nothing then, and would draw the two at random.
			add("model.encoder.embed_tokens.weight", p.Shape, p.Data)
			add("model.decoder.embed_tokens.weight", p.Shape, p.Data)
		}
	}
	bias := m.LogitsBias()
	add("final_logits_bias", []int{1, len(bias)}, bias)
	return tensors
}

// SaveEncDec writes a model directory, atomically ([WriteDirAtomic]), that opens in transformers as MarianMTModel and
// PreTrainedTokenizerFast. CTranslate2's converter asks further that "<pad>" is the tokenizer's last token and the
// decoder's start, with a row of zeros. Of a model that was loaded, keys of its configurations that Parley does not know
// are kept, and so are the files of an opus-mt model's tokenizer. Without a Tokenizer its two files are left out. A directory that holds something other than a model is not
// replaced.
func SaveEncDec(dir string, e *EncDec) error {
	if err := mayReplace(dir); err != nil {
		return err
	}
	files, err := e.texts()
	if err != nil {
		return fmt.Errorf("cannot save %s: %w", dir, err)
	}
	return WriteDirAtomic(dir, func(tmp string) error {
		for name, data := range files {
			if err := os.WriteFile(filepath.Join(tmp, name), data, 0o666); err != nil {
				return err
			}
		}
		return SaveSafetensors(filepath.Join(tmp, "model.safetensors"), EncDecTensors(e.Model), map[string]string{"format": "pt"})
	})
}

// mayReplace refuses directories whose loss would be regretted.
func mayReplace(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 || isFile(filepath.Join(dir, "config.json")) || isFile(filepath.Join(dir, adapterConfigFile)) {
		return nil // what cannot be read will fail where it is written, with the reason
	}
	return fmt.Errorf("cannot save a model as %s: the directory holds other files (%s) and no config.json; name a new directory", dir, entries[0].Name())
}

// texts returns all files of the directory but the weights.
func (e *EncDec) texts() (map[string][]byte, error) {
	files := map[string][]byte{}
	for name, data := range e.Files {
		if name != filepath.Base(name) || name == "model.safetensors" {
			return nil, fmt.Errorf("%q is not the name of a further file", name)
		}
		files[name] = data
	}
	config, generation := NewConfig("config.json"), NewConfig("generation_config.json")
	if e.config != nil {
		err := errors.Join(config.Merge(e.config.fields), generation.Merge(e.generation.fields))
		if err != nil {
			return nil, err
		}
	}
	c := e.Model.Config
	c.DType = "float32"
	if err := e.Generation.validate(c); err != nil {
		return nil, err
	}
	if err := errors.Join(config.Merge(c), generation.Merge(e.Generation)); err != nil {
		return nil, err
	}
	delete(config.fields, "dtype") // transformers 5's spelling of torch_dtype, of a model that was loaded
	files["config.json"], files["generation_config.json"] = config.Bytes(), generation.Bytes()
	if e.Tokenizer == nil {
		return files, nil
	}
	if e.Tokenizer.Size() > c.VocabSize {
		return nil, fmt.Errorf("the tokenizer has %d tokens, the model a vocab_size of %d", e.Tokenizer.Size(), c.VocabSize)
	}
	if e.TargetTokenizer != nil {
		maps.Copy(files, e.tokenizerFiles)
		return files, nil
	}
	var err error
	if files["tokenizer.json"], err = e.Tokenizer.JSON(); err != nil {
		return nil, err
	}
	files["tokenizer_config.json"], err = e.Tokenizer.Config(e.roles(), c.MaxPositions)
	return files, err
}

// roles names the tokens that transformers and CTranslate2 look up by their role.
func (e *EncDec) roles() tokenizer.Roles {
	var r tokenizer.Roles
	r.EOS, _ = e.Tokenizer.Token(e.Model.Config.EOSID)
	r.Pad, _ = e.Tokenizer.Token(e.Model.Config.PadID)
	if bos := e.Model.Config.BOSID; bos != nil {
		r.BOS, _ = e.Tokenizer.Token(*bos)
	}
	if _, ok := e.Tokenizer.ID("<unk>"); ok {
		r.Unknown = "<unk>"
	}
	return r
}

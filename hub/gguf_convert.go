package hub

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/tokenizer"
)

// ggufNoVocabulary is the tokenizer.ggml.model of a file without a tokenizer.
const ggufNoVocabulary = "no_vocab"

// ggufFileTypes are the numbers by which llama.cpp calls the type of most tensors.
var ggufFileTypes = map[DType]uint32{F32: 0, F16: 1, BF16: 32}

// ConvertGGUF writes the decoder-only model of a directory as a GGUF file, atomically ([WriteFileAtomic]), for llama.cpp. Its
// matrices become numbers of the type as, F32, F16 or BF16; vectors and positions stay F32, as llama.cpp wants them. One tensor
// at a time is in memory. notes say where llama.cpp will answer otherwise than the model; what it cannot express at all is an
// error that names the file and the key, tensor or part.
func ConvertGGUF(dir, path string, as DType) (notes []string, err error) {
	if _, known := ggufFileTypes[as]; !known {
		return nil, fmt.Errorf("GGUF with matrices of type %q; supported: F32, F16, BF16", as)
	}
	dir = ResolveDir(dir)
	if decoderOnly, err := IsDecoder(dir); err != nil {
		return nil, err
	} else if !decoderOnly {
		return nil, fmt.Errorf("%s: an encoder–decoder, which llama.cpp does not compute; decoder-only models can be written as GGUF", dir)
	}
	var c model.DecoderConfig
	config, err := readModelConfig(dir, func(data []byte) (err error) {
		c, err = model.ParseDecoderConfig(data)
		return err
	})
	if err != nil {
		return nil, err
	}
	generation, _, err := readDecoderGeneration(dir, config, c)
	if err != nil {
		return nil, err
	}
	w, err := OpenWeights(dir)
	if err != nil {
		return nil, err
	}
	x := &ggufExport{dir: dir, config: c, generation: generation, as: as}
	err = x.write(w, config.Path(), path)
	return x.notes, errors.Join(err, w.Close())
}

// ggufExport is a directory on its way into a GGUF file.
type ggufExport struct {
	dir        string
	config     model.DecoderConfig
	generation DecoderGeneration
	as         DType
	pairs      []ggufPair
	notes      []string
}

func (x *ggufExport) add(key string, value any) { x.pairs = append(x.pairs, ggufPair{key, value}) }

func (x *ggufExport) write(w *Weights, configPath, path string) error {
	m, sources, err := planDecoder(w, x.config, configPath)
	if err != nil {
		return err
	}
	x.config = m.Config
	pairs, divisors, notes, err := ggufConfig(x.config)
	if err != nil {
		return fmt.Errorf("%s: cannot be written as GGUF: %w", configPath, err)
	}
	x.pairs, x.notes = pairs, notes
	x.general()
	if err := x.vocabulary(); err != nil {
		return err
	}
	if err := x.keep(); err != nil {
		return err
	}
	tensors := x.tensors(sources, divisors)
	return WriteFileAtomic(path, func(out io.Writer) error { return writeGGUF(out, x.pairs, tensors) })
}

// general says what the file is.
func (x *ggufExport) general() {
	x.add("general.type", "model")
	name := x.dir
	if absolute, err := filepath.Abs(x.dir); err == nil {
		name = absolute
	}
	name = filepath.Base(ModelName(name))
	if lower := strings.ToLower(name); !strings.Contains(lower, "phi3") && !strings.Contains(lower, "phi-3") && !strings.Contains(lower, "modern-bert") {
		x.add("general.name", name) // those names make llama.cpp treat special tokens in other ways
	}
	x.add("general.file_type", ggufFileTypes[x.as])
	x.add("general.quantization_version", uint32(2))
}

// ModelName is a name for the model in a directory: the directory, or that of the run that it is in.
func ModelName(dir string) string {
	if run := filepath.Dir(dir); filepath.Base(dir) == "model" && ModelDir(run) == dir {
		return run
	}
	return dir
}

// keep adds the files of the directory, which say more than llama.cpp reads.
func (x *ggufExport) keep() error {
	for _, f := range []struct{ name, key string }{
		{"config.json", ggufConfigJSON}, {"generation_config.json", ggufGenerationJSON},
		{"tokenizer.json", ggufTokenizerJSON}, {"tokenizer_config.json", ggufTokenizerConfig},
	} {
		data, err := os.ReadFile(filepath.Join(x.dir, f.name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		x.add(f.key, string(data))
	}
	return nil
}

// vocabulary adds the tokenizer, and which tokens begin and end a text.
func (x *ggufExport) vocabulary() error {
	const ggml = "tokenizer.ggml."
	path := filepath.Join(x.dir, "tokenizer.json")
	if !isFile(path) {
		x.add(ggml+"model", ggufNoVocabulary)
		x.notes = append(x.notes, "there is no tokenizer.json, so the file has no tokenizer; llama.cpp takes ids only")
		return nil
	}
	t, err := tokenizer.Load(path)
	if err != nil {
		return err
	}
	v, err := t.GGML(x.config.VocabSize)
	if err != nil {
		return fmt.Errorf("%s: cannot be written as GGUF: %w", path, err)
	}
	x.notes = append(x.notes, v.Notes...)
	x.add(ggml+"model", v.Model)
	x.add(ggml+"pre", v.Pre)
	x.add(ggml+"tokens", v.Tokens)
	x.add(ggml+"token_type", v.Types)
	if v.Scores != nil {
		x.add(ggml+"scores", v.Scores)
		x.add(ggml+"add_space_prefix", v.SpacePrefix)
	} else {
		x.add(ggml+"merges", v.Merges)
	}
	if v.Unknown != nil {
		x.add(ggml+"unknown_token_id", uint32(*v.Unknown))
	}
	if pad := x.config.PadID; pad != nil && *pad >= 0 {
		x.add(ggml+"padding_token_id", uint32(*pad))
	}
	x.add(ggml+"add_bos_token", v.AddBOS)
	x.add(ggml+"add_eos_token", v.AddEOS)
	if err := x.ends(v); err != nil {
		return err
	}
	return x.chatTemplate()
}

// ends adds the tokens that begin and end a text. llama.cpp takes some token for the end even if none is named.
func (x *ggufExport) ends(v *tokenizer.GGML) error {
	bos, eos := v.BOS, x.generation.EOSIDs
	if bos == nil {
		bos = x.generation.BOSID
	}
	if bos != nil {
		x.add("tokenizer.ggml.bos_token_id", uint32(*bos))
	}
	if v.EOS != nil {
		eos = slices.Insert(slices.DeleteFunc(slices.Clone(eos), func(id int32) bool { return id == *v.EOS }), 0, *v.EOS)
	}
	if len(eos) == 0 && bos != nil {
		eos = []int32{*bos}
	}
	if len(eos) == 0 {
		return fmt.Errorf("%s: cannot be written as GGUF: there is neither eos_token_id nor bos_token_id; llama.cpp would end texts at %q",
			filepath.Join(x.dir, "config.json"), v.Tokens[min(11, len(v.Tokens)-1)])
	}
	x.add("tokenizer.ggml.eos_token_id", uint32(eos[0]))
	further := []string{"eot", "eom"}
	for _, id := range eos[1:] {
		switch {
		case slices.Contains(ggufEnds, v.Tokens[id]):
		case len(further) > 0:
			x.add("tokenizer.ggml."+further[0]+"_token_id", uint32(id))
			further = further[1:]
		default:
			x.notes = append(x.notes, fmt.Sprintf("llama.cpp does not end a text at %q", v.Tokens[id]))
		}
	}
	return nil
}

// chatTemplate adds the template by which conversations become text.
func (x *ggufExport) chatTemplate() error {
	const key = "tokenizer.chat_template"
	if data, err := readBounded(filepath.Join(x.dir, "chat_template.jinja"), maxJSON); err == nil {
		x.add(key, string(data))
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	path := filepath.Join(x.dir, "tokenizer_config.json")
	if !isFile(path) {
		return nil
	}
	config, err := ReadConfig(path)
	if err != nil || !config.Has("chat_template") {
		return err
	}
	if text, err := config.StringOr("chat_template", ""); err == nil {
		x.add(key, text)
		return nil
	}
	var several struct {
		Templates []struct {
			Name     string `json:"name"`
			Template string `json:"template"`
		} `json:"chat_template"`
	}
	if err := config.Decode(&several); err != nil {
		return err
	}
	for _, t := range several.Templates {
		if t.Name == "default" {
			x.add(key, t.Template)
		}
	}
	return nil
}

// tensors lists what is written: the model's parameters, and divisors of the frequencies if there are any.
func (x *ggufExport) tensors(sources []source, divisors []float32) []ggufTensor {
	var tensors []ggufTensor
	if divisors != nil {
		tensors = append(tensors, ggufTensor{ropeDivisors, F32, []int{len(divisors)}, func() ([]float32, error) { return divisors, nil }})
	}
	for _, s := range sources {
		t := ggufTensor{name: ggufName(s.param.Name), dtype: x.as, shape: s.param.Shape, numbers: func() ([]float32, error) { return x.numbers(s) }}
		if len(t.shape) == 1 || t.name == "position_embd.weight" {
			t.dtype = F32
		}
		tensors = append(tensors, t)
	}
	return tensors
}

// numbers reads a parameter in the order of llama.cpp.
func (x *ggufExport) numbers(s source) ([]float32, error) {
	s.param.Data = make([]float32, s.param.Size())
	err := readSources([]source{s})
	numbers := s.param.Data
	s.param.Data = nil
	if heads := interleavedHeads(x.config, s.param.Name); heads > 0 && err == nil {
		stored := make([]float32, len(numbers))
		interleave(stored, numbers, heads, len(numbers)/s.param.Shape[0])
		numbers = stored
	}
	return numbers, err
}

// ConvertHF writes the model of a GGUF file as a directory that opens in transformers, atomically ([WriteDirAtomic]), its
// weights in the type of the file's matrices. Of a file that [ConvertGGUF] wrote, configurations and tokenizer come back as
// they were.
func ConvertHF(path, dir string) error {
	g, err := openGGUF(path)
	if err != nil {
		return err
	}
	return errors.Join(g.writeDir(dir), g.Close())
}

func (g *ggufFile) writeDir(dir string) error {
	d, err := g.decoder(func(m *model.Decoder, sources []source) error {
		m.Store().Allocate()
		return readSources(sources)
	})
	if err != nil {
		return err
	}
	embedding, _ := g.Info("token_embd.weight")
	d.DType = embedding.DType
	if d.Files, err = g.tokenizerFiles(d.Model.Config); err != nil {
		return err
	}
	return SaveDecoder(dir, d)
}

// tokenizerFiles returns the tokenizer's files of the directory that the file was made of, or such files made of the metadata.
func (g *ggufFile) tokenizerFiles(c model.DecoderConfig) (map[string][]byte, error) {
	files := map[string][]byte{}
	if g.values["tokenizer.ggml.model"] == ggufNoVocabulary {
		return files, nil
	}
	if template, ok := g.values["tokenizer.chat_template"].(string); ok {
		files["chat_template.jinja"] = []byte(template)
	}
	whole, ok := g.values[ggufTokenizerJSON].(string)
	config, configured := g.values[ggufTokenizerConfig].(string)
	if ok {
		files["tokenizer.json"] = []byte(whole)
		if configured {
			files["tokenizer_config.json"] = []byte(config)
			if strings.Contains(config, `"chat_template"`) {
				delete(files, "chat_template.jinja") // it stands there
			}
			return files, nil
		}
	}
	t, err := g.tokenizer()
	if err != nil {
		return nil, err
	}
	if !ok {
		if files["tokenizer.json"], err = t.JSON(); err != nil {
			return nil, fmt.Errorf("%s: %w", g.path, err)
		}
	}
	roles := tokenizer.Roles{}
	if c.BOSID != nil {
		roles.BOS, _ = t.Token(*c.BOSID)
	}
	if len(c.EOSIDs) > 0 {
		roles.EOS, _ = t.Token(c.EOSIDs[0])
	}
	if id, err := g.int("tokenizer.ggml.unknown_token_id", 0, 1<<31-1); err == nil {
		roles.Unknown, _ = t.Token(int32(id))
	}
	files["tokenizer_config.json"], err = t.Config(roles, c.MaxPositions)
	return files, err
}

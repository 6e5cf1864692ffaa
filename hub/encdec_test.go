package hub

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/tokenizer"
)

const marian = "../model/testdata/marian" // as transformers saved it; without a tokenizer

// tinyTokenizer has size tokens: </s>, <unk>, bytes and merges, <pad>.
func tinyTokenizer(t testing.TB, size int) *tokenizer.Tokenizer {
	t.Helper()
	text := strings.Repeat("the quick brown fox jumps over the lazy dog while eleven ducks watch them quietly ", 3)
	words := strings.Fields(text)
	tok, err := tokenizer.Train(func(yield func(string) bool) {
		for i := range 400 {
			if !yield(words[i%len(words)] + words[(i*7+1)%len(words)] + " " + words[(i*3)%len(words)]) {
				return
			}
		}
	}, tokenizer.TrainOptions{
		VocabSize: size, SpecialTokens: []string{"</s>", "<unk>"}, LastTokens: []string{"<pad>"},
		InitialAlphabet: true, Suffix: []string{"</s>"}, Threads: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	if tok.Size() != size {
		t.Fatalf("the tokenizer has %d tokens, not %d", tok.Size(), size)
	}
	return tok
}

func tinyModel(t testing.TB, change func(*model.EncDecConfig)) *model.EncDec {
	t.Helper()
	c := model.DefaultEncDecConfig()
	c.VocabSize, c.DecoderVocabSize, c.DModel, c.EncoderLayers, c.DecoderLayers = 300, 300, 16, 2, 1
	c.EncoderHeads, c.DecoderHeads, c.EncoderFFN, c.DecoderFFN, c.MaxPositions = 2, 4, 24, 20, 32
	c.PadID, c.DecoderStartID = 299, 299
	if change != nil {
		change(&c)
	}
	m, err := model.NewEncDec(c)
	if err != nil {
		t.Fatal(err)
	}
	m.Initialize(1)
	for i := range m.LogitsBias() {
		m.LogitsBias()[i] = float32(i)
	}
	return m
}

// savedModel writes a tiny model with its tokenizer and returns the directory.
func savedModel(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "model")
	m := tinyModel(t, nil)
	e := &EncDec{Model: m, Tokenizer: tinyTokenizer(t, 300), Generation: DefaultGeneration(m.Config)}
	if err := SaveEncDec(dir, e); err != nil {
		t.Fatal(err)
	}
	return dir
}

func sameParameters(t *testing.T, a, b *model.EncDec) {
	t.Helper()
	same := func(name string, x, y []float32) {
		for i := range x {
			if math.Float32bits(x[i]) != math.Float32bits(y[i]) {
				t.Fatalf("%s[%d]: %g and %g", name, i, x[i], y[i])
			}
		}
	}
	for i, p := range a.Params() {
		same(p.Name, p.Data, b.Params()[i].Data)
	}
	same("final_logits_bias", a.LogitsBias(), b.LogitsBias())
}

func TestModelDirectoryReadsBackAsWritten(t *testing.T) {
	for name, change := range map[string]func(*model.EncDecConfig){
		"shared":             nil,
		"shared, not tied":   func(c *model.EncDecConfig) { c.TieEmbeddings = false },
		"separate":           func(c *model.EncDecConfig) { c.ShareEmbeddings, c.DecoderVocabSize = false, 310 },
		"separate, not tied": func(c *model.EncDecConfig) { c.ShareEmbeddings, c.TieEmbeddings = false, false },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "model")
			m := tinyModel(t, change)
			e := &EncDec{Model: m, Tokenizer: tinyTokenizer(t, 300), Generation: DefaultGeneration(m.Config),
				Files: map[string][]byte{"README.md": []byte("# A model\n")}}
			if err := SaveEncDec(dir, e); err != nil {
				t.Fatal(err)
			}
			if got, want := names(t, dir), "README.md config.json generation_config.json model.safetensors tokenizer.json tokenizer_config.json"; got != want {
				t.Errorf("the directory holds %s", got)
			}
			back, err := LoadEncDec(dir)
			if err != nil {
				t.Fatal(err)
			}
			sameParameters(t, m, back.Model)
			if got := back.Model.Config; got.DModel != 16 || got.PadID != 299 || got.Activation != "gelu" || got.DecoderVocabSize != m.Config.DecoderVocabSize {
				t.Errorf("configuration %+v", got)
			}
			g := back.Generation
			if g.MaxLength != 32 || g.NumBeams != 5 || !slices.Equal(g.BadWords[0], []int32{299}) || *g.ForcedEOSID != 0 || !g.Renormalize {
				t.Errorf("generation %+v", g)
			}
			const text = "the quick fox's café"
			if ids := back.Tokenizer.Encode(text); back.Tokenizer.Decode(ids, true) != text {
				t.Errorf("the tokenizer gives %v for %q", ids, text)
			}
			first := readAll(t, dir)
			delete(first, "README.md")
			if err := SaveEncDec(dir, back); err != nil {
				t.Fatal(err)
			}
			for name, data := range readAll(t, dir) {
				if !bytes.Equal(first[name], data) {
					t.Errorf("%s is not the same when loaded and saved again:\n%.300q\n%.300q", name, first[name], data)
				}
			}
		})
	}
}

func readAll(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, name := range strings.Fields(names(t, dir)) {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = data
	}
	return files
}

func TestPublishedModelKeepsItsUnknownKeys(t *testing.T) {
	e, err := LoadEncDecModel(marian)
	if err != nil {
		t.Fatal(err)
	}
	if g := e.Generation; g.MaxLength != 40 || g.NumBeams != 4 || g.LengthPenalty != 1 || g.EarlyStopping != model.StopHeuristic {
		t.Errorf("generation %+v", g)
	}
	dir := filepath.Join(t.TempDir(), "again")
	if err := SaveEncDec(dir, e); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"config.json", "generation_config.json"} {
		old, err := ReadConfig(filepath.Join(marian, name))
		if err != nil {
			t.Fatal(err)
		}
		saved, err := ReadConfig(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range old.Keys() {
			if string(old.fields[key]) != "null" && compact(old.fields[key]) != compact(saved.fields[key]) {
				t.Errorf("%s: %s was %s and is %s", name, key, old.fields[key], saved.fields[key])
			}
		}
	}
	for _, name := range []string{"model.safetensors"} {
		old, _ := os.ReadFile(filepath.Join(marian, name))
		saved, _ := os.ReadFile(filepath.Join(dir, name))
		if !bytes.Equal(old, saved) {
			t.Errorf("%s is not byte for byte what transformers wrote", name)
		}
	}
	if _, err := LoadEncDec(marian); err == nil || !strings.Contains(err.Error(), "tokenizer.json") {
		t.Errorf("a model without tokenizer: %v", err)
	}
}

func compact(raw []byte) string {
	return strings.NewReplacer(" ", "", "\n", "", "0.0", "0").Replace(string(raw))
}

// rewrite changes the tensors of a saved model.
func rewrite(t *testing.T, dir string, change func([]Tensor) []Tensor) {
	t.Helper()
	m, err := LoadEncDecModel(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := SaveSafetensors(filepath.Join(dir, "model.safetensors"), change(EncDecTensors(m.Model)), nil); err != nil {
		t.Fatal(err)
	}
}

func without(name string) func([]Tensor) []Tensor {
	return func(ts []Tensor) []Tensor {
		return slices.DeleteFunc(ts, func(t Tensor) bool { return t.Name == name })
	}
}

func TestWeightsThatDoNotFitAreNamed(t *testing.T) {
	const bias = "model.decoder.layers.0.encoder_attn.q_proj.bias"
	for name, c := range map[string]struct {
		change func([]Tensor) []Tensor
		want   []string
	}{
		"missing":           {without(bias), []string{bias, "[16]", "model.safetensors"}},
		"missing matrix":    {without("model.encoder.layers.1.fc1.weight"), []string{"model.encoder.layers.1.fc1.weight", "[24 16]", "config.json"}},
		"missing embedding": {without("model.shared.weight"), []string{"model.shared.weight", "[300 16]"}},
		"misshapen": {func(ts []Tensor) []Tensor {
			return append(without(bias)(ts), Tensor{Name: bias, DType: F32, Shape: []int{4, 4}, Float32: make([]float32, 16)})
		}, []string{bias, "[4 4]", "[16]"}},
		"integers": {func(ts []Tensor) []Tensor {
			return append(without(bias)(ts), Tensor{Name: bias, DType: I64, Shape: []int{16}, Int64: make([]int64, 16)})
		}, []string{bias, "I64"}},
		"one too many": {func(ts []Tensor) []Tensor {
			return append(ts, Tensor{Name: "model.decoder.layers.1.fc1.bias", DType: F32, Shape: []int{20}, Float32: make([]float32, 20)})
		}, []string{"model.decoder.layers.1.fc1.bias", "no place"}},
		"logits bias": {func(ts []Tensor) []Tensor {
			return append(without("final_logits_bias")(ts), Tensor{Name: "final_logits_bias", DType: F32, Shape: []int{1, 2}, Float32: make([]float32, 2)})
		}, []string{"final_logits_bias", "[1 2]", "[1 300]"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := savedModel(t)
			rewrite(t, dir, c.change)
			_, err := LoadEncDec(dir)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

func TestHarmlessDifferencesInWeightsAreAccepted(t *testing.T) {
	dir := savedModel(t)
	before, err := LoadEncDec(dir)
	if err != nil {
		t.Fatal(err)
	}
	clear(before.Model.LogitsBias())
	for _, p := range before.Model.Params() { // so that 16 bits hold them
		for i := range p.Data {
			p.Data[i] = bfloat16ToFloat32(float32ToBfloat16(p.Data[i]))
		}
	}
	rewrite(t, dir, func([]Tensor) []Tensor {
		ts := without("final_logits_bias")(EncDecTensors(before.Model))
		for i := range ts {
			ts[i].DType = BF16
			if ts[i].Name == "model.shared.weight" {
				ts[i].Name = "lm_head.weight" // under another of its names
			}
		}
		return append(ts,
			Tensor{Name: "model.encoder.embed_positions.weight", DType: F32, Shape: []int{32, 16}, Float32: make([]float32, 512)},
			Tensor{Name: "model.decoder.layers.0.self_attn.masked_bias", DType: F32, Shape: nil, Float32: []float32{-1}},
			Tensor{Name: "model.decoder.position_ids", DType: I64, Shape: []int{1, 2}, Int64: []int64{0, 1}})
	})
	after, err := LoadEncDec(dir)
	if err != nil {
		t.Fatal(err)
	}
	sameParameters(t, before.Model, after.Model)
}

func TestFalseConfigurationsAreErrorsNamingTheKey(t *testing.T) {
	for name, c := range map[string]struct {
		file, key string
		value     any
		want      []string
	}{
		"wrong type":             {"config.json", "d_model", "wide", []string{"config.json", `d_model must be`, `"wide"`}},
		"fraction":               {"config.json", "encoder_layers", 1.5, []string{"config.json", "encoder_layers"}},
		"negative":               {"config.json", "vocab_size", -1, []string{"config.json", "vocab_size"}},
		"another width":          {"config.json", "d_model", 32, []string{"config.json", "model.shared.weight", "[300 16]", "[300 32]"}},
		"immense":                {"config.json", "d_model", 1 << 19, []string{"model.shared.weight", "[300 524288]", "d_model"}},
		"immense with positions": {"config.json", "d_model", 1 << 24, []string{"config.json", "max_position_embeddings"}},
		"immense vocabulary":     {"config.json", "vocab_size", 1 << 24, []string{"config.json", "vocab_size"}},
		"immense feed-forward":   {"config.json", "decoder_ffn_dim", 1 << 24, []string{"model.decoder.layers.0.fc1.weight", "[16777216 16]"}},
		"too many layers":        {"config.json", "encoder_layers", 1 << 24, []string{"model.encoder.layers.2.fc1.weight"}},
		"too few layers":         {"config.json", "encoder_layers", 1, []string{"model.encoder.layers.1.fc1", "no place"}},
		"immense positions":      {"config.json", "max_position_embeddings", 1 << 24, []string{"config.json", "max_position_embeddings", "1048576"}},
		"heads":                  {"config.json", "encoder_attention_heads", 3, []string{"config.json", "encoder_attention_heads"}},
		"activation":             {"config.json", "activation_function", "mish", []string{"config.json", "activation_function", "mish"}},
		"pad out of range":       {"config.json", "pad_token_id", 300, []string{"config.json", "pad_token_id"}},
		"two ends":               {"config.json", "eos_token_id", []int{0, 1}, []string{"config.json", "eos_token_id", "[0,1]"}},
		"another architecture":   {"config.json", "model_type", "llama", []string{"config.json", "model_type", "marian", "llama"}},
		"beams":                  {"generation_config.json", "num_beams", 0, []string{"generation_config.json", "num_beams"}},
		"beams of another type":  {"generation_config.json", "num_beams", "many", []string{"generation_config.json", "num_beams"}},
		"length":                 {"generation_config.json", "max_length", 0, []string{"generation_config.json", "max_length"}},
		"stopping":               {"generation_config.json", "early_stopping", "soon", []string{"generation_config.json", "early_stopping", "soon"}},
		"banned":                 {"generation_config.json", "bad_words_ids", [][]int{{300}}, []string{"generation_config.json", "bad_words_ids"}},
		"start out of range":     {"generation_config.json", "decoder_start_token_id", -1, []string{"generation_config.json", "decoder_start_token_id"}},
		"penalty":                {"generation_config.json", "length_penalty", 1e300, []string{"generation_config.json", "length_penalty"}},
		"end of the wrong type":  {"generation_config.json", "eos_token_id", "x", []string{"generation_config.json", "eos_token_id"}},
		"forced end of no token": {"generation_config.json", "forced_eos_token_id", 301, []string{"generation_config.json", "forced_eos_token_id"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := savedModel(t)
			config, err := ReadConfig(filepath.Join(dir, c.file))
			if err != nil {
				t.Fatal(err)
			}
			if err := config.Set(c.key, c.value); err != nil {
				t.Fatal(err)
			}
			if c.key == "vocab_size" {
				delete(config.fields, "decoder_vocab_size")
			}
			if err := config.Save(config.Path()); err != nil {
				t.Fatal(err)
			}
			_, err = LoadEncDec(dir)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

func TestMissingFilesAreNamed(t *testing.T) {
	for _, name := range []string{"config.json", "model.safetensors", "tokenizer.json"} {
		dir := savedModel(t)
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadEncDec(dir); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	dir := savedModel(t)
	if err := os.Remove(filepath.Join(dir, "generation_config.json")); err != nil {
		t.Fatal(err)
	}
	if e, err := LoadEncDec(dir); err != nil || e.Generation.NumBeams != 1 || e.Generation.MaxLength != 32 || *e.Generation.ForcedEOSID != 0 {
		t.Errorf("without generation_config.json: %v", err)
	}
	if _, err := LoadEncDec(filepath.Join(dir, "nowhere")); err == nil || !strings.Contains(err.Error(), "nowhere: no such model directory") {
		t.Errorf("a directory that is not there: %v", err)
	}
}

func TestSavingRefusesWhatWouldBeRegretted(t *testing.T) {
	m := tinyModel(t, nil)
	e := &EncDec{Model: m, Generation: DefaultGeneration(m.Config)}
	home := t.TempDir()
	mustWrite(t, filepath.Join(home, "thesis.txt"), "years of work")
	if err := SaveEncDec(home, e); err == nil || !strings.Contains(err.Error(), "thesis.txt") {
		t.Errorf("saving over a directory of other files: %v", err)
	}
	mustHold(t, filepath.Join(home, "thesis.txt"), "years of work")
	e.Files = map[string][]byte{"../thesis.txt": nil}
	if err := SaveEncDec(filepath.Join(home, "m"), e); err == nil {
		t.Error("a file outside the directory is accepted")
	}
	e.Files, e.Tokenizer = nil, tinyTokenizer(t, 310)
	if err := SaveEncDec(filepath.Join(home, "m"), e); err == nil || !strings.Contains(err.Error(), "310 tokens") {
		t.Errorf("a tokenizer larger than the vocabulary: %v", err)
	}
}

func TestTokenizerLargerThanTheModelIsAnError(t *testing.T) {
	dir := savedModel(t)
	data, err := tinyTokenizer(t, 310).JSON()
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, filepath.Join(dir, "tokenizer.json"), string(data))
	if _, err := LoadEncDec(dir); err == nil || !strings.Contains(err.Error(), "tokenizer.json: has 310 tokens") {
		t.Errorf("got %v", err)
	}
}

func FuzzEncDecConfig(f *testing.F) {
	for _, name := range []string{"config.json", "generation_config.json"} {
		data, err := os.ReadFile(filepath.Join(marian, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"model_type":"marian","vocab_size":500,"d_model":64,"encoder_ffn_dim":128,"encoder_layers":0,"eos_token_id":[0]}`))
	weights, err := OpenWeights(marian)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { weights.Close() })
	f.Fuzz(func(t *testing.T, data []byte) {
		config, err := ParseConfig("config.json", data)
		if err != nil {
			return
		}
		c, err := encDecConfig(config)
		if err != nil {
			return
		}
		if _, _, err := readGeneration(t.TempDir(), config, c); err != nil {
			return
		}
		encDecFrom(weights, "config.json", c) // an error or none, no panic
	})
}

func TestEncDecWeightsMayBeInSeveralFiles(t *testing.T) {
	dir := savedModel(t)
	before, err := LoadEncDecModel(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, weightsFile)); err != nil {
		t.Fatal(err)
	}
	if err := saveWeights(dir, EncDecTensors(before.Model), 20_000); err != nil {
		t.Fatal(err)
	}
	after, err := LoadEncDecModel(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range before.Model.Params() {
		if !slices.Equal(p.Data, after.Model.Params()[i].Data) {
			t.Errorf("%s differs", p.Name)
		}
	}
}

// transformers 5 ties nothing where tie_word_embeddings is false, and nowhere what is stored twice and differs.
func TestEmbeddingsThatDifferAreNotShared(t *testing.T) {
	const source, target, output = "model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight", "lm_head.weight"
	for name, c := range map[string]struct {
		copies        map[string]float32 // of the shared embeddings, times these
		share, tie    bool
		params, fewer []string
	}{
		"all differ":       {map[string]float32{source: 2, target: 3, output: 4}, false, false, []string{source, target, output}, nil},
		"the output":       {map[string]float32{source: 1, target: 1, output: 4}, true, false, []string{"model.shared.weight", output}, []string{source}},
		"the source":       {map[string]float32{source: 2, target: 1}, false, true, []string{source, target}, []string{output}},
		"copies, the same": {map[string]float32{source: 1, target: 1, output: 1}, true, true, []string{"model.shared.weight"}, []string{source, output}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := savedModel(t)
			values := map[string][]float32{}
			rewrite(t, dir, func(tensors []Tensor) []Tensor {
				i := slices.IndexFunc(tensors, func(t Tensor) bool { return t.Name == "model.shared.weight" })
				shared := tensors[i]
				values[shared.Name] = shared.Float32
				for name, times := range c.copies {
					one := shared
					one.Name, one.Float32 = name, slices.Clone(shared.Float32)
					for j := range one.Float32 {
						one.Float32[j] *= times
					}
					values[name] = one.Float32
					tensors = append(tensors, one)
				}
				return tensors
			})
			for range 2 { // as it is, and as it is written again
				e, err := LoadEncDecModel(dir)
				if err != nil {
					t.Fatal(err)
				}
				if e.Model.Config.ShareEmbeddings != c.share || e.Model.Config.TieEmbeddings != c.tie {
					t.Errorf("shared: %v, tied: %v", e.Model.Config.ShareEmbeddings, e.Model.Config.TieEmbeddings)
				}
				held := map[string][]float32{}
				for _, p := range e.Model.Params() {
					held[p.Name] = p.Data
				}
				for _, name := range c.params {
					if !slices.Equal(held[name], values[name]) {
						t.Errorf("%s is not what is stored", name)
					}
				}
				for _, name := range c.fewer {
					if held[name] != nil {
						t.Errorf("%s is a parameter of its own", name)
					}
				}
				dir = filepath.Join(t.TempDir(), "again")
				if err := SaveEncDec(dir, e); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// As in transformers, generation_config.json alone says whether the end is forced; config.json does where it is missing.
func TestTheEndIsForcedOnlyWhereAFileSaysSo(t *testing.T) {
	for name, c := range map[string]struct {
		file  string // that is edited
		value any
		both  bool // there is generation_config.json
		want  bool
	}{
		"null in generation_config.json": {"generation_config.json", nil, true, false},
		"an id there":                    {"generation_config.json", 0, true, true},
		"null in config.json alone":      {"config.json", nil, false, false},
		"an id in config.json alone":     {"config.json", 0, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := savedModel(t)
			config, err := ReadConfig(filepath.Join(dir, c.file))
			if err == nil {
				err = config.Set("forced_eos_token_id", c.value)
			}
			if err == nil {
				err = config.Save(config.Path())
			}
			if err == nil && !c.both {
				err = os.Remove(filepath.Join(dir, "generation_config.json"))
			}
			if err != nil {
				t.Fatal(err)
			}
			e, err := LoadEncDecModel(dir)
			if err != nil {
				t.Fatal(err)
			}
			if forced := e.Model.Config.Forced() == 0; forced != c.want || (e.Generation.ForcedEOSID != nil) != c.want {
				t.Errorf("forced: %v", forced)
			}
		})
	}
}

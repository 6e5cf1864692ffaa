package hub

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
)

// storyteller is a model of the Llama family with its tokenizer.
const storyteller = "../testdata/storyteller"

// asGGUF writes a directory as a GGUF file.
func asGGUF(t testing.TB, dir string, as DType) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.gguf")
	if _, err := ConvertGGUF(dir, path, as); err != nil {
		t.Fatal(err)
	}
	return path
}

// bare opens a GGUF file without what only Parley writes.
func bare(t testing.TB, path string) *ggufFile {
	t.Helper()
	g, err := openGGUF(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	for _, key := range []string{ggufTokenizerJSON, ggufConfigJSON, ggufGenerationJSON, ggufTokenizerConfig} {
		delete(g.values, key)
	}
	return g
}

func inFull(m *model.Decoder, sources []source) error {
	m.Store().Allocate()
	return readSources(sources)
}

// roundGGUF rounds what GGUF files of a type round.
func roundGGUF(m *model.Decoder, to DType) {
	for _, p := range m.Params() {
		if len(p.Shape) == 1 || to == F32 || strings.Contains(p.Name, ".wpe.") {
			continue
		}
		for i, v := range p.Data {
			p.Data[i] = bfloat16ToFloat32(float32ToBfloat16(v))
			if to == F16 {
				p.Data[i] = float16ToFloat32(float32ToFloat16(v))
			}
		}
	}
}

func TestGGUFReadsBackAsWritten(t *testing.T) {
	for _, source := range []string{gpt2, llama, llama3, storyteller} {
		for _, as := range []DType{F32, F16, BF16} {
			want, err := LoadDecoder(source)
			if err != nil {
				t.Fatal(err)
			}
			roundGGUF(want.Model, as)
			path := asGGUF(t, source, as)
			got, err := LoadDecoder(path)
			if err != nil {
				t.Fatalf("%s as %s: %v", source, as, err)
			}
			sameDecoder(t, want.Model, got.Model)
			foreign, err := bare(t, path).decoder(inFull)
			if err != nil {
				t.Fatalf("%s as %s, from what llama.cpp reads: %v", source, as, err)
			}
			sameDecoder(t, want.Model, foreign.Model)
			a, b := want.Model.Config, foreign.Model.Config
			b.InitStd, b.Dropout, b.EmbeddingDropout, b.AttentionDropout = a.InitStd, a.Dropout, a.EmbeddingDropout, a.AttentionDropout
			a.BOSID, a.EOSIDs, a.PadID, b.BOSID, b.EOSIDs, b.PadID = nil, nil, nil, nil, nil, nil // of tokenizers, where there is one
			if x, y := string(jsonOf(t, a)), string(jsonOf(t, b)); x != y {
				t.Errorf("%s: the configuration is\n%s, want\n%s", source, y, x)
			}
		}
	}
}

func jsonOf(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestGGUFHeldInBfloat16HasTheBitsOfTheDirectory(t *testing.T) {
	pool := kernel.NewPool(2)
	defer pool.Close()
	for _, source := range []string{gpt2, llama, llama3} {
		path := asGGUF(t, source, F32)
		want, err := LoadDecoderHalf(source, pool, false)
		if err != nil {
			t.Fatal(err)
		}
		got, err := LoadDecoderHalf(path, pool, false)
		if err != nil {
			t.Fatal(err)
		}
		ids := []int32{3, 1, 4, 1, 5, 9, 2, 6}
		if !slices.Equal(logitsOf(pool, want.Model, ids), logitsOf(pool, got.Model, ids)) {
			t.Errorf("%s: other logits from GGUF", source)
		}
	}
}

func logitsOf(pool *kernel.Pool, m *model.Decoder, ids []int32) []float32 {
	var b model.TokenBatch
	b.Add(ids, make([]int32, len(ids)))
	tape := &grad.Tape{Pool: pool}
	tape.Begin(grad.Mode{})
	logits := m.Logits(tape, &b).Value()
	var all []float32
	for i := range logits.Rows {
		all = append(all, logits.Row(i)...)
	}
	return all
}

func TestGGUFBackToADirectoryIsTheSameDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "back")
	if err := ConvertHF(asGGUF(t, storyteller, F32), dir); err != nil {
		t.Fatal(err)
	}
	for name, want := range readAll(t, storyteller) {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(name, "tokenizer") || strings.HasSuffix(name, ".safetensors") {
			if !bytes.Equal(got, want) {
				t.Errorf("%s is not what it was", name)
			}
			continue
		}
		var a, b map[string]any
		if err := errorsOf(json.Unmarshal(want, &a), json.Unmarshal(got, &b)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(jsonOf(t, a), jsonOf(t, b)) {
			t.Errorf("%s is %s, was %s", name, got, want)
		}
	}
}

func TestGGUFChangedMetadataCount(t *testing.T) {
	g, err := openGGUF(asGGUF(t, storyteller, F32))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	g.values["llama.rope.freq_base"] = 5000.0
	d, err := g.decoder(inFull)
	if err != nil {
		t.Fatal(err)
	}
	if theta := d.Model.Config.Rotary.Theta; theta != 5000 {
		t.Errorf("the base is %g, though the metadata say 5000", theta)
	}
}

// TestGGUFOfLlamaCpp compares what llama.cpp's own tools wrote with what they were made of.
func TestGGUFOfLlamaCpp(t *testing.T) {
	pool := kernel.NewPool(2)
	defer pool.Close()
	fixtures := "../../shared/fixtures/gguf/"
	for name, files := range map[string][]string{"llama-256": {"F32", "F16", "BF16"}, "stories260K": {"F32"}} {
		golden, err := Open(fixtures + name + ".golden.safetensors")
		if err != nil {
			t.Skipf("needs %s: %v", fixtures, err)
		}
		defer golden.Close()
		wide, _, err := golden.Int64("input_ids")
		if err != nil {
			t.Fatal(err)
		}
		ids := make([]int32, len(wide))
		for i, id := range wide {
			ids[i] = int32(id)
		}
		for _, kind := range files {
			file := name + "." + kind + ".gguf"
			d, err := LoadDecoder(fixtures + file)
			if err != nil {
				t.Fatal(err)
			}
			want, _, err := golden.Float32(strings.TrimSuffix(file, ".gguf") + ".logits_dequantised")
			if err != nil {
				t.Fatal(err)
			}
			for i, got := range logitsOf(pool, d.Model, ids) {
				if math.Abs(float64(got-want[i])) > 5e-4 {
					t.Fatalf("%s: logit %d is %g, want %g", file, i, got, want[i])
				}
			}
			tok, _, err := LoadTokenizers(fixtures + file)
			if err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(fixtures + name + ".tokenizer_cases.json")
			if err != nil {
				t.Fatal(err)
			}
			var cases []struct {
				Text   string  `json:"text"`
				IDs    []int32 `json:"ids"`
				Parsed []int32 `json:"ids_special_parsed_bos"`
			}
			if err := json.Unmarshal(data, &cases); err != nil {
				t.Fatal(err)
			}
			for _, c := range cases {
				if got := tok.Append(nil, c.Text); !slices.Equal(got, c.IDs) {
					t.Errorf("%s: %.60q: ids %v, want %v", file, c.Text, got, c.IDs)
				}
				if got := tok.EncodeSpecial(c.Text); !slices.Equal(got, c.Parsed) {
					t.Errorf("%s: %.60q with special tokens: ids %v, want %v", file, c.Text, got, c.Parsed)
				}
			}
		}
	}
	_, err := LoadDecoder(fixtures + "llama-256.Q4_K_M.gguf")
	if err == nil || !strings.Contains(err.Error(), `"token_embd.weight" is of type Q6_K`) {
		t.Errorf("of a quantised file: %v", err)
	}
}

func TestRopeDivisorsAreThoseOfLlama3(t *testing.T) {
	for _, c := range []struct {
		headDim int
		rotary  model.RotaryConfig
	}{
		{128, model.RotaryConfig{Theta: 500000, Factor: 8, Original: 8192, LowFrequency: 1, HighFrequency: 4}},
		{64, model.RotaryConfig{Theta: 500000, Factor: 32, Original: 8192, LowFrequency: 1, HighFrequency: 4}},
		{16, model.RotaryConfig{Theta: 500000, Factor: 8, Original: 64, LowFrequency: 1, HighFrequency: 4}},
		{128, model.RotaryConfig{Theta: 10000, Factor: 3.5, Original: 1000, LowFrequency: 1, HighFrequency: 9}},
		{4, model.RotaryConfig{Theta: 500000, Factor: 8, Original: 8192, LowFrequency: 1, HighFrequency: 4}},
	} {
		c.rotary.Type, c.rotary.Magnitude = "llama3", 1
		got, ok := llama3From(c.rotary.Divisors(c.headDim), c.rotary.Theta)
		if !ok {
			t.Errorf("%+v is not recognised", c.rotary)
		} else if c.headDim >= 64 && got != c.rotary {
			t.Errorf("%+v became %+v", c.rotary, got)
		}
	}
	for _, divisors := range [][]float32{{1, 2, 1, 3}, {0, 0}, {float32(math.NaN()), 8}, {1, float32(math.Inf(1))}, {-1, -8}} {
		if c, ok := llama3From(divisors, 10000); ok {
			t.Errorf("%v were taken for %+v", divisors, c)
		}
	}
}

func TestWhatGGUFCannotExpressIsNamed(t *testing.T) {
	dir := t.TempDir()
	for want, change := range map[string]func(f map[string]any){
		"hidden_act":   func(f map[string]any) { f["hidden_act"] = "gelu" },
		"rope_scaling": func(f map[string]any) { f["model_type"], f["architectures"] = "qwen2", []string{"Qwen2ForCausalLM"} },
	} {
		m, config, _ := parts(t, llama3)
		change(config)
		data := jsonOf(t, config)
		c, err := model.ParseDecoderConfig(data)
		if err != nil {
			t.Fatal(err)
		}
		_ = m
		if _, _, _, err := ggufConfig(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, and does not name %s", err, want)
		}
	}
	// Too large a number for f16.
	m, config, tensors := parts(t, llama)
	m.Params()[0].Data[5] = 1e6
	source := decoderDir(t, config, tensors)
	path := filepath.Join(dir, "x.gguf")
	if _, err := ConvertGGUF(source, path, F16); err == nil || !strings.Contains(err.Error(), `"token_embd.weight"`) || !strings.Contains(err.Error(), "bf16") {
		t.Errorf("of 1e6 as f16: %v", err)
	}
	if left := names(t, dir); left != "" {
		t.Errorf("left behind: %s", left)
	}
	if _, err := ConvertGGUF("../testdata/translator", path, F16); err == nil || !strings.Contains(err.Error(), "encoder–decoder") {
		t.Errorf("of a translator: %v", err)
	}
}

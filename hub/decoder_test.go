package hub

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parley-lm/parley/model"
)

// Models as transformers saved them: Conv1D and tied; rotary and not tied; bfloat16, in the spelling of transformers 4.
const (
	gpt2   = "../model/testdata/gpt2-train"
	llama  = "../model/testdata/llama-train"
	llama3 = "../model/testdata/llama3"
)

// decoderDir writes a model directory with the given configuration and tensors, in as many files as there are groups.
func decoderDir(t testing.TB, config map[string]any, groups ...[]Tensor) string {
	t.Helper()
	dir := t.TempDir()
	c := NewConfig(filepath.Join(dir, "config.json"))
	if err := c.Merge(config); err != nil {
		t.Fatal(err)
	}
	if err := c.Save(c.Path()); err != nil {
		t.Fatal(err)
	}
	where := map[string]string{}
	for i, tensors := range groups {
		name := weightsFile
		if len(groups) > 1 {
			name = fmt.Sprintf("part-%d.safetensors", i)
		}
		for _, tensor := range tensors {
			where[tensor.Name] = name
		}
		if err := SaveSafetensors(filepath.Join(dir, name), tensors, nil); err != nil {
			t.Fatal(err)
		}
	}
	if len(groups) > 1 {
		writeIndex(t, dir, where)
	}
	return dir
}

func writeIndex(t testing.TB, dir string, where map[string]string) {
	t.Helper()
	index := NewConfig(filepath.Join(dir, weightsIndex))
	if err := index.Set("weight_map", where); err != nil {
		t.Fatal(err)
	}
	if err := index.Save(index.Path()); err != nil {
		t.Fatal(err)
	}
}

// parts are the configuration and the tensors of a fixture, to be changed.
func parts(t testing.TB, dir string) (*model.Decoder, map[string]any, []Tensor) {
	t.Helper()
	d, err := LoadDecoder(dir)
	if err != nil {
		t.Fatal(err)
	}
	config, err := ReadConfig(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]any{}
	for key, raw := range config.fields {
		fields[key] = raw
	}
	return d.Model, fields, DecoderTensors(d.Model, F32)
}

func sameDecoder(t *testing.T, a, b *model.Decoder) {
	t.Helper()
	if len(a.Params()) != len(b.Params()) {
		t.Fatalf("%d parameters and %d", len(a.Params()), len(b.Params()))
	}
	for i, p := range a.Params() {
		if q := b.Params()[i]; p.Name != q.Name || !slices.Equal(p.Data, q.Data) {
			t.Fatalf("%s is not %s with the same numbers", p.Name, q.Name)
		}
	}
}

func TestDecoderDirectoryReadsBackAsWritten(t *testing.T) {
	for _, source := range []string{gpt2, llama, llama3} {
		for name, change := range map[string]func(d *Decoder){
			"one file":       func(*Decoder) {},
			"several files":  func(d *Decoder) { d.ShardBytes = 40_000 },
			"a new model":    func(d *Decoder) { d.config, d.generation = nil, nil },
			"in bfloat16":    func(d *Decoder) { d.DType = BF16; round(d.Model, BF16) },
			"in float16":     func(d *Decoder) { d.DType = F16; round(d.Model, F16) },
			"with a further": func(d *Decoder) { d.Files = map[string][]byte{"tokenizer.json": []byte("{}")} },
		} {
			t.Run(filepath.Base(source)+"/"+name, func(t *testing.T) {
				d, err := LoadDecoder(source)
				if err != nil {
					t.Fatal(err)
				}
				change(d)
				dir := filepath.Join(t.TempDir(), "model")
				if err := SaveDecoder(dir, d); err != nil {
					t.Fatal(err)
				}
				back, err := LoadDecoder(dir)
				if err != nil {
					t.Fatal(err)
				}
				sameDecoder(t, d.Model, back.Model)
				files := names(t, dir)
				if several := strings.Contains(files, weightsIndex); several != (d.ShardBytes > 0) {
					t.Errorf("the directory holds %s", files)
				}
				back.DType, back.ShardBytes, back.Files = d.DType, d.ShardBytes, d.Files
				first := readAll(t, dir)
				if err := SaveDecoder(dir, back); err != nil {
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
}

// round makes the parameters what 16 bits hold.
func round(m *model.Decoder, to DType) {
	for _, p := range m.Params() {
		for i, v := range p.Data {
			if to == BF16 {
				p.Data[i] = bfloat16ToFloat32(float32ToBfloat16(v))
			} else {
				p.Data[i] = float16ToFloat32(float32ToFloat16(v))
			}
		}
	}
}

func TestPublishedDecoderIsSavedByteForByte(t *testing.T) {
	for source, as := range map[string]DType{gpt2: F32, llama: F32, llama3: BF16} {
		d, err := LoadDecoder(source)
		if err != nil {
			t.Fatal(err)
		}
		d.DType = as
		dir := filepath.Join(t.TempDir(), "model")
		if err := SaveDecoder(dir, d); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{weightsFile, "config.json", "generation_config.json"} {
			old, err := os.ReadFile(filepath.Join(source, name))
			if err != nil {
				t.Fatal(err)
			}
			saved, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if name == weightsFile && !bytes.Equal(old, saved) {
				t.Errorf("%s/%s is not byte for byte what transformers wrote", source, name)
			}
			var a, b map[string]any
			if name != weightsFile && (json.Unmarshal(old, &a) != nil || json.Unmarshal(saved, &b) != nil || !maps.EqualFunc(a, b, equalJSON)) {
				t.Errorf("%s/%s was %s and is %s", source, name, old, saved)
			}
		}
	}
}

func equalJSON(a, b any) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return bytes.Equal(x, y)
}

func TestHarmlessDifferencesInDecodersAreAccepted(t *testing.T) {
	for name, c := range map[string]struct {
		source string
		change func(m *model.Decoder, config map[string]any, ts []Tensor) []Tensor
	}{
		"gpt2 as published": {gpt2, func(_ *model.Decoder, _ map[string]any, ts []Tensor) []Tensor {
			for i := range ts {
				ts[i].Name = strings.TrimPrefix(ts[i].Name, "transformer.")
			}
			return append(ts, Tensor{Name: "h.0.attn.bias", DType: F32, Shape: []int{1, 1, 2, 2}, Float32: []float32{1, 0, 1, 1}},
				Tensor{Name: "h.1.attn.masked_bias", DType: F32, Float32: []float32{-1e4}})
		}},
		"masks under the long names": {gpt2, func(_ *model.Decoder, _ map[string]any, ts []Tensor) []Tensor {
			return append(ts, Tensor{Name: "transformer.h.0.attn.bias", DType: I64, Shape: []int{1, 1, 1, 1}, Int64: []int64{1}})
		}},
		"a second copy of what is tied": {gpt2, func(m *model.Decoder, _ map[string]any, ts []Tensor) []Tensor {
			copied := ts[0]
			copied.Name = headWeight
			return append(ts, copied)
		}},
		"tied under the output layer's name": {gpt2, func(m *model.Decoder, _ map[string]any, ts []Tensor) []Tensor {
			ts[0].Name = headWeight
			return ts
		}},
		"llama without prefix": {llama, func(_ *model.Decoder, _ map[string]any, ts []Tensor) []Tensor {
			for i := range ts {
				ts[i].Name = strings.TrimPrefix(ts[i].Name, "model.")
			}
			return ts
		}},
		"frequencies of old files": {llama, func(_ *model.Decoder, _ map[string]any, ts []Tensor) []Tensor {
			return append(ts, Tensor{Name: "model.layers.0.self_attn.rotary_emb.inv_freq", DType: F32, Shape: []int{4}, Float32: make([]float32, 4)})
		}},
		"several types in one file": {llama, func(m *model.Decoder, _ map[string]any, ts []Tensor) []Tensor {
			for i, p := range m.Params() {
				as := []DType{F32, BF16, F16}[i%3]
				for j, v := range p.Data { // numbers that all three hold
					p.Data[j] = float16ToFloat32(float32ToFloat16(bfloat16ToFloat32(float32ToBfloat16(v))))
				}
				ts[i].DType = as
			}
			return ts
		}},
	} {
		t.Run(name, func(t *testing.T) {
			m, config, tensors := parts(t, c.source)
			dir := decoderDir(t, config, c.change(m, config, tensors))
			back, err := LoadDecoder(dir)
			if err != nil {
				t.Fatal(err)
			}
			sameDecoder(t, m, back.Model)
		})
	}
}

func TestTensorsThatDifferAreNotTied(t *testing.T) {
	m, config, tensors := parts(t, gpt2)
	head := slices.Clone(m.Params()[0].Data)
	head[3]++
	dir := decoderDir(t, config, append(tensors, Tensor{Name: headWeight, DType: F32, Shape: m.Params()[0].Shape, Float32: head}))
	d, err := LoadDecoder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if last := d.Model.Params()[len(d.Model.Params())-1]; last.Name != headWeight || !slices.Equal(last.Data, head) {
		t.Errorf("the output layer is not what the file holds, but %s", last.Name)
	}
	saved := filepath.Join(t.TempDir(), "model")
	if err := SaveDecoder(saved, d); err != nil {
		t.Fatal(err)
	}
	if c, err := ReadConfig(filepath.Join(saved, "config.json")); err != nil || string(c.fields["tie_word_embeddings"]) != "false" {
		t.Errorf("the configuration still says that they are tied")
	}
}

func TestDecoderWeightsThatDoNotFitAreNamed(t *testing.T) {
	const up, attn = "model.layers.1.mlp.up_proj.weight", "transformer.h.1.attn.c_attn.weight"
	replace := func(name string, shape ...int) func([]Tensor) []Tensor {
		return func(ts []Tensor) []Tensor {
			n := 1
			for _, d := range shape {
				n *= d
			}
			return append(without(name)(ts), Tensor{Name: name, DType: F32, Shape: shape, Float32: make([]float32, n)})
		}
	}
	extra := func(name string) func([]Tensor) []Tensor {
		return func(ts []Tensor) []Tensor {
			return append(ts, Tensor{Name: name, DType: F32, Shape: []int{2, 3}, Float32: make([]float32, 6)})
		}
	}
	for name, c := range map[string]struct {
		source string
		change func([]Tensor) []Tensor
		config map[string]any
		want   []string
	}{
		"missing":            {llama, without(up), nil, []string{up, "[48 32]", "model.safetensors", "no tensor"}},
		"missing embedding":  {llama, without("model.embed_tokens.weight"), nil, []string{"model.embed_tokens.weight", "[96 32]"}},
		"missing output":     {llama, without(headWeight), nil, []string{headWeight, "[96 32]"}},
		"missing Conv1D":     {gpt2, without(attn), nil, []string{attn, "[32 96]"}},
		"misshapen":          {llama, replace(up, 32, 48), nil, []string{up, "[32 48]", "[48 32]"}},
		"Conv1D as a linear": {gpt2, replace(attn, 96, 32), nil, []string{attn, "[96 32]", "[32 96]"}},
		"one too many":       {llama, extra("model.layers.2.mlp.up_proj.weight"), nil, []string{"model.layers.2.mlp.up_proj.weight", "[2 3]", "no place"}},
		"bias too many":      {llama, extra("model.layers.0.self_attn.q_proj.bias"), nil, []string{"q_proj.bias", "no place"}},
		"integers": {llama, func(ts []Tensor) []Tensor {
			return append(without("model.norm.weight")(ts), Tensor{Name: "model.norm.weight", DType: I64, Shape: []int{32}, Int64: make([]int64, 32)})
		}, nil, []string{"model.norm.weight", "I64", "F32"}},
		"more layers":        {llama, nil, map[string]any{"num_hidden_layers": 3}, []string{"model.layers.2.input_layernorm.weight", "config.json"}},
		"immensely more":     {llama, nil, map[string]any{"num_hidden_layers": 1 << 16}, []string{"model.layers.2.input_layernorm.weight"}},
		"fewer layers":       {llama, nil, map[string]any{"num_hidden_layers": 1}, []string{"model.layers.1.", "no place"}},
		"wider":              {llama, nil, map[string]any{"hidden_size": 1 << 20}, []string{"model.embed_tokens.weight", "[96 32]", "[96 1048576]"}},
		"larger heads":       {llama, nil, map[string]any{"head_dim": 1 << 20}, []string{"model.layers.0.self_attn.q_proj.weight", "[4194304 32]"}},
		"more words":         {llama, nil, map[string]any{"vocab_size": 1 << 24}, []string{"model.embed_tokens.weight", "[16777216 32]"}},
		"more positions":     {gpt2, nil, map[string]any{"n_positions": 1 << 24}, []string{"transformer.wpe.weight", "[16777216 32]"}},
		"more feed-forward":  {llama, nil, map[string]any{"intermediate_size": 1 << 24}, []string{"model.layers.0.mlp.gate_proj.weight", "[16777216 32]"}},
		"biases":             {llama, nil, map[string]any{"attention_bias": true}, []string{"model.layers.0.self_attn.q_proj.bias", "[32]"}},
		"another family":     {llama, nil, map[string]any{"model_type": "qwen3", "architectures": nil}, []string{"model.layers.0.self_attn.q_norm.weight", "[8]"}},
		"an unknown family":  {llama, nil, map[string]any{"model_type": "rwkv"}, []string{"config.json", "model_type", "rwkv", "llama"}},
		"an unknown act":     {llama, nil, map[string]any{"hidden_act": "tanhh"}, []string{"config.json", "hidden_act", "tanhh", "silu"}},
		"no configuration":   {llama, nil, map[string]any{"model_type": nil}, []string{"config.json", "model_type"}},
		"types in one field": {llama, nil, map[string]any{"eos_token_id": map[string]any{}}, []string{"config.json", "eos_token_id"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, config, tensors := parts(t, c.source)
			maps.Copy(config, c.config)
			if c.change != nil {
				tensors = c.change(tensors)
			}
			_, err := LoadDecoder(decoderDir(t, config, tensors))
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

func TestFaultsOfShardsAreNamed(t *testing.T) {
	_, config, tensors := parts(t, llama)
	first, second := tensors[:5], tensors[5:]
	good := map[string]string{}
	for i, tensor := range tensors {
		good[tensor.Name] = "part-0.safetensors"
		if i >= 5 {
			good[tensor.Name] = "part-1.safetensors"
		}
	}
	moved := func(tensor, file string) map[string]string {
		m := maps.Clone(good)
		m[tensor] = file
		return m
	}
	for name, c := range map[string]struct {
		index map[string]string
		extra []Tensor // in the second file
		want  []string
	}{
		"a file that is not there":   {moved("model.norm.weight", "part-2.safetensors"), nil, []string{weightsIndex, "part-2.safetensors"}},
		"a file elsewhere":           {moved("model.norm.weight", "../part-1.safetensors"), nil, []string{weightsIndex, "model.norm.weight", "same directory"}},
		"a file of another kind":     {moved("model.norm.weight", "config.json"), nil, []string{weightsIndex, "model.norm.weight", "config.json"}},
		"a tensor in another file":   {moved("model.norm.weight", "part-0.safetensors"), nil, []string{"part-0.safetensors", "model.norm.weight"}},
		"a tensor that is missing":   {moved("model.other.weight", "part-0.safetensors"), nil, []string{"part-0.safetensors", "model.other.weight"}},
		"a tensor that stands twice": {good, first[:1], []string{"part-1.safetensors", first[0].Name, "part-0.safetensors"}},
		"an empty index":             {map[string]string{}, nil, []string{weightsIndex, "weight_map"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := decoderDir(t, config, first, append(slices.Clone(second), c.extra...))
			writeIndex(t, dir, c.index)
			_, err := LoadDecoder(dir)
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
	if _, err := LoadDecoder(decoderDir(t, config, first, second)); err != nil {
		t.Errorf("without a fault: %v", err)
	}
}

func TestMissingDecoderFilesAreNamed(t *testing.T) {
	_, config, tensors := parts(t, llama)
	for _, name := range []string{"config.json", weightsFile} {
		dir := decoderDir(t, config, tensors)
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadDecoder(dir); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	if _, err := LoadDecoder(filepath.Join(t.TempDir(), "nowhere")); err == nil || !strings.Contains(err.Error(), "no such model directory") {
		t.Errorf("a directory that is not there: %v", err)
	}
}

func TestDecoderIsNotSavedWhereThatWouldBeRegretted(t *testing.T) {
	d, err := LoadDecoder(llama)
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	mustWrite(t, filepath.Join(home, "thesis.txt"), "years of work")
	if err := SaveDecoder(home, d); err == nil || !strings.Contains(err.Error(), "thesis.txt") {
		t.Errorf("saving over a directory of other files: %v", err)
	}
	d.Files = map[string][]byte{"../thesis.txt": nil}
	if err := SaveDecoder(filepath.Join(home, "m"), d); err == nil {
		t.Error("a file outside the directory is accepted")
	}
	held, err := LoadDecoderHalf(llama, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := SaveDecoder(filepath.Join(home, "m"), held); err == nil || !strings.Contains(err.Error(), "bfloat16") {
		t.Errorf("a model that holds rounded numbers: %v", err)
	}
	d.Files, d.DType = nil, I64
	if err := SaveDecoder(filepath.Join(home, "m"), d); err == nil || !strings.Contains(err.Error(), "I64") {
		t.Errorf("weights as integers: %v", err)
	}
}

func FuzzDecoderConfig(f *testing.F) {
	for _, source := range []string{gpt2, llama, llama3} {
		data, err := os.ReadFile(filepath.Join(source, "config.json"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"model_type":"qwen3","vocab_size":96,"hidden_size":32,"layer_types":["full_attention"],"num_hidden_layers":1}`))
	f.Add([]byte(`{"model_type":"mistral","rope_scaling":{"rope_type":"yarn","factor":null,"mscale":1e308},"rope_theta":1.0000001}`))
	var weights []*Weights
	for _, source := range []string{gpt2, llama} {
		w, err := OpenWeights(source)
		if err != nil {
			f.Fatal(err)
		}
		f.Cleanup(func() { w.Close() })
		weights = append(weights, w)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := model.ParseDecoderConfig(data)
		if err != nil {
			return
		}
		for _, w := range weights {
			decoderFrom(w, c, "config.json", func(m *model.Decoder, sources []source) error { // an error or none, no panic
				m.Store().Allocate()
				return readSources(sources)
			})
		}
	})
}

func FuzzWeightsIndex(f *testing.F) {
	f.Add([]byte(`{"metadata":{"total_size":8},"weight_map":{"a":"model.safetensors","b":"x.safetensors"}}`))
	f.Add([]byte(`{"weight_map":{"a":"..\\model.safetensors"}}`))
	f.Add([]byte(`{"weight_map":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		config, err := ParseConfig("index.json", data)
		if err != nil {
			return
		}
		where, err := parseIndex(config)
		if err != nil {
			return
		}
		for tensor, name := range where {
			if name != filepath.Base(name) || strings.ContainsAny(name, "/\\\x00") {
				t.Errorf("tensor %q is looked for in %q", tensor, name)
			}
		}
	})
}

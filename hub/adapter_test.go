package hub

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parley-lm/parley/model"
)

// adapterFixture is the directory of an adapter that PEFT saved, and its base model.
func adapterFixture(t testing.TB, name string) (string, *model.Decoder) {
	t.Helper()
	dir := filepath.Join("..", "..", "shared", "fixtures", "adapters", name)
	if !isDir(dir) {
		t.Skipf("../shared/fixtures/adapters/%s is not there", name)
	}
	base, err := AdapterBase(dir)
	if err != nil {
		t.Fatal(err)
	}
	d, err := LoadDecoder(base)
	if err != nil {
		t.Fatal(err)
	}
	return dir, d.Model
}

func TestAdaptersAreWrittenAsTheyWereRead(t *testing.T) {
	for _, name := range []string{"llama-qv", "llama-all-rslora", "gpt2-conv1d"} {
		dir, m := adapterFixture(t, name)
		a, err := LoadAdapter(dir, m)
		if err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(t.TempDir(), "out")
		a.Files = map[string][]byte{"README.md": []byte("# an adapter\n")}
		if err := SaveAdapter(out, a, m); err != nil {
			t.Fatal(err)
		}
		if !IsAdapter(out) {
			t.Error("not an adapter")
		}
		for _, file := range []string{adapterConfigFile, adapterWeightsFile} {
			want, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Join(out, file))
			if err != nil {
				t.Fatal(err)
			}
			if file == adapterConfigFile {
				var x, y any
				if json.Unmarshal(want, &x) != nil || json.Unmarshal(got, &y) != nil {
					t.Fatal("not JSON")
				}
				want, got = appendJSON(nil, x), appendJSON(nil, y)
			}
			if !bytes.Equal(want, got) {
				t.Errorf("%s: %s differs", name, file)
			}
		}
		// A configuration of Parley's own says the same.
		a.config = nil
		if err := SaveAdapter(out, a, m); err != nil {
			t.Fatal(err)
		}
		again, err := LoadAdapter(out, m)
		if err != nil {
			t.Fatal(err)
		}
		for i, module := range a.LoRA.Modules {
			if again.LoRA.Modules[i] != module {
				t.Errorf("%s: %+v, was %+v", name, again.LoRA.Modules[i], module)
			}
		}
	}
}

// TestWhatIsWrongWithAnAdapterIsNamed changes one key or tensor of a good one at a time.
func TestWhatIsWrongWithAnAdapterIsNamed(t *testing.T) {
	dir, m := adapterFixture(t, "llama-qv")
	f, err := Open(filepath.Join(dir, adapterWeightsFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const tensor = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
	for _, c := range []struct {
		key, value string
		tensors    func(list []Tensor) []Tensor
		want       string
	}{
		{key: "peft_type", value: `"IA3"`, want: `peft_type must be "LORA"`},
		{key: "task_type", value: `"SEQ_CLS"`, want: `task_type must be "CAUSAL_LM"`},
		{key: "r", value: `0`, want: "r must be a whole number"},
		{key: "r", value: `1e9`, want: "a rank of 1000000000"},
		{key: "r", value: `"4"`, want: "r must be a whole number"},
		{key: "r", value: `5`, want: "q_proj.lora_A.weight\" has shape [4 64]; adapter_config.json and the model ask for [5 64]"},
		{key: "lora_alpha", value: `"x"`, want: "lora_alpha must be a number"},
		{key: "lora_dropout", value: `1`, want: "lora_dropout must be"},
		{key: "bias", value: `"some"`, want: `bias must be "none", "lora_only" or "all"`},
		{key: "use_dora", value: `true`, want: `there is no tensor "base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector" of shape [64]`},
		{key: "use_dora", value: `1`, want: "use_dora must be true or false"},
		{key: "task_type", value: `"QUESTION_ANS"`, want: `task_type must be "CAUSAL_LM", "SEQ_CLS" or "TOKEN_CLS"`},
		{key: "modules_to_save", value: `["lm_head"]`, want: `there is no tensor "base_model.model.lm_head.weight" of shape [512 64]`},
		{key: "modules_to_save", value: `["norm"]`, want: `modules_to_save: "norm" is not the embedding (model.embed_tokens) nor the output layer (lm_head)`},
		{key: "modules_to_save", value: `"norm"`, want: "modules_to_save must be a list"},
		{key: "init_lora_weights", value: `"pissa"`, want: "init_lora_weights"},
		{key: "target_modules", value: `["q_proj", "query"]`, want: `target "query" is not a linear layer of the model; it has q_proj`},
		{key: "target_modules", value: `["q_proj"]`, want: "v_proj.lora_A.weight\" of shape [4 64] has no place: the model has no such linear layer, or target_modules"},
		{key: "target_modules", value: `["q_proj", "v_proj", "o_proj"]`, want: `there is no tensor "base_model.model.model.layers.0.self_attn.o_proj.lora_A.weight" of shape [4 64]`},
		{key: "target_modules", value: `"("`, want: "target_modules: error parsing regexp"},
		{key: "target_modules", value: `7`, want: "target_modules must be a list"},
		{key: "rank_pattern", value: `{"q_proj": 0}`, want: "rank_pattern: a rank of 0"},
		{key: "rank_pattern", value: `{"q_proj": {}}`, want: "rank_pattern must be an object"},
		{key: "layers_to_transform", value: `[7]`, want: "no linear layer of the model is among the targets"},
		{tensors: func(list []Tensor) []Tensor { return list[1:] }, want: `there is no tensor "` + tensor},
		{tensors: func(list []Tensor) []Tensor {
			list[0].Shape = []int{64, 4}
			return list
		}, want: `tensor "` + tensor + `" has shape [64 4]`},
		{tensors: func(list []Tensor) []Tensor {
			return append(list, Tensor{Name: "base_model.model.model.embed_tokens.lora_embedding_A", DType: F32, Shape: []int{1}, Float32: []float32{1}})
		}, want: "the model has no such embedding, or target_modules does not name it"},
		{tensors: func(list []Tensor) []Tensor {
			return append(list, Tensor{Name: "base_model.model.lm_head.base_layer.weight", DType: F32, Shape: []int{1}, Float32: []float32{1}})
		}, want: "embeddings of another size than the base model's"},
		{tensors: func(list []Tensor) []Tensor {
			list[0] = Tensor{Name: tensor, DType: I64, Shape: list[0].Shape, Int64: make([]int64, len(list[0].Float32))}
			return list
		}, want: `tensor "` + tensor + `" is of type I64`},
	} {
		bad := t.TempDir()
		config, err := ReadConfig(filepath.Join(dir, adapterConfigFile))
		if err != nil {
			t.Fatal(err)
		}
		if c.key != "" {
			config.fields[c.key] = json.RawMessage(c.value)
		}
		var list []Tensor
		for _, name := range f.Tensors() {
			values, shape, err := f.Float32(name)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, Tensor{Name: name, DType: F32, Shape: shape, Float32: values})
		}
		if c.tensors != nil {
			list = c.tensors(list)
		}
		if err := config.Save(filepath.Join(bad, adapterConfigFile)); err != nil {
			t.Fatal(err)
		}
		if err := SaveSafetensors(filepath.Join(bad, adapterWeightsFile), list, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadAdapter(bad, m); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want %q", c.key, c.value, err, c.want)
		}
	}
	if _, err := AdapterBase(t.TempDir()); err == nil {
		t.Error("a directory without an adapter has a base")
	}
	lost := t.TempDir()
	if err := os.WriteFile(filepath.Join(lost, adapterConfigFile), []byte(`{"base_model_name_or_path": "somebody/model"}`), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := AdapterBase(lost); err == nil || !strings.Contains(err.Error(), `the base model "somebody/model" is not on this machine`) {
		t.Errorf("a base that is not there: %v", err)
	}
}

// savedAdapter makes a new adapter for the model of a directory and saves it.
func savedAdapter(t *testing.T, m *model.Decoder, base string, c model.LoRAConfig) (a *Adapter, dir string) {
	t.Helper()
	a = &Adapter{Base: base, Config: c}
	var err error
	if a.LoRA, err = m.NewLoRA(a.Config); err != nil {
		t.Fatal(err)
	}
	a.LoRA.Params.Allocate()
	a.LoRA.Params.Initialize(1)
	dir = filepath.Join(t.TempDir(), "adapter")
	if err := SaveAdapter(dir, a, m); err != nil {
		t.Fatal(err)
	}
	return a, dir
}

// TestTheUpdateOfAnEmbeddingReadsBackAsWritten also has the copy of the embedding that PEFT writes beside it.
func TestTheUpdateOfAnEmbeddingReadsBackAsWritten(t *testing.T) {
	_, m := adapterFixture(t, "llama-qv")
	a, dir := savedAdapter(t, m, "", model.LoRAConfig{Rank: 2, Alpha: 4, Targets: model.Modules{Names: []string{"q_proj", "embed_tokens"}}})
	embedding := slices.Clone(m.Params()[0].Data)
	for _, c := range []struct {
		shape []int
		data  []float32
		want  string
	}{
		{nil, nil, ""}, {m.Params()[0].Shape, embedding, ""},
		{m.Params()[0].Shape, make([]float32, len(embedding)), "another than the base model's model.embed_tokens.weight"},
		{[]int{1, len(embedding)}, embedding, "a model of another vocabulary"},
	} {
		tensors := tensorsOf(a.LoRA.Params.Params(), F32)
		if c.data != nil {
			tensors = append(tensors, Tensor{Name: "base_model.model.model.embed_tokens.base_layer.weight", DType: F32, Shape: c.shape, Float32: c.data})
		}
		if err := SaveSafetensors(filepath.Join(dir, adapterWeightsFile), tensors, nil); err != nil {
			t.Fatal(err)
		}
		back, err := LoadAdapter(dir, m)
		switch {
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%v; want %q", err, c.want)
		case c.want == "" && err != nil:
			t.Error(err)
		case c.want == "" && !slices.Equal(back.LoRA.Params.Values(), a.LoRA.Params.Values()):
			t.Error("other numbers")
		}
	}
}

func TestBiasesOfAnAdapterReadBackAsWritten(t *testing.T) {
	_, m := adapterFixture(t, "gpt2-conv1d")
	a, dir := savedAdapter(t, m, "", model.LoRAConfig{Rank: 2, Alpha: 4, Bias: "lora_only"})
	for _, old := range []bool{false, true} {
		if old {
			tensors := tensorsOf(a.LoRA.Params.Params(), F32)
			for i := range tensors {
				tensors[i].Name = strings.Replace(tensors[i].Name, ".base_layer.", ".", 1)
			}
			if err := SaveSafetensors(filepath.Join(dir, adapterWeightsFile), tensors, nil); err != nil {
				t.Fatal(err)
			}
		}
		back, err := LoadAdapter(dir, m)
		if err != nil || !back.LoRA.ForUse() || !slices.Equal(back.LoRA.Params.Values(), a.LoRA.Params.Values()) {
			t.Errorf("read back: %v", err)
		}
	}
}

// TestADoRAReadsBackAsWritten also has what cannot be done with one.
func TestADoRAReadsBackAsWritten(t *testing.T) {
	plain, m := adapterFixture(t, "llama-qv")
	base, err := AdapterBase(plain)
	if err != nil {
		t.Fatal(err)
	}
	if base, err = filepath.Abs(base); err != nil {
		t.Fatal(err)
	}
	a, dir := savedAdapter(t, m, base, model.LoRAConfig{Rank: 2, Alpha: 4, Decomposed: true})
	config, err := ReadConfig(filepath.Join(dir, adapterConfigFile))
	if err != nil {
		t.Fatal(err)
	}
	config.fields["lora_dropout"] = json.RawMessage("0.1")
	if err := config.Save(filepath.Join(dir, adapterConfigFile)); err != nil {
		t.Fatal(err)
	}
	back, err := LoadAdapter(dir, m)
	if err != nil || !back.LoRA.Decomposed() || !slices.Equal(back.LoRA.Params.Values(), a.LoRA.Params.Values()) {
		t.Errorf("read back: %v", err)
	}
	for _, x := range []struct {
		list []WeightedAdapter
		want string
	}{
		{[]WeightedAdapter{{dir, 0.5}}, "it is a DoRA (use_dora), so that its weight can only be 1"},
		{[]WeightedAdapter{{plain, 1}, {dir, 1}}, "the first of the adapters"},
		{[]WeightedAdapter{{dir, 1}, {plain, 1}}, "beside which there can be no other"},
	} {
		if _, err := Merge(nil, base, x.list, filepath.Join(t.TempDir(), "out"), ""); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%v; want %q", err, x.want)
		}
	}
}

func TestMergeRefusesToOverwriteWhatItReads(t *testing.T) {
	dir, _ := adapterFixture(t, "llama-qv")
	base, err := AdapterBase(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{dir, base} {
		if _, err := Merge(nil, base, []WeightedAdapter{{dir, 1}}, out, ""); err == nil || !strings.Contains(err.Error(), "is read for what is to be written") {
			t.Errorf("%s: %v", out, err)
		}
	}
	if _, err := Merge(nil, dir, []WeightedAdapter{{dir, 1}}, filepath.Join(t.TempDir(), "x"), ""); err == nil || !strings.Contains(err.Error(), "is an adapter") {
		t.Errorf("an adapter as base: %v", err)
	}
}

// FuzzAdapterConfig reads anything as adapter_config.json and matches it with a model.
func FuzzAdapterConfig(f *testing.F) {
	f.Add([]byte(`{"peft_type": "LORA", "r": 4, "target_modules": ["q_proj"], "rank_pattern": {"v_proj": 2}, "alpha_pattern": {"q": 1.5}}`))
	f.Add([]byte(`{"peft_type": "LORA", "target_modules": "all-linear", "layers_to_transform": [0], "layers_pattern": "layers"}`))
	f.Add([]byte(`{"peft_type": "LORA", "target_modules": ".*_proj", "exclude_modules": ["k_proj"], "r": 1e300, "rank_pattern": {"a{1000}{1000}": 1}}`))
	f.Add([]byte(`{"peft_type": "LORA", "use_dora": true, "lora_dropout": 0.1, "modules_to_save": ["embed_tokens", "lm_head", "model.embed_tokens"]}`))
	m, err := model.DescribeDecoder(model.DecoderConfig{
		ModelType: "llama", VocabSize: 10, Hidden: 8, Layers: 2, Heads: 2, KVHeads: 1, HeadDim: 4, FeedForward: 12, MaxPositions: 16,
		Activation: "silu", NormEps: 1e-5, ScaleAttention: true, Rotary: model.RotaryConfig{Type: "default", Theta: 10000, Factor: 1, Magnitude: 1},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		config, err := ParseConfig("adapter_config.json", data)
		if err != nil {
			return
		}
		l, err := parseLoRA(config)
		if err != nil {
			return
		}
		if lora, err := m.NewLoRA(l); err == nil && len(lora.Modules) == 0 {
			t.Error("a LoRA of nothing")
		}
	})
}

package model_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/parley-lm/parley/model"
)

// parsed reads a configuration given as Go values.
func parsed(t *testing.T, fields map[string]any) (model.DecoderConfig, error) {
	t.Helper()
	data, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return model.ParseDecoderConfig(data)
}

func TestAbsentKeysHaveTheDefaultsOfTransformers(t *testing.T) {
	for name, c := range map[string]struct {
		fields map[string]any
		check  func(c model.DecoderConfig) bool
	}{
		"gpt2": {map[string]any{"model_type": "gpt2"}, func(c model.DecoderConfig) bool {
			return c.VocabSize == 50257 && c.Hidden == 768 && c.Layers == 12 && c.HeadDim == 64 && c.KVHeads == 12 && c.FeedForward == 3072 &&
				c.MaxPositions == 1024 && c.Activation == "gelu_new" && c.TieEmbeddings && c.NormEps == 1e-5 && c.Dropout == 0.1 &&
				c.ScaleAttention && !c.ScaleByLayer && *c.BOSID == 50256 && slices.Equal(c.EOSIDs, []int32{50256}) && c.PadID == nil
		}},
		"gpt2 under other names": {map[string]any{"model_type": "gpt2", "hidden_size": 96, "num_attention_heads": 3, "num_hidden_layers": 2, "max_position_embeddings": 7, "n_inner": nil},
			func(c model.DecoderConfig) bool {
				return c.Hidden == 96 && c.HeadDim == 32 && c.Layers == 2 && c.MaxPositions == 7 && c.FeedForward == 384
			}},
		"llama": {map[string]any{"model_type": "llama"}, func(c model.DecoderConfig) bool {
			return c.VocabSize == 32000 && c.Hidden == 4096 && c.FeedForward == 11008 && c.KVHeads == 32 && c.HeadDim == 128 && c.MaxPositions == 2048 &&
				!c.TieEmbeddings && !c.InBias && !c.MLPBias && c.NormEps == 1e-6 && c.Rotary.Theta == 10000 && c.Rotary.Type == "default" && c.Windows == nil
		}},
		"llama's biases": {map[string]any{"model_type": "llama", "attention_bias": true, "mlp_bias": true}, func(c model.DecoderConfig) bool {
			return c.InBias && c.OutBias && c.MLPBias
		}},
		"mistral": {map[string]any{"model_type": "mistral"}, func(c model.DecoderConfig) bool {
			return c.KVHeads == 8 && c.FeedForward == 14336 && c.MaxPositions == 131072 && len(c.Windows) == 32 && c.Windows[31] == 4096
		}},
		"mistral without window": {map[string]any{"model_type": "mistral", "sliding_window": nil, "num_key_value_heads": nil}, func(c model.DecoderConfig) bool {
			return c.Windows == nil && c.KVHeads == 32
		}},
		"qwen2": {map[string]any{"model_type": "qwen2"}, func(c model.DecoderConfig) bool {
			return c.VocabSize == 151936 && c.InBias && !c.OutBias && !c.MLPBias && !c.HeadNorms && c.Windows == nil && c.BOSID == nil && c.EOSIDs == nil
		}},
		"qwen2 with a window": {map[string]any{"model_type": "qwen2", "use_sliding_window": true}, func(c model.DecoderConfig) bool {
			return c.Windows[27] == 0 && c.Windows[28] == 4096
		}},
		"qwen2 with kinds of layers": {map[string]any{"model_type": "qwen2", "use_sliding_window": true, "num_hidden_layers": 2, "sliding_window": 9,
			"layer_types": []string{"sliding_attention", "full_attention"}}, func(c model.DecoderConfig) bool { return slices.Equal(c.Windows, []int{9, 0}) }},
		"mistral with layer_types": {map[string]any{"model_type": "mistral", "num_hidden_layers": 3, "sliding_window": 9,
			"layer_types": []string{"full_attention", "sliding_attention", "full_attention"}}, func(c model.DecoderConfig) bool {
			return slices.Equal(c.Windows, []int{0, 9, 0}) && slices.Equal(c.Fields()["layer_types"].([]string), []string{"full_attention", "sliding_attention", "full_attention"})
		}},
		"qwen3": {map[string]any{"model_type": "qwen3"}, func(c model.DecoderConfig) bool {
			return c.HeadDim == 128 && c.HeadNorms && !c.InBias && !c.OutBias
		}},
		"linear, by its old key": {map[string]any{"model_type": "llama", "rope_theta": 500, "rope_scaling": map[string]any{"type": "linear", "factor": 2}},
			func(c model.DecoderConfig) bool {
				return c.Rotary == model.RotaryConfig{Type: "linear", Theta: 500, Factor: 2, Magnitude: 1}
			}},
		"yarn": {map[string]any{"model_type": "llama", "rope_parameters": map[string]any{"rope_type": "yarn", "factor": 1}},
			func(c model.DecoderConfig) bool {
				return c.Rotary == model.RotaryConfig{Type: "yarn", Theta: 10000, Factor: 1, Magnitude: 1, Original: 2048, BetaFast: 32, BetaSlow: 1, Truncate: true}
			}},
		"theta inside counts before theta outside": {map[string]any{"model_type": "llama", "rope_theta": 5, "rope_parameters": map[string]any{"rope_theta": 7}},
			func(c model.DecoderConfig) bool { return c.Rotary.Theta == 7 }},
		"several ends": {map[string]any{"model_type": "llama", "eos_token_id": []int{2, 5}, "bos_token_id": nil}, func(c model.DecoderConfig) bool {
			return slices.Equal(c.EOSIDs, []int32{2, 5}) && c.BOSID == nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parsed(t, c.fields)
			if err != nil {
				t.Fatal(err)
			}
			if !c.check(got) {
				t.Errorf("read as %+v", got)
			}
		})
	}
}

func TestDecoderConfigErrorsNameTheKeyAndWhatIsSupported(t *testing.T) {
	rope := func(fields map[string]any) map[string]any { return map[string]any{"rope_scaling": fields} }
	for name, c := range map[string]struct {
		modelType string
		fields    map[string]any
		want      []string
	}{
		"no type":             {"", nil, []string{"model_type", "gpt2, llama, mistral, qwen2, qwen3"}},
		"unknown type":        {"gemma", nil, []string{"model_type", `"gemma"`, "gpt2, llama, mistral, qwen2, qwen3"}},
		"another head":        {"llama", map[string]any{"architectures": []string{"LlamaForSequenceClassification"}}, []string{"architectures", "LlamaForSequenceClassification", "LlamaForCausalLM"}},
		"quantised":           {"llama", map[string]any{"quantization_config": map[string]any{"bits": 4}}, []string{"quantization_config"}},
		"activation":          {"llama", map[string]any{"hidden_act": "mish"}, []string{"hidden_act", `"mish"`, "silu"}},
		"activation of gpt2":  {"gpt2", map[string]any{"activation_function": "quick_gelu"}, []string{"activation_function", `"quick_gelu"`, "gelu_new"}},
		"rotation":            {"llama", rope(map[string]any{"rope_type": "dynamic", "factor": 2}), []string{"rope_scaling.rope_type", `"dynamic"`, "default, linear, llama3, yarn"}},
		"rotation, old key":   {"qwen2", rope(map[string]any{"type": "mrope"}), []string{"rope_type", `"mrope"`, "yarn"}},
		"rotation by layer":   {"qwen3", map[string]any{"rope_parameters": map[string]any{"full_attention": map[string]any{"rope_type": "default"}}}, []string{"rope_parameters.full_attention"}},
		"partial rotation":    {"llama", map[string]any{"partial_rotary_factor": 0.5}, []string{"partial_rotary_factor", "0.5"}},
		"no factor":           {"llama", rope(map[string]any{"rope_type": "linear"}), []string{"rope_scaling.factor", "missing"}},
		"no frequencies":      {"llama", rope(map[string]any{"rope_type": "llama3", "factor": 8, "low_freq_factor": 1}), []string{"high_freq_factor", "missing"}},
		"crossed frequencies": {"llama", rope(map[string]any{"rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 1}), []string{"high_freq_factor", "low_freq_factor"}},
		"crossed betas":       {"llama", rope(map[string]any{"rope_type": "yarn", "factor": 8, "beta_fast": 1, "beta_slow": 2}), []string{"beta_fast", "beta_slow"}},
		"zero factor":         {"llama", rope(map[string]any{"rope_type": "linear", "factor": 0}), []string{"factor is 0"}},
		"theta":               {"llama", map[string]any{"rope_theta": -1}, []string{"rope_theta is -1"}},
		"factor of words":     {"llama", rope(map[string]any{"rope_type": "linear", "factor": "two"}), []string{"rope_scaling.factor"}},
		"odd heads":           {"llama", map[string]any{"head_dim": 7}, []string{"head_dim is 7", "even"}},
		"heads":               {"llama", map[string]any{"num_attention_heads": 7}, []string{"num_attention_heads is 7", "hidden_size"}},
		"key/value heads":     {"llama", map[string]any{"num_key_value_heads": 5}, []string{"num_key_value_heads is 5"}},
		"gpt2's heads":        {"gpt2", map[string]any{"n_head": 7}, []string{"n_head is 7", "n_embd"}},
		"no layers":           {"gpt2", map[string]any{"n_layer": 0}, []string{"n_layer is 0"}},
		"wrong type":          {"llama", map[string]any{"hidden_size": "wide"}, []string{"hidden_size", "string"}},
		"cross-attention":     {"gpt2", map[string]any{"add_cross_attention": true}, []string{"add_cross_attention"}},
		"window":              {"mistral", map[string]any{"sliding_window": 0}, []string{"sliding_window is 0", "null"}},
		"kinds of layers":     {"qwen2", map[string]any{"layer_types": []string{"full_attention"}}, []string{"layer_types", "num_hidden_layers is 32"}},
		"kind of a layer":     {"qwen2", map[string]any{"num_hidden_layers": 1, "layer_types": []string{"linear_attention"}}, []string{"layer_types[0]", "linear_attention", "full_attention, sliding_attention"}},
		"window without size": {"qwen3", map[string]any{"num_hidden_layers": 1, "layer_types": []string{"sliding_attention"}}, []string{"layer_types[0]", "use_sliding_window"}},
		"pad":                 {"llama", map[string]any{"pad_token_id": 32000}, []string{"pad_token_id is 32000"}},
		"end":                 {"llama", map[string]any{"eos_token_id": "x"}, []string{"eos_token_id"}},
		"dropout":             {"gpt2", map[string]any{"resid_pdrop": 1.5}, []string{"resid_pdrop is 1.5"}},
		"eps":                 {"llama", map[string]any{"rms_norm_eps": -1}, []string{"rms_norm_eps is -1"}},
	} {
		t.Run(name, func(t *testing.T) {
			fields := maps.Clone(c.fields)
			if fields == nil {
				fields = map[string]any{}
			}
			if c.modelType != "" {
				fields["model_type"] = c.modelType
			}
			_, err := parsed(t, fields)
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

func TestDecoderConfigReadsWhatItWrites(t *testing.T) {
	small := map[string]any{"num_hidden_layers": 3, "hidden_size": 48, "num_attention_heads": 6, "num_key_value_heads": 2}
	for name, fields := range map[string]map[string]any{
		"gpt2":     {"model_type": "gpt2", "n_inner": 5, "tie_word_embeddings": false, "scale_attn_by_inverse_layer_idx": true, "pad_token_id": 3},
		"llama":    {"model_type": "llama", "attention_bias": true, "mlp_bias": true, "head_dim": 10, "tie_word_embeddings": true, "eos_token_id": []int{1, 2}},
		"linear":   {"model_type": "llama", "rope_scaling": map[string]any{"type": "linear", "factor": 3.5}},
		"llama3":   {"model_type": "llama", "rope_scaling": map[string]any{"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4}},
		"yarn":     {"model_type": "mistral", "rope_scaling": map[string]any{"rope_type": "yarn", "factor": 8, "mscale": 2, "mscale_all_dim": 1, "truncate": false}},
		"mistral":  {"model_type": "mistral", "sliding_window": 11},
		"full":     {"model_type": "mistral", "sliding_window": nil},
		"qwen2":    {"model_type": "qwen2", "use_sliding_window": true, "max_window_layers": 1},
		"qwen3":    {"model_type": "qwen3", "attention_bias": true, "eos_token_id": nil},
		"no scale": {"model_type": "gpt2", "scale_attn_weights": false, "activation_function": "relu"},
	} {
		t.Run(name, func(t *testing.T) {
			all := maps.Clone(small)
			maps.Copy(all, fields)
			first, err := parsed(t, all)
			if err != nil {
				t.Fatal(err)
			}
			second, err := parsed(t, first.Fields())
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(first, second) {
				t.Errorf("written and read again\n%+v is\n%+v", first, second)
			}
		})
	}
}

package hub

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
)

// ggufArchitectures are the values of general.architecture that Parley computes, sorted.
var ggufArchitectures = []string{"gpt2", "llama", "qwen2", "qwen3"}

// ggufArchitecture is the architecture of llama.cpp that computes a family of models.
func ggufArchitecture(c model.DecoderConfig) string {
	if c.ModelType == "mistral" {
		return "llama"
	}
	return c.ModelType
}

// ropeDivisors is the tensor by whose numbers llama.cpp's llama divides the frequencies of rotary positions.
const ropeDivisors = "rope_freqs.weight"

// ggufConfig says in metadata what a configuration says. divisors, if there are any, are for the tensor [ropeDivisors]; notes
// say where llama.cpp will compute something else. What it cannot compute is an error that names the key of config.json.
func ggufConfig(c model.DecoderConfig) (pairs []ggufPair, divisors []float32, notes []string, err error) {
	if err := ggufExpresses(c); err != nil {
		return nil, nil, nil, err
	}
	arch := ggufArchitecture(c)
	add := func(key string, value any) { pairs = append(pairs, ggufPair{arch + "." + key, value}) }
	pairs = append(pairs, ggufPair{"general.architecture", arch})
	add("vocab_size", uint32(c.VocabSize))
	add("context_length", uint32(c.MaxPositions))
	add("embedding_length", uint32(c.Hidden))
	add("block_count", uint32(c.Layers))
	add("feed_forward_length", uint32(c.FeedForward))
	add("attention.head_count", uint32(c.Heads))
	add("attention.head_count_kv", uint32(c.KVHeads))
	if arch == "gpt2" {
		add("attention.layer_norm_epsilon", float32(c.NormEps))
		return pairs, nil, nil, nil
	}
	add("attention.layer_norm_rms_epsilon", float32(c.NormEps))
	add("attention.key_length", uint32(c.HeadDim))
	add("attention.value_length", uint32(c.HeadDim))
	add("rope.dimension_count", uint32(c.HeadDim))
	add("rope.freq_base", float32(c.Rotary.Theta))
	if window := slices.Max(append([]int{0}, c.Windows...)); window > 0 {
		add("attention.sliding_window", uint32(window))
		if slices.Min(c.Windows) == 0 {
			pattern := make([]int32, len(c.Windows))
			for i, w := range c.Windows {
				pattern[i] = int32(min(w, 1))
			}
			add("attention.sliding_window_pattern", pattern)
		}
		if window < c.MaxPositions {
			notes = append(notes, fmt.Sprintf("llama.cpp's %s has no sliding window: beyond %d tokens it attends to all, and answers otherwise", arch, window))
		}
	}
	switch r := c.Rotary; {
	case r.Type == "default":
	case r.Type == "linear":
		add("rope.scaling.type", "linear")
		add("rope.scaling.factor", float32(r.Factor))
	case r.Type == "yarn" && r.Truncate && r.BetaFast == 32 && r.BetaSlow == 1: // llama.cpp's own
		add("rope.scaling.type", "yarn")
		add("rope.scaling.factor", float32(r.Factor))
		add("rope.scaling.original_context_length", uint32(r.Original))
		if m := float32(r.Magnitude / yarnMagnitude(r.Factor)); m != 1 {
			add("rope.scaling.attn_factor", m)
		}
	case arch != "llama":
		return nil, nil, nil, fmt.Errorf("rope_scaling of rope_type %q: llama.cpp's %s has none, and of yarn only beta_fast 32 and beta_slow 1", r.Type, arch)
	default:
		divisors = r.Divisors(c.HeadDim)
		if r.Magnitude != 1 {
			add("rope.scaling.type", "none")
			add("rope.scaling.attn_factor", float32(r.Magnitude))
		}
	}
	return pairs, divisors, notes, nil
}

// yarnMagnitude is what llama.cpp multiplies cosines and sines with under yarn.
func yarnMagnitude(factor float64) float64 { return 1 + 0.1*math.Log(max(factor, 1)) }

// ggufExpresses names the first value that llama.cpp's graph of the architecture has no place for.
func ggufExpresses(c model.DecoderConfig) error {
	arch := ggufArchitecture(c)
	activation, err := model.ActivationByName(c.Activation)
	if err != nil {
		return err
	}
	key, wanted := "hidden_act", kernel.SiLU
	if arch == "gpt2" {
		key, wanted = "activation_function", kernel.GELUTanh
	}
	switch {
	case activation != wanted:
		return fmt.Errorf("%s is %q; llama.cpp's %s has %s", key, c.Activation, arch, map[bool]string{true: "gelu_new", false: "silu"}[arch == "gpt2"])
	case !c.ScaleAttention || c.ScaleByLayer:
		return fmt.Errorf("scale_attn_weights is %t and scale_attn_by_inverse_layer_idx %t; llama.cpp's %s has true and false", c.ScaleAttention, c.ScaleByLayer, arch)
	case arch == "qwen2" && c.Heads*c.HeadDim != c.Hidden:
		return fmt.Errorf("head_dim is %d; llama.cpp's qwen2 has hidden_size/num_attention_heads, %d/%d", c.HeadDim, c.Hidden, c.Heads)
	case arch == "qwen3" && c.OutBias:
		return fmt.Errorf("attention_bias is true; llama.cpp's qwen3 has no bias behind attention")
	}
	return nil
}

// config returns what the metadata say about the model as config.json says it, for [model.ParseDecoderConfig].
func (g *ggufFile) config() (map[string]any, error) {
	arch, err := g.text("general.architecture")
	if err != nil {
		return nil, err
	}
	if !slices.Contains(ggufArchitectures, arch) {
		return nil, g.errorf("general.architecture", "one that Parley computes ("+strings.Join(ggufArchitectures, ", ")+")")
	}
	fields := map[string]any{"model_type": arch, "bos_token_id": nil, "eos_token_id": nil, "torch_dtype": g.torchType()}
	keys := ggufLlamaKeys
	if arch == "gpt2" {
		keys = ggufGPT2Keys
	}
	for key, name := range keys {
		if fields[name], err = g.int(arch+"."+key, 1, math.MaxInt32); err != nil {
			return nil, err
		}
	}
	embedding, ok := g.Info("token_embd.weight")
	if !ok || len(embedding.Shape) != 2 {
		return nil, fmt.Errorf("%s: there is no matrix token_embd.weight", g.path)
	}
	fields["vocab_size"] = embedding.Shape[0]
	_, separate := g.Info("output.weight")
	fields["tie_word_embeddings"] = !separate
	if err := errorsOf(g.special(fields), g.without(arch+".expert_count")); err != nil {
		return nil, err
	}
	if arch == "gpt2" {
		eps, err := g.float("gpt2.attention.layer_norm_epsilon")
		fields["layer_norm_epsilon"], fields["activation_function"] = float32(eps), "gelu_new"
		return fields, err
	}
	return fields, g.llamaConfig(arch, fields)
}

// ggufGPT2Keys and ggufLlamaKeys are sizes, by their names in the metadata and in config.json.
var (
	ggufGPT2Keys = map[string]string{
		"context_length": "n_positions", "embedding_length": "n_embd", "block_count": "n_layer", "feed_forward_length": "n_inner",
		"attention.head_count": "n_head",
	}
	ggufLlamaKeys = map[string]string{
		"context_length": "max_position_embeddings", "embedding_length": "hidden_size", "block_count": "num_hidden_layers",
		"feed_forward_length": "intermediate_size", "attention.head_count": "num_attention_heads",
	}
)

// torchType is the type of the matrices, as torch calls it.
func (g *ggufFile) torchType() string {
	embedding, _ := g.Info("token_embd.weight")
	return torchNames[embedding.DType]
}

// torchNames are the types of weights as torch calls them.
var torchNames = map[DType]string{F32: "float32", F16: "float16", BF16: "bfloat16"}

// without refuses a count that is not 0.
func (g *ggufFile) without(key string) error {
	if !g.has(key) {
		return nil
	}
	_, err := g.int(key, 0, 0)
	return err
}

// errorsOf returns the first error.
func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// llamaConfig reads what the family of Llama has beyond sizes.
func (g *ggufFile) llamaConfig(arch string, fields map[string]any) error {
	eps, err := g.float(arch + ".attention.layer_norm_rms_epsilon")
	if err != nil {
		return err
	}
	fields["rms_norm_eps"], fields["hidden_act"] = float32(eps), "silu"
	heads := fields["num_attention_heads"].(int64)
	fields["num_key_value_heads"] = heads
	headDim := fields["hidden_size"].(int64) / heads
	for _, k := range []struct {
		key    string
		value  *int64
		fixed  bool // must be as it is already
		fields string
	}{
		{arch + ".attention.head_count_kv", &heads, false, "num_key_value_heads"},
		{arch + ".attention.key_length", &headDim, false, "head_dim"},
		{arch + ".attention.value_length", &headDim, true, ""},
		{arch + ".rope.dimension_count", &headDim, true, ""},
	} {
		low, high := int64(1), int64(math.MaxInt32)
		if k.fixed {
			low, high = *k.value, *k.value
		}
		if g.has(k.key) {
			if *k.value, err = g.int(k.key, low, high); err != nil {
				return err
			}
		}
		if !k.fixed {
			fields[k.fields] = *k.value
		}
	}
	_, bias := g.Info("blk.0.attn_q.bias")
	fields["attention_bias"] = bias // qwen2 has it without saying so
	_, fields["mlp_bias"] = g.Info("blk.0.ffn_up.bias")
	if err := g.window(arch, fields); err != nil {
		return err
	}
	return g.rope(arch, fields)
}

// window reads the sliding window, which llama.cpp knows in other architectures and others write for these.
func (g *ggufFile) window(arch string, fields map[string]any) error {
	key := arch + ".attention.sliding_window"
	if !g.has(key) {
		return nil
	}
	window, err := g.int(key, 0, math.MaxInt32)
	if err != nil || window == 0 {
		return err
	}
	fields["sliding_window"] = window
	if arch == "llama" {
		fields["model_type"] = "mistral"
		return nil
	}
	fields["use_sliding_window"], fields["max_window_layers"] = true, 0
	if pattern := arch + ".attention.sliding_window_pattern"; g.has(pattern) {
		layers, err := g.ints(pattern)
		if err != nil {
			return err
		}
		kinds := make([]string, len(layers))
		for i, windowed := range layers {
			kinds[i] = map[bool]string{true: "sliding_attention", false: "full_attention"}[windowed != 0]
		}
		fields["layer_types"] = kinds
	}
	return nil
}

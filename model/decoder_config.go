package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// DecoderConfig describes a decoder-only Transformer, whichever way its config.json spells it. [ParseDecoderConfig] reads
// the spellings of GPT-2, Llama, Mistral, Qwen2 and Qwen3; Fields writes them.
type DecoderConfig struct {
	ModelType string // gpt2, llama, mistral, qwen2 or qwen3: names of tensors, and the spelling

	VocabSize     int
	Hidden        int
	Layers        int
	Heads         int
	KVHeads       int // each serves Heads/KVHeads heads
	HeadDim       int
	FeedForward   int
	MaxPositions  int // the context length
	Activation    string
	NormEps       float64
	TieEmbeddings bool // the output layer is the embedding

	InBias, OutBias bool // of the projections to queries, keys and values; of the one behind attention
	MLPBias         bool
	HeadNorms       bool  // RMSNorm of every query and key head (Qwen3)
	Windows         []int // by layer: how many positions a position sees, itself included; 0: all before it
	ScaleAttention  bool  // by 1/√HeadDim
	ScaleByLayer    bool  // by 1/(layer+1) too (GPT-2)

	Rotary RotaryConfig // GPT-2 learns its positions instead

	// Rates in training: of sublayers, of the embedding, and of the probabilities of attention.
	Dropout, EmbeddingDropout, AttentionDropout float32
	InitStd                                     float64

	BOSID  *int32
	EOSIDs []int32
	PadID  *int32 // its embedding is not trained (but GPT-2's is)
}

// decoderFamilies are the values of model_type that Parley computes, sorted.
var decoderFamilies = []string{"gpt2", "llama", "mistral", "qwen2", "qwen3"}

// DecoderFamilies returns the values of model_type that [ParseDecoderConfig] reads, sorted.
func DecoderFamilies() []string { return slices.Clone(decoderFamilies) }

// decoderClasses names the classes of transformers whose directories hold such a model, by model_type: as it is saved, and
// without the output layer.
var decoderClasses = map[string][]string{
	"gpt2":    {"GPT2LMHeadModel", "GPT2Model"},
	"llama":   {"LlamaForCausalLM", "LlamaModel"},
	"mistral": {"MistralForCausalLM", "MistralModel"},
	"qwen2":   {"Qwen2ForCausalLM", "Qwen2Model"},
	"qwen3":   {"Qwen3ForCausalLM", "Qwen3Model"},
}

// ParseDecoderConfig reads a config.json as transformers does: the spellings of its versions 4 and 5, and its defaults for
// keys that are absent. What changes the computation is honoured, or is an error that names the key and lists what is
// supported.
func ParseDecoderConfig(data []byte) (DecoderConfig, error) {
	return parseDecoder(data, func(modelType string) []string { return decoderClasses[modelType] })
}

// parseDecoder is ParseDecoderConfig for directories of the given classes of transformers.
func parseDecoder(data []byte, classesOf func(modelType string) []string) (DecoderConfig, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil {
		return DecoderConfig{}, fmt.Errorf("must be a JSON object: %w", err)
	}
	var head struct {
		ModelType     string          `json:"model_type"`
		Architectures []string        `json:"architectures"`
		Quantization  json.RawMessage `json:"quantization_config"`
	}
	if err := decodeObject(object, &head, ""); err != nil {
		return DecoderConfig{}, err
	}
	if !slices.Contains(decoderFamilies, head.ModelType) {
		return DecoderConfig{}, fmt.Errorf("model_type is %q; supported: %s", head.ModelType, strings.Join(decoderFamilies, ", "))
	}
	classes := classesOf(head.ModelType)
	for _, a := range head.Architectures {
		if !slices.Contains(classes, a) {
			return DecoderConfig{}, fmt.Errorf("architectures names %q; supported for model_type %q: %s", a, head.ModelType, strings.Join(classes, ", "))
		}
	}
	if len(head.Quantization) > 0 && string(head.Quantization) != "null" {
		return DecoderConfig{}, errors.New("quantization_config is given; supported are weights that are not quantised")
	}
	c := DecoderConfig{ModelType: head.ModelType}
	read := c.readLlama
	if c.ModelType == "gpt2" {
		read = c.readGPT2
	}
	if err := read(object); err != nil {
		return DecoderConfig{}, err
	}
	if err := c.Validate(); err != nil {
		return DecoderConfig{}, err
	}
	return c, nil
}

// decodeObject fills a struct with json tags. A pointer field is nil after null and untouched where the key is absent. prefix
// stands before the key in errors.
func decodeObject(object map[string]json.RawMessage, into any, prefix string) error {
	data, err := json.Marshal(object)
	if err != nil {
		return err
	}
	err = json.Unmarshal(data, into)
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		return fmt.Errorf("%s%s is %s, must be of type %s", prefix, mismatch.Field, mismatch.Value, mismatch.Type)
	}
	return err
}

// specialIDs are the ids of special tokens; eos_token_id is published as one id or as a list.
type specialIDs struct {
	BOS *int32 `json:"bos_token_id"`
	EOS ids    `json:"eos_token_id"`
	Pad *int32 `json:"pad_token_id"`
}

type ids []int32

// UnmarshalJSON reads one id, a list of ids, or null for none.
func (l *ids) UnmarshalJSON(data []byte) error {
	var list []int32
	if err := json.Unmarshal(data, &list); err == nil {
		*l = list
		return nil
	}
	var one int32
	if err := json.Unmarshal(data, &one); err != nil {
		return fmt.Errorf("eos_token_id must be an id or a list of ids, not %.40s", data)
	}
	*l = ids{one}
	return nil
}

// gpt2Aliases are other names that transformers accepts in a GPT-2 configuration.
var gpt2Aliases = map[string]string{
	"hidden_size": "n_embd", "max_position_embeddings": "n_positions", "num_attention_heads": "n_head", "num_hidden_layers": "n_layer",
}

func (c *DecoderConfig) readGPT2(object map[string]json.RawMessage) error {
	for alias, key := range gpt2Aliases {
		if _, there := object[key]; !there && object[alias] != nil {
			object[key] = object[alias]
		}
	}
	s := struct {
		VocabSize      int     `json:"vocab_size"`
		Positions      int     `json:"n_positions"`
		Hidden         int     `json:"n_embd"`
		Layers         int     `json:"n_layer"`
		Heads          int     `json:"n_head"`
		Inner          *int    `json:"n_inner"`
		Activation     string  `json:"activation_function"`
		ResidDropout   float32 `json:"resid_pdrop"`
		EmbdDropout    float32 `json:"embd_pdrop"`
		AttnDropout    float32 `json:"attn_pdrop"`
		Eps            float64 `json:"layer_norm_epsilon"`
		InitStd        float64 `json:"initializer_range"`
		ScaleAttention bool    `json:"scale_attn_weights"`
		ScaleByLayer   bool    `json:"scale_attn_by_inverse_layer_idx"`
		CrossAttention bool    `json:"add_cross_attention"`
		Tie            bool    `json:"tie_word_embeddings"`
		specialIDs
	}{
		VocabSize: 50257, Positions: 1024, Hidden: 768, Layers: 12, Heads: 12, Activation: "gelu_new",
		ResidDropout: 0.1, EmbdDropout: 0.1, AttnDropout: 0.1, Eps: 1e-5, InitStd: 0.02, ScaleAttention: true, Tie: true,
		specialIDs: specialIDs{BOS: new(int32(50256)), EOS: ids{50256}},
	}
	if err := decodeObject(object, &s, ""); err != nil {
		return err
	}
	if s.CrossAttention {
		return errors.New("add_cross_attention is true; decoder-only models have no cross-attention")
	}
	c.VocabSize, c.MaxPositions, c.Hidden, c.Layers, c.Heads, c.KVHeads = s.VocabSize, s.Positions, s.Hidden, s.Layers, s.Heads, s.Heads
	if s.Heads > 0 && s.Hidden%s.Heads != 0 {
		return fmt.Errorf("n_head is %d, must divide n_embd %d", s.Heads, s.Hidden)
	}
	c.HeadDim, c.FeedForward = s.Hidden/max(1, s.Heads), 4*s.Hidden
	if s.Inner != nil {
		c.FeedForward = *s.Inner
	}
	c.Activation, c.NormEps, c.InitStd, c.TieEmbeddings = s.Activation, s.Eps, s.InitStd, s.Tie
	c.InBias, c.OutBias, c.MLPBias, c.ScaleAttention, c.ScaleByLayer = true, true, true, s.ScaleAttention, s.ScaleByLayer
	c.Dropout, c.EmbeddingDropout, c.AttentionDropout = s.ResidDropout, s.EmbdDropout, s.AttnDropout
	c.BOSID, c.EOSIDs, c.PadID = s.BOS, s.EOS, s.Pad
	return nil
}

// llamaSpelling is the config.json of the Llama family. Where one of its members does not know a key, transformers ignores
// it, and so do we: readLlama says which.
type llamaSpelling struct {
	VocabSize        int      `json:"vocab_size"`
	Hidden           int      `json:"hidden_size"`
	FeedForward      int      `json:"intermediate_size"`
	Layers           int      `json:"num_hidden_layers"`
	Heads            int      `json:"num_attention_heads"`
	KVHeads          *int     `json:"num_key_value_heads"`
	HeadDim          *int     `json:"head_dim"`
	Activation       string   `json:"hidden_act"`
	Positions        int      `json:"max_position_embeddings"`
	InitStd          float64  `json:"initializer_range"`
	Eps              float64  `json:"rms_norm_eps"`
	Tie              bool     `json:"tie_word_embeddings"`
	AttentionBias    bool     `json:"attention_bias"`
	MLPBias          bool     `json:"mlp_bias"`
	AttentionDropout float32  `json:"attention_dropout"`
	UseWindow        bool     `json:"use_sliding_window"`
	Window           *int     `json:"sliding_window"`
	MaxWindowLayers  int      `json:"max_window_layers"`
	LayerTypes       []string `json:"layer_types"`
	rotaryKeys
	specialIDs
}

// llamaDefaults are transformers' for absent keys.
func llamaDefaults(modelType string) llamaSpelling {
	s := llamaSpelling{
		VocabSize: 32000, Hidden: 4096, FeedForward: 11008, Layers: 32, Heads: 32, Activation: "silu",
		Positions: 2048, InitStd: 0.02, Eps: 1e-6, specialIDs: specialIDs{BOS: new(int32(1)), EOS: ids{2}},
	}
	switch modelType {
	case "mistral":
		s.FeedForward, s.KVHeads, s.Positions, s.Window = 14336, new(8), 131072, new(4096)
	case "qwen2", "qwen3":
		s.VocabSize, s.FeedForward, s.KVHeads, s.Positions = 151936, 22016, new(32), 32768
		s.Window, s.MaxWindowLayers, s.specialIDs = new(4096), 28, specialIDs{}
	}
	if modelType == "qwen3" {
		s.HeadDim = new(128)
	}
	return s
}

func (c *DecoderConfig) readLlama(object map[string]json.RawMessage) error {
	s := llamaDefaults(c.ModelType)
	if err := decodeObject(object, &s, ""); err != nil {
		return err
	}
	c.VocabSize, c.Hidden, c.FeedForward, c.Layers, c.Heads = s.VocabSize, s.Hidden, s.FeedForward, s.Layers, s.Heads
	c.KVHeads, c.MaxPositions = first(s.KVHeads, &s.Heads), s.Positions
	if s.HeadDim == nil {
		if s.Heads < 1 || s.Hidden%s.Heads != 0 {
			return fmt.Errorf("num_attention_heads is %d, must divide hidden_size %d where there is no head_dim", s.Heads, s.Hidden)
		}
		s.HeadDim = new(s.Hidden / s.Heads)
	}
	c.HeadDim = *s.HeadDim
	c.Activation, c.NormEps, c.InitStd, c.TieEmbeddings = s.Activation, s.Eps, s.InitStd, s.Tie
	c.ScaleAttention, c.AttentionDropout = true, s.AttentionDropout
	switch c.ModelType {
	case "llama":
		c.InBias, c.OutBias, c.MLPBias = s.AttentionBias, s.AttentionBias, s.MLPBias
	case "qwen2":
		c.InBias = true
	case "qwen3":
		c.InBias, c.OutBias, c.HeadNorms = s.AttentionBias, s.AttentionBias, true
	}
	if c.ModelType != "llama" {
		if c.ModelType == "mistral" { // every layer has the window, unless layer_types says otherwise (Ministral)
			s.UseWindow, s.MaxWindowLayers = true, 0
		}
		var err error
		if c.Windows, err = s.layerWindows(); err != nil {
			return err
		}
	}
	c.BOSID, c.EOSIDs, c.PadID = s.BOS, s.EOS, s.Pad
	var err error
	c.Rotary, err = s.rotaryKeys.config(s.Positions)
	return err
}

// layerWindows resolves the window: layer_types says which layers have it, else all from max_window_layers on do.
func (s *llamaSpelling) layerWindows() ([]int, error) {
	window := 0
	if s.UseWindow && s.Window != nil {
		if window = *s.Window; window < 1 {
			return nil, fmt.Errorf("sliding_window is %d, must be at least 1, or null for none", window)
		}
	}
	if s.LayerTypes != nil && len(s.LayerTypes) != s.Layers {
		return nil, fmt.Errorf("layer_types names %d layers, num_hidden_layers is %d", len(s.LayerTypes), s.Layers)
	}
	windows := make([]int, max(0, min(s.Layers, mostLayers)))
	for i := range windows {
		if s.LayerTypes == nil {
			if i >= s.MaxWindowLayers {
				windows[i] = window
			}
			continue
		}
		switch kind := s.LayerTypes[i]; {
		case kind == "full_attention":
		case kind == "sliding_attention" && window > 0:
			windows[i] = window
		case kind == "sliding_attention":
			return nil, fmt.Errorf("layer_types[%d] is %q, but there is no window (sliding_window, and Qwen's use_sliding_window)", i, kind)
		default:
			return nil, fmt.Errorf("layer_types[%d] is %q; supported: full_attention, sliding_attention", i, kind)
		}
	}
	if slices.Max(append(windows, 0)) == 0 {
		return nil, nil
	}
	return windows, nil
}

// mostLayers and mostSize bound what a configuration may ask for.
const (
	mostLayers = 1 << 16
	mostSize   = 1 << 24
)

// Validate reports the first value that is out of range or contradicts another, by its key in config.json.
func (c *DecoderConfig) Validate() error {
	key := func(gpt2, llama string) string {
		if c.ModelType == "gpt2" {
			return gpt2
		}
		return llama
	}
	for _, k := range []struct {
		key              string
		value, low, high int
	}{
		{"vocab_size", c.VocabSize, 1, mostSize}, {key("n_embd", "hidden_size"), c.Hidden, 1, mostSize},
		{key("n_inner", "intermediate_size"), c.FeedForward, 1, mostSize}, {key("n_layer", "num_hidden_layers"), c.Layers, 1, mostLayers},
		{key("n_head", "num_attention_heads"), c.Heads, 1, mostSize}, {"num_key_value_heads", c.KVHeads, 1, mostSize},
		{"head_dim", c.HeadDim, 1, mostSize}, {key("n_positions", "max_position_embeddings"), c.MaxPositions, 1, math.MaxInt32},
	} {
		if k.value < k.low || k.value > k.high {
			return fmt.Errorf("%s is %d, must be from %d to %d", k.key, k.value, k.low, k.high)
		}
	}
	switch {
	case c.Heads%c.KVHeads != 0:
		return fmt.Errorf("num_key_value_heads is %d, must divide the %d attention heads", c.KVHeads, c.Heads)
	case c.Heads*c.HeadDim > mostSize:
		return fmt.Errorf("head_dim is %d, too large for %d heads", c.HeadDim, c.Heads)
	case c.ModelType != "gpt2" && c.HeadDim%2 != 0:
		return fmt.Errorf("head_dim is %d, must be even where positions are rotary", c.HeadDim)
	case c.Windows != nil && len(c.Windows) != c.Layers:
		return fmt.Errorf("layer_types names %d layers, num_hidden_layers is %d", len(c.Windows), c.Layers)
	case c.PadID != nil && c.ModelType != "gpt2" && (int(*c.PadID) >= c.VocabSize || int(*c.PadID) < -c.VocabSize):
		return fmt.Errorf("pad_token_id is %d, must be in the vocabulary of %d", *c.PadID, c.VocabSize)
	case !(c.NormEps >= 0 && c.NormEps < 1):
		return fmt.Errorf("%s is %g, must be at least 0 and below 1", key("layer_norm_epsilon", "rms_norm_eps"), c.NormEps)
	}
	for _, k := range []struct {
		key   string
		value float32
	}{{"resid_pdrop", c.Dropout}, {"embd_pdrop", c.EmbeddingDropout}, {key("attn_pdrop", "attention_dropout"), c.AttentionDropout}} {
		if !(k.value >= 0 && k.value < 1) {
			return fmt.Errorf("%s is %g, must be at least 0 and below 1", k.key, k.value)
		}
	}
	_, err := activationOf(key("activation_function", "hidden_act"), c.Activation)
	return err
}

// Size is the number of parameters, as a floating-point number because what a false configuration asks for overflows
// integers.
func (c *DecoderConfig) Size() float64 {
	d, f, q, kv := float64(c.Hidden), float64(c.FeedForward), float64(c.Heads*c.HeadDim), float64(c.KVHeads)*float64(c.HeadDim)
	layer, tables := d*(2*q+2*kv)+3*d*f, float64(c.VocabSize)*d
	if !c.TieEmbeddings {
		tables *= 2
	}
	if c.ModelType == "gpt2" {
		layer, tables = d*4*d+2*d*f, tables+float64(c.MaxPositions)*d
	}
	return float64(c.Layers)*layer + tables
}

// window is that of a layer, 0 for none.
func (c *DecoderConfig) window(layer int) int {
	if c.Windows == nil {
		return 0
	}
	return c.Windows[layer]
}

// Fields returns what config.json holds for the model, in a spelling that transformers 4 and 5 read.
func (c *DecoderConfig) Fields() map[string]any {
	f := map[string]any{
		"model_type": c.ModelType, "architectures": decoderClasses[c.ModelType][:1],
		"vocab_size": c.VocabSize, "initializer_range": c.InitStd, "tie_word_embeddings": c.TieEmbeddings, "use_cache": true,
		"bos_token_id": c.BOSID, "eos_token_id": nil, "pad_token_id": c.PadID, "torch_dtype": "float32",
	}
	if len(c.EOSIDs) == 1 {
		f["eos_token_id"] = c.EOSIDs[0]
	} else if len(c.EOSIDs) > 1 {
		f["eos_token_id"] = c.EOSIDs
	}
	if c.ModelType == "gpt2" {
		c.gpt2Fields(f)
	} else {
		c.llamaFields(f)
	}
	return f
}

func (c *DecoderConfig) gpt2Fields(f map[string]any) {
	f["n_positions"], f["n_embd"], f["n_layer"], f["n_head"], f["n_inner"] = c.MaxPositions, c.Hidden, c.Layers, c.Heads, c.FeedForward
	f["activation_function"], f["layer_norm_epsilon"] = c.Activation, c.NormEps
	f["resid_pdrop"], f["embd_pdrop"], f["attn_pdrop"] = c.Dropout, c.EmbeddingDropout, c.AttentionDropout
	f["scale_attn_weights"], f["scale_attn_by_inverse_layer_idx"] = c.ScaleAttention, c.ScaleByLayer
}

func (c *DecoderConfig) llamaFields(f map[string]any) {
	f["hidden_size"], f["intermediate_size"], f["num_hidden_layers"] = c.Hidden, c.FeedForward, c.Layers
	f["num_attention_heads"], f["num_key_value_heads"], f["head_dim"] = c.Heads, c.KVHeads, c.HeadDim
	f["hidden_act"], f["rms_norm_eps"], f["attention_dropout"] = c.Activation, c.NormEps, c.AttentionDropout
	f["max_position_embeddings"] = c.MaxPositions
	c.Rotary.fields(f)
	window := slices.Max(append([]int{0}, c.Windows...))
	switch c.ModelType {
	case "llama":
		f["attention_bias"], f["mlp_bias"] = c.InBias, c.MLPBias
		return
	case "mistral":
		f["sliding_window"] = nil
		if window > 0 {
			f["sliding_window"] = window
		}
		if window > 0 && slices.Contains(c.Windows, 0) {
			f["layer_types"] = c.layerTypes()
		}
		return
	case "qwen3":
		f["attention_bias"] = c.InBias
	}
	f["use_sliding_window"] = window > 0
	if window > 0 {
		kinds := c.layerTypes()
		f["sliding_window"], f["layer_types"] = window, kinds
		f["max_window_layers"] = slices.Index(kinds, "sliding_attention") // for versions that do not know layer_types
	}
}

// layerTypes says of each layer whether it has a window, as layer_types does.
func (c *DecoderConfig) layerTypes() []string {
	kinds := make([]string, c.Layers)
	for i := range kinds {
		kinds[i] = "full_attention"
		if c.window(i) > 0 {
			kinds[i] = "sliding_attention"
		}
	}
	return kinds
}

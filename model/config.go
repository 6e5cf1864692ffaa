package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/parley-lm/parley/internal/kernel"
)

// EncDecConfig is the config.json of a MarianMTModel, spelled as `transformers` spells it.
type EncDecConfig struct {
	ModelType     string   `json:"model_type"`
	Architectures []string `json:"architectures"`

	VocabSize        int `json:"vocab_size"`
	DecoderVocabSize int `json:"decoder_vocab_size"` // differs only with separate embeddings
	DModel           int `json:"d_model"`
	EncoderLayers    int `json:"encoder_layers"`
	DecoderLayers    int `json:"decoder_layers"`
	EncoderHeads     int `json:"encoder_attention_heads"`
	DecoderHeads     int `json:"decoder_attention_heads"`
	EncoderFFN       int `json:"encoder_ffn_dim"`
	DecoderFFN       int `json:"decoder_ffn_dim"`
	MaxPositions     int `json:"max_position_embeddings"`

	Activation      string `json:"activation_function"`
	ScaleEmbedding  bool   `json:"scale_embedding"`
	ShareEmbeddings bool   `json:"share_encoder_decoder_embeddings"`
	TieEmbeddings   bool   `json:"tie_word_embeddings"`
	StaticPositions bool   `json:"static_position_embeddings"`
	NormalizeBefore bool   `json:"normalize_before"`
	NormalizeEmbed  bool   `json:"normalize_embedding"`

	Dropout           float32 `json:"dropout"`
	AttentionDropout  float32 `json:"attention_dropout"`
	ActivationDropout float32 `json:"activation_dropout"`
	InitStd           float32 `json:"init_std"`

	PadID          int32  `json:"pad_token_id"`
	EOSID          int32  `json:"eos_token_id"`
	BOSID          *int32 `json:"bos_token_id"`
	DecoderStartID int32  `json:"decoder_start_token_id"`
	ForcedEOSID    *int32 `json:"forced_eos_token_id"` // the last token at the longest length; nil: any

	IsEncoderDecoder bool   `json:"is_encoder_decoder"`
	UseCache         bool   `json:"use_cache"`
	DType            string `json:"torch_dtype"`
}

// DefaultEncDecConfig returns what `transformers` assumes for the keys that a Marian config.json leaves out.
func DefaultEncDecConfig() EncDecConfig {
	return EncDecConfig{
		ModelType: "marian", Architectures: []string{"MarianMTModel"},
		VocabSize: 58101, DModel: 1024, EncoderLayers: 12, DecoderLayers: 12, EncoderHeads: 16, DecoderHeads: 16,
		EncoderFFN: 4096, DecoderFFN: 4096, MaxPositions: 1024,
		Activation: "gelu", ShareEmbeddings: true, TieEmbeddings: true, StaticPositions: true,
		Dropout: 0.1, InitStd: 0.02,
		PadID: 58100, EOSID: 0, DecoderStartID: 58100, ForcedEOSID: new(int32(0)),
		IsEncoderDecoder: true, UseCache: true, DType: "float32",
	}
}

// Validate reports the first key that is out of range, contradicts another, or asks for what Parley lacks.
func (c *EncDecConfig) Validate() error {
	if c.DecoderVocabSize == 0 {
		c.DecoderVocabSize = c.VocabSize
	}
	const most = 1 << 24
	for _, k := range []struct {
		key   string
		value int
	}{
		{"vocab_size", c.VocabSize}, {"decoder_vocab_size", c.DecoderVocabSize}, {"d_model", c.DModel},
		{"encoder_layers", c.EncoderLayers}, {"decoder_layers", c.DecoderLayers},
		{"encoder_attention_heads", c.EncoderHeads}, {"decoder_attention_heads", c.DecoderHeads},
		{"encoder_ffn_dim", c.EncoderFFN}, {"decoder_ffn_dim", c.DecoderFFN}, {"max_position_embeddings", c.MaxPositions},
	} {
		if k.value < 1 || k.value > most {
			return fmt.Errorf("%s is %d, must be between 1 and %d", k.key, k.value, most)
		}
	}
	if c.ModelType != "" && c.ModelType != "marian" {
		return fmt.Errorf("model_type is %q; supported here: marian", c.ModelType)
	}
	for _, k := range []struct {
		key   string
		heads int
	}{{"encoder_attention_heads", c.EncoderHeads}, {"decoder_attention_heads", c.DecoderHeads}} {
		if c.DModel%k.heads != 0 {
			return fmt.Errorf("%s is %d, must divide d_model %d", k.key, k.heads, c.DModel)
		}
	}
	if c.ShareEmbeddings && c.DecoderVocabSize != c.VocabSize {
		return fmt.Errorf("decoder_vocab_size is %d, must equal vocab_size %d where share_encoder_decoder_embeddings is true", c.DecoderVocabSize, c.VocabSize)
	}
	type token struct {
		key string
		id  int32
		n   int
	}
	tokens := []token{
		{"pad_token_id", c.PadID, c.VocabSize}, {"eos_token_id", c.EOSID, c.VocabSize},
		{"decoder_start_token_id", c.DecoderStartID, c.DecoderVocabSize},
	}
	if c.ForcedEOSID != nil {
		tokens = append(tokens, token{"forced_eos_token_id", *c.ForcedEOSID, c.DecoderVocabSize})
	}
	for _, k := range tokens {
		if k.id < 0 || int(k.id) >= k.n {
			return fmt.Errorf("%s is %d, must be in the vocabulary of %d", k.key, k.id, k.n)
		}
	}
	for _, k := range []struct {
		key   string
		value float32
	}{{"dropout", c.Dropout}, {"attention_dropout", c.AttentionDropout}, {"activation_dropout", c.ActivationDropout}} {
		if !(k.value >= 0 && k.value < 1) {
			return fmt.Errorf("%s is %g, must be at least 0 and below 1", k.key, k.value)
		}
	}
	if c.NormalizeBefore {
		return fmt.Errorf("normalize_before is true; Marian models normalise after each sublayer")
	}
	if c.NormalizeEmbed {
		return fmt.Errorf("normalize_embedding is true; Marian models do not normalise embeddings")
	}
	if !c.StaticPositions {
		return fmt.Errorf("static_position_embeddings is false; only sinusoidal positions are supported")
	}
	_, err := ActivationByName(c.Activation)
	return err
}

// Forced returns the token that ends every text at the longest length, or −1.
func (c *EncDecConfig) Forced() int32 {
	if c.ForcedEOSID == nil {
		return -1
	}
	return *c.ForcedEOSID
}

var activations = map[string]kernel.Activation{
	"relu": kernel.ReLU,
	"gelu": kernel.GELU, "gelu_python": kernel.GELU,
	"gelu_new": kernel.GELUTanh, "gelu_pytorch_tanh": kernel.GELUTanh, "gelu_python_tanh": kernel.GELUTanh,
	"gelu_fast": kernel.GELUTanh, "gelu_accurate": kernel.GELUTanh,
	"silu": kernel.SiLU, "swish": kernel.SiLU,
	"tanh": kernel.Tanh,
}

// ActivationByName returns the activation that the activation_function of config.json calls by this name.
func ActivationByName(name string) (kernel.Activation, error) {
	return activationOf("activation_function", name)
}

// activationOf is ActivationByName under another key.
func activationOf(key, name string) (kernel.Activation, error) {
	if a, ok := activations[name]; ok {
		return a, nil
	}
	known := slices.Sorted(maps.Keys(activations))
	return kernel.None, fmt.Errorf("%s is %q; supported: %s", key, name, strings.Join(known, ", "))
}

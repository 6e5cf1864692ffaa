package tokenizer

import (
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Roles says which tokens transformers is to use for what; an empty name leaves a
// role unfilled.
// TruncationSide says where a text that is too long is cut, "left" or "right"; empty leaves it open.
type Roles struct{ BOS, EOS, Unknown, Pad, TruncationSide string }

// Config returns the content of a tokenizer_config.json that makes transformers open
// the tokenizer.json beside it as PreTrainedTokenizerFast. maxLength is the longest
// sequence that the model takes, in tokens; 0 leaves it open.
func (t *Tokenizer) Config(roles Roles, maxLength int) ([]byte, error) {
	if t.file == nil {
		return nil, errNoFile
	}
	type added struct {
		Content    string `json:"content"`
		Lstrip     bool   `json:"lstrip"`
		Normalized bool   `json:"normalized"`
		Rstrip     bool   `json:"rstrip"`
		SingleWord bool   `json:"single_word"`
		Special    bool   `json:"special"`
	}
	config := struct {
		Added   map[string]added `json:"added_tokens_decoder"`
		BOS     string           `json:"bos_token,omitzero"`
		Clean   bool             `json:"clean_up_tokenization_spaces"`
		EOS     string           `json:"eos_token,omitzero"`
		Max     int              `json:"model_max_length,omitzero"`
		Pad     string           `json:"pad_token,omitzero"`
		Class   string           `json:"tokenizer_class"`
		Side    string           `json:"truncation_side,omitzero"`
		Unknown string           `json:"unk_token,omitzero"`
	}{
		Added: map[string]added{}, Max: maxLength, Class: "PreTrainedTokenizerFast",
		BOS: roles.BOS, EOS: roles.EOS, Pad: roles.Pad, Unknown: roles.Unknown, Side: roles.TruncationSide,
	}
	for _, name := range []string{roles.BOS, roles.EOS, roles.Pad, roles.Unknown} {
		if _, ok := t.ID(name); !ok && name != "" {
			return nil, fmt.Errorf("tokenizer_config.json: %q is no token of this tokenizer", name)
		}
	}
	for _, a := range t.file.AddedTokens {
		config.Added[strconv.Itoa(int(a.ID))] = added{a.Content, a.Lstrip, a.Normalized, a.Rstrip, a.SingleWord, a.Special}
	}
	data, err := json.Marshal(config, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		return nil, fmt.Errorf("tokenizer_config.json: %w", err)
	}
	return data, nil
}

package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/parley-lm/parley/chat"
)

const chatTemplateFile = "chat_template.jinja"

// tokenRoles are the keys under which configurations name the special tokens that templates write.
var tokenRoles = []string{"bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token"}

// LoadChatTemplate reads the chat template of a model directory: chat_template.jinja, or in tokenizer_config.json
// chat_template, a text or a list of named ones of which "default" is taken. It is nil where there is none. The tokens of the
// configuration are the template's variables. Of a GGUF file it is what that has of all this.
func LoadChatTemplate(dir string) (*chat.Template, error) {
	if IsGGUF(dir) {
		return ggufChatTemplate(dir)
	}
	config, err := tokenizerConfig(dir)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(ResolveDir(dir), chatTemplateFile)
	tokens, err := tokensOf(config)
	if err != nil {
		return nil, err
	}
	source, err := readBounded(path, maxJSON)
	switch {
	case err == nil:
		return chat.NewTemplate(path, string(source), tokens)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	text, err := templateOf(config)
	if err != nil || text == "" {
		return nil, err
	}
	return chat.NewTemplate(config.Path()+": chat_template", text, tokens)
}

// ggufChatTemplate reads the chat template of a GGUF file.
func ggufChatTemplate(path string) (*chat.Template, error) {
	g, err := openGGUF(path)
	if err != nil {
		return nil, err
	}
	defer g.Close()
	const key = "tokenizer.chat_template"
	source, ok := g.values[key].(string)
	if !ok {
		return nil, nil
	}
	tokens := map[string]string{}
	names, _ := g.values["tokenizer.ggml.tokens"].([]string)
	for _, role := range []string{"bos", "eos"} {
		if id, ok := g.values["tokenizer.ggml."+role+"_token_id"].(int64); ok && id >= 0 && id < int64(len(names)) {
			tokens[role+"_token"] = names[id]
		}
	}
	return chat.NewTemplate(path+": "+key, source, tokens)
}

// tokenizerConfig reads tokenizer_config.json, which may be missing.
func tokenizerConfig(dir string) (*Config, error) {
	path := filepath.Join(ResolveDir(dir), "tokenizer_config.json")
	config, err := ReadConfig(path)
	if errors.Is(err, fs.ErrNotExist) {
		return NewConfig(path), nil
	}
	return config, err
}

// SpecialTokens returns the special tokens that a model directory's tokenizer_config.json names, by their roles, as bos_token.
func SpecialTokens(dir string) (map[string]string, error) {
	config, err := tokenizerConfig(dir)
	if err != nil {
		return nil, err
	}
	return tokensOf(config)
}

// tokensOf returns the special tokens of a tokenizer_config.json, by role: texts, or objects with "content".
func tokensOf(config *Config) (map[string]string, error) {
	tokens := map[string]string{}
	for _, role := range tokenRoles {
		raw, ok := config.fields[role]
		if !ok || string(raw) == "null" {
			continue
		}
		var text string
		var object struct {
			Content *string `json:"content"`
		}
		switch {
		case json.Unmarshal(raw, &text) == nil:
		case json.Unmarshal(raw, &object) == nil && object.Content != nil:
			text = *object.Content
		default:
			return nil, config.errorf(role, "a token")
		}
		tokens[role] = text
	}
	return tokens, nil
}

// templateOf returns chat_template of a tokenizer_config.json; "" if there is none.
func templateOf(config *Config) (string, error) {
	raw, ok := config.fields["chat_template"]
	if !ok || string(raw) == "null" {
		return "", nil
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text, nil
	}
	var list []struct{ Name, Template string }
	if err := json.Unmarshal(raw, &list); err != nil {
		return "", config.errorf("chat_template", "a text, or a list of objects with name and template")
	}
	var names []string
	for _, one := range list {
		if one.Name == "default" {
			return one.Template, nil
		}
		names = append(names, one.Name)
	}
	return "", fmt.Errorf("%s: none of its chat templates is called default; there are %s", config.Path(), strings.Join(names, ", "))
}

// ChatFiles returns the files of a model directory that say how a model talks: tokenizer_config.json and, if there is one,
// special_tokens_map.json as given, with the template and with the token that ends a turn as eos_token, and
// chat_template.jinja. New special tokens are added to what the configuration lists of them.
func ChatFiles(config, tokens []byte, template, endOfTurn string, added map[int32]string) (map[string][]byte, error) {
	c, err := ParseConfig("tokenizer_config.json", config)
	if err != nil {
		return nil, err
	}
	fields := map[string]any{"chat_template": template, "eos_token": endOfTurn}
	if raw, ok := c.fields["added_tokens_decoder"]; ok && len(added) > 0 {
		listed := map[string]json.RawMessage{}
		if err := json.Unmarshal(raw, &listed); err != nil {
			return nil, c.errorf("added_tokens_decoder", "an object")
		}
		for id, name := range added {
			text, err := json.Marshal(map[string]any{"content": name, "lstrip": false, "normalized": false, "rstrip": false, "single_word": false, "special": true})
			if err != nil {
				return nil, err
			}
			listed[fmt.Sprint(id)] = text
		}
		fields["added_tokens_decoder"] = listed
	}
	if err := c.Merge(fields); err != nil {
		return nil, err
	}
	files := map[string][]byte{c.Path(): c.Bytes(), chatTemplateFile: []byte(template)}
	if tokens != nil {
		m, err := ParseConfig("special_tokens_map.json", tokens)
		if err == nil {
			err = m.Set("eos_token", endOfTurn)
		}
		if err != nil {
			return nil, err
		}
		files[m.Path()] = m.Bytes()
	}
	return files, nil
}

// SetEnds says by which tokens the model ends what it writes: its generation_config.json lists them.
func (d *Decoder) SetEnds(ids []int32) error {
	generation, from := NewConfig("generation_config.json"), d.generation
	if from == nil {
		from = NewConfig("")
		for _, key := range []string{"bos_token_id", "pad_token_id"} {
			if d.config != nil && d.config.Has(key) {
				from.fields[key] = d.config.fields[key]
			}
		}
	}
	if err := generation.Merge(from.fields); err != nil {
		return err
	}
	d.generation, d.Generation.EOSIDs = generation, slices.Clone(ids)
	if len(ids) == 1 {
		return generation.Set("eos_token_id", ids[0])
	}
	return generation.Set("eos_token_id", ids)
}

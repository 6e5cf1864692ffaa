package judge

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/parley-lm/parley/chat"
	"github.com/parley-lm/parley/hub"
)

// TemplateOf returns the chat template of a model directory, from chat_template.jinja or tokenizer_config.json, or ChatML's
// where it has none.
func TemplateOf(dir string) (*chat.Template, error) {
	dir = hub.ResolveDir(dir)
	path, configPath := filepath.Join(dir, "chat_template.jinja"), filepath.Join(dir, "tokenizer_config.json")
	config, err := hub.ReadConfig(configPath)
	if errors.Is(err, fs.ErrNotExist) {
		config, err = hub.NewConfig(configPath), nil
	}
	if err != nil {
		return nil, err
	}
	tokens := map[string]string{}
	for _, role := range []string{"bos_token", "eos_token", "pad_token", "unk_token"} {
		if token, err := config.StringOr(role, ""); err == nil && token != "" {
			tokens[role] = token
		}
	}
	source, err := os.ReadFile(path)
	if err == nil {
		return chat.NewTemplate(path, string(source), tokens)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	text, err := config.StringOr("chat_template", "")
	if err != nil || text == "" {
		return chat.ChatML(), err
	}
	return chat.NewTemplate(configPath+": chat_template", text, tokens)
}

package judge

import (
	"github.com/parley-lm/parley/chat"
	"github.com/parley-lm/parley/hub"
)

// TemplateOf returns the chat template of a model directory, or ChatML's where it has none.
func TemplateOf(dir string) (*chat.Template, error) {
	t, err := hub.LoadChatTemplate(dir)
	if t == nil && err == nil {
		t = chat.ChatML()
	}
	return t, err
}

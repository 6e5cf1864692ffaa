package hub

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-lm/parley/chat"
)

func TestChatTemplatesAsTransformersSavesThem(t *testing.T) {
	user := []chat.Message{{Role: chat.User, Content: "x"}}
	for name, c := range map[string]struct {
		files map[string]string
		want  string // rendered; "": there is none
	}{
		"text":   {map[string]string{"tokenizer_config.json": `{"chat_template": "{{ bos_token }}a", "bos_token": "<s>"}`}, "<s>a"},
		"object": {map[string]string{"tokenizer_config.json": `{"chat_template": "{{ eos_token }}", "eos_token": {"content": "</s>", "lstrip": false}}`}, "</s>"},
		"named":  {map[string]string{"tokenizer_config.json": `{"chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]}`}, "d"},
		"file":   {map[string]string{"tokenizer_config.json": `{"chat_template": "old", "bos_token": null}`, "chat_template.jinja": "new{{ bos_token }}"}, "new"},
		"alone":  {map[string]string{"chat_template.jinja": "new"}, "new"},
		"none":   {map[string]string{"tokenizer_config.json": `{"chat_template": null}`}, ""},
		"empty":  {nil, ""},
	} {
		dir := t.TempDir()
		for file, text := range c.files {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		tmpl, err := LoadChatTemplate(dir)
		if err != nil || (tmpl == nil) != (c.want == "") {
			t.Errorf("%s: %v, %v", name, tmpl, err)
			continue
		}
		if tmpl == nil {
			continue
		}
		if got, err := tmpl.Render(user, false); err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
}

func TestWrongChatTemplatesNameTheFile(t *testing.T) {
	for text, want := range map[string]string{
		`{"chat_template": "a\n{{ b"}`:                          "tokenizer_config.json: chat_template:2: a tag has no end",
		`{"chat_template": 5}`:                                  "tokenizer_config.json: chat_template must be a text, or a list",
		`{"chat_template": [{"name": "rag", "template": "t"}]}`: "none of its chat templates is called default; there are rag",
		`{"chat_template": "a", "bos_token": 7}`:                "tokenizer_config.json: bos_token must be a token, not 7",
		`{"chat_template": "{{ messages[0].x.y }}"}`:            "chat_template:1: 'dict object' has no attribute 'x'",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "tokenizer_config.json"), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		tmpl, err := LoadChatTemplate(dir)
		if err == nil && tmpl != nil {
			_, err = tmpl.Render([]chat.Message{{Role: chat.User, Content: "x"}}, false)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestFilesOfAModelThatTalks(t *testing.T) {
	config := `{"added_tokens_decoder": {"2": {"content": "</s>"}}, "tokenizer_class": "X", "eos_token": "</s>"}`
	files, err := ChatFiles([]byte(config), []byte(`{"eos_token": {"content": "</s>"}, "unk_token": "u"}`), "T", "<e>", map[int32]string{9: "<e>"})
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"tokenizer_config.json": `"9": {`, "special_tokens_map.json": `"eos_token": "\u003ce\u003e"`, "chat_template.jinja": "T",
	} {
		if !strings.Contains(string(files[file]), want) {
			t.Errorf("%s: %s, want %s", file, files[file], want)
		}
	}
	if text := string(files["tokenizer_config.json"]); !strings.Contains(text, `"tokenizer_class": "X"`) || !strings.Contains(text, `"chat_template": "T"`) {
		t.Error(text)
	}
}

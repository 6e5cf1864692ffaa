package chat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/parley-lm/parley/internal/jinja"
)

// The roles that every template knows.
const (
	System    = "system"
	User      = "user"
	Assistant = "assistant"
)

// Message is one turn of a dialogue.
type Message struct {
	Role    string
	Content string // of several parts, the text of those that have any

	all *jinja.Dict // of a message with more than these two, everything: tool calls, parts, a name
}

// UnmarshalJSON reads a message as OpenAI's and TRL's files have it: an object with role and content, and whatever else a
// template may look at. What is null is left out.
func (m *Message) UnmarshalJSON(text []byte) error {
	v, err := jinja.Decode(text)
	if err != nil {
		return err
	}
	d, ok := v.(*jinja.Dict)
	if !ok {
		return fmt.Errorf("a message is an object with role and content, not %.40s", text)
	}
	all := &jinja.Dict{}
	for k, v := range d.All() {
		if v != nil {
			all.Set(k, v)
		}
	}
	role, _ := all.Get("role")
	content, _ := all.Get("content")
	*m = Message{all: all}
	if m.Role, ok = role.(string); !ok || m.Role == "" {
		return errors.New("a message has no role")
	}
	switch content := content.(type) {
	case nil:
	case string:
		if m.Content = content; all.Len() == 2 {
			m.all = nil
		}
	case jinja.List:
		m.Content = textOfParts(content)
	case *jinja.Dict: // what a tool returns; the template lays it out
	default:
		return errors.New("the content of a message is neither text nor a list of parts nor an object")
	}
	return nil
}

// textOfParts joins the texts of a content that is given in parts.
func textOfParts(parts jinja.List) string {
	var texts []string
	for _, p := range parts {
		if d, ok := p.(*jinja.Dict); ok {
			v, _ := d.Get("text")
			if text, ok := v.(string); ok {
				texts = append(texts, text)
			}
		}
	}
	return strings.Join(texts, "\n")
}

// withoutParts is the message with a content of several texts as one text, and an error where a part is something else.
func (m Message) withoutParts() (Message, error) {
	if m.all == nil {
		return m, nil
	}
	content, _ := m.all.Get("content")
	parts, ok := content.(jinja.List)
	if !ok {
		return m, nil
	}
	for i, p := range parts {
		d, _ := p.(*jinja.Dict)
		if d == nil {
			return m, fmt.Errorf("has a part %d that is no object", i+1)
		}
		text, _ := d.Get("text")
		if _, ok := text.(string); ok {
			continue
		}
		kind, _ := d.Get("type")
		return m, fmt.Errorf("has a part %d of the type %q", i+1, kind)
	}
	all := &jinja.Dict{}
	for k, v := range m.all.All() {
		all.Set(k, v)
	}
	all.Set("content", m.Content)
	m.all = all
	return m, nil
}

// MarshalJSON writes the message as UnmarshalJSON reads it.
func (m Message) MarshalJSON() ([]byte, error) {
	if m.all != nil {
		return jinja.Encode(m.all)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}{m.Role, m.Content})
	return bytes.TrimSpace(b.Bytes()), err
}

// reasoningKeys are the names under which messages carry what was thought before the answer, in the order in which they count.
var reasoningKeys = []string{"reasoning_content", "thinking", "reasoning"}

// value is the message as a template sees it. As in transformers, reasoning is there under the names that templates look for.
func (m Message) value() jinja.Value {
	if m.all != nil {
		return withReasoning(m.all)
	}
	d := &jinja.Dict{}
	d.Set("role", m.Role)
	d.Set("content", m.Content)
	return d
}

// withReasoning returns a message in which reasoning, if it has any, is called reasoning_content and thinking.
func withReasoning(m *jinja.Dict) *jinja.Dict {
	for _, key := range reasoningKeys {
		reasoning, there := m.Get(key)
		if !there {
			continue
		}
		named := &jinja.Dict{}
		named.Set("thinking", reasoning)
		for k, v := range m.All() {
			named.Set(k, v)
		}
		named.Set("reasoning_content", reasoning)
		return named
	}
	return m
}

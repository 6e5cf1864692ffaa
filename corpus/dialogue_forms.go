package corpus

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/parley-lm/parley/chat"
)

// dialogueObject is an object with the keys of all forms.
type dialogueObject struct {
	Messages []chat.Message  `json:"messages"`
	Tools    json.RawMessage `json:"tools"`

	Prompt     json.RawMessage `json:"prompt"` // messages, or a text
	Completion json.RawMessage `json:"completion"`

	Conversations json.RawMessage `json:"conversations"`
	System        string          `json:"system"`

	Instruction *string    `json:"instruction"`
	Input       string     `json:"input"`
	Output      *string    `json:"output"`
	History     [][]string `json:"history"`
}

// parseDialogue reads one dialogue in a form, or in that which its keys tell.
func parseDialogue(object []byte, form string) (*Dialogue, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(object, &keys); err != nil {
		return nil, fmt.Errorf("a dialogue must be a JSON object: %w", err)
	}
	if form == "" {
		form = formOf(keys)
	}
	var o dialogueObject
	if err := json.Unmarshal(object, &o); err != nil {
		return nil, fmt.Errorf("this is no dialogue: %w", err)
	}
	d := &Dialogue{}
	if tools := string(o.Tools); tools != "null" && tools != "" {
		d.Tools = slices.Clone(o.Tools)
	}
	var err error
	switch form {
	case MessagesForm:
		d.Messages, err = o.messages()
	case ShareGPT:
		d.Messages, err = o.shareGPT()
	case Alpaca:
		d.Messages, err = o.alpaca()
	default:
		names := make([]string, 0, len(keys))
		for k := range keys {
			names = append(names, k)
		}
		slices.Sort(names)
		return nil, fmt.Errorf(`no dialogue can be told from the keys %.200q; there must be "messages" (OpenAI, TRL), "conversations" (ShareGPT), or "instruction" and "output" (Alpaca)`, names)
	}
	if err == nil && len(d.Messages) == 0 {
		err = errors.New("the dialogue has no messages")
	}
	return d, err
}

// formOf tells a form from keys; "" if it is none.
func formOf(keys map[string]json.RawMessage) string {
	has := func(k string) bool { _, ok := keys[k]; return ok }
	switch {
	case has("messages"), has("prompt") && has("completion"):
		return MessagesForm
	case has("conversations"):
		return ShareGPT
	case has("instruction") && has("output"):
		return Alpaca
	}
	return ""
}

func (o *dialogueObject) messages() ([]chat.Message, error) {
	if o.Messages != nil || o.Prompt == nil {
		return o.withSystem(o.Messages), nil
	}
	prompt, err := turnsOf("prompt", o.Prompt, chat.User)
	if err != nil {
		return nil, err
	}
	completion, err := turnsOf("completion", o.Completion, chat.Assistant)
	return o.withSystem(append(prompt, completion...)), err
}

// turnsOf reads messages, or a text as one of a role.
func turnsOf(key string, raw json.RawMessage, role string) ([]chat.Message, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return []chat.Message{{Role: role, Content: text}}, nil
	}
	var messages []chat.Message
	if err := json.Unmarshal(raw, &messages); err != nil {
		return nil, fmt.Errorf("%q is neither text nor messages: %w", key, err)
	}
	return messages, nil
}

// withSystem puts what "system" says before the rest.
func (o *dialogueObject) withSystem(messages []chat.Message) []chat.Message {
	if strings.TrimSpace(o.System) == "" {
		return messages
	}
	return append([]chat.Message{{Role: chat.System, Content: o.System}}, messages...)
}

// speakers are the roles of ShareGPT's names.
var speakers = map[string]string{
	"human": chat.User, "user": chat.User, "gpt": chat.Assistant, "assistant": chat.Assistant, "chatgpt": chat.Assistant, "model": chat.Assistant,
	"bot": chat.Assistant, "bing": chat.Assistant, "bard": chat.Assistant, "system": chat.System, "tool": chat.Tool, "observation": chat.Tool, "function_response": chat.Tool,
}

func (o *dialogueObject) shareGPT() ([]chat.Message, error) {
	var turns []struct{ From, Value *string }
	if err := json.Unmarshal(o.Conversations, &turns); err != nil {
		return nil, fmt.Errorf(`"conversations" must be a list of {"from": …, "value": …}: %w`, err)
	}
	var messages []chat.Message
	for i, t := range turns {
		if t.From == nil && t.Value == nil { // some files have messages under this key
			err := json.Unmarshal(o.Conversations, &messages)
			return o.withSystem(messages), err
		}
		if t.From == nil || t.Value == nil {
			return nil, fmt.Errorf(`turn %d of "conversations" has no "from" or no "value"`, i+1)
		}
		role, ok := speakers[strings.ToLower(*t.From)]
		if !ok {
			return nil, fmt.Errorf(`turn %d of "conversations" is from %q, who is not known; there are human, gpt, system and tool`, i+1, *t.From)
		}
		messages = append(messages, chat.Message{Role: role, Content: *t.Value})
	}
	return o.withSystem(messages), nil
}

func (o *dialogueObject) alpaca() ([]chat.Message, error) {
	if o.Instruction == nil || o.Output == nil {
		return nil, errors.New(`there must be "instruction" and "output"`)
	}
	var messages []chat.Message
	for i, h := range o.History {
		if len(h) != 2 {
			return nil, fmt.Errorf(`item %d of "history" has %d texts, and must have two: what was asked and what was answered`, i+1, len(h))
		}
		messages = append(messages, chat.Message{Role: chat.User, Content: h[0]}, chat.Message{Role: chat.Assistant, Content: h[1]})
	}
	question := *o.Instruction
	if strings.TrimSpace(o.Input) != "" {
		question += "\n\n" + o.Input
	}
	messages = append(messages, chat.Message{Role: chat.User, Content: question}, chat.Message{Role: chat.Assistant, Content: *o.Output})
	return o.withSystem(messages), nil
}

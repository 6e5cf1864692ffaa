package parley

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/parley-lm/parley/chat"
	"github.com/parley-lm/parley/decode"
	"github.com/parley-lm/parley/hub"
)

// Message is one turn of a dialogue: its role is "system", "user" or "assistant". Read from JSON it keeps whatever else a
// template may look at, such as tool calls.
type Message = chat.Message

// talk is how a model talks: the template that lays messages out, and the token by which the model ends its turn.
type talk struct {
	template *chat.Template
	end      int32
}

// openTalk finds the chat template of a model, in the first of the directories that has one. A model without one that knows
// ChatML's tokens talks by that.
func (l *languageModel) openTalk(dirs []string) (t talk, err error) {
	for _, dir := range dirs {
		if t.template, err = hub.LoadChatTemplate(dir); err != nil {
			return t, err
		}
		if t.template != nil {
			break
		}
	}
	if t.template == nil {
		for _, name := range chat.ChatMLTokens {
			if id, ok := l.tokenizer.ID(name); !ok || !l.tokenizer.Special(id) {
				return t, fmt.Errorf("%s has no chat template, so it was not made to talk: it continues text (parley generate), and learns to talk from dialogues (parley train sft -m %[1]s --data FILE)", dirs[len(dirs)-1])
			}
		}
		t.template = chat.ChatML()
	}
	if t.end, err = t.template.EndOfTurn(l.tokenizer); err != nil { // it ends by the tokens of generation_config.json, if at all
		t.end = -1
	}
	return t, nil
}

// Chat answers a dialogue as [Model.Generate] continues a prompt: it yields the tokens of the assistant's next message. The
// messages are laid out by the model's chat template; what they spell never becomes a special token. What is computed of
// them is kept for a while, so that the next turn of the same dialogue begins sooner.
//
// Dialogues that leave no room for an answer are an error; [Model.Window] shortens them.
func (m *Model) Chat(ctx context.Context, messages []Message, o GenerateOptions) iter.Seq2[Token, error] {
	return m.stream(ctx, o, func() (*decode.Request, error) { return m.decoder.reply(messages, o) })
}

// reply asks for the assistant's next message.
func (l *languageModel) reply(messages []Message, o GenerateOptions) (*decode.Request, error) {
	t, err := l.talk()
	if err != nil {
		return nil, err
	}
	for i, m := range messages {
		if err := checkUTF8(m.Content); err != nil {
			return nil, fmt.Errorf("message %d is %w", i+1, err)
		}
	}
	ids, err := t.template.Prompt(l.tokenizer, messages)
	if err != nil {
		return nil, err
	}
	r, err := l.request(ids, "", o)
	if err != nil {
		return nil, err
	}
	r.Keep = true
	if t.end >= 0 && !slices.Contains(r.Ends, t.end) {
		r.Ends = append(slices.Clone(r.Ends), t.end)
	}
	return r, nil
}

// Window returns the end of a dialogue for which the model's context has room beside an answer of so many tokens (0: a quarter of
// the context): all of it, or
// the system's messages and the last turns, beginning with one of the user. If not even the last turn fits it is an error.
func (m *Model) Window(messages []Message, answer int) ([]Message, error) {
	if m.decoder == nil {
		return nil, errNotGenerator
	}
	t, err := m.decoder.talk()
	if err != nil {
		return nil, err
	}
	context := m.decoder.Model.Config.MaxPositions
	if answer <= 0 {
		answer = context / 4
	}
	most := context - min(answer, context-1)
	head := 0
	for head < len(messages) && messages[head].Role == chat.System {
		head++
	}
	kept := messages
	for from := head; ; {
		ids, err := t.template.Prompt(m.decoder.tokenizer, kept)
		if err != nil {
			return nil, err
		}
		if len(ids) <= most {
			return kept, nil
		}
		for from++; from < len(messages) && messages[from].Role != chat.User; {
			from++
		}
		if from >= len(messages) {
			return nil, fmt.Errorf("the last turn takes %d tokens, and the model's context of %d has no room for an answer of %d beside it; shorten it", len(ids), context, answer)
		}
		kept = append(slices.Clone(messages[:head]), messages[from:]...)
	}
}

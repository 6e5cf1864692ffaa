package chat

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/parley-lm/parley/internal/jinja"
)

// Template lays a dialogue out as text. It is immutable and safe for many goroutines at once.
type Template struct {
	name      string
	source    string
	jinja     *jinja.Template
	variables map[string]jinja.Value
	clock     func() time.Time
	textOnly  bool // it cannot take apart a content of several parts
}

// chatML is OpenAI's Chat Markup Language, which many models are trained with.
const chatML = `{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
{%- endif %}
`

// chatMLSpaced is ChatML without line breaks: what is said begins after a space.
const chatMLSpaced = `{%- for message in messages %}
    {{- '<|im_start|>' + message.role + ' ' + message.content + '<|im_end|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant' }}
{%- endif %}
`

// plain is what was said, one message after the other. Only the end of an answer is marked.
const plain = `{%- for message in messages %}
    {{- '' if loop.first else ' ' }}{{- message.content }}
    {{- '<|im_end|>' if message.role == 'assistant' else '' }}
{%- endfor %}
`

// ChatMLTokens are the special tokens of [ChatML] and [ChatMLSpaced], and the last one of [Plain].
var ChatMLTokens = []string{"<|im_start|>", "<|im_end|>"}

// ChatML returns the template for models that come without one.
func ChatML() *Template { return built("ChatML", chatML) }

// ChatMLSpaced returns ChatML in which every message begins after a space and not after a line break, so that a word is one and
// the same token wherever it stands: in a text of pre-training, in a question and at the beginning of an answer. A small model
// that need not learn its words twice answers better after the same fine-tuning.
func ChatMLSpaced() *Template { return built("ChatML with spaces", chatMLSpaced) }

// Plain returns a template that writes what was said and no roles, with a token at the end of each answer. A dialogue then looks
// like the text that a model was pre-trained on, where people ask and are answered: one so small that it can hardly learn what roles
// and markers mean keeps what it knows. It cannot tell who said what.
func Plain() *Template { return built("plain", plain) }

func built(name, source string) *Template {
	t, err := NewTemplate(name, source, nil)
	if err != nil {
		panic("chat: " + err.Error())
	}
	return t
}

// NewTemplate reads a template in Jinja. Errors call it by name. The tokens are what it may write by their roles, as
// bos_token and eos_token.
func NewTemplate(name, source string, tokens map[string]string) (*Template, error) {
	t := &Template{name: name, source: source, clock: time.Now, variables: map[string]jinja.Value{"tools": nil, "documents": nil}}
	for role, token := range tokens {
		t.variables[role] = token
	}
	var err error
	if t.jinja, err = jinja.Parse(source); err != nil {
		return t, t.located(err)
	}
	t.textOnly = !t.takesParts()
	return t, nil
}

// takesParts reports whether the template can do something with a content that comes in parts, as OpenAI's API has it. Many
// concatenate it with text, which fails, or print it, which shows Python's spelling of a list.
func (t *Template) takesParts() bool {
	written := func(content jinja.Value) (string, error) {
		m := &jinja.Dict{}
		m.Set("role", User)
		m.Set("content", content)
		r, err := t.render(jinja.List{m}, false)
		return r.Text, err
	}
	part := &jinja.Dict{}
	part.Set("type", "text")
	part.Set("text", "a")
	if _, err := written("a"); err != nil { // one cannot tell: it gets what there is
		return true
	}
	text, err := written(jinja.List{part})
	return err == nil && !strings.Contains(text, "[{'type': 'text'")
}

// Source returns the template's text.
func (t *Template) Source() string { return t.source }

// With returns the template with a further variable, in JSON, such as tools or enable_thinking.
func (t *Template) With(name string, value []byte) (*Template, error) {
	v, err := jinja.Decode(value)
	if err != nil {
		return nil, fmt.Errorf("%s: variable %s: %w", t.name, name, err)
	}
	more := *t
	more.variables = maps.Clone(t.variables)
	more.variables[name] = v
	return &more, nil
}

// TemplateError is what a template refuses, or fails at.
type TemplateError struct {
	Template string
	Line     int
	Message  string
	Refused  bool // by the template itself, with raise_exception
}

func (e *TemplateError) Error() string {
	return fmt.Sprintf("%s:%d: %s", e.Template, e.Line, e.Message)
}

// located says which template an error is of.
func (t *Template) located(err error) error {
	if e := (*jinja.Error)(nil); errors.As(err, &e) {
		return &TemplateError{t.name, e.Line, e.Message, e.Raised}
	}
	return err
}

// Render returns the text of a dialogue. With addGenerationPrompt it ends where the assistant is to go on.
func (t *Template) Render(messages []Message, addGenerationPrompt bool) (string, error) {
	values, err := t.values(messages)
	if err != nil {
		return "", err
	}
	r, err := t.render(values, addGenerationPrompt)
	return r.Text, err
}

// values are messages as the template is to see them.
func (t *Template) values(messages []Message) (jinja.List, error) {
	list := make(jinja.List, len(messages))
	for i, m := range messages {
		if t.textOnly {
			var err error
			if m, err = m.withoutParts(); err != nil {
				return nil, fmt.Errorf("%s takes only text: message %d %w", t.name, i+1, err)
			}
		}
		list[i] = m.value()
	}
	return list, nil
}

func (t *Template) render(messages jinja.List, addGenerationPrompt bool) (jinja.Rendering, error) {
	if len(messages) == 0 {
		return jinja.Rendering{}, errors.New("a dialogue without messages")
	}
	variables := maps.Clone(t.variables)
	variables["messages"], variables["add_generation_prompt"] = messages, addGenerationPrompt
	r, err := t.jinja.Render(variables, t.clock())
	return r, t.located(err)
}

// spans returns what of the rendered dialogue the assistant says, its end markers included: what the template's generation
// blocks write, or else what each of the assistant's messages adds to the prompt before it.
func (t *Template) spans(messages jinja.List) (whole string, spans []jinja.Span, err error) {
	r, err := t.render(messages, false)
	if err != nil || t.jinja.HasGenerations() {
		return r.Text, r.Generations, err
	}
	for k, m := range messages {
		if role, _ := m.(*jinja.Dict).Get("role"); role != Assistant {
			continue
		}
		if k == 0 {
			return "", nil, errors.New("the dialogue begins with the assistant")
		}
		prompt, err := t.render(messages[:k], true)
		if err != nil {
			return "", nil, fmt.Errorf("the prompt before message %d: %w", k+1, err)
		}
		through := r
		if k+1 < len(messages) {
			if through, err = t.render(messages[:k+1], false); err != nil {
				return "", nil, fmt.Errorf("the messages up to %d: %w", k+1, err)
			}
		}
		if !strings.HasPrefix(through.Text, prompt.Text) || !strings.HasPrefix(r.Text, through.Text) {
			return "", nil, &UnstableError{t.name, k + 1}
		}
		spans = append(spans, jinja.Span{Start: len(prompt.Text), End: len(through.Text)})
	}
	return r.Text, spans, nil
}

// UnstableError says that a template lays out the beginning of a dialogue otherwise when more follows, so that what the
// assistant says cannot be told from renderings of its parts.
type UnstableError struct {
	Template string
	Message  int // from 1
}

func (e *UnstableError) Error() string {
	return fmt.Sprintf("%s writes what comes before or in message %d otherwise when more follows, so the assistant's tokens cannot be found; put {%% generation %%} around them in the template, or give another with data.chat_template", e.Template, e.Message)
}

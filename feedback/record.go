package feedback

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/parley-lm/parley/chat"
)

// Prompt is what is answered: a text to be continued, or a dialogue whose next turn is the assistant's. One of them is empty.
type Prompt struct {
	Text     string
	Messages []chat.Message
}

// MarshalJSON writes a text as a string and a dialogue as a list of messages, as TRL has its "prompt".
func (p Prompt) MarshalJSON() ([]byte, error) {
	if p.Messages != nil {
		return plainJSON(p.Messages)
	}
	return plainJSON(p.Text)
}

// UnmarshalJSON reads either form.
func (p *Prompt) UnmarshalJSON(raw []byte) error {
	*p = Prompt{}
	switch raw = bytes.TrimSpace(raw); {
	case bytes.HasPrefix(raw, []byte(`"`)):
		return json.Unmarshal(raw, &p.Text)
	case bytes.HasPrefix(raw, []byte(`[`)):
		if err := json.Unmarshal(raw, &p.Messages); err != nil {
			return err
		}
		for i, m := range p.Messages {
			if !slices.Contains([]string{"system", "user", "assistant", "tool"}, m.Role) {
				return fmt.Errorf("message %d has role %q; it must be system, user, assistant or tool", i+1, m.Role)
			}
		}
		return nil
	}
	return errors.New("a prompt must be a string or a list of messages")
}

// Check says why a prompt cannot be answered.
func (p Prompt) Check() error {
	if strings.TrimSpace(p.Text) == "" && len(p.Messages) == 0 {
		return errors.New("the prompt is empty")
	}
	if n := len(p.Messages); n > 0 && p.Messages[n-1].Role == "assistant" {
		return errors.New("the prompt ends with a turn of the assistant; there is nothing to answer")
	}
	return nil
}

// Answer is one answer to a prompt, and where it comes from.
type Answer struct {
	Text     string          `json:"text"`
	Model    string          `json:"model,omitempty"`    // who wrote it
	Settings json.RawMessage `json:"settings,omitempty"` // how it was sampled, an object
}

// Record is a line of JSONL: a prompt, answers to it, and what one rater thinks of them.
//
//	{"prompt": "…", "answers": ["…", "…", "…"], "ranks": [2, 1, 2], "rater": "ann", "time": "2026-01-31T12:00:00Z"}
//
// A rank of 1 is best, and equal ranks are a tie. Without ranks the answers wait to be judged; with "cannot_judge" the rater
// looked at them and could not say. An answer is a string, or an object with "text", "model" and "settings"; model and
// settings of the line are those of answers that name none. In place of answers and ranks there may be "chosen" and
// "rejected", as TRL has them: texts, or lists with the assistant's turn in which a dialogue goes on.
type Record struct {
	Prompt      Prompt
	Answers     []Answer
	Ranks       []int // of the answers; nil: not ranked
	CannotJudge bool
	Rater       string
	Time        time.Time // of the ranking
}

// line is a Record as it is spelled.
type line struct {
	Prompt      *Prompt           `json:"prompt,omitempty"`
	Answers     []json.RawMessage `json:"answers,omitempty"`
	Ranks       []int             `json:"ranks,omitempty"`
	CannotJudge bool              `json:"cannot_judge,omitempty"`
	Rater       string            `json:"rater,omitempty"`
	Time        *time.Time        `json:"time,omitempty"`
	Model       string            `json:"model,omitempty"`
	Settings    json.RawMessage   `json:"settings,omitempty"`
	Chosen      *Prompt           `json:"chosen,omitempty"`
	Rejected    *Prompt           `json:"rejected,omitempty"`
}

// MarshalJSON writes the line.
func (r Record) MarshalJSON() ([]byte, error) {
	l := line{Prompt: &r.Prompt, Ranks: r.Ranks, CannotJudge: r.CannotJudge, Rater: r.Rater}
	if !r.Time.IsZero() {
		utc := r.Time.UTC()
		l.Time = &utc
	}
	same := len(r.Answers) > 0
	for _, a := range r.Answers {
		same = same && a.Model == r.Answers[0].Model && bytes.Equal(a.Settings, r.Answers[0].Settings)
	}
	if same {
		l.Model, l.Settings = r.Answers[0].Model, r.Answers[0].Settings
	}
	for _, a := range r.Answers {
		var v any = a
		if same {
			v = a.Text
		}
		raw, err := plainJSON(v)
		if err != nil {
			return nil, err
		}
		l.Answers = append(l.Answers, raw)
	}
	return plainJSON(l)
}

// UnmarshalJSON reads a line and says which key is wrong.
func (r *Record) UnmarshalJSON(raw []byte) error {
	var l line
	if err := json.Unmarshal(raw, &l); err != nil {
		return err
	}
	if l.Prompt == nil {
		return errors.New(`there is no "prompt"`)
	}
	*r = Record{Prompt: *l.Prompt, Ranks: l.Ranks, CannotJudge: l.CannotJudge, Rater: l.Rater}
	if l.Time != nil {
		r.Time = *l.Time
	}
	if l.Chosen != nil || l.Rejected != nil {
		if l.Answers != nil || l.Ranks != nil {
			return errors.New(`"answers" and "ranks" cannot stand beside "chosen" and "rejected"`)
		}
		for _, side := range []struct {
			key  string
			text *Prompt
		}{{"chosen", l.Chosen}, {"rejected", l.Rejected}} {
			text, err := turnOf(side.text)
			if err != nil {
				return fmt.Errorf("%q %w", side.key, err)
			}
			r.Answers = append(r.Answers, Answer{Text: text, Model: l.Model, Settings: l.Settings})
		}
		r.Ranks = []int{1, 2}
	}
	for i, raw := range l.Answers {
		a := Answer{Model: l.Model, Settings: l.Settings}
		var err error
		if bytes.HasPrefix(bytes.TrimSpace(raw), []byte(`"`)) {
			err = json.Unmarshal(raw, &a.Text)
		} else {
			err = json.Unmarshal(raw, &a)
		}
		if err != nil {
			return fmt.Errorf("answer %d: must be a string or an object with \"text\": %w", i+1, err)
		}
		r.Answers = append(r.Answers, a)
	}
	return r.check()
}

// turnOf returns the text of an answer in TRL's form.
func turnOf(p *Prompt) (string, error) {
	switch {
	case p == nil:
		return "", errors.New("is missing")
	case p.Messages == nil:
		return p.Text, nil
	case len(p.Messages) == 1 && p.Messages[0].Role == "assistant":
		return p.Messages[0].Content, nil
	}
	return "", errors.New("must be a text, or a list of one turn, the assistant's")
}

func (r Record) check() error {
	if err := r.Prompt.Check(); err != nil {
		return err
	}
	if len(r.Answers) == 0 {
		return errors.New("there are no answers")
	}
	for i, a := range r.Answers {
		if strings.TrimSpace(a.Text) == "" {
			return fmt.Errorf("answer %d is empty", i+1)
		}
		for j := range i {
			if r.Answers[j].Text == a.Text && (r.Ranks != nil || r.CannotJudge) {
				return fmt.Errorf("answers %d and %d are identical", j+1, i+1)
			}
		}
	}
	if r.Ranks == nil {
		return nil
	}
	if r.CannotJudge {
		return errors.New(`"ranks" and "cannot_judge" contradict each other`)
	}
	if len(r.Answers) < 2 {
		return errors.New("one answer cannot be ranked; there must be two or more")
	}
	if len(r.Ranks) != len(r.Answers) {
		return fmt.Errorf("there are %d ranks for %d answers", len(r.Ranks), len(r.Answers))
	}
	for i, rank := range r.Ranks {
		if rank < 1 {
			return fmt.Errorf("rank %d of answer %d: 1 is best, and none is less", rank, i+1)
		}
	}
	return nil
}

// identity is a name for a value: the first half of the SHA-256 of its parts.
func identity(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func (p Prompt) text() string {
	raw, _ := p.MarshalJSON() // strings always encode
	return string(raw)
}

func (p Prompt) identity() string { return identity(p.text()) }

// plainJSON is v without line breaks and without escapes for HTML.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

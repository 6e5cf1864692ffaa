package compare

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/parley-lm/parley/chat"
	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/sandbox"
)

// A Question is what every model is asked.
type Question struct {
	Messages []chat.Message // the last is the user's
	Kind     string         // by which answers are counted; "" for none
	Answer   string         // a right one; "" where none is known
	Where    string         // file:line; "" where it is in no file

	checked *sandbox.Question // nil where the sandbox cannot read it
}

// name says which of the questions this is, the i-th of them.
func (q *Question) name(i int) string {
	if q.Where != "" {
		return q.Where
	}
	return fmt.Sprintf("question %d", i+1)
}

// exact reports whether an answer is right, where that is known: the sandbox's checker says it for questions of the sandbox,
// otherwise the answer must be the right one but for letters' case, white space and a full stop at the end.
func (q *Question) exact(answer string) (right, known bool) {
	switch {
	case q.checked != nil:
		return q.checked.Check(answer).Right(), true
	case q.Answer != "":
		return plain(answer) == plain(q.Answer), true
	}
	return false, false
}

// Right reports whether an answer is known to be right.
func (q *Question) Right(answer string) bool {
	right, known := q.exact(answer)
	return right && known
}

func plain(text string) string {
	return strings.TrimSuffix(strings.ToLower(strings.Join(strings.Fields(text), " ")), ".")
}

// Sandbox returns the first n questions of a part of the sandbox.
func Sandbox(v sandbox.Village, n int) []Question {
	list := make([]Question, n)
	for i := range list {
		q := v.Question(i)
		list[i] = Question{Kind: string(q.Kind), Messages: q.Messages, Answer: q.Answer(), checked: q}
	}
	return list
}

// Read reads questions from JSONL: objects with "messages", of which a last one of the assistant is the right answer, or "prompt" (messages,
// or the text of one); perhaps with the right "answer" and a "kind". What the sandbox can read is checked as the sandbox does.
func Read(lines *corpus.Lines, path string) ([]Question, error) {
	var list []Question
	for {
		line, err := lines.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if strings.TrimSpace(string(line)) == "" {
			continue
		}
		q, err := parse(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, lines.Number(), err)
		}
		q.Where = fmt.Sprintf("%s:%d", path, lines.Number())
		list = append(list, q)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s: there is no question in it", path)
	}
	return list, nil
}

func parse(line []byte) (Question, error) {
	var in struct {
		Messages []chat.Message  `json:"messages"`
		Prompt   json.RawMessage `json:"prompt"`
		Answer   string          `json:"answer"`
		Kind     string          `json:"kind"`
	}
	if err := json.Unmarshal(line, &in); err != nil {
		return Question{}, fmt.Errorf("must be an object with a question: %w", err)
	}
	q := Question{Messages: in.Messages, Answer: in.Answer, Kind: in.Kind}
	if q.Messages == nil && len(in.Prompt) > 0 {
		var text string
		if json.Unmarshal(in.Prompt, &text) == nil {
			q.Messages = []chat.Message{{Role: chat.User, Content: text}}
		} else if err := json.Unmarshal(in.Prompt, &q.Messages); err != nil {
			return Question{}, fmt.Errorf(`"prompt" must be a text or a list of messages: %w`, err)
		}
	}
	if n := len(q.Messages); n > 0 && q.Messages[n-1].Role == chat.Assistant {
		if q.Answer == "" {
			q.Answer = q.Messages[n-1].Content
		}
		q.Messages = q.Messages[:n-1]
	}
	if n := len(q.Messages); n == 0 || q.Messages[n-1].Role != chat.User {
		return Question{}, errors.New(`neither "messages" nor "prompt" has a question of a user at its end`)
	}
	if read, err := sandbox.ReadQuestion(q.Messages); err == nil {
		q.checked, q.Kind, q.Answer = read, string(read.Kind), read.Answer()
	}
	return q, nil
}

package corpus

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
)

// Question is one with several choices, of which some are right.
type Question struct {
	Query   string
	Choices []string // at least two, none empty
	Right   []int    // indices of Choices, at least one
}

// Questions reads a file of JSON objects, one a line, as the tasks of lm-evaluation-harness have them:
//
//	{"query": "The sky is", "choices": ["blue", "made of cheese"], "gold": 0}
//
// The query may be called "question" instead, and gold, as in the data sets, "answer" or "label". Gold is an index, a list of
// indices where several are right, or the text of a choice. Other keys are ignored, blank lines are left out. An error says
// file and line, and is the last that is yielded; a file without a question is one.
func Questions(path string) iter.Seq2[Question, error] {
	return func(yield func(Question, error) bool) {
		lines, err := OpenLines(path)
		if err != nil {
			yield(Question{}, err)
			return
		}
		defer lines.Close()
		lines.questions(yield)
	}
}

// QuestionsFrom is Questions of a stream; name stands for the file in errors.
func QuestionsFrom(name string, r io.Reader) iter.Seq2[Question, error] {
	return func(yield func(Question, error) bool) {
		lines, err := newLines(name, r)
		if err != nil {
			yield(Question{}, err)
			return
		}
		lines.questions(yield)
	}
}

func (l *Lines) questions(yield func(Question, error) bool) {
	for found := false; ; {
		line, err := l.Next()
		if err == io.EOF {
			if !found {
				yield(Question{}, fmt.Errorf("%s: there is no question in it", l.path))
			}
			return
		}
		if err == nil && len(strings.TrimSpace(string(line))) == 0 {
			continue
		}
		var q Question
		if err == nil {
			if q, err = parseQuestion(line); err != nil {
				err = fmt.Errorf("%s:%d: %w", l.path, l.number, err)
			}
		}
		found = true
		if !yield(q, err) || err != nil {
			return
		}
	}
}

func parseQuestion(line []byte) (q Question, err error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(line, &object); err != nil {
		return q, fmt.Errorf("must be a JSON object: %w", err)
	}
	query, err := oneOf(object, "query", "question")
	if err != nil {
		return q, err
	}
	if q.Query, err = stringAt(object, query); err != nil {
		return q, err
	}
	if _, err := oneOf(object, "choices"); err != nil {
		return q, err
	}
	var choices []json.RawMessage
	if err := json.Unmarshal(object["choices"], &choices); err != nil || len(choices) < 2 {
		return q, fmt.Errorf(`"choices" must be a list of two or more texts`)
	}
	for i, raw := range choices {
		name := fmt.Sprintf("choices[%d]", i)
		text, err := stringAt(map[string]json.RawMessage{name: raw}, name)
		if err != nil {
			return q, err
		}
		if text == "" {
			return q, fmt.Errorf("%q is empty", name)
		}
		q.Choices = append(q.Choices, text)
	}
	gold, err := oneOf(object, "gold", "answer", "label")
	if err != nil {
		return q, err
	}
	q.Right, err = q.right(gold, object[gold])
	return q, err
}

// oneOf returns the one of several keys that an object has.
func oneOf(object map[string]json.RawMessage, keys ...string) (string, error) {
	var found []string
	for _, k := range keys {
		if _, ok := object[k]; ok {
			found = append(found, k)
		}
	}
	switch len(found) {
	case 0:
		there := make([]string, 0, len(object))
		for k := range object {
			there = append(there, k)
		}
		slices.Sort(there)
		return "", fmt.Errorf("there is no %q; there are %.200q", keys[0], there)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("there are both %q and %q; one of them must go", found[0], found[1])
}

// stringAt returns the string at a key that is there, as it is.
func stringAt(object map[string]json.RawMessage, key string) (string, error) {
	var text string
	raw := object[key]
	if err := json.Unmarshal(raw, &text); err != nil || raw[0] != '"' {
		return "", fmt.Errorf("%q must be a string", key)
	}
	if strings.ContainsRune(text, '\uFFFD') && hasLoneSurrogate(raw) {
		return "", fmt.Errorf("%q holds half of a surrogate pair, which is no character", key)
	}
	return text, nil
}

// right returns the indices that are said to be right.
func (q *Question) right(key string, raw json.RawMessage) ([]int, error) {
	var one int
	var several []int
	var text string
	switch {
	case string(raw) == "null":
		return nil, fmt.Errorf("%q is null", key)
	case json.Unmarshal(raw, &one) == nil:
		several = []int{one}
	case json.Unmarshal(raw, &text) == nil:
		if one = slices.Index(q.Choices, text); one < 0 {
			return nil, fmt.Errorf("%q is %.100q, which is none of the choices", key, text)
		}
		several = []int{one}
	case json.Unmarshal(raw, &several) != nil || len(several) == 0:
		return nil, fmt.Errorf("%q must be the index of the right choice from 0, a list of indices, or its text", key)
	}
	for _, i := range several {
		if i < 0 || i >= len(q.Choices) {
			return nil, fmt.Errorf("%q says that choice %d is right; they are counted from 0 to %d", key, i, len(q.Choices)-1)
		}
	}
	return several, nil
}

package rank

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/feedback"
)

// Prompt is a prompt and where it is written.
type Prompt struct {
	feedback.Prompt
	Where string // file:line
}

// ReadPrompts reads a file of prompts: JSONL with "prompt", a text or a list of messages, or with "messages"; or lines of text. The
// first character of a line decides.
func ReadPrompts(path string) ([]Prompt, error) {
	var prompts []Prompt
	err := corpus.EachLine(path, func(place string, line []byte) error {
		p, err := parsePrompt(bytes.TrimSpace(line))
		if err == nil {
			err = p.Check()
		}
		prompts = append(prompts, Prompt{p, place})
		return err
	})
	if err == nil && len(prompts) == 0 {
		err = fmt.Errorf("%s: there are no prompts", path)
	}
	return prompts, err
}

func parsePrompt(line []byte) (feedback.Prompt, error) {
	if line[0] != '{' {
		return feedback.Prompt{Text: string(line)}, nil
	}
	var object struct {
		Prompt   *feedback.Prompt `json:"prompt"`
		Messages *feedback.Prompt `json:"messages"`
	}
	if err := json.Unmarshal(line, &object); err != nil {
		return feedback.Prompt{}, err
	}
	switch {
	case object.Prompt != nil:
		return *object.Prompt, nil
	case object.Messages != nil:
		return *object.Messages, nil
	}
	return feedback.Prompt{}, errors.New(`there is neither "prompt" nor "messages"`)
}

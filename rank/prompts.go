package rank

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/feedback"
)

// ReadPrompts reads a file of prompts: JSONL with "prompt", a text or a list of messages, or with "messages"; or lines of text. The
// first character of a line decides.
func ReadPrompts(path string) ([]feedback.Prompt, error) {
	lines, err := corpus.OpenLines(path)
	if err != nil {
		return nil, err
	}
	defer lines.Close()
	var prompts []feedback.Prompt
	for {
		line, err := lines.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if line[0] != '{' {
			prompts = append(prompts, feedback.Prompt{Text: string(line)})
			continue
		}
		var object struct {
			Prompt   *feedback.Prompt `json:"prompt"`
			Messages *feedback.Prompt `json:"messages"`
		}
		if err := json.Unmarshal(line, &object); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, lines.Number(), err)
		}
		switch {
		case object.Prompt != nil:
			prompts = append(prompts, *object.Prompt)
		case object.Messages != nil:
			prompts = append(prompts, *object.Messages)
		default:
			return nil, fmt.Errorf(`%s:%d: there is neither "prompt" nor "messages"`, path, lines.Number())
		}
	}
	if len(prompts) == 0 {
		return nil, fmt.Errorf("%s: there are no prompts", path)
	}
	return prompts, nil
}

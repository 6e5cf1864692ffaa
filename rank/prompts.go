package rank

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/feedback"
)

// ReadPrompts reads a file of prompts: JSONL with "prompt", a text or a list of messages, or with "messages"; or lines of text. The
// first character of a line decides.
func ReadPrompts(path string) ([]feedback.Prompt, error) {
	var prompts []feedback.Prompt
	err := corpus.EachLine(path, func(_ string, line []byte) error {
		line = bytes.TrimSpace(line)
		if line[0] != '{' {
			prompts = append(prompts, feedback.Prompt{Text: string(line)})
			return nil
		}
		var object struct {
			Prompt   *feedback.Prompt `json:"prompt"`
			Messages *feedback.Prompt `json:"messages"`
		}
		if err := json.Unmarshal(line, &object); err != nil {
			return err
		}
		switch {
		case object.Prompt != nil:
			prompts = append(prompts, *object.Prompt)
		case object.Messages != nil:
			prompts = append(prompts, *object.Messages)
		default:
			return errors.New(`there is neither "prompt" nor "messages"`)
		}
		return nil
	})
	if err == nil && len(prompts) == 0 {
		err = fmt.Errorf("%s: there are no prompts", path)
	}
	return prompts, err
}

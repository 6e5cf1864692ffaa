package quickstart

import (
	"bufio"
	"encoding/json"
	"io"

	"github.com/parley-lm/parley/chat"
	"github.com/parley-lm/parley/sandbox"
	"github.com/parley-lm/parley/train"
)

// Text writes the JSONL of a recipe with data.format = "sandbox" that learns from text: stories, or for fine-tuning the dialogues of
// careless writers.
func Text(r train.Recipe, w io.Writer) error {
	buffered := bufio.NewWriter(w)
	e := json.NewEncoder(buffered)
	e.SetEscapeHTML(false)
	v := sandbox.Village{Seed: World, Part: sandbox.Train}
	for i := range r.Data.Pairs {
		var line any = map[string]string{"text": v.Document(i)}
		if r.Objective.Kind == "dialogue" {
			line = map[string][]chat.Message{"messages": v.Dialogue(i, sandbox.Careless)}
		}
		if err := e.Encode(line); err != nil {
			return err
		}
	}
	return buffered.Flush()
}

package quickstart

import (
	"bufio"
	"encoding/json"
	"io"

	"github.com/parley-lm/parley/sandbox"
	"github.com/parley-lm/parley/train"
)

// Text writes the JSONL of a recipe with data.format = "sandbox" that learns from text: stories.
func Text(r train.Recipe, w io.Writer) error {
	buffered := bufio.NewWriter(w)
	e := json.NewEncoder(buffered)
	e.SetEscapeHTML(false)
	v := sandbox.Village{Seed: World, Part: sandbox.Train}
	for i := range r.Data.Pairs {
		if err := e.Encode(map[string]string{"text": v.Document(i)}); err != nil {
			return err
		}
	}
	return buffered.Flush()
}

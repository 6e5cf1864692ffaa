package score

import (
	"errors"
	"fmt"

	"github.com/parley-lm/parley/model"
)

// Request asks how probable some continuations of a context are.
type Request struct {
	Context       []int32        // at least one token; none of it is scored
	Continuations []Continuation // at least one
}

// Continuation is tokens that may follow a context.
type Continuation struct {
	Tokens []int32 // at least one
	Scored int     // how many of them are scored, the last ones: at least one
	NLL    []float32
	// NLL is the answer, [Scored]: −log p of each of these tokens, given all before it.
}

// check reports what of a request a model cannot do.
func (r *Request) check(c model.DecoderConfig) error {
	if len(r.Context) == 0 {
		return errors.New("score: the context has no tokens; begin with the token that begins a text")
	}
	if err := checkIDs(r.Context, c.VocabSize); err != nil {
		return err
	}
	if len(r.Continuations) == 0 {
		return errors.New("score: there is no continuation of the context")
	}
	for _, t := range r.Continuations {
		if t.Scored < 1 || t.Scored > len(t.Tokens) {
			return fmt.Errorf("score: %d tokens of a continuation of %d are to be scored", t.Scored, len(t.Tokens))
		}
		if n := len(r.Context) + len(t.Tokens) - 1; n > c.MaxPositions {
			return fmt.Errorf("score: %d tokens must be read, the last one not counted, and the model's context is %d", n, c.MaxPositions)
		}
		if err := checkIDs(t.Tokens, c.VocabSize); err != nil {
			return err
		}
	}
	return nil
}

func checkIDs(ids []int32, vocabulary int) error {
	for i, id := range ids {
		if id < 0 || int(id) >= vocabulary {
			return fmt.Errorf("score: token %d is %d, which is not in the vocabulary of %d", i+1, id, vocabulary)
		}
	}
	return nil
}

package feedback

import (
	"context"
	"encoding/json"
	"io"

	"github.com/parley-lm/parley/chat"
	"github.com/parley-lm/parley/corpus"
)

// Import adds the records of a JSONL file, compressed or not, all of them or none. Rankings that contradict an earlier one of
// the same rater are counted and left out, as [Store.Add] would; each is told to contradicted with its place. Rankings without a
// rater are those of the given one.
func (s *Store) Import(ctx context.Context, path, rater string, contradicted func(place string)) (Added, error) {
	var sum Added
	err := s.transaction(ctx, func(tx *transaction) error {
		sum = Added{} // where it is done again
		return EachRecord(path, func(place string, r Record) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if r.Rater == "" {
				r.Rater = rater
			}
			added, refused, err := tx.add(r)
			if err != nil {
				return err
			}
			if refused != nil && contradicted != nil {
				contradicted(place)
			}
			sum.Prompts += added.Prompts
			sum.Answers += added.Answers
			sum.Rankings += added.Rankings
			sum.Known += added.Known
			sum.Refused += added.Refused
			return nil
		})
	})
	if err != nil {
		return Added{}, s.wrong(err)
	}
	return sum, nil
}

// EachRecord reads a JSONL file of records. Errors name file and line, also those that do returns.
func EachRecord(path string, do func(place string, r Record) error) error {
	return corpus.EachLine(path, func(place string, line []byte) error {
		var r Record
		if err := json.Unmarshal(line, &r); err != nil {
			return err
		}
		return do(place, r)
	})
}

// Export writes all records as JSONL and returns how many.
func (s *Store) Export(ctx context.Context, w io.Writer) (int, error) {
	n := 0
	for r, err := range s.Records(ctx) {
		if err != nil {
			return n, err
		}
		if err := writeLine(w, r); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// Pair is one comparison, in TRL's form.
type Pair struct {
	Prompt   Prompt `json:"prompt"`
	Chosen   Prompt `json:"chosen"`
	Rejected Prompt `json:"rejected"`
}

// Pairs are the comparisons in a ranking, best answers first; ties give none.
func (r Record) Pairs() []Pair {
	turn := func(text string) Prompt {
		if r.Prompt.Messages != nil {
			return Prompt{Messages: []chat.Message{{Role: "assistant", Content: text}}}
		}
		return Prompt{Text: text}
	}
	var pairs []Pair
	for i, better := range r.Ranks {
		for j, worse := range r.Ranks {
			if better < worse {
				pairs = append(pairs, Pair{r.Prompt, turn(r.Answers[i].Text), turn(r.Answers[j].Text)})
			}
		}
	}
	return pairs
}

// ExportPairs writes every comparison of every rater as JSONL and returns how many.
func (s *Store) ExportPairs(ctx context.Context, w io.Writer) (int, error) {
	n := 0
	for r, err := range s.Records(ctx) {
		if err != nil {
			return n, err
		}
		for _, p := range r.Pairs() {
			if err := writeLine(w, p); err != nil {
				return n, err
			}
			n++
		}
	}
	return n, nil
}

func writeLine(w io.Writer, v any) error {
	raw, err := plainJSON(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(raw, '\n'))
	return err
}

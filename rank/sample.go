package rank

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"strings"

	"github.com/parley-lm/parley"
	"github.com/parley-lm/parley/feedback"
)

// Sampler has a model answer prompts. What it writes depends on the model, the settings and the prompt, not on the order of the
// prompts or on how many there are.
type Sampler struct {
	Model       *parley.Model
	Name        string // of the model, for the records
	N           int    // answers to each prompt, before equal ones and empty ones are dropped
	MaxTokens   int    // of an answer
	Temperature float64
	TopP        float64
	Seed        uint64
}

// atOnce is how many prompts are answered together.
const atOnce = 32

// Sample answers the prompts that have no answers of the same model with the same settings, and puts prompts and answers into the
// store in the order of the prompts. It calls added, if it is not nil, after each. Prompts to which all answers were empty or the same
// cannot be ranked: alike is how many there were.
func (s Sampler) Sample(ctx context.Context, store *feedback.Store, prompts []Prompt, added func()) (alike int, err error) {
	settings, err := json.Marshal(map[string]any{"n": s.N, "temperature": s.Temperature, "top_p": s.TopP, "max_tokens": s.MaxTokens, "seed": s.Seed})
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type outcome struct {
		record feedback.Record
		err    error
	}
	outcomes := make(chan chan outcome, atOnce)
	go func() {
		defer close(outcomes)
		for _, p := range prompts {
			n, err := store.Sampled(ctx, p.Prompt, s.Name, settings)
			if n > 0 && err == nil {
				continue
			}
			one := make(chan outcome, 1)
			select {
			case outcomes <- one:
			case <-ctx.Done():
				return
			}
			go func() {
				if err != nil {
					one <- outcome{err: err}
					return
				}
				r, err := s.answers(ctx, p.Prompt, settings)
				if err != nil {
					err = fmt.Errorf("%s: %w", p.Where, err)
				}
				one <- outcome{r, err}
			}()
		}
	}()
	for one := range outcomes {
		got := <-one
		if got.err == nil && len(got.record.Answers) > 0 {
			_, got.err = store.Add(ctx, got.record)
		}
		if got.err != nil {
			return alike, got.err
		}
		if len(got.record.Answers) < 2 {
			alike++
		}
		if added != nil {
			added()
		}
	}
	return alike, ctx.Err()
}

// answers samples the answers to one prompt.
func (s Sampler) answers(ctx context.Context, p feedback.Prompt, settings json.RawMessage) (feedback.Record, error) {
	h := fnv.New64a()
	io.WriteString(h, p.Key())
	texts := make([]strings.Builder, s.N)
	o := parley.GenerateOptions{N: s.N, MaxTokens: s.MaxTokens, Temperature: &s.Temperature, TopP: &s.TopP, Seed: s.Seed ^ h.Sum64()}
	tokens := s.Model.Generate(ctx, p.Text, o)
	if p.Messages != nil {
		tokens = s.Model.Chat(ctx, p.Messages, o)
	}
	for token, err := range tokens {
		if err != nil {
			return feedback.Record{}, err
		}
		texts[token.Answer].WriteString(token.Text)
	}
	r := feedback.Record{Prompt: p}
	seen := map[string]bool{}
	for i := range texts {
		if text := texts[i].String(); strings.TrimSpace(text) != "" && !seen[text] {
			seen[text] = true
			r.Answers = append(r.Answers, feedback.Answer{Text: text, Model: s.Name, Settings: settings})
		}
	}
	return r, nil
}

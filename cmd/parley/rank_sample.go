package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"strings"
	"sync"

	"github.com/spf13/pflag"

	"github.com/parley-lm/parley"
	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/feedback"
)

// rankSampling says which answers are sampled.
type rankSampling struct {
	model, prompts string
	n, maxTokens   int
	temperature    float64
	topP           float64
}

func (s *rankSampling) register(f *pflag.FlagSet) {
	f.StringVarP(&s.model, "model", "m", "", "model directory or run that answers")
	f.StringVar(&s.prompts, "prompts", "", "file of prompts to answer")
	f.IntVarP(&s.n, "answers", "n", 4, fmt.Sprintf("answers to each prompt, at most %d", feedback.MostAnswers))
	f.Float64Var(&s.temperature, "temperature", 1, "of sampling")
	f.Float64Var(&s.topP, "top-p", 1, "sample from the most probable tokens whose probabilities add up to this")
	f.IntVar(&s.maxTokens, "max-tokens", 256, "most tokens of an answer")
}

func (s *rankSampling) check() error {
	switch {
	case (s.model == "") != (s.prompts == ""):
		return usagef("-m and --prompts belong together: the model answers the prompts")
	case s.n < 2 || s.n > feedback.MostAnswers:
		return usagef("-n %d: must be between 2 and %d", s.n, feedback.MostAnswers)
	case s.temperature <= 0:
		return usagef("--temperature %g: must be above 0, or all answers are the same", s.temperature)
	case s.maxTokens < 1:
		return usagef("--max-tokens %d: must be at least 1", s.maxTokens)
	}
	return nil
}

// sampling is the answering of prompts beside the ranking of what is answered already.
type sampling struct {
	mutex   sync.Mutex
	changed chan struct{} // closed and made anew when something was added, or all is done
	done    bool
	err     error
}

// sampleInto begins to answer the prompts. Those that have answers of the same model with the same settings are left as they are.
func (a *app) sampleInto(ctx context.Context, store *feedback.Store, o rankSampling) *sampling {
	s := &sampling{changed: make(chan struct{})}
	if o.model == "" {
		s.finish(nil)
		return s
	}
	go func() { s.finish(a.sample(ctx, store, o, s.added)) }()
	return s
}

func (s *sampling) added() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *sampling) finish(err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.done, s.err = true, err
	close(s.changed)
}

// more waits until answers were added; false: all are there.
func (s *sampling) more(ctx context.Context) (bool, error) {
	s.mutex.Lock()
	changed, done, err := s.changed, s.done, s.err
	s.mutex.Unlock()
	if done {
		return false, err
	}
	select {
	case <-changed:
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// wait waits until all answers are there.
func (s *sampling) wait() error {
	for {
		if more, err := s.more(context.Background()); !more || err != nil {
			return err
		}
	}
}

// atOnce is how many prompts are answered together.
const atOnce = 32

func (a *app) sample(ctx context.Context, store *feedback.Store, o rankSampling, added func()) error {
	prompts, err := readPrompts(o.prompts)
	if err != nil {
		return err
	}
	m, err := parley.Open(o.model, parley.Threads(a.threads))
	if err != nil {
		return err
	}
	defer m.Close()
	settings, err := json.Marshal(map[string]any{"n": o.n, "temperature": o.temperature, "top_p": o.topP, "max_tokens": o.maxTokens, "seed": a.seed})
	if err != nil {
		return err
	}
	var waiting []feedback.Prompt
	for _, p := range prompts {
		n, err := store.Sampled(ctx, p, o.model, settings)
		if err != nil {
			return err
		}
		if n == 0 {
			waiting = append(waiting, p)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type outcome struct {
		record feedback.Record
		err    error
	}
	outcomes := make(chan chan outcome, atOnce) // in the order of the file, in which they are kept
	go func() {
		defer close(outcomes)
		for _, p := range waiting {
			one := make(chan outcome, 1)
			select {
			case outcomes <- one:
			case <-ctx.Done():
				return
			}
			go func() {
				r, err := a.answers(ctx, m, p, o, settings)
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
			return fmt.Errorf("a prompt of %s: %w", o.prompts, got.err)
		}
		added()
	}
	return ctx.Err()
}

// answers samples the answers to one prompt. Its seed depends on the prompt, so that the order of the file does not matter.
// Empty answers are left out, equal ones are kept once.
func (a *app) answers(ctx context.Context, m *parley.Model, p feedback.Prompt, o rankSampling, settings json.RawMessage) (feedback.Record, error) {
	h := fnv.New64a()
	io.WriteString(h, p.Key())
	texts := make([]strings.Builder, o.n)
	options := parley.GenerateOptions{N: o.n, MaxTokens: o.maxTokens, Temperature: &o.temperature, TopP: &o.topP, Seed: a.seed ^ h.Sum64()}
	for token, err := range m.Generate(ctx, p.Text, options) {
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
			r.Answers = append(r.Answers, feedback.Answer{Text: text, Model: o.model, Settings: settings})
		}
	}
	return r, nil
}

// readPrompts reads JSONL or lines of text; the first character decides.
func readPrompts(path string) ([]feedback.Prompt, error) {
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

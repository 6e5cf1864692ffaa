package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/spf13/pflag"

	"github.com/parley-lm/parley"
	"github.com/parley-lm/parley/feedback"
	"github.com/parley-lm/parley/rank"
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
	case !(s.temperature > 0 && s.temperature < 100):
		return usagef("--temperature %g: must be above 0, or all answers are the same, and below 100", s.temperature)
	case !(s.topP > 0 && s.topP <= 1):
		return usagef("--top-p %g: must be above 0 and at most 1", s.topP)
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
	alike   int // prompts that got no two different answers
	err     error
}

// sampleInto begins to answer the prompts. Those that have answers of the same model with the same settings are left as they are.
func (a *app) sampleInto(ctx context.Context, store *feedback.Store, o rankSampling) *sampling {
	s := &sampling{changed: make(chan struct{})}
	if o.model == "" {
		s.finish(0, nil)
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

func (s *sampling) finish(alike int, err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.done, s.alike, s.err = true, alike, err
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

func (a *app) sample(ctx context.Context, store *feedback.Store, o rankSampling, added func()) (alike int, err error) {
	prompts, err := rank.ReadPrompts(o.prompts)
	if err != nil {
		return 0, err
	}
	m, err := parley.Open(o.model, parley.Threads(a.threads))
	if err != nil {
		return 0, err
	}
	defer m.Close()
	s := rank.Sampler{Model: m, Name: o.model, N: o.n, MaxTokens: o.maxTokens, Temperature: o.temperature, TopP: o.topP, Seed: a.seed}
	return s.Sample(ctx, store, prompts, added)
}

// tellAlike says how many prompts nobody can rank, once all are answered.
func (a *app) tellAlike(s *sampling) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.alike > 0 && s.err == nil && !a.quiet {
		fmt.Fprintf(a.err, "%d prompts cannot be ranked: the answers to each were all the same, or empty; try a higher --temperature\n", s.alike)
	}
}

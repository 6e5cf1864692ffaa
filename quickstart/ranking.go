package quickstart

import (
	"context"
	"errors"
	"io"

	"github.com/parley-lm/parley"
	"github.com/parley-lm/parley/feedback"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/rank"
	"github.com/parley-lm/parley/sandbox"
)

const (
	feedbackFile = "feedback.db"
	rankingsFile = "rankings.jsonl"
)

// Rankings says how much the judge ranked.
type Rankings struct {
	Prompts int `json:"prompts"`
	Answers int `json:"answers"`
	Pairs   int `json:"pairs"` // in which one answer is better than the other
	Ties    int `json:"ties"`
}

// rank has the fine-tuned model answer what is asked and the judge rank the answers. Answers and rankings that are in the database
// already stay.
func (w *workshop) rank(ctx context.Context, asked, rankings string, a *Assistant) error {
	prompts, err := rank.ReadPrompts(asked)
	if err != nil {
		return err
	}
	m, err := parley.Open(w.path(sftRun), parley.Threads(w.Threads))
	if err != nil {
		return err
	}
	defer m.Close()
	store, err := feedback.Open(ctx, w.path(feedbackFile))
	if err != nil {
		return err
	}
	defer store.Close()
	s := rank.Sampler{Model: m, Name: w.path(sftRun), N: w.Answers, MaxTokens: w.MaxTokens, Temperature: w.Temperature, TopP: 1, Seed: uint64(w.Seed)}
	answered := 0
	if _, err := s.Sample(ctx, store, prompts, func() {
		answered++
		w.count("questions answered", answered, w.Prompts)
	}); err != nil {
		return err
	}
	judge := sandbox.Judge{Taste: sandbox.DefaultTaste, Flip: w.Noise, Seed: uint64(w.Seed)}
	if _, _, err := rank.BySandbox(ctx, store, judge); err != nil {
		return err
	}
	if err := hub.WriteFileAtomic(rankings, func(f io.Writer) error {
		_, err := store.Export(ctx, f)
		return err
	}); err != nil {
		return err
	}
	if a.Rankings, err = readRankings(rankings); err != nil {
		return err
	}
	w.tell("%d questions with %d answers, of which %d pairs are ranked and %d are ties", a.Rankings.Prompts, a.Rankings.Answers, a.Rankings.Pairs, a.Rankings.Ties)
	return w.showRanking(rankings)
}

// readRankings counts what a file of rankings holds.
func readRankings(path string) (r Rankings, err error) {
	err = feedback.EachRecord(path, func(_ string, one feedback.Record) error {
		n, pairs := len(one.Answers), len(one.Pairs())
		r.Prompts++
		r.Answers += n
		r.Pairs += pairs
		r.Ties += n*(n-1)/2 - pairs
		return nil
	})
	return r, err
}

// errShown ends the reading of a file of which enough has been seen.
var errShown = errors.New("shown")

// showRanking tells how the first answers were ranked.
func (w *workshop) showRanking(path string) error {
	err := feedback.EachRecord(path, func(_ string, one feedback.Record) error {
		if len(one.Ranks) < 3 {
			return nil
		}
		w.tell("  %s", one.Prompt.Messages[len(one.Prompt.Messages)-1].Content)
		for i, a := range one.Answers {
			w.tell("    %d. %s", one.Ranks[i], a.Text)
		}
		return errShown
	})
	if errors.Is(err, errShown) {
		return nil
	}
	return err
}

package rank

import (
	"context"
	"errors"

	"github.com/parley-lm/parley/chat"
	"github.com/parley-lm/parley/feedback"
	"github.com/parley-lm/parley/sandbox"
)

// SandboxRater is the name under which the sandbox's judge ranks.
const SandboxRater = "sandbox"

// BySandbox has a judge of the sandbox rank what it has not ranked yet. It returns the number of prompts that it ranked, and of those that
// are no questions of the sandbox.
func BySandbox(ctx context.Context, store *feedback.Store, judge sandbox.Judge) (ranked, foreign int, err error) {
	keys, err := store.AllWaiting(ctx, SandboxRater)
	if err != nil {
		return 0, 0, err
	}
	for _, key := range keys {
		r, err := store.Unranked(ctx, key)
		if err != nil {
			return ranked, foreign, err
		}
		q, err := Question(r.Prompt)
		if err != nil {
			foreign++
			continue
		}
		answers := make([]string, len(r.Answers))
		for i, answer := range r.Answers {
			answers[i] = answer.Text
		}
		r.Rater, r.Ranks = SandboxRater, judge.Rank(q, answers)
		if _, err := store.Add(ctx, r); err != nil && !errors.Is(err, feedback.ErrRanked) {
			return ranked, foreign, err
		}
		ranked++
	}
	return ranked, foreign, nil
}

// Question reads a prompt as a question of the sandbox.
func Question(p feedback.Prompt) (*sandbox.Question, error) {
	if p.Messages != nil {
		return sandbox.ReadQuestion(p.Messages)
	}
	return sandbox.ReadQuestion([]chat.Message{{Role: chat.User, Content: p.Text}})
}

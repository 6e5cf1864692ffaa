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
	skipped := map[string]bool{}
	for {
		r, ok, err := store.Waiting(ctx, SandboxRater, skipped)
		if err != nil || !ok {
			return ranked, len(skipped), err
		}
		q, err := Question(r.Prompt)
		if err != nil {
			skipped[r.Prompt.Key()] = true
			continue
		}
		answers := make([]string, len(r.Answers))
		for i, answer := range r.Answers {
			answers[i] = answer.Text
		}
		r.Rater, r.Ranks = SandboxRater, judge.Rank(q, answers)
		if _, err := store.Add(ctx, r); err != nil && !errors.Is(err, feedback.ErrRanked) {
			return ranked, len(skipped), err
		}
		ranked++
	}
}

// Question reads a prompt as a question of the sandbox.
func Question(p feedback.Prompt) (*sandbox.Question, error) {
	messages := []chat.Message{{Role: "user", Content: p.Text}}
	if p.Messages != nil {
		messages = messages[:0]
		for _, m := range p.Messages {
			messages = append(messages, chat.Message{Role: m.Role, Content: m.Content})
		}
	}
	return sandbox.ReadQuestion(messages)
}

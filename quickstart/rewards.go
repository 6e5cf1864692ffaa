package quickstart

import (
	"context"
	"fmt"

	"github.com/parley-lm/parley/chat"
	"github.com/parley-lm/parley/sandbox"
	"github.com/parley-lm/parley/train"
)

// Rewards are the sandbox's kinds of reward, for [train.Options]: "sandbox" is 1 for an answer that is right and 0 for any
// other, "sandbox-judge" what the answer is worth to a judge with [sandbox.DefaultTaste]. Prompts must be questions that the
// sandbox asks.
func Rewards() map[string]func(train.Recipe) (train.Reward, error) {
	judge := sandbox.Judge{Taste: sandbox.DefaultTaste}
	return map[string]func(train.Recipe) (train.Reward, error){
		"sandbox": func(train.Recipe) (train.Reward, error) {
			return &sandboxReward{worth: func(q *sandbox.Question, answer string) float64 {
				if q.Check(answer).Right() {
					return 1
				}
				return 0
			}}, nil
		},
		"sandbox-judge": func(train.Recipe) (train.Reward, error) { return &sandboxReward{worth: judge.Utility}, nil },
	}
}

// sandboxReward understands each prompt once.
type sandboxReward struct {
	worth     func(q *sandbox.Question, answer string) float64
	questions map[*train.Prompt]*sandbox.Question
}

func (r *sandboxReward) Judge(_ context.Context, answers []train.Answer, rewards []float64) error {
	if r.questions == nil {
		r.questions = map[*train.Prompt]*sandbox.Question{}
	}
	for i, a := range answers {
		q, ok := r.questions[a.Prompt]
		if !ok {
			messages := []chat.Message{{Role: "user", Content: a.Prompt.Text}}
			if a.Prompt.Messages != nil {
				messages = messages[:0]
				for _, m := range a.Prompt.Messages {
					messages = append(messages, chat.Message{Role: m.Role, Content: m.Content})
				}
			}
			var err error
			if q, err = sandbox.ReadQuestion(messages); err != nil {
				return fmt.Errorf("%s: %w", a.Prompt.Place, err)
			}
			r.questions[a.Prompt] = q
		}
		rewards[i] = r.worth(q, a.Text)
	}
	return nil
}

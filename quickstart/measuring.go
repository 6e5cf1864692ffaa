package quickstart

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/parley-lm/parley"
	"github.com/parley-lm/parley/chat"
	"github.com/parley-lm/parley/compare"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/sandbox"
)

// answersFile keeps what the models answered.
const answersFile = "answers.json"

// compared are the models that are asked, in the order of the stages, and what they are called.
var compared = []struct{ run, name string }{
	{storiesRun, "pre-trained"}, {sftRun, "fine-tuned"}, {ppoRun, "PPO"}, {grpoRun, "GRPO"}, {unleashedRun, "unleashed"},
}

// fineTuned is the place of the model that the others are compared with.
const fineTuned = 1

// Exchange is a question with what a model answers.
type Exchange struct {
	Question string `json:"question"`
	Answer   string `json:"answer"`
}

// testQuestions are about combinations that no stage has seen.
func (w *workshop) testQuestions() []compare.Question {
	return compare.Sandbox(sandbox.Village{Seed: World, Part: sandbox.Unseen}, w.Asked)
}

// comparison is the command that asks the same questions.
func (w *workshop) comparison() string {
	var models strings.Builder
	fmt.Fprintf(&models, "-m %s", w.path(sftRun))
	for i, c := range compared {
		if i != fineTuned {
			fmt.Fprintf(&models, " -m %s", w.path(c.run))
		}
	}
	return fmt.Sprintf("parley eval chat --sandbox --seed %d --count %d --max-tokens %d %s --reference %s --reward %s", World, w.Asked, w.MaxTokens, models.String(), w.path(sftRun), w.path(rewardRun))
}

// answered is answers.json.
type answered struct {
	Answers       [][]compare.Answer `json:"answers"` // by model and question
	Conversations []Exchange         `json:"conversations"`
}

// measureAssistant asks the models of all stages what none has seen.
func (w *workshop) measureAssistant(ctx context.Context, a *Assistant) error {
	reference, err := parley.Open(w.path(sftRun), parley.Threads(w.Threads))
	if err != nil {
		return err
	}
	defer reference.Close()
	reward, err := compare.OpenRewardModel(w.path(rewardRun), w.Threads)
	if err != nil {
		return err
	}
	defer reward.Close()
	questions, names := w.testQuestions(), make([]string, len(compared))
	for i, c := range compared {
		names[i] = c.name
	}
	r, err := compare.Run(ctx, names, func(i int) (*parley.Model, error) {
		return parley.Open(w.path(compared[i].run), parley.Threads(w.Threads))
	}, questions, compare.Options{
		MaxTokens: w.MaxTokens, Seed: uint64(World), Reference: reference, Reward: reward, Baseline: fineTuned,
		Progress: func(model string, done, of int) { w.count(model+": questions asked", done, of) },
	})
	if err != nil {
		return err
	}
	var found answered
	for _, m := range r.Models {
		found.Answers = append(found.Answers, m.Answers)
	}
	if found.Conversations, err = w.converse(ctx, questions); err != nil {
		return err
	}
	text, err := json.Marshal(found)
	if err != nil {
		return err
	}
	if err := hub.WriteBytesAtomic(w.path(answersFile), append(text, '\n')); err != nil {
		return err
	}
	return w.recallAssistant(a)
}

// recallAssistant sums up what the models answered.
func (w *workshop) recallAssistant(a *Assistant) error {
	path := w.path(answersFile)
	var found answered
	if err := readJSON(path, &found); err != nil {
		return err
	}
	a.Questions, a.Conversations = w.testQuestions(), found.Conversations
	names := make([]string, len(compared))
	for i, c := range compared {
		names[i] = c.name
	}
	if len(found.Answers) != len(names) {
		return fmt.Errorf("%s: holds answers of %d models, not %d", path, len(found.Answers), len(names))
	}
	for i, list := range found.Answers {
		if len(list) != len(a.Questions) {
			return fmt.Errorf("%s: model %d has %d answers to %d questions", path, i+1, len(list), len(a.Questions))
		}
	}
	a.Comparison = compare.NewReport(a.Questions, names, found.Answers, fineTuned)
	return nil
}

// converse has the assistant answer a few of the questions as parley chat does, one of each kind.
func (w *workshop) converse(ctx context.Context, questions []compare.Question) ([]Exchange, error) {
	m, err := parley.Open(w.path(grpoRun), parley.Threads(w.Threads))
	if err != nil {
		return nil, err
	}
	defer m.Close()
	var list []Exchange
	seen := map[string]bool{}
	for _, q := range questions {
		if len(q.Messages) > 1 || seen[q.Kind] {
			continue
		}
		seen[q.Kind] = true
		e := Exchange{Question: q.Messages[0].Content}
		if e.Answer, err = ask(ctx, m, q.Messages); err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

// ask has a model answer as it does where nobody says how.
func ask(ctx context.Context, m *parley.Model, messages []chat.Message) (string, error) {
	var answer strings.Builder
	for t, err := range m.Chat(ctx, messages, parley.GenerateOptions{N: 1, Seed: 1}) {
		if err != nil {
			return "", err
		}
		answer.WriteString(t.Text)
	}
	return answer.String(), nil
}

package compare

import (
	"fmt"
	"slices"

	"github.com/parley-lm/parley/chat"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/judge"
)

// RewardModel scores answers.
type RewardModel struct {
	judge    *judge.Judge
	template *chat.Template
}

// OpenRewardModel opens the model of a directory or a run: a classifier with one label. It computes on so many threads; 0 means
// all. Dialogues are laid out by its chat template, or as ChatML where it has none.
func OpenRewardModel(dir string, threads int) (*RewardModel, error) {
	j, err := judge.Open(dir, threads)
	if err != nil {
		return nil, err
	}
	r := &RewardModel{judge: j}
	if r.template, err = judge.TemplateOf(hub.ModelDir(dir)); err == nil && len(j.Model.Labels) != 1 {
		err = fmt.Errorf("%s gives %d scores to a text; a reward model gives one", dir, len(j.Model.Labels))
	}
	if err != nil {
		j.Close()
		return nil, err
	}
	return r, nil
}

// Close ends the model's threads.
func (r *RewardModel) Close() { r.judge.Close() }

// Rewards returns the reward of each answer to the dialogue before it.
func (r *RewardModel) Rewards(dialogues [][]chat.Message, answers []string) ([]float64, error) {
	sequences := make([][]int32, len(answers))
	for i, a := range answers {
		var err error
		whole := append(slices.Clone(dialogues[i]), chat.Message{Role: chat.Assistant, Content: a})
		if sequences[i], _, err = r.template.Encode(r.judge.Tokenizer, whole); err != nil {
			return nil, fmt.Errorf("answer %d: %w", i+1, err)
		}
		if n := len(sequences[i]); n > r.judge.Context {
			sequences[i] = sequences[i][n-r.judge.Context:] // the answer is at the end
		}
	}
	scores, err := r.judge.ScoresOfTokens(sequences)
	if err != nil {
		return nil, err
	}
	rewards := make([]float64, len(answers))
	for i, s := range scores {
		rewards[i] = float64(s[0])
	}
	return rewards, nil
}

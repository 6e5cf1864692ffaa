package train

import (
	"context"
	"errors"

	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/grad"
)

// openMixture makes the tokens of pre-training text.
func (r *reinforcement) openMixture(ctx context.Context) error {
	own := *r.recipe
	own.LoRA = LoRARecipe{}
	own.Data = DataRecipe{Format: "auto", Dir: r.recipe.Data.Dir, Train: r.recipe.Policy.PretrainingData, Field: r.recipe.Data.Field, Separator: r.recipe.Data.Separator}
	l := &languageModel{workplace: r.workplace, start: r.start}
	l.recipe = &own
	r.mixture = l
	texts, split, err := l.texts("policy.pretraining_data", own.Data.Train)
	if err != nil {
		return err
	}
	l.vocabulary.tok = r.tok
	if err := l.identify(); err != nil {
		return err
	}
	if err := l.tokenize(ctx, texts, split); err != nil {
		return err
	}
	context := min(256, r.policy.Config.MaxPositions)
	if r.recipe.Model.Context > 0 {
		context = min(r.recipe.Model.Context, r.policy.Config.MaxPositions)
	}
	l.train = corpus.NewRows(l.stores[0].Train, context)
	if l.train.Len() == 0 {
		return errors.New("policy.pretraining_data: there is no text")
	}
	return nil
}

// mixtureLoss is that of a pass's share of the text of pre-training (Ouyang et al. 2022, PPO-ptx). The text goes on from
// update to update.
func (r *reinforcement) mixtureLoss(tape *grad.Tape, pass, passes int) (float64, error) {
	m, p := r.mixture, &r.recipe.Policy
	all, most := m.train.Len(), p.Epochs*r.recipe.Rollout.perPass(p.Minibatch)
	first := (int64(r.epoch)*int64(most) + int64(r.update.batch)) * int64(p.PretrainingRows)
	m.batch.Reset()
	for k := p.PretrainingRows * pass / passes; k < p.PretrainingRows*(pass+1)/passes; k++ {
		at := first + int64(k)
		order := corpus.NewOrder(all, uint64(r.recipe.Train.Seed), int(at/all))
		if err := m.add(m.train, order.At(at%all)); err != nil {
			return 0, err
		}
	}
	if len(m.batch.Target) == 0 {
		return 0, nil
	}
	each := 1 / (float64(p.PretrainingRows) * float64(m.train.Context()))
	loss := r.policy.Loss(tape, &m.batch, float32(p.Pretraining*each), nil)
	r.update.pretraining += loss / p.Pretraining
	return loss, nil
}

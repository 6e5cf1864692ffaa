package train

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"iter"
	"slices"
	"text/template"

	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/eval"
	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/judge"
	"github.com/parley-lm/parley/loss"
)

// rewardModel is the objective of a reward model: the negative log-likelihood of comparisons under Bradley and Terry's model, the
// mean over all comparisons of one prompt's answers being one element of a batch (Ouyang et al. 2022). Ties are half a win for
// each answer; margins count as far as objective.margin says.
type rewardModel struct {
	scored
	train, valid *rankedSet
	tests        []*rankedSet
	order        *shuffled // of train
	rewards      []float64 // of a prompt's answers
	pull         []float64 // the loss's derivative by each
	seen         comparisons
	measures     [2]Measure
}

// rankedSet is prompts with their answers as tokens.
type rankedSet struct {
	*sequences
	name        string
	prompts     []*corpus.Ranked
	comparisons [][]loss.Comparison // of each prompt
}

func newRewardModel(ctx context.Context, w workplace) (objective, error) {
	m := &rewardModel{scored: scored{workplace: w}}
	sets, err := w.readPreferences()
	if err != nil {
		return nil, err
	}
	m.text = sets.fingerprint
	texts := func() iter.Seq2[string, error] { return answersOf(sets.train) }
	if m.vocabulary, err = m.makeVocabulary(ctx, texts, texts); err != nil {
		return nil, err
	}
	if err := m.makeModel([]string{"reward"}); err != nil {
		return nil, err
	}
	if err := m.encodeSets(&sets); err != nil {
		return nil, err
	}
	t := &w.recipe.Train
	if m.order, err = newShuffled(m.train.sequences, t.BatchTokens, t.MicroTokens, uint64(t.Seed)); err != nil {
		return nil, err
	}
	return m, w.recipe.followBatches(m.order.batches.Len(), m.model.Config.Hidden)
}

// answersOf yields prompts and answers, from which a vocabulary is learned.
func answersOf(p *corpus.Preferences) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, one := range p.Prompts {
			for _, text := range append([]string{one.Prompt}, one.Answers...) {
				if !yield(text, nil) {
					return
				}
			}
		}
	}
}

func (m *rewardModel) encodeSets(sets *preferenceSets) (err error) {
	if m.train, err = m.encode("training", sets.train); err != nil {
		return err
	}
	if m.valid, err = m.encode("validation", sets.valid); err != nil {
		return err
	}
	for i, test := range sets.tests {
		set, err := m.encode(sets.names[i], test)
		if err != nil {
			return err
		}
		m.tests = append(m.tests, set)
	}
	return nil
}

// encode turns a set into tokens.
func (m *rewardModel) encode(name string, p *corpus.Preferences) (*rankedSet, error) {
	set := &rankedSet{name: name, prompts: p.Prompts}
	sizes := make([]int32, len(p.Prompts))
	var of []int32 // the prompt of each answer
	for i, one := range p.Prompts {
		m.dialogues = m.dialogues || one.Messages != nil
		sizes[i] = int32(len(one.Answers))
		of = append(of, slices.Repeat([]int32{int32(i)}, len(one.Answers))...)
		list := make([]loss.Comparison, len(one.Comparisons))
		for j, c := range one.Comparisons {
			list[j] = loss.Comparison{Better: c.Better, Worse: c.Worse, Tied: c.Tied, Margin: m.recipe.Objective.Margin * c.Margin}
		}
		set.comparisons = append(set.comparisons, list)
	}
	first := make([]int32, len(sizes)+1)
	for i, n := range sizes {
		first[i+1] = first[i] + n
	}
	cut, failed := make([]bool, len(of)), make([]error, len(of))
	set.sequences = encodeGroups(m.pool, sizes, func(dst []int32, i int) (ids []int32) {
		prompt := p.Prompts[of[i]]
		ids, cut[i], failed[i] = m.reader.EncodeAnswer(dst, prompt, prompt.Answers[i-int(first[of[i]])])
		return ids
	})
	if err := errors.Join(failed...); err != nil {
		return nil, err
	}
	if n := len(cut) - len(slices.DeleteFunc(cut, func(short bool) bool { return short })); n > 0 && !m.resumed {
		m.progress.Note(fmt.Sprintf("%s: of %d of %d answers with more than model.context = %d tokens, the prompt's included, the end is read", name, n, len(of), m.reader.Context))
	}
	return set, nil
}

func (m *rewardModel) beginEpoch(epoch int) { m.order.batches.Epoch(epoch) }
func (m *rewardModel) batches() int         { return m.order.batches.Len() }

func (m *rewardModel) size(batch int) (sequences, tokens, passes int) { return m.order.size(batch) }

// forward computes scale times the loss of a pass as if each token bore its prompt's: the prompts count equally.
func (m *rewardModel) forward(tape *grad.Tape, batch, pass, passes int, scale float64) (float64, error) {
	prompts, tokens, _ := m.order.size(batch)
	each, part := scale*float64(tokens)/float64(prompts), m.order.part(batch, pass, passes)
	if len(part) == 0 {
		return 0, nil
	}
	m.batch.Reset()
	for _, i := range part {
		m.model.AddAlike(&m.batch, m.train.group(int(i)))
	}
	var x grad.Var
	x, m.rows = m.model.TextScores(tape, &m.batch, m.rows)
	gradient, total, row := m.zeroGradient(x.Rows()), 0.0, 0
	ranking := loss.Ranking{Center: m.recipe.Objective.Center}
	for _, i := range part {
		n := len(m.train.group(int(i)))
		m.rewards, m.pull = slices.Grow(m.rewards[:0], n)[:n], slices.Grow(m.pull[:0], n)[:n]
		clear(m.pull)
		for j := range n {
			m.rewards[j] = float64(x.Value().Row(row + j)[0])
		}
		total += each * ranking.Of(m.rewards, m.train.comparisons[i], each, m.pull)
		m.seen.add(m.rewards, m.train.comparisons[i])
		for j, d := range m.pull {
			gradient.Row(row + j)[0] = float32(d)
		}
		row += n
	}
	tape.Seed(x, gradient)
	return total, nil
}

// comparisons count how the rewards of answers agree with the comparisons that are not ties.
type comparisons struct {
	calibration eval.Calibration
	margin      float64 // sum of the differences of rewards
}

func (c *comparisons) add(rewards []float64, list []loss.Comparison) {
	for _, one := range list {
		if one.Tied {
			continue
		}
		c.margin += rewards[one.Better] - rewards[one.Worse]
		judge.CountComparison(&c.calibration, rewards[one.Better], rewards[one.Worse])
	}
}

func (c *comparisons) meanMargin() float64 { return c.margin / float64(max(1, c.calibration.Count())) }

func (m *rewardModel) finishGradient() Measures {
	m.measures = [2]Measure{{"accuracy", m.seen.calibration.Accuracy()}, {"margin", m.seen.meanMargin()}}
	m.seen = comparisons{}
	return m.measures[:]
}

// score computes the loss, the accuracy of the comparisons and the calibration of their probabilities on the validation
// prompts, while training on as many as validation.limit says.
func (m *rewardModel) score(ctx context.Context, v *ValidationReport, final bool) error {
	n := len(m.valid.prompts)
	if limit := m.recipe.Validation.Limit; limit > 0 && !final {
		n = min(n, limit)
	}
	var seen comparisons
	v.Loss, seen = m.evaluate(m.valid, n)
	v.Measures, v.Calibration = seen.report(), &seen.calibration
	return ctx.Err()
}

func (c *comparisons) report() Measures {
	return Measures{{"accuracy", c.calibration.Accuracy()}, {"calibration error", c.calibration.Error()}, {"margin", c.meanMargin()}}
}

// evaluate scores the answers to the first n prompts of a set.
func (m *rewardModel) evaluate(set *rankedSet, n int) (mean float64, seen comparisons) {
	all := make([]float64, set.starts[n])
	m.scorer.Each(m.model, m.tape, len(all), func(i int) []int32 { return set.ids[i] }, func(i int, scores []float32) {
		all[i] = float64(scores[0])
	})
	ranking := loss.Ranking{Center: m.recipe.Objective.Center}
	for i := range n {
		rewards := all[set.starts[i]:set.starts[i+1]]
		mean += ranking.Of(rewards, set.comparisons[i], 0, make([]float64, len(rewards))) / float64(n)
		seen.add(rewards, set.comparisons[i])
	}
	return mean, seen
}

func (m *rewardModel) better(a, b Score) bool {
	return betterAccuracy(m.recipe.Validation.Metric, a, b)
}

// test scores the final model on the test prompts. The accuracy of preferring the longer answer stands beside its own.
func (m *rewardModel) test(ctx context.Context) (list []TestScore, err error) {
	for _, set := range m.tests {
		mean, seen := m.evaluate(set, len(set.prompts))
		longest := (&corpus.Preferences{Prompts: set.prompts}).LongestWins()
		list = append(list, TestScore{
			Name: set.name, Sentences: len(set.ids), Measures: append(seen.report(), Measure{"loss", mean},
				Measure{"comparisons", float64(seen.calibration.Count())}, Measure{"accuracy of the longest", longest}),
		})
	}
	return list, ctx.Err()
}

func (m *rewardModel) describe(p *Plan) {
	p.TrainTexts, p.ValidTexts = len(m.train.ids), len(m.valid.ids)
	for _, t := range m.tests {
		p.TestTexts += len(t.ids)
	}
	p.Frozen = m.frozen()
	p.StepTokens = int(m.train.total() / int64(p.Batches))
	p.FLOPsPerUpdate = m.flops(float64(m.train.total())/float64(2*len(m.train.ids))) * float64(p.StepTokens)
}

//go:embed reward_model.md.tmpl
var rewardCardText string

var rewardCard = template.Must(template.New("card").Parse(rewardCardText))

func (m *rewardModel) card() *template.Template { return rewardCard }

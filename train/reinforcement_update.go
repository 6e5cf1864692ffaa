package train

import (
	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/rl"
)

// layout is answers with their prompts as a batch of rows, and which rows predict the answers' tokens. Answers to one prompt that
// follow each other share what it begins with.
type layout struct {
	batch   model.TokenBatch
	prompt  int32 // of the last answer
	stem    int   // the sequence that this prompt's answers go on from; −1: none
	rows    []int32
	targets []int32
	answers []int32 // in their order
	line    []int32
}

func (l *layout) reset() {
	l.batch.Reset()
	l.prompt, l.stem = -1, -1
	l.rows, l.targets, l.answers = l.rows[:0], l.targets[:0], l.answers[:0]
}

// add appends an answer.
func (l *layout) add(o *rollouts, prompts []Prompt, i int) {
	from, to := o.span(i)
	ids := prompts[o.prompt[i]].ids
	last := len(ids) - 1 // predicts the first token of each answer in its own way
	if o.prompt[i] != l.prompt {
		if l.prompt, l.stem = o.prompt[i], -1; last > 0 {
			l.stem = l.batch.Starts.Len()
			l.batch.AddInput(ids[:last])
		}
	}
	first := len(l.batch.Input)
	if l.line = append(l.line[:0], ids[last]); to > from {
		l.line = append(l.line, o.tokens[from:to-1]...)
	}
	l.batch.AddBranch(l.stem, l.line)
	l.answers = append(l.answers, int32(i))
	for t := from; t < to; t++ {
		l.rows, l.targets = append(l.rows, int32(first+t-from)), append(l.targets, o.tokens[t])
	}
}

// update is one minibatch in work.
type update struct {
	batch   int
	answers []int32 // of the minibatch
	tokens  int     // in them
	rows    int     // that it takes to compute them, the prompts' too, each but once
	dLog    []float32
	dValue  []float32

	policy, value, entropy, clipped, moved, pretraining float64 // sums over the passes so far
	measures                                            Measures
}

// minibatch chooses the answers of a batch: each pass over the rollouts has an order of its own, in which the answers to one prompt
// stay together.
func (r *reinforcement) minibatch(batch int) {
	u, n, group := &r.update, r.now.len(), r.recipe.Rollout.Group
	size, per := r.recipe.Policy.Minibatch, r.recipe.Rollout.perPass(r.recipe.Policy.Minibatch)
	order := corpus.NewOrder(int64(n/group), mixed(uint64(r.recipe.Train.Seed)+uint64(r.epoch)), batch/per)
	from := batch % per * size
	u.batch, u.answers, u.tokens, u.rows = batch, u.answers[:0], 0, 0
	for at := from; at < min(from+size, n); at++ {
		i := int32(order.At(int64(at/group)))*int32(group) + int32(at%group)
		first, last := r.now.span(int(i))
		u.tokens += last - first
		u.rows += r.rowsAfter(u.answers, i)
		u.answers = append(u.answers, i)
	}
}

// rowsAfter is how many rows an answer takes when it is laid out after others.
func (r *reinforcement) rowsAfter(others []int32, i int32) int {
	first, last := r.now.span(int(i))
	rows, prompt := max(1, last-first), r.now.prompt[i]
	if n := len(others); n > 0 && r.now.prompt[others[n-1]] == prompt {
		return rows
	}
	return rows + len(r.prompts[prompt].ids) - 1
}

func (r *reinforcement) size(batch int) (answers, tokens, passes int) {
	r.minibatch(batch)
	micro := r.recipe.Train.MicroTokens
	return len(r.update.answers), r.update.tokens, min(len(r.update.answers), (r.update.rows+micro-1)/micro)
}

// forward computes the loss of a part of a minibatch, and hands its derivatives by log-probabilities and values to the tape. The
// recipe says what a token counts for, so the scale, that of a mean over tokens, only serves the text of pre-training.
func (r *reinforcement) forward(tape *grad.Tape, batch, pass, passes int, _ float64) (float64, error) {
	u := &r.update
	if pass == 0 {
		u.policy, u.value, u.entropy, u.clipped, u.moved, u.pretraining = 0, 0, 0, 0, 0, 0
	}
	r.layout.reset()
	before := 0
	for at, i := range u.answers {
		if before*passes/u.rows == pass {
			r.layout.add(&r.now, r.prompts, int(i))
		}
		before += r.rowsAfter(u.answers[:at], i)
	}
	loss := 0.0
	if len(r.layout.rows) > 0 {
		loss = r.policyLoss(tape)
	}
	if r.mixture == nil {
		return loss, nil
	}
	mixed, err := r.mixtureLoss(tape, pass, passes)
	return loss + mixed, err
}

// policyLoss is the loss of the answers that are laid out.
func (r *reinforcement) policyLoss(tape *grad.Tape) float64 {
	u, o, l, p := &r.update, &r.now, &r.layout, &r.recipe.Policy
	logProbs, values := r.policy.Judge(tape, &l.batch, l.rows, l.targets)
	n := len(l.rows)
	u.dLog, u.dValue = resized(u.dLog, 2*n), resized(u.dValue, n)
	clip := rl.Clip{Low: p.Clip, High: p.ClipHigh}
	if clip.High == 0 {
		clip.High = clip.Low
	}
	loss, row := 0.0, 0
	for _, i := range l.answers {
		from, to := o.span(int(i))
		weight := rl.Aggregation(p.Loss).Weight(to-from, len(u.answers), u.tokens, r.recipe.Rollout.MaxTokens)
		for t := from; t < to; t++ {
			x := logProbs.Value().Row(row)
			logProb, entropy := float64(x[0]), float64(x[1])
			policy, d, clipped := clip.Loss(logProb, o.logProb[t], o.advantage[t])
			if !r.hasValues() && o.coefficient > 0 {
				policy += o.coefficient * rl.K3(logProb, o.reference[t])
				d += o.coefficient * rl.K3Derivative(logProb, o.reference[t])
			}
			u.dLog[2*row], u.dLog[2*row+1] = float32(weight*d), float32(-weight*p.Entropy)
			loss += weight * (policy - p.Entropy*entropy)
			if r.hasValues() {
				value, dv := rl.ValueLoss(float64(values.Value().Row(row)[0]), o.value[t], o.returns[t], p.ValueClip)
				u.dValue[row] = float32(weight * p.ValueWeight * dv)
				loss += weight * p.ValueWeight * value
				u.value += weight * value
			}
			u.policy += weight * policy
			u.entropy += entropy / float64(u.tokens)
			u.clipped += truth(clipped) / float64(u.tokens)
			u.moved += rl.K3(o.logProb[t], logProb) / float64(u.tokens)
			row++
		}
	}
	tape.Seed(logProbs, kernel.NewMat(u.dLog, n, 2))
	if r.hasValues() {
		tape.Seed(values, kernel.NewMat(u.dValue, n, 1))
	}
	return loss
}

// finishGradient cuts the epoch short where the policy has moved too far from the one that drew the rollouts.
func (r *reinforcement) finishGradient() Measures {
	u, o, p := &r.update, &r.now, &r.recipe.Policy
	if p.StepLimit > 0 && u.moved > p.StepLimit {
		r.cut = u.batch + 1
	}
	m := o.measure(u.measures[:0])
	m = append(m, Measure{"kl_coefficient", o.coefficient}, Measure{"policy_loss", u.policy}, Measure{"entropy", u.entropy},
		Measure{"clip_fraction", u.clipped}, Measure{"step_divergence", u.moved})
	if r.hasValues() {
		m = append(m, Measure{"value_loss", u.value}, Measure{"explained_variance", rl.ExplainedVariance(o.returns, o.value)})
	}
	if r.mixture != nil {
		m = append(m, Measure{"pretraining_loss", u.pretraining})
	}
	u.measures = append(m, Measure{"rollout_seconds", o.seconds}, Measure{"rollout_tokens_per_second", float64(len(o.tokens)) / o.seconds})
	return u.measures
}

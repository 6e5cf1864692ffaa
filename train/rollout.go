package train

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"time"

	"github.com/parley-lm/parley/decode"
	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/rl"
	"github.com/parley-lm/parley/tensor"
)

// RolloutRecipe describes the answers from which a policy learns. They are drawn from its own distribution, at temperature 1 and
// with nothing cut off, so that what drew a token and what is trained are the same policy to the last bit.
type RolloutRecipe struct {
	Answers   int `toml:"answers,omitzero"`    // of an epoch: drawn from the policy as it is, then learned from
	Group     int `toml:"group,omitzero"`      // to each prompt
	MaxTokens int `toml:"max_tokens,omitzero"` // of an answer, the token that ends it included
	Rows      int `toml:"rows,omitzero"`       // answers that are written at once; changes speed and memory, not results
}

// rollouts are answers that a policy has drawn, laid end to end, with what is known of each of their tokens.
type rollouts struct {
	prompt []int32       // of each answer: the place of its prompt
	starts tensor.Starts // of each answer in what follows
	ended  []bool
	reward []float64 // of each answer, before what is taken from those that did not end
	watch  float64   // the mean of the reward that is only measured; NaN: none
	spread float64   // its standard deviation

	tokens    []int32
	logProb   []float64 // by the policy that drew them
	reference []float64 // log-probability by the reference
	value     []float64 // what the policy's value head expected before each; zero without one

	coefficient        float64   // of the penalty for leaving the reference that holds for these answers
	advantage, returns []float64 // follow from the others
	seconds            float64   // that the drawing took; 0 where they were read from a checkpoint
}

func (o *rollouts) len() int { return len(o.prompt) }

// span returns where an answer's tokens stand.
func (o *rollouts) span(i int) (from, to int) { return int(o.starts[i]), int(o.starts[i+1]) }

func (o *rollouts) reset() {
	o.prompt, o.starts, o.ended, o.reward = o.prompt[:0], append(o.starts[:0], 0), o.ended[:0], o.reward[:0]
	o.tokens, o.logProb, o.reference, o.value = o.tokens[:0], o.logProb[:0], o.reference[:0], o.value[:0]
	o.seconds = 0
}

// divergence is the mean over answers of the sum of log π - log ref, in nats.
func (o *rollouts) divergence() float64 {
	sum := 0.0
	for i, p := range o.logProb {
		sum += rl.K1(p, o.reference[i])
	}
	return sum / float64(max(1, o.len()))
}

// measure appends what every set of rollouts is measured by.
func (o *rollouts) measure(m Measures) Measures {
	n, reward, ended := float64(max(1, o.len())), 0.0, 0.0
	for i, r := range o.reward {
		reward += r
		ended += truth(o.ended[i])
	}
	_, variance := rl.Moments(o.reward)
	m = append(m, Measure{"reward", reward / n}, Measure{"divergence", o.divergence()},
		Measure{"answer_tokens", float64(len(o.tokens)) / n}, Measure{"ended", ended / n}, Measure{"reward_deviation", math.Sqrt(variance)})
	if !math.IsNaN(o.watch) {
		m = append(m, Measure{"watched_reward", o.watch}, Measure{"watched_deviation", o.spread})
	}
	return m
}

// asking is a request to the generator for the answers to one prompt.
type asking struct {
	request decode.Request
	tokens  [][]int32 // by answer
	logProb [][]float64
	ended   []bool
	err     error
}

func newAsking() *asking {
	a := &asking{}
	a.request.Emit = func(i int, t decode.Token) bool {
		a.tokens[i], a.logProb[i] = append(a.tokens[i], t.ID), append(a.logProb[i], t.LogProb)
		a.ended[i] = t.End == decode.EndOfText
		return true
	}
	a.request.Fail = func(err error) { a.err = err }
	return a
}

// begin forgets what was answered before.
func (a *asking) begin(answers int) {
	for len(a.tokens) < answers {
		a.tokens, a.logProb, a.ended = append(a.tokens, nil), append(a.logProb, nil), append(a.ended, false)
	}
	for i := range answers {
		a.tokens[i], a.logProb[i], a.ended[i] = a.tokens[i][:0], a.logProb[i][:0], false
	}
	a.err = nil
}

// draw has the policy answer prompts, and learns what there is to know of its answers.
func (r *reinforcement) draw(ctx context.Context, o *rollouts, prompts []Prompt, asked []int32, group int, seed uint64) error {
	start := time.Now()
	if r.start.adapter == nil { // else the model stays as it is, and packed
		r.policy.Store().Pack(r.pool)
		defer r.policy.Store().Unpack()
	}
	defer r.start.settle(r.pool)()
	if err := r.write(ctx, r.writer, o, prompts, asked, group, seed); err != nil {
		return err
	}
	o.seconds = time.Since(start).Seconds()
	return r.assess(ctx, o, prompts)
}

// write has a generator answer prompts, group answers to each, and keeps them in o. The random numbers depend on the seed and
// on the number of the prompt among those that are asked.
func (r *reinforcement) write(ctx context.Context, writer *decode.Generator, o *rollouts, prompts []Prompt, asked []int32, group int, seed uint64) error {
	o.reset()
	for len(r.asking) < len(asked) {
		r.asking = append(r.asking, newAsking())
	}
	for i, p := range asked {
		a := r.asking[i]
		a.begin(group)
		q := &a.request
		q.Context, q.Prompt, q.Ends, q.MaxTokens, q.Answers, q.LogProb = ctx, prompts[p].ids, r.ends, r.recipe.Rollout.MaxTokens, group, true
		q.Sampling = decode.DefaultSampling()
		q.Sampling.Seed = mixed(seed + uint64(i)*0x9e3779b97f4a7c15)
		if err := writer.Add(q); err != nil {
			writer.Abandon()
			return fmt.Errorf("%s: %w", prompts[p].Place, err)
		}
	}
	for writer.Step() {
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for i, p := range asked {
		a := r.asking[i]
		if a.err != nil {
			return fmt.Errorf("answering %s: %w", prompts[p].Place, a.err)
		}
		for j := range group {
			o.prompt, o.ended = append(o.prompt, p), append(o.ended, a.ended[j])
			o.starts = o.starts.Add(len(a.tokens[j]))
			o.tokens, o.logProb = append(o.tokens, a.tokens[j]...), append(o.logProb, a.logProb[j]...)
		}
	}
	return nil
}

// assess computes what reference, value head and reward say of answers. The policy's weights are packed.
func (r *reinforcement) assess(ctx context.Context, o *rollouts, prompts []Prompt) error {
	for from := 0; from < o.len(); {
		if err := ctx.Err(); err != nil {
			return err
		}
		r.layout.reset()
		to := from
		for to < o.len() && (to == from || len(r.layout.batch.Input) < r.recipe.Train.MicroTokens) {
			r.layout.add(o, prompts, to)
			to++
		}
		reference := r.reference.logProbs(r.tape, &r.layout.batch, r.layout.rows, r.layout.targets).Value()
		for i := range reference.Rows {
			o.reference = append(o.reference, float64(reference.Row(i)[0]))
		}
		if !r.hasValues() {
			from = to
			continue
		}
		r.tape.Begin(grad.Mode{})
		_, values := r.policy.Judge(r.tape, &r.layout.batch, r.layout.rows, r.layout.targets)
		for i := range values.Rows() {
			o.value = append(o.value, float64(values.Value().Row(i)[0]))
		}
		from = to
	}
	for len(o.value) < len(o.tokens) {
		o.value = append(o.value, 0)
	}
	return r.judge(ctx, o, prompts)
}

// judge asks for the rewards.
func (r *reinforcement) judge(ctx context.Context, o *rollouts, prompts []Prompt) error {
	r.answers = r.answers[:0]
	for i, p := range o.prompt {
		from, to := o.span(i)
		a := Answer{Prompt: &prompts[p], Tokens: o.tokens[from:to], Ended: o.ended[i]}
		if a.Ended {
			to--
		}
		a.Text = r.tok.Decode(o.tokens[from:to], true)
		r.answers, o.reward = append(r.answers, a), append(o.reward, 0)
	}
	o.watch = math.NaN()
	if r.watched != nil {
		if err := r.watched.Judge(ctx, r.answers, o.reward); err != nil {
			return err
		}
		mean, variance := rl.Moments(o.reward)
		o.watch, o.spread = mean, math.Sqrt(variance)
	}
	if err := r.reward.Judge(ctx, r.answers, o.reward); err != nil {
		return err
	}
	for i, x := range o.reward {
		if !finite(x) {
			kept := ""
			if exists(filepath.Join(r.dir, modelDir)) {
				kept = "; the best model so far is kept"
			}
			return fmt.Errorf("the reward of an answer to %s is %v, so the training cannot go on%s. The answer is %.200q", prompts[o.prompt[i]].Place, x, kept, r.answers[i].Text)
		}
	}
	return nil
}

// scoreOf is an answer's reward with what is taken from it where it did not end.
func (r *reinforcement) scoreOf(o *rollouts, i int) float64 {
	return o.reward[i] - r.recipe.Reward.NotEnded*truth(!o.ended[i])
}

// estimate computes the advantages of all tokens, and what values should have been.
func (r *reinforcement) estimate(o *rollouts) {
	n, p := len(o.tokens), &r.recipe.Policy
	o.advantage, o.returns = resized(o.advantage, n), resized(o.returns, n)
	r.scratch = resized(r.scratch, max(n, 2*o.len()))
	if r.hasValues() {
		for i := range o.len() {
			from, to := o.span(i)
			rewards := r.scratch[from:to]
			rl.Shape(rewards, o.logProb[from:to], o.reference[from:to], o.coefficient, r.scoreOf(o, i))
			rl.Advantages(o.advantage[from:to], o.returns[from:to], rewards, o.value[from:to], p.Gamma, p.Lambda)
		}
		if p.Whiten {
			rl.Whiten(o.advantage)
		}
		return
	}
	clear(o.returns)
	group := r.recipe.Rollout.Group
	for first := 0; first < o.len(); first += group {
		scores, advantages := r.scratch[:group], r.scratch[group:2*group]
		for j := range scores {
			scores[j] = r.scoreOf(o, first+j)
		}
		rl.GroupAdvantages(advantages, scores, p.Normalize)
		for j, a := range advantages {
			from, to := o.span(first + j)
			for t := from; t < to; t++ {
				o.advantage[t] = a
			}
		}
	}
}

// resized returns a slice of n numbers with the memory of s, if that is enough.
func resized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/4)
	}
	return s[:n]
}

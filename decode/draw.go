package decode

import "github.com/parley-lm/parley/internal/kernel"

// drawTask chooses the next tokens of many answers, as a task of the pool.
type drawTask struct {
	logits   kernel.Mat
	items    []drawn
	samplers []sampler // one for each thread
}

// drawn is the next token of one answer.
type drawn struct {
	generation *generation
	answer     int
	row        int // of the logits
	allowed    []int32
	token      Token
	err        error
}

// begin forgets the last step.
func (d *drawTask) begin(logits kernel.Mat) { d.logits, d.items = logits, d.items[:0] }

// add asks for the next token of every answer of a generation. After a prompt all have the same row of logits.
func (d *drawTask) add(g *generation) {
	row, next := g.step.from, 0
	if g.step.to-g.step.from > 1 {
		next = 1
	}
	for i := range g.answers {
		if g.answers[i].sequence == nil {
			continue
		}
		if len(d.items) < cap(d.items) { // with the memory of an earlier one
			d.items = d.items[:len(d.items)+1]
		} else {
			d.items = append(d.items, drawn{})
		}
		item := &d.items[len(d.items)-1]
		item.generation, item.answer, item.row = g, i, row
		row += next
	}
}

// Do chooses one token.
func (d *drawTask) Do(worker, i int) {
	item := &d.items[i]
	r, logits, s := item.generation.request, d.logits.Row(item.row), &d.samplers[worker]
	c := circumstances{history: item.generation.answers[item.answer].ids, prompt: len(r.Prompt), ends: r.Ends}
	written := c.history[c.prompt:]
	if len(r.Choices) > 0 {
		item.allowed = r.allowed(item.allowed[:0], written)
		c.allowed = item.allowed
	}
	id, err := s.choose(&r.Sampling, logits, c, r.Sampling.uniform(item.answer, len(written)))
	item.err, item.token = err, Token{ID: id, Alternatives: item.token.Alternatives[:0]}
	if (r.LogProb || r.LogProbs > 0) && err == nil {
		s.explain(&item.token, logits, r.LogProbs)
	}
}

// explain tells the probability of a token, with the bits that training computes for it, and of the best n alternatives.
func (s *sampler) explain(t *Token, logits []float32, n int) {
	s.scores = grow(s.scores, len(logits))
	top, logSum := kernel.LogNormalizer(logits, s.scores)
	logProb := func(logit float32) float64 { return float64(-float32(float64(top-logit) + logSum)) }
	t.LogProb = logProb(logits[t.ID])
	s.index, s.value = grow(s.index, n), grow(s.value, n)
	kernel.TopK(logits, s.index, s.value)
	for i, id := range s.index {
		if id >= 0 {
			t.Alternatives = append(t.Alternatives, Alternative{id, logProb(s.value[i])})
		}
	}
}

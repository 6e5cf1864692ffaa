package decode

import (
	"errors"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
)

// Generator continues prompts with one decoder-only model, all that are asked for at a time together: prompts of different
// lengths, that came at different times. Each step writes one token of every answer, and reads a piece of the prompts that
// are still being read; answers that have ended leave, and requests that waited enter. Whatever the company, a request
// gets the bits that it gets alone.
//
// It serves one goroutine; several Generators can share a model whose parameters do not change. Once it has seen as much at
// a time before, a step allocates nothing.
type Generator struct {
	model   *model.Decoder
	tape    grad.Tape
	cache   *model.DecoderCache
	options GeneratorOptions
	kept    []kept // of requests that have ended, the last used one last

	waiting []*Request // in order of arrival
	running []*generation
	spare   []*generation

	pieces []model.Piece
	draws  drawTask
	pick   pick
	one    [1]*search

	history []int32 // of a beam, for processors
}

// GeneratorOptions bounds what is computed at once. It changes speed and memory, never results.
type GeneratorOptions struct {
	Rows   int // answers and beams written at once; 0 means 64
	Prompt int // tokens of prompts read in a step; 0 means 256
	Kept   int // texts that stay in the cache for requests that go on from them; 0 means 4
}

const (
	defaultAnswers = 64
	defaultPrompt  = 256
	defaultKept    = 4
	leastPiece     = 32 // tokens of a prompt that are read at once though many prompts wait
)

// NewGenerator returns a Generator that computes on pool. If the model's parameters will not change for as long as it is
// used, pack them first (nn.Store.Pack): that is faster.
func NewGenerator(m *model.Decoder, pool *kernel.Pool, o GeneratorOptions) *Generator {
	if o.Rows <= 0 {
		o.Rows = defaultAnswers
	}
	if o.Prompt <= 0 {
		o.Prompt = defaultPrompt
	}
	if o.Kept <= 0 {
		o.Kept = defaultKept
	}
	g := &Generator{model: m, cache: m.NewCache(), options: o}
	g.tape.Pool = pool
	g.draws.samplers = make([]sampler, pool.Threads())
	return g
}

// Add takes a request, which the next steps answer. The error says what of it the model cannot do; then nothing is told to
// its Emit and Fail.
func (g *Generator) Add(r *Request) error {
	if err := r.check(g.model.Config, g.options.Rows); err != nil {
		return err
	}
	g.waiting = append(g.waiting, r)
	return nil
}

// Step goes one step on with all requests. It returns whether anything is left to do.
func (g *Generator) Step() bool {
	g.leave()
	g.enter()
	g.plan()
	if len(g.pieces) > 0 {
		logits := g.model.Step(&g.tape, g.cache, g.pieces)
		g.write(logits)
		g.leave()
	}
	return len(g.running)+len(g.waiting) > 0
}

// Abandon gives up all requests, and tells nobody.
func (g *Generator) Abandon() {
	for _, r := range g.running {
		g.retire(r)
	}
	clear(g.waiting)
	g.running, g.waiting = g.running[:0], g.waiting[:0]
}

// leave lets go of requests that are answered, and of those that nobody waits for any more.
func (g *Generator) leave() {
	waiting := g.waiting[:0]
	for _, r := range g.waiting {
		if err := r.Context.Err(); err != nil {
			r.Fail(err)
			continue
		}
		waiting = append(waiting, r)
	}
	clear(g.waiting[len(waiting):])
	g.waiting = waiting
	running := g.running[:0]
	for _, r := range g.running {
		err := r.request.Context.Err()
		if !r.ended() && err == nil {
			running = append(running, r)
			continue
		}
		if !r.ended() {
			r.request.Fail(err)
		}
		g.retire(r)
	}
	clear(g.running[len(running):])
	g.running = running
}

// retire keeps a generation's memory for another request.
func (g *Generator) retire(r *generation) {
	r.drop(g.cache.Sequences)
	r.request = nil
	g.spare = append(g.spare, r)
}

// enter starts on requests, in the order in which they came, as long as there is room for all their answers.
func (g *Generator) enter() {
	rows, entered := 0, 0
	for _, r := range g.running {
		rows += r.request.rows()
	}
	for _, r := range g.waiting {
		if rows += r.rows(); rows > g.options.Rows {
			break
		}
		entered++
		next := g.rested()
		next.begin(r, g.beginning(r.Prompt))
		g.running = append(g.running, next)
	}
	n := copy(g.waiting, g.waiting[entered:])
	clear(g.waiting[n:])
	g.waiting = g.waiting[:n]
}

// rested returns a generation with the memory of an earlier one, if there is one.
func (g *Generator) rested() *generation {
	n := len(g.spare)
	if n == 0 {
		return new(generation)
	}
	last := g.spare[n-1]
	g.spare = g.spare[:n-1]
	return last
}

// plan says what each sequence is fed in this step: those that are written their last token, and prompts a piece, the
// shorter the more of them there are.
func (g *Generator) plan() {
	g.pieces = g.pieces[:0]
	reading, row := 0, 0
	for _, r := range g.running {
		if r.reading() {
			reading++
		}
	}
	room := g.options.Prompt
	share := max(room/max(reading, 1), min(leastPiece, room))
	for _, r := range g.running {
		r.step.from = row
		switch before := len(g.pieces); {
		case !r.reading():
			g.pieces = r.append(g.pieces)
			row += len(g.pieces) - before
		case room > 0:
			p := r.piece(min(share, room))
			room -= len(p.Tokens)
			row += p.Logits
			g.pieces = append(g.pieces, p)
		}
		r.step.to = row
	}
}

// write chooses the next token of everything that has logits, [N, V].
func (g *Generator) write(logits kernel.Mat) {
	g.draws.begin(logits)
	for _, r := range g.running {
		if r.step.from == r.step.to {
			continue
		}
		if r.reading() {
			r.fork(g.cache.Sequences)
		}
		if r.request.Beams == 1 {
			g.draws.add(r)
		}
	}
	g.tape.Pool.Run(len(g.draws.items), &g.draws)
	at := 0
	for _, r := range g.running {
		switch {
		case r.step.from == r.step.to:
		case r.request.Beams > 1:
			g.search(r, logits.Slice(r.step.from, r.step.to))
		default:
			at = g.hand(r, at)
		}
	}
}

// hand gives a generation the tokens that were drawn for it, from the given one on, and returns which come next.
func (g *Generator) hand(r *generation, at int) int {
	var failed error
	for ; at < len(g.draws.items) && g.draws.items[at].generation == r; at++ {
		d := &g.draws.items[at]
		if failed = errors.Join(failed, d.err); failed != nil {
			continue
		}
		if !r.take(d.answer, d.token) {
			g.end(r.request, &r.answers[d.answer])
		}
	}
	if failed != nil {
		r.request.Fail(failed)
		r.drop(g.cache.Sequences)
	}
	return at
}

// process makes log-probabilities of the logits of every beam of a search, changes them by the request's processors, and leaves
// only what leads to a choice.
func (g *Generator) process(r *generation, logits kernel.Mat) {
	q, s := r.request, &g.draws.samplers[0]
	for i := range r.search.beams {
		row := logits.Row(i)
		all := kernel.LogSumExp(row)
		for j := range row {
			row[j] -= all
		}
		g.history = r.search.written(append(g.history[:0], q.Prompt...), i)
		c := circumstances{history: g.history, prompt: len(q.Prompt), ends: q.Ends}
		if len(q.Choices) > 0 {
			r.allowed = q.allowed(r.allowed[:0], g.history[len(q.Prompt):])
			c.allowed = r.allowed
		}
		s.process(&q.Sampling, row, c)
		copy(row, s.scores)
	}
}

// search goes one step on with a beam search.
func (g *Generator) search(r *generation, logits kernel.Mat) {
	q, s := r.request, &r.search
	o := Options{Beams: q.Beams, NBest: q.Answers, LengthPenalty: q.LengthPenalty, Early: q.Early}
	rules := rules{
		ends: q.Ends, banned: -1, forced: -1, ending: q.Beams * len(q.Ends),
		least: max(q.Sampling.MinTokens, q.Sampling.MinLength-len(q.Prompt)),
		ready: q.Sampling.processes() || len(q.Choices) > 0,
	}
	if len(q.Choices) > 0 {
		rules.ending = len(q.Choices) * max(1, len(q.Ends))
		o.Early = model.StopNever // they are few and of different lengths: each is scored to its end
	}
	g.one[0] = s
	if rules.ready {
		g.process(r, logits)
	}
	g.pick.run(g.tape.Pool, logits, g.one[:], o, rules)
	if len(q.Choices) > 0 {
		r.choose(g.pick.of(0))
	}
	if !s.advance(g.pick.of(0), o, q.Ends, g.cache.Sequences) {
		r.hypotheses()
	}
}

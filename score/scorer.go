package score

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/nn"
)

// Scorer scores requests with one model. It serves one goroutine; several Scorers can share a model whose parameters do not
// change. Once it has seen as much at a time before, a pass allocates nothing.
type Scorer struct {
	model *model.Decoder
	tape  grad.Tape
	cache *model.DecoderCache
	rows  int // of a pass

	running []*task // in the order of their requests
	spare   []*task
	ended   bool // there are no more requests

	pieces  []model.Piece
	lines   []*line // whose rows have targets in this pass
	targets []int32
	nll     []float32
}

// defaultRows is the number of tokens that a pass computes together.
const defaultRows = 512

// New returns a Scorer that computes on pool, rows tokens at a time (0: 512), which changes speed and memory but no result. If
// the model's parameters will not change for as long as it is used, pack them first (nn.Store.Pack): that is faster.
func New(m *model.Decoder, pool *kernel.Pool, rows int) *Scorer {
	if rows <= 0 {
		rows = defaultRows
	}
	return &Scorer{model: m, tape: grad.Tape{Pool: pool}, cache: m.NewCache(), rows: rows}
}

// errDamaged is the error for probabilities that are no numbers.
var errDamaged = errors.New("the model's logits are not numbers; its weights are damaged")

// Run scores the requests that next returns, until it returns nil, and hands them to done in their order. A request belongs to
// the Scorer from the one call to the other. The first error ends the run: that of ctx, next or done, or one that says what
// of a request the model cannot do.
func (s *Scorer) Run(ctx context.Context, next func() (*Request, error), done func(*Request) error) error {
	s.ended = false
	defer s.abandon()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.plan(next); err != nil {
			return err
		}
		if len(s.running) == 0 {
			return nil
		}
		s.nll = slices.Grow(s.nll[:0], len(s.targets))[:len(s.targets)]
		s.model.StepNLL(&s.tape, s.cache, s.pieces, s.targets, s.nll)
		if err := s.deal(); err != nil {
			return err
		}
		for len(s.running) > 0 && s.running[0].unscored == 0 {
			t := s.running[0]
			s.running = slices.Delete(s.running, 0, 1)
			r := t.request
			s.retire(t)
			if err := done(r); err != nil {
				return err
			}
		}
	}
}

// plan fills a pass: with what the running requests have left, in their order, then with new ones.
func (s *Scorer) plan(next func() (*Request, error)) error {
	s.pieces, s.lines, s.targets = s.pieces[:0], s.lines[:0], s.targets[:0]
	room := s.rows
	for _, t := range s.running {
		room -= s.feed(t, room)
	}
	for room > 0 && !s.ended && len(s.running) < s.rows {
		r, err := next()
		if err != nil {
			return err
		}
		if s.ended = r == nil; s.ended {
			break
		}
		if err := r.check(s.model.Config); err != nil {
			return err
		}
		t := s.rested()
		t.begin(r, s.cache.Sequences)
		s.running = append(s.running, t)
		room -= s.feed(t, room)
	}
	return nil
}

// feed adds up to room tokens of a task to the pass, and returns how many.
func (s *Scorer) feed(t *task, room int) int {
	fed := 0
	if t.context != nil {
		n := min(room, len(t.common)-t.read)
		if n > 0 {
			s.pieces = append(s.pieces, model.Piece{Sequence: t.context, Tokens: t.common[t.read : t.read+n]})
			t.read += n
			return n
		}
		if t.read < len(t.common) {
			return 0
		}
		t.fork(s.cache.Sequences)
	}
	for i := range t.lines {
		l := &t.lines[i]
		n := min(room-fed, len(l.input)-l.read)
		if n == 0 {
			continue
		}
		unscored := len(l.input) - len(l.targets) // tokens after which nothing is asked for
		from := max(0, l.read-unscored)
		wanted := max(0, l.read+n-unscored) - from
		s.pieces = append(s.pieces, model.Piece{Sequence: l.sequence, Tokens: l.input[l.read : l.read+n], Logits: wanted})
		if wanted > 0 {
			s.targets = append(s.targets, l.targets[from:from+wanted]...)
			s.lines = append(s.lines, l)
			l.from, l.to = from, from+wanted
		}
		l.read += n
		fed += n
	}
	return fed
}

// deal hands out what a pass has computed.
func (s *Scorer) deal() error {
	at := 0
	for _, l := range s.lines {
		n := copy(l.continuation.NLL[l.from:l.to], s.nll[at:])
		for _, x := range s.nll[at : at+n] {
			if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
				return errDamaged
			}
		}
		at += n
		if l.read == len(l.input) {
			s.cache.Sequences.Drop(l.sequence)
			l.sequence = nil
			l.task.unscored--
		}
	}
	return nil
}

// rested returns a task with the memory of an earlier one, if there is one.
func (s *Scorer) rested() *task {
	if n := len(s.spare); n > 0 {
		t := s.spare[n-1]
		s.spare = s.spare[:n-1]
		return t
	}
	return new(task)
}

func (s *Scorer) retire(t *task) {
	t.drop(s.cache.Sequences)
	s.spare = append(s.spare, t)
}

// abandon lets go of what is not finished.
func (s *Scorer) abandon() {
	for _, t := range s.running {
		s.retire(t)
	}
	s.running = s.running[:0]
}

// task is a request while it is computed.
type task struct {
	request  *Request
	common   []int32      // of the context, what is read once for several continuations
	context  *nn.Sequence // while it is read; nil if there is nothing in common
	read     int          // tokens of common
	lines    []line
	unscored int // lines that are not finished
}

// line is one continuation while it is computed.
type line struct {
	task         *task
	continuation *Continuation
	sequence     *nn.Sequence
	input        []int32 // what the model reads of it
	targets      []int32 // what should follow the last tokens of input
	read         int     // tokens of input
	from, to     int     // the targets of this pass
}

// begin takes a request. The last token of the context belongs to each line, so that all that is asked for stands there.
func (t *task) begin(r *Request, cache *nn.Cache) {
	last := len(r.Context) - 1
	t.request, t.common, t.context, t.read, t.unscored = r, nil, nil, 0, len(r.Continuations)
	from := 0
	if len(r.Continuations) > 1 && last > 0 {
		t.common, t.context, from = r.Context[:last], cache.New(), last
	}
	t.lines = slices.Grow(t.lines[:0], len(r.Continuations))[:len(r.Continuations)]
	for i := range t.lines {
		c, l := &r.Continuations[i], &t.lines[i]
		n := len(c.Tokens)
		c.NLL = slices.Grow(c.NLL[:0], c.Scored)[:c.Scored]
		*l = line{task: t, continuation: c, input: append(l.input[:0], r.Context[from:]...), targets: c.Tokens[n-c.Scored:]}
		l.input = append(l.input, c.Tokens[:n-1]...)
		if t.context == nil {
			l.sequence = cache.New()
		}
	}
}

// fork gives every line the common part once it is read.
func (t *task) fork(cache *nn.Cache) {
	for i := range t.lines {
		if t.lines[i].sequence = t.context; i > 0 {
			t.lines[i].sequence = cache.Fork(t.context)
		}
	}
	t.context = nil
}

// drop gives up what the task holds.
func (t *task) drop(cache *nn.Cache) {
	if t.context != nil {
		cache.Drop(t.context)
		t.context = nil
	}
	for i := range t.lines {
		l := &t.lines[i]
		if l.sequence != nil {
			cache.Drop(l.sequence)
		}
		l.sequence, l.continuation, l.targets = nil, nil, nil
	}
	t.request, t.common = nil, nil
}

package decode

import (
	"context"

	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
)

// Translator decodes many sources at once with one model. It serves one goroutine; several Translators can share a model
// whose parameters do not change.
//
// Few sources make one batch, on which all threads work together. If there are more, each thread decodes a batch of its
// own: nothing is then waited for, and nothing shared but the weights.
type Translator struct {
	pool  *kernel.Pool
	lanes []*lane // one for each thread
	feed  feed
	apart apartTask
}

// NewTranslator returns a Translator that computes on pool. If the model's parameters will not change for as long as it is
// used, pack them first (nn.Store.Pack): that is faster.
func NewTranslator(m *model.EncDec, pool *kernel.Pool, o Options) (*Translator, error) {
	o, err := o.normal()
	if err != nil {
		return nil, err
	}
	t := &Translator{pool: pool}
	t.apart.t = t
	for range pool.Threads() {
		t.lanes = append(t.lanes, newLane(m, o))
	}
	return t, nil
}

// Run decodes sources until there are no more and hands every result to emit together with the source's number, in the
// order in which they end. It returns the error of ctx or of emit. next and emit may be called by different goroutines,
// but never two at once.
func (t *Translator) Run(ctx context.Context, next Source, emit func(index int, r Result) error) error {
	f := &t.feed
	f.begin(ctx, next, emit)
	defer t.abandon()
	for f.failed() == nil {
		first := t.lanes[0]
		t.together()
		if first.room() {
			first.admit(f, !t.busy())
		}
		switch {
		case !t.busy():
			if f.done {
				return f.failed()
			}
		case len(t.lanes) > 1 && !first.room() && f.waiting():
			f.separate(true)
			t.pool.Run(len(t.lanes), &t.apart)
		default:
			for _, l := range t.lanes {
				if len(l.running) > 0 {
					l.step(f)
				}
			}
		}
	}
	return f.failed()
}

// All decodes the sources and returns their results in the same order.
func (t *Translator) All(ctx context.Context, sources [][]int32) ([]Result, error) {
	results, at := make([]Result, len(sources)), 0
	err := t.Run(ctx, func(bool) ([]int32, Supply) {
		if at == len(sources) {
			return nil, Done
		}
		at++
		return sources[at-1], Ready
	}, func(i int, r Result) error {
		results[i] = r
		return nil
	})
	return results, err
}

// together gives every lane all threads.
func (t *Translator) together() {
	for _, l := range t.lanes {
		l.tape.Pool = t.pool
	}
}

// busy reports whether any search is running.
func (t *Translator) busy() bool {
	for _, l := range t.lanes {
		if len(l.running) > 0 {
			return true
		}
	}
	return false
}

func (t *Translator) abandon() {
	for _, l := range t.lanes {
		l.abandon()
	}
}

// apartTask runs the lanes beside each other, each on a thread of its own, until one of them finds nothing to do.
type apartTask struct{ t *Translator }

// Do runs one lane.
func (a *apartTask) Do(_, item int) {
	l, f := a.t.lanes[item], &a.t.feed
	l.tape.Pool = l.own
	for f.separated() {
		if l.room() {
			l.admit(f, false)
		}
		if len(l.running) == 0 {
			f.separate(false)
			return
		}
		l.step(f)
	}
}

package parley

import (
	"context"
	"sync"

	"github.com/parley-lm/parley/decode"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
)

// engine decodes what many goroutines ask for in one batch. Its own goroutine lives while there is something to do.
type engine struct {
	mu     sync.Mutex
	queue  []*request
	active bool // a goroutine takes from the queue

	work       sync.Mutex // held by the goroutine that decodes
	pool       *kernel.Pool
	translator *decode.Translator
	running    map[int]*request // by their number in the present run
	count      int
}

// request is one sentence that somebody waits for.
type request struct {
	ctx   context.Context
	ids   []int32
	reply chan decode.Result // has room for the one reply
}

func newEngine(m *model.EncDec, threads int, o decode.Options) (*engine, error) {
	pool := kernel.NewPool(threads)
	t, err := decode.NewTranslator(m, pool, o)
	if err != nil {
		pool.Close()
		return nil, err
	}
	return &engine{pool: pool, translator: t}, nil
}

// close waits for what is being decoded and ends the pool's goroutines.
func (e *engine) close() {
	e.work.Lock()
	defer e.work.Unlock()
	e.pool.Close()
}

// submit asks for a sentence; the result will be in reply. No ids mean no translation.
func (e *engine) submit(ctx context.Context, ids []int32) *request {
	r := &request{ctx: ctx, ids: ids, reply: make(chan decode.Result, 1)}
	if len(ids) == 0 {
		r.reply <- decode.Result{}
		return r
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.queue = append(e.queue, r)
	if !e.active {
		e.active = true
		go e.run()
	}
	return r
}

// run decodes until the queue is empty and everything has been answered.
func (e *engine) run() {
	e.work.Lock()
	defer e.work.Unlock()
	e.running, e.count = make(map[int]*request), 0
	// Neither the context nor emit can fail: a request whose own context ends is answered to nobody.
	_ = e.translator.Run(context.Background(), e.next, func(i int, r decode.Result) error {
		e.running[i].reply <- r
		delete(e.running, i)
		return nil
	})
}

// next hands the oldest request that somebody still waits for to the translator.
func (e *engine) next(wait bool) ([]int32, decode.Supply) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.queue) > 0 {
		r := e.queue[0]
		e.queue[0], e.queue = nil, e.queue[1:]
		if r.ctx.Err() != nil {
			continue
		}
		e.running[e.count] = r
		e.count++
		return r.ids, decode.Ready
	}
	if wait {
		e.active = false
		return nil, decode.Done
	}
	return nil, decode.Later
}

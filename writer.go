package parley

import (
	"sync"

	"github.com/parley-lm/parley/decode"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
)

// writer continues the prompts of many goroutines with one decode.Generator. Its own goroutine lives while there is something
// to do.
type writer struct {
	mu     sync.Mutex
	queue  []*decode.Request
	active bool // a goroutine takes from the queue

	work      sync.Mutex // held by the goroutine that decodes
	pool      *kernel.Pool
	generator *decode.Generator
}

func newWriter(m *model.Decoder, threads int) *writer {
	pool := kernel.NewPool(threads)
	return &writer{pool: pool, generator: decode.NewGenerator(m, pool, decode.GeneratorOptions{})}
}

// close answers what was asked for and ends the pool's goroutines.
func (w *writer) close() {
	w.work.Lock()
	defer w.work.Unlock()
	w.drain() // run may not have come to it
	w.pool.Close()
}

// submit has a request answered, by its own Emit and Fail.
func (w *writer) submit(r *decode.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = append(w.queue, r)
	if !w.active {
		w.active = true
		go w.run()
	}
}

func (w *writer) run() {
	w.work.Lock()
	defer w.work.Unlock()
	w.drain()
}

// drain decodes until everything is answered.
func (w *writer) drain() {
	for busy := false; w.take(busy); {
		busy = w.generator.Step()
	}
}

// take hands new requests to the generator, and reports whether there is something to do.
func (w *writer) take(busy bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 && !busy {
		w.active = false
		return false
	}
	for i, r := range w.queue {
		if err := w.generator.Add(r); err != nil {
			r.Fail(err)
		}
		w.queue[i] = nil
	}
	w.queue = w.queue[:0]
	return true
}

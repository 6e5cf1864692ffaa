package parley

import (
	"sync"

	"github.com/parley-lm/parley/decode"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/internal/kernel"
)

// Model is an opened model. It is safe for use by many goroutines at once.
type Model struct {
	content *hub.EncDec
	threads int

	mu      sync.Mutex
	engines map[decode.Options]*engine
}

// An Option changes how Open sets up a model.
type Option func(*Model)

// Threads sets how many processors a model computes on; 0, the default, means all. Results do not depend on it.
func Threads(n int) Option { return func(m *Model) { m.threads = n } }

// Open reads the model in a directory as `transformers` saves it, or the best model of a run of `parley train`. The error
// names the file, and the key or tensor in it that does not fit.
func Open(dir string, options ...Option) (*Model, error) {
	content, err := hub.LoadEncDec(hub.ModelDir(dir))
	if err != nil {
		return nil, err
	}
	m := &Model{content: content, engines: make(map[decode.Options]*engine)}
	for _, o := range options {
		o(m)
	}
	pool := kernel.NewPool(m.threads)
	defer pool.Close()
	content.Model.Store().Pack(pool)
	return m, nil
}

// Parameters returns the number of trained numbers.
func (m *Model) Parameters() int { return m.content.Model.Store().Count() }

// Close gives back the goroutines and the memory of past calls. Calls in progress end first; later ones work as before.
func (m *Model) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for o, e := range m.engines {
		e.close()
		delete(m.engines, o)
	}
}

package kernel

import (
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/parley-lm/parley/internal/memory"
)

// Task is work in numbered items. Do computes one of them; several goroutines call it at once, each with its own worker
// number in [0, Threads), which selects what may not be shared (see [Pool.Scratch]). A Task must not use its Pool's Run.
type Task interface{ Do(worker, item int) }

// Pool runs tasks on a fixed number of threads: the goroutine that calls Run and its workers. It also carries the
// memory that kernels reuse from call to call. One goroutine at a time may use a Pool; different Pools are independent.
// A nil *Pool runs everything on the caller.
type Pool struct {
	// claims holds the number of items in its upper half and the number of claims in its lower half, so that one
	// atomic addition both claims an item and says whether there was one. An idle worker looks only at this word.
	claims  atomic.Uint64
	_       [56]byte
	done    atomic.Int64 // items finished in this Run
	waiting atomic.Bool  // the caller is parked on wake
	_       [48]byte
	ends    [2]end

	task    Task
	workers []*worker // without the caller
	wake    chan struct{}
	closed  atomic.Bool
	spin    int // looks at claims before a worker parks

	mu     sync.Mutex
	failed *TaskPanic

	scratch       [][]float32 // by worker
	panelMemory   []float32
	roundedMemory []float32
	gemm          gemmTask
	pack          packTask
	rounding      roundTask
	records       records
}

// end counts the items that were taken from one end of the range: threads with an even number take from its beginning, the
// others from its end. So what a thread wrote in one kernel, it mostly reads in the next, from its own cache.
type end struct {
	taken atomic.Uint32
	_     [60]byte
}

// worker is what Run needs to know of one parked goroutine.
type worker struct {
	parked atomic.Bool
	wake   chan struct{}
	_      [48]byte
}

// TaskPanic is the value with which Run panics when a Task panicked: the first such panic, whichever thread it was on.
type TaskPanic struct {
	Value any
	Stack []byte
}

// Error gives the panic's value and where it happened.
func (e *TaskPanic) Error() string {
	return fmt.Sprintf("kernel: panic in a task: %v\n\n%s", e.Value, e.Stack)
}

// Unwrap is the value of the panic if that was an error.
func (e *TaskPanic) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// How long an idle thread looks for work before it sleeps. Between two kernels of a training step only microseconds
// pass, and waking a sleeping thread costs more than that.
const (
	workerSpins = 2000
	callerSpins = 4000
	pausesASpin = 4
)

// NewPool starts a pool of the given number of threads, the caller of Run included; 0 or less means GOMAXPROCS.
// Close ends its goroutines.
func NewPool(threads int) *Pool {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	p := &Pool{wake: make(chan struct{}, 1), scratch: make([][]float32, threads), spin: workerSpins}
	if threads > runtime.GOMAXPROCS(0) {
		p.spin = 0
	}
	for i := 1; i < threads; i++ {
		w := &worker{wake: make(chan struct{}, 1)}
		p.workers = append(p.workers, w)
		go p.serve(w, i)
	}
	return p
}

// Threads is the number of threads, 1 for a nil Pool.
func (p *Pool) Threads() int {
	if p == nil {
		return 1
	}
	return len(p.workers) + 1
}

// Close ends the workers. The Pool may not be used afterwards. Closing twice, or a nil Pool, does nothing.
func (p *Pool) Close() {
	if p == nil || p.closed.Swap(true) {
		return
	}
	for _, w := range p.workers {
		if w.parked.CompareAndSwap(true, false) {
			w.wake <- struct{}{}
		}
	}
}

// Run does every item in [0, items) exactly once and returns when all are done. Which thread does which item is not
// determined: results must not depend on it. If a Do panics on one of several threads, the other items are still done and
// Run then panics with a *[TaskPanic].
func (p *Pool) Run(items int, t Task) {
	if items <= 0 {
		return
	}
	if p == nil || len(p.workers) == 0 || items == 1 {
		for i := range items {
			t.Do(0, i)
		}
		return
	}
	if items > math.MaxInt32 {
		panic(fmt.Sprintf("kernel: %d items are too many for one Run", items))
	}
	p.task = t
	p.done.Store(0)
	p.ends[0].taken.Store(0)
	p.ends[1].taken.Store(0)
	p.claims.Store(uint64(items) << 32)
	for _, w := range p.workers[:min(len(p.workers), items-1)] {
		if w.parked.Load() && w.parked.CompareAndSwap(true, false) {
			w.wake <- struct{}{}
		}
	}
	p.drain(0)
	p.await(int64(items))
	p.task = nil
	if f := p.failed; f != nil {
		p.failed = nil
		panic(f)
	}
}

// await returns once n items are done. A wake left over from an earlier Run only makes it look once more.
func (p *Pool) await(n int64) {
	for i := 0; p.done.Load() != n; i++ {
		if i < callerSpins && p.spin > 0 {
			spinOnce(i)
			continue
		}
		p.waiting.Store(true)
		if p.done.Load() == n {
			p.waiting.Store(false)
			return
		}
		<-p.wake
	}
}

// spinOnce passes a moment, the i-th; now and then it lets other goroutines have the thread.
func spinOnce(i int) {
	if i%256 == 255 {
		runtime.Gosched()
	}
	pause(pausesASpin)
}

// serve is the life of one worker goroutine.
func (p *Pool) serve(w *worker, id int) {
	for spins := 0; !p.closed.Load(); {
		if p.pending() {
			p.drain(id)
			spins = 0
			continue
		}
		if spins < p.spin {
			spins++
			spinOnce(spins)
			continue
		}
		spins = 0
		w.parked.Store(true)
		if (p.pending() || p.closed.Load()) && w.parked.CompareAndSwap(true, false) {
			continue
		}
		<-w.wake
	}
}

// pending says whether an item may be left to claim.
func (p *Pool) pending() bool {
	c := p.claims.Load()
	return uint32(c) < uint32(c>>32)
}

// drain does items until none is left.
func (p *Pool) drain(worker int) {
	for p.pending() {
		p.work(worker)
	}
}

// work claims items and does them until none is left or one panics. An item's claim keeps Run from returning, so the
// task read after it is the one the item belongs to.
func (p *Pool) work(worker int) {
	claimed := false
	defer func() {
		if !claimed {
			return
		}
		p.fail(recover())
		p.finish()
	}()
	for p.pending() {
		c := p.claims.Add(1) - 1
		items := uint32(c >> 32)
		if uint32(c) >= items {
			return
		}
		claimed = true
		p.task.Do(worker, p.take(worker, int(items)))
		claimed = false
		p.finish()
	}
}

// take is the item that a worker does for its claim. There are as many as claims, so that the ends do not meet before.
func (p *Pool) take(worker, items int) int {
	n := int(p.ends[worker%2].taken.Add(1))
	if worker%2 == 0 {
		return n - 1
	}
	return items - n
}

// finish counts one item as done; the last one wakes the caller if that sleeps. The number of items must be read before
// the count: after it Run may return, and the next one begin.
func (p *Pool) finish() {
	items := int64(p.claims.Load() >> 32)
	if p.done.Add(1) == items && p.waiting.CompareAndSwap(true, false) {
		p.wake <- struct{}{}
	}
}

func (p *Pool) fail(value any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed == nil {
		p.failed = &TaskPanic{Value: value, Stack: debug.Stack()}
	}
}

// Scratch returns n floats of undefined content, aligned to 64 bytes, for the given worker: valid until that worker
// asks again, so also between Runs. The memory belongs to the Pool, which keeps the largest size asked for. A nil Pool
// allocates.
func (p *Pool) Scratch(worker, n int) []float32 {
	if p == nil {
		return memory.Floats(n)
	}
	s := p.scratch[worker]
	if len(s) < n {
		s = memory.Floats(n + n/4)
		p.scratch[worker] = s
	}
	return s[:n]
}

// serial keeps pools of one thread for kernels that are called on a nil Pool and need its memory.
var serial = sync.Pool{New: func() any { return NewPool(1) }}

// orSerial is p, or a pool of one thread if p is nil; giveBack returns that one.
func (p *Pool) orSerial() *Pool {
	if p != nil {
		return p
	}
	return serial.Get().(*Pool)
}

// giveBack undoes orSerial: used is what it returned for p.
func (p *Pool) giveBack(used *Pool) {
	if p == nil {
		serial.Put(used)
	}
}

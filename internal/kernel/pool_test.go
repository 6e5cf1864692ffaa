package kernel

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"
)

// countingTask counts how often each item was done, and by workers with valid numbers.
type countingTask struct {
	t       *testing.T
	threads int
	counts  []atomic.Int32
	busy    [64]atomic.Bool
}

func (c *countingTask) Do(worker, item int) {
	if worker < 0 || worker >= c.threads {
		c.t.Errorf("worker %d of %d", worker, c.threads)
	}
	if c.busy[worker].Swap(true) {
		c.t.Errorf("worker %d does two items at once", worker)
	}
	c.counts[item].Add(1)
	c.busy[worker].Store(false)
}

func TestPoolDoesEveryItemOnce(t *testing.T) {
	for _, threads := range []int{1, 2, 3, 8} {
		p := NewPool(threads)
		if p.Threads() != threads {
			t.Fatalf("%d threads, want %d", p.Threads(), threads)
		}
		for round := range 300 {
			items := round * 7 % 101
			task := &countingTask{t: t, threads: threads, counts: make([]atomic.Int32, items)}
			p.Run(items, task)
			for i := range task.counts {
				if n := task.counts[i].Load(); n != 1 {
					t.Fatalf("%d threads: item %d of %d was done %d times", threads, i, items, n)
				}
			}
			if round%100 == 50 {
				time.Sleep(3 * time.Millisecond) // the workers go to sleep and must be woken
			}
		}
		p.Close()
		p.Close()
	}
}

func TestNilPoolRunsOnTheCaller(t *testing.T) {
	var p *Pool
	task := &countingTask{t: t, threads: 1, counts: make([]atomic.Int32, 5)}
	p.Run(5, task)
	for i := range task.counts {
		if task.counts[i].Load() != 1 {
			t.Errorf("item %d was not done once", i)
		}
	}
	if p.Threads() != 1 {
		t.Errorf("%d threads", p.Threads())
	}
	if s := p.Scratch(0, 10); len(s) != 10 {
		t.Errorf("scratch of %d floats", len(s))
	}
	p.Close()
}

var errOfTask = errors.New("the item is bad")

// panickingTask panics in one item, or in all if that is negative.
type panickingTask struct {
	bad  int
	done atomic.Int32
}

func (p *panickingTask) Do(_, item int) {
	if item == p.bad || p.bad < 0 {
		panic(errOfTask)
	}
	p.done.Add(1)
}

func TestPoolPassesPanicsOn(t *testing.T) {
	p := NewPool(3)
	defer p.Close()
	for _, bad := range []int{0, 7, 99, -1} {
		task := &panickingTask{bad: bad}
		err := func() (err error) {
			defer func() { err, _ = recover().(error) }()
			p.Run(100, task)
			return nil
		}()
		if !errors.Is(err, errOfTask) {
			t.Fatalf("item %d: Run panicked with %v", bad, err)
		}
		if !strings.Contains(err.Error(), "panickingTask") {
			t.Errorf("item %d: the stack does not show the task: %v", bad, err)
		}
		if n := task.done.Load(); bad >= 0 && n != 99 {
			t.Errorf("item %d: %d of the other items were done", bad, n)
		}
		after := &countingTask{t: t, threads: 3, counts: make([]atomic.Int32, 20)}
		p.Run(20, after)
		for i := range after.counts {
			if after.counts[i].Load() != 1 {
				t.Fatalf("after a panic item %d was not done once", i)
			}
		}
	}
}

func TestPoolAllocatesNothing(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	task := &panickingTask{bad: 1000}
	p.Scratch(1, 100)
	if n := testing.AllocsPerRun(100, func() {
		p.Run(10, task)
		p.Scratch(1, 80)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestPoolClosesItsGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 10 {
		p := NewPool(4)
		p.Run(4, &panickingTask{bad: 1000})
		p.Close()
	}
	for range 200 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

func TestPoolsAreIndependent(t *testing.T) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			p := NewPool(2)
			defer p.Close()
			for range 100 {
				task := &panickingTask{bad: 1000}
				p.Run(30, task)
				if n := task.done.Load(); n != 30 {
					t.Errorf("%d of 30 items were done", n)
				}
			}
		})
	}
	wg.Wait()
}

func TestScratchIsAlignedAndKept(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	for _, n := range []int{1, 5, 1000, 17} {
		s := p.Scratch(1, n)
		if len(s) != n || uintptr(unsafe.Pointer(&s[0]))%64 != 0 {
			t.Errorf("%d floats at %p, want %d", len(s), &s[0], n)
		}
		if &p.Scratch(0, n)[0] == &s[0] {
			t.Error("two workers share their scratch")
		}
	}
	if &p.Scratch(1, 900)[0] != &p.Scratch(1, 10)[0] {
		t.Error("a smaller request moved the scratch")
	}
}

func TestSetISARestores(t *testing.T) {
	was := Active()
	for _, isa := range Available() {
		restore := SetISA(isa)
		if Active() != isa {
			t.Errorf("%v is active, want %v", Active(), isa)
		}
		restore()
		if Active() != was {
			t.Errorf("%v is active after restoring %v", Active(), was)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("an instruction set that does not exist was accepted")
		}
	}()
	SetISA(AMX + 1)
}

func BenchmarkPoolRun(b *testing.B) {
	for _, threads := range []int{1, 2} {
		b.Run([]string{"", "threads=1", "threads=2"}[threads], func(b *testing.B) {
			p := NewPool(threads)
			defer p.Close()
			task := &panickingTask{bad: 1000}
			for b.Loop() {
				p.Run(8, task)
			}
		})
	}
}

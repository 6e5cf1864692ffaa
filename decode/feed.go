package decode

import (
	"context"
	"sync"
)

// Supply is the answer of a Source.
type Supply uint8

const (
	// Ready comes with the ids of a source.
	Ready Supply = iota
	// Later says that there is no source at the moment. It is only a possible answer when not waiting.
	Later
	// Done says that there are no more.
	Done
)

// Source hands out the sources one after the other, ids with EOS at the end. If wait is false and there is none at the
// moment it answers Later, so that the others go on. It is not called by two goroutines at once.
type Source func(wait bool) (ids []int32, s Supply)

// feed is the sources and the results of one run, which its lanes share.
type feed struct {
	mu    sync.Mutex
	ctx   context.Context
	next  Source
	emit  func(index int, r Result) error
	count int     // sources taken
	ahead []int32 // the next source, if it was asked for when there was no place for it
	done  bool    // there are no more sources
	err   error   // of ctx or emit: the run ends
	apart bool    // the lanes run beside each other
}

// begin forgets the last run.
func (f *feed) begin(ctx context.Context, next Source, emit func(int, Result) error) {
	f.ctx, f.next, f.emit = ctx, next, emit
	f.count, f.ahead, f.done, f.err, f.apart = 0, nil, false, nil, false
}

// take returns the next source and its number, if there is one.
func (f *feed) take(wait bool) (ids []int32, index int, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ahead == nil {
		f.ask(wait)
	}
	if f.ahead == nil {
		return nil, 0, false
	}
	ids, f.ahead = f.ahead, nil
	f.count++
	return ids, f.count - 1, true
}

// waiting reports whether there is a source that nobody has taken.
func (f *feed) waiting() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ahead == nil {
		f.ask(false)
	}
	return f.ahead != nil
}

// ask looks one source ahead.
func (f *feed) ask(wait bool) {
	if f.done || f.err != nil {
		return
	}
	ids, s := f.next(wait)
	switch {
	case s == Done:
		f.done = true
	case s == Ready && ids == nil:
		f.ahead = []int32{}
	case s == Ready:
		f.ahead = ids
	}
}

// give hands out a result.
func (f *feed) give(index int, r Result) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = f.emit(index, r)
	}
}

// failed returns the error that ends the run, if there is one.
func (f *feed) failed() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = f.ctx.Err()
	}
	return f.err
}

// separate says that the lanes run beside each other from now on, or no longer.
func (f *feed) separate(apart bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.apart = apart
}

// separated reports whether the lanes should go on beside each other.
func (f *feed) separated() bool {
	if f.failed() != nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.apart
}

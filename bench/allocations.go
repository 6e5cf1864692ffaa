package bench

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// mallocs returns how many objects were ever allocated on the heap.
func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// fillRuntimeCaches has Go's runtime make the records that it keeps for goroutines which wait (a sudog each). Every processor
// has a store of up to 128; a goroutine takes its record from the processor that it stops on and leaves it to the one that it
// goes on on, so that the stores of a new process fill for a long time. Those records would be counted as the program's.
func fillRuntimeCaches() {
	var waiting atomic.Int64
	var group sync.WaitGroup
	goroutines, gate := 256*runtime.GOMAXPROCS(0), make(chan struct{})
	for range goroutines {
		group.Go(func() {
			waiting.Add(1)
			<-gate
		})
	}
	for waiting.Load() < int64(goroutines) {
		runtime.Gosched()
	}
	close(gate)
	group.Wait()
}

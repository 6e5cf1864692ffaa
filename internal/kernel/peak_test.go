package kernel

import (
	"testing"
	"time"
)

func TestPeaksArePlausible(t *testing.T) {
	for _, threads := range []int{1, 2} {
		pool := NewPool(threads)
		defer pool.Close()
		if f := pool.PeakFMA(20 * time.Millisecond); f < 1e8 || f > 1e14 {
			t.Errorf("%d threads: %.3g multiply-add operations a second", threads, f)
		}
		if b := pool.ReadBandwidth(20*time.Millisecond, 1<<20); b < 1e7 || b > 1e14 {
			t.Errorf("%d threads: %.3g bytes a second", threads, b)
		}
	}
}

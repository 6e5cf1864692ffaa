package kernel

//go:generate go run -C _asm ./peak -out ../peak_amd64.s -stubs ../peak_stubs_amd64.go -pkg kernel

import (
	"time"

	"github.com/parley-lm/parley/internal/memory"
)

// The measurements here say what the processor could do at most, so that a kernel's speed can be given as a share of it.
// They are meaningful only beside a kernel measured in the same run: clock rates move, and machines are shared.

// PeakFMA measures the float32 multiply-adds that all threads of the pool do per second when nothing else is to be done:
// independent chains in registers, with the widest vectors of the active instruction set. It takes about the given
// time and returns the best of several measurements, in floating-point operations per second (two for each
// multiply-add). Without an instruction set to measure (Portable) it counts the multiply-adds of plain Go.
func (p *Pool) PeakFMA(d time.Duration) float64 {
	threads := p.Threads()
	t := &peakTask{n: 1}
	return p.best(d, func(n int) float64 {
		t.n = n
		p.Run(threads, t)
		return float64(n) * float64(threads) * flopsPerPeakStep()
	})
}

// ReadBandwidth measures the bytes per second that all threads of the pool together read from memory, from a buffer of
// the given size: larger than the last cache for main memory, smaller for a cache. It takes about the given time.
func (p *Pool) ReadBandwidth(d time.Duration, bytes int) float64 {
	threads := p.Threads()
	part := max(readBlock, bytes/4/threads/readBlock*readBlock)
	t := &readTask{memory: memory.Floats(part * threads), part: part}
	for i := range t.memory {
		t.memory[i] = 1
	}
	return p.best(d, func(n int) float64 {
		t.n = n
		p.Run(threads, t)
		return float64(n) * float64(len(t.memory)) * 4
	})
}

// best calls f, which does n units of work and returns what they amount to, with n such that a call takes about a
// tenth of d, and returns the highest rate per second.
func (p *Pool) best(d time.Duration, f func(n int) float64) float64 {
	n := 1
	var rate float64
	for end := time.Now().Add(d); ; {
		start := time.Now()
		amount := f(n)
		took := time.Since(start)
		if took < d/20 {
			n *= 2
			continue
		}
		rate = max(rate, amount/took.Seconds())
		if time.Now().After(end) {
			return rate
		}
	}
}

type peakTask struct{ n int }

func (t *peakTask) Do(_, _ int) { peakSteps(t.n) }

// readBlock is the number of floats that one step of a reading loop takes.
const readBlock = 64

type readTask struct {
	memory []float32
	part   int // floats of each item
	n      int
}

func (t *readTask) Do(_, item int) {
	for range t.n {
		readFloats(t.memory[item*t.part : (item+1)*t.part])
	}
}

// peakPortable does n times four multiply-adds and returns their sum so that they are not optimised away.
func peakPortable(n int) float32 {
	var s0, s1, s2, s3, x, y float32
	for range n {
		s0 += x * y
		s1 += x * y
		s2 += x * y
		s3 += x * y
	}
	return s0 + s1 + s2 + s3
}

// readPortable reads x and returns something that depends on all of it.
func readPortable(x []float32) float32 {
	var s0, s1, s2, s3 float32
	for ; len(x) >= 4; x = x[4:] {
		s0, s1, s2, s3 = max(s0, x[0]), max(s1, x[1]), max(s2, x[2]), max(s3, x[3])
	}
	return s0 + s1 + s2 + s3
}

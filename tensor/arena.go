package tensor

import "github.com/parley-lm/parley/internal/memory"

const (
	chunkFloats = 4 << 20 // 16 MiB
	alignFloats = 16      // one cache line
)

// Arena hands out float32 memory that is given back all at once: by [Arena.Reset], or down to a [Mark] by
// [Arena.Release]. Its chunks are kept, so that once the largest batch has been seen nothing is allocated any more.
// The zero value is ready to use. An Arena serves one goroutine.
type Arena struct {
	chunks [][]float32
	chunk  int // the chunk that serves the next request
	used   int // floats used of it
}

// Mark is a point in the life of an Arena that Release can return to.
type Mark struct{ chunk, used int }

// Alloc returns n floats on a cache-line boundary. Their contents are whatever was there before.
func (a *Arena) Alloc(n int) []float32 {
	need := (n + alignFloats - 1) / alignFloats * alignFloats
	for ; a.chunk < len(a.chunks); a.chunk, a.used = a.chunk+1, 0 {
		if c := a.chunks[a.chunk]; a.used+need <= len(c) {
			s := c[a.used : a.used+n : a.used+n]
			a.used += need
			return s
		}
	}
	a.chunks = append(a.chunks, memory.Floats(max(need, chunkFloats)))
	a.used = need
	return a.chunks[a.chunk][:n:n]
}

// Mark returns the present point.
func (a *Arena) Mark() Mark { return Mark{a.chunk, a.used} }

// Release gives back everything that was handed out after m.
func (a *Arena) Release(m Mark) { a.chunk, a.used = m.chunk, m.used }

// Reset gives everything back.
func (a *Arena) Reset() { a.Release(Mark{}) }

// Bytes returns how much memory the arena holds, used or not.
func (a *Arena) Bytes() int {
	n := 0
	for _, c := range a.chunks {
		n += 4 * len(c)
	}
	return n
}

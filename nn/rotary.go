package nn

import (
	"math"
	"sync"
	"sync/atomic"

	"github.com/parley-lm/parley/internal/kernel"
)

// Rotary holds the angles of rotary position embedding (Su et al. 2021): pair j of a head at position p turns by
// p·frequency[j]. The table of their cosines and sines grows with the positions that are asked for, so that a context
// length costs nothing before it is used. Many goroutines may use a Rotary at once.
type Rotary struct {
	frequencies []float32 // [HeadDim/2]
	magnitude   float64   // multiplies cosines and sines

	mu    sync.Mutex // while the table grows
	table atomic.Pointer[kernel.Mat]
}

// NewRotary makes angles from the frequencies of a head's pairs, in radians a position, and what the cosines and sines are
// multiplied by: 1, but for YaRN.
func NewRotary(frequencies []float32, magnitude float64) *Rotary {
	r := &Rotary{frequencies: frequencies, magnitude: magnitude}
	r.table.Store(&kernel.Mat{})
	return r
}

// leastPositions is the number of positions of the first table.
const leastPositions = 512

// Angles returns a table for the given positions, [more than the last of them, HeadDim]: cosines, then sines. Its rows
// never change. Angles are rounded to float32 before their cosine is taken, as `transformers` does.
func (r *Rotary) Angles(at []int32) kernel.Mat {
	need := 0
	for _, p := range at {
		need = max(need, int(p)+1)
	}
	if t := r.table.Load(); need <= t.Rows {
		return *t
	}
	return r.grow(need)
}

func (r *Rotary) grow(need int) kernel.Mat {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.table.Load()
	if need <= old.Rows {
		return *old
	}
	half := len(r.frequencies)
	rows := max(leastPositions, need, 2*old.Rows)
	t := kernel.NewMat(make([]float32, rows*2*half), rows, 2*half)
	copy(t.Data, old.Data)
	for p := old.Rows; p < rows; p++ {
		row := t.Row(p)
		for j, f := range r.frequencies {
			sin, cos := math.Sincos(float64(float32(p) * f))
			row[j], row[half+j] = float32(cos*r.magnitude), float32(sin*r.magnitude)
		}
	}
	r.table.Store(&t)
	return t
}

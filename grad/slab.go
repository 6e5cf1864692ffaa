package grad

import "github.com/parley-lm/parley/internal/memory"

// slab hands out records of one type and takes them all back at once. A record keeps its address for ever, so that a
// pointer to it can be stored in an interface without allocation.
type slab[T any] struct {
	records []*T
	used    int
}

func (s *slab[T]) next() *T {
	if s.used == len(s.records) {
		s.records = append(s.records, new(T))
	}
	r := s.records[s.used]
	s.used++
	return r
}

func (s *slab[T]) reset() { s.used = 0 }

// freeList keeps gradient buffers between uses, sorted into size classes an eighth of a power of two apart.
type freeList struct {
	classes map[int][][]float32
	bytes   int // of all buffers ever made
}

// class rounds n up to the capacity of its size class.
func class(n int) int {
	step := 16
	for 8*step < n {
		step *= 2
	}
	return (n + step - 1) / step * step
}

// get returns n floats with undefined contents.
func (f *freeList) get(n int) []float32 {
	c := class(n)
	if free := f.classes[c]; len(free) > 0 {
		b := free[len(free)-1]
		f.classes[c] = free[:len(free)-1]
		return b[:n]
	}
	f.bytes += 4 * c
	return memory.Floats(c)[:n]
}

// put takes back a buffer that get returned.
func (f *freeList) put(b []float32) {
	if b == nil {
		return
	}
	if f.classes == nil {
		f.classes = make(map[int][][]float32)
	}
	f.classes[cap(b)] = append(f.classes[cap(b)], b)
}

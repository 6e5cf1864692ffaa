package tensor

import (
	"slices"
	"testing"
	"unsafe"

	"github.com/parley-lm/parley/internal/kernel"
)

func TestArenaHandsOutDisjointAlignedMemoryAndKeepsIt(t *testing.T) {
	var a Arena
	sizes := []int{1, 15, 16, 17, 1000, chunkFloats - 5, chunkFloats + 1, 3}
	var pieces [][]float32
	for i, n := range sizes {
		p := a.Alloc(n)
		if len(p) != n || cap(p) != n {
			t.Fatalf("Alloc(%d) has length %d and capacity %d", n, len(p), cap(p))
		}
		if uintptr(unsafe.Pointer(&p[0]))%64 != 0 {
			t.Errorf("Alloc(%d) is not on a cache line", n)
		}
		for j := range p {
			p[j] = float32(i)
		}
		pieces = append(pieces, p)
	}
	for i, p := range pieces {
		if p[0] != float32(i) || p[len(p)-1] != float32(i) {
			t.Errorf("piece %d of %d floats was overwritten", i, len(p))
		}
	}
	held := a.Bytes()
	if allocs := testing.AllocsPerRun(3, func() {
		a.Reset()
		for _, n := range sizes {
			a.Alloc(n)
		}
	}); allocs != 0 || a.Bytes() != held {
		t.Errorf("the same requests again made %v allocations, and the arena holds %d bytes, not %d", allocs, a.Bytes(), held)
	}
}

func TestReleaseGoesBackToTheMark(t *testing.T) {
	var a Arena
	a.Alloc(100)
	m := a.Mark()
	first := a.Alloc(50)
	a.Alloc(chunkFloats) // in another chunk
	a.Release(m)
	if again := a.Alloc(50); &again[0] != &first[0] {
		t.Error("what was made after the mark is not handed out again")
	}
}

func TestSpansOfABatch(t *testing.T) {
	var source, target Starts
	for _, n := range []int{3, 1} {
		source = source.Add(n)
	}
	for _, n := range []int{2, 4} {
		target = target.Add(n)
	}
	if source.Len() != 2 || source.Rows() != 4 || target.Rows() != 6 || Starts(nil).Len() != 0 || Starts(nil).Rows() != 0 {
		t.Errorf("starts %v and %v", source, target)
	}
	if got, want := target.Positions(nil), []int32{0, 1, 0, 1, 2, 3}; !slices.Equal(got, want) {
		t.Errorf("positions %v, want %v", got, want)
	}
	want := []kernel.AttnSpan{{Q0: 0, Q1: 2, K0: 0, K1: 3}, {Q0: 2, Q1: 6, K0: 3, K1: 4}}
	if got := CrossSpans(nil, target, source); !slices.Equal(got, want) {
		t.Errorf("cross spans %v, want %v", got, want)
	}
	defer func() {
		if recover() == nil {
			t.Error("batches of different lengths can be paired")
		}
	}()
	CrossSpans(nil, target, source[:2])
}

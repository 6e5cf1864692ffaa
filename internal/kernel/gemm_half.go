package kernel

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/parley-lm/parley/internal/memory"
)

// Half is a matrix of bfloat16 values, two to a float32's place, the earlier in its lower half. Rows begin at whole places:
// one with an odd number of columns ends with a zero.
type Half struct {
	Data       []float32
	Rows, Cols int
}

// NewHalf makes a matrix of zeros.
func NewHalf(rows, cols int) Half {
	return Half{memory.Floats(rows * ((cols + 1) / 2)), rows, cols}
}

// Slice is the view of rows r0 to r1 (r1 excluded).
func (h Half) Slice(r0, r1 int) Half {
	places := (h.Cols + 1) / 2
	return Half{h.Data[r0*places : r1*places], r1 - r0, h.Cols}
}

// Row is row i, Cols values long.
func (h Half) Row(i int) []uint16 {
	places := (h.Cols + 1) / 2
	return halves(h.Data[i*places : (i+1)*places])[:h.Cols]
}

// Bytes is all rows as files hold them, little-endian. Only with an even number of columns is there nothing between.
func (h Half) Bytes() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(h.Data))), 4*len(h.Data))
}

// SetRow rounds a row of float32 values, to nearest, ties to even.
func (h Half) SetRow(i int, x []float32) {
	row := h.Row(i)
	roundRow(row, x[:len(row)])
}

// widenPlaces is y = the values in x, two to a place, as float32.
func widenPlaces(y, x []float32) {
	for j := 0; j+1 < len(y); j += 2 {
		pair := math.Float32bits(x[j/2])
		y[j], y[j+1] = math.Float32frombits(pair<<16), math.Float32frombits(pair&0xffff0000)
	}
	if n := len(y); n%2 == 1 {
		y[n-1] = math.Float32frombits(math.Float32bits(x[n/2]) << 16)
	}
}

// widenRow is y = x as float32; every bfloat16 is one.
func widenRow(y []float32, x []uint16) {
	for j, v := range x[:len(y)] {
		y[j] = math.Float32frombits(uint32(v) << 16)
	}
}

// PackHalf is Pack for a right-hand side bᵀ that stays in bfloat16: half the memory. Products widen it and compute in
// float32, so that they have the same bits as those of the widened values, and run on every processor.
func (p *Pool) PackHalf(b Half) *Packed {
	b.check()
	pk := newHalfPacked(b.Cols, b.Rows)
	q := p.orSerial()
	// A pair is packed as one value of a matrix half as wide, in panels of the same width.
	q.packPanels(activeTiles(false), pk.data, pk.stride, rightSide{mat: NewMat(b.Data, b.Rows, (b.Cols+1)/2)}, true)
	p.giveBack(q)
	return pk
}

// PackHalfAcross is PackHalf for a right-hand side b as it lies, which is what a gradient goes back through.
func (p *Pool) PackHalfAcross(b Half) *Packed {
	b.check()
	pk := newHalfPacked(b.Rows, b.Cols)
	q := p.orSerial()
	t := &acrossTask{pk, b}
	q.Run(ceilDiv(pk.N, pk.set.width), t)
	p.giveBack(q)
	return pk
}

func newHalfPacked(k, n int) *Packed {
	pk := &Packed{K: k, N: n, set: activeHalfTiles()}
	pk.stride = panelFloats(pk.set, k)
	pk.data = memory.Floats(pk.stride * ceilDiv(n, pk.set.width))
	return pk
}

// InBF16 is what PackHalf or PackHalfAcross made, for products that round the left-hand side to bfloat16 too and use dot
// products of it, where HasBF16; elsewhere it is p itself. The layout is the same.
func (pk *Packed) InBF16() *Packed {
	set := activeTiles(true)
	if !set.bf16 || !pk.set.half || set.width != pk.set.width {
		return pk
	}
	rounding := *pk
	rounding.set = set
	return &rounding
}

// acrossTask packs the columns of b, a panel an item.
type acrossTask struct {
	pk *Packed
	b  Half
}

// Do packs one panel.
func (t *acrossTask) Do(_, item int) {
	width := t.pk.set.width
	n0, n1 := item*width, min((item+1)*width, t.b.Cols)
	packPairs(width, t.pk.data[item*t.pk.stride:][:t.pk.stride], t.b, 0, t.b.Rows, n0, n1)
}

// packPairs packs one panel of rows k0 to k1 and columns n0 to n1 of b: values of rows k and k+1, of which the first is even,
// share a place. n0 is even. After an odd last row stand zeros, and after the last column too.
func packPairs(width int, panel []float32, b Half, k0, k1, n0, n1 int) {
	places := (b.Cols + 1) / 2
	row := func(k int) []float32 { return b.Data[k*places+n0/2 : k*places+(n1+1)/2] }
	for k := k0; k < k1; k += 2 {
		to, first := panel[(k-k0)/2*width:][:width], row(k)
		var second []float32
		if k+1 < k1 {
			second = row(k + 1)[:len(first)]
		}
		for j, v := range first {
			x, y := math.Float32bits(v), uint32(0)
			if second != nil {
				y = math.Float32bits(second[j])
			}
			to[2*j] = math.Float32frombits(x&0xffff | y<<16)
			if 2*j+1 < len(to) {
				to[2*j+1] = math.Float32frombits(x>>16 | y&0xffff0000)
			}
		}
		clear(to[min(len(to), 2*len(first)):])
	}
}

// check panics unless h's memory holds its shape.
func (h Half) check() {
	if places := (h.Cols + 1) / 2; len(h.Data) < h.Rows*places {
		panic(fmt.Sprintf("kernel: %d places cannot be a %d×%d matrix of bfloat16", len(h.Data), h.Rows, h.Cols))
	}
}

// portableHalfTiles is the set for processors without one of their own.
var portableHalfTiles = tileSet{
	rows: 4, width: 4, half: true,
	tiles: []tileFunc{1: portableHalf(1), 2: portableHalf(2), 3: portableHalf(3), 4: portableHalf(4)},
}

// portableHalf is a tileFunc for tiles of the given height and four columns: it widens a few k at a time and goes on from
// what C holds.
func portableHalf(rows int) tileFunc {
	return func(k, tiles int, a *float32, rs, ks, step uintptr, b *float32, _ uintptr, c *float32, ldc uintptr, load bool, _, _, _ uintptr) {
		const few = 64
		var wide [4 * few]float32
		pairs := halves(unsafe.Slice(b, (k+1)/2*4)) // value (k, j) at k/2·8 + 2·j + k%2
		for k0 := 0; k0 < k; k0 += few {
			n := min(few, k-k0)
			for i := range 4 * n {
				l := k0 + i/4
				wide[i] = math.Float32frombits(uint32(pairs[l/2*8+i%4*2+l%2]) << 16)
			}
			portableTiling(rows, n, tiles, (*float32)(unsafe.Add(unsafe.Pointer(a), uintptr(k0)*ks)), rs, ks, step, &wide[0], c, ldc, load || k0 > 0)
		}
	}
}

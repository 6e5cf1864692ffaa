package kernel

import (
	"fmt"
	"math"
	"unsafe"
)

// Half is a matrix of bfloat16 values, two to a float32's place, the earlier in its lower half. Rows begin at whole places:
// one with an odd number of columns ends with a zero.
type Half struct {
	Data       []float32
	Rows, Cols int
}

// NewHalf makes a matrix of zeros.
func NewHalf(rows, cols int) Half {
	return Half{alignedFloats(rows * ((cols + 1) / 2)), rows, cols}
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

// widenRow is y = x as float32; every bfloat16 is one.
func widenRow(y []float32, x []uint16) {
	for j, v := range x[:len(y)] {
		y[j] = math.Float32frombits(uint32(v) << 16)
	}
}

// PackHalf is Pack for a right-hand side bᵀ that stays in bfloat16: half the memory. Products have the same bits as those of
// the widened values: with bf16 they compute in bfloat16 where HasBF16, else they widen it and compute in float32.
func (p *Pool) PackHalf(b Half, bf16 bool) *Packed {
	b.check()
	pk := newHalfPacked(b.Cols, b.Rows, bf16)
	q := p.orSerial()
	// A pair is packed as one value of a matrix half as wide, in panels of the same width.
	q.packPanels(activeTiles(false), pk.data, pk.stride, rightSide{mat: NewMat(b.Data, b.Rows, (b.Cols+1)/2)}, true)
	p.giveBack(q)
	return pk
}

// PackHalfAcross is PackHalf for a right-hand side b as it lies, which is what a gradient goes back through.
func (p *Pool) PackHalfAcross(b Half, bf16 bool) *Packed {
	b.check()
	pk := newHalfPacked(b.Rows, b.Cols, bf16)
	q := p.orSerial()
	t := &acrossTask{pk, b}
	q.Run(ceilDiv(pk.N, pk.set.width), t)
	p.giveBack(q)
	return pk
}

// newHalfPacked makes panels of pairs of values, which both kinds of products read.
func newHalfPacked(k, n int, bf16 bool) *Packed {
	pk := &Packed{K: k, N: n, set: activeHalfTiles()}
	if bf16 && HasBF16() {
		pk.set = activeTiles(true)
	}
	pk.stride = panelFloats(pk.set, k)
	pk.data = alignedFloats(pk.stride * ceilDiv(n, pk.set.width))
	return pk
}

// acrossTask packs the columns of b, a panel an item.
type acrossTask struct {
	pk *Packed
	b  Half
}

// Do packs one panel: the pair of rows k and k+1 of b lies value by value side by side.
func (t *acrossTask) Do(_, item int) {
	width := t.pk.set.width
	n0, n1 := item*width, min((item+1)*width, t.b.Cols)
	panel := halves(t.pk.data[item*t.pk.stride:][:t.pk.stride])
	for k := range t.b.Rows {
		to := panel[k/2*2*width+k%2:]
		for j, v := range t.b.Row(k)[n0:n1] {
			to[2*j] = v
		}
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
	tiles: [13]tileFunc{1: portableHalf(1), 2: portableHalf(2), 3: portableHalf(3), 4: portableHalf(4)},
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

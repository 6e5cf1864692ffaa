package kernel

import "github.com/parley-lm/parley/internal/memory"

// Packing cuts op(B)[K, N] into panels, each as wide as a register tile: panel j holds columns j·width … of every k, one k
// after the other, and zeros after the last column. In bfloat16 panels, values of two successive k share a place; see gemm_round.go.

// What one item of packing covers: whole rows of B, or pieces of them so long that memory is read ahead. Transposed, rows
// belong to panels, else to k.
const (
	packedRows    = 64
	packedColumns = 4096
)

// roundFloats is the most that Gemm packs at a time: 8 MB, which stay in the last-level cache.
const roundFloats = 1 << 21

// packingRound is how many k and columns Gemm packs and multiplies at a time: columns in rounds that are alike.
func packingRound(set *tileSet, k, n int) (kStep, nStep int) {
	kStep = max(1, min(k, roundFloats/set.width))
	panels := ceilDiv(n, set.width)
	rounds := ceilDiv(panels, max(1, roundFloats/set.width/kStep))
	return kStep, ceilDiv(panels, rounds) * set.width
}

// panelFloats is the distance of panels for k values: whole cache lines, and one more so that the panels, which are
// written side by side, do not meet in the same sets of the cache.
func panelFloats(set *tileSet, k int) int {
	return ceilDiv(set.depth(k)*set.width, 16)*16 + 16
}

// panels is memory for n floats of packed panels, of undefined content, valid until the next call.
func (p *Pool) panels(n int) []float32 {
	if len(p.panelMemory) < n {
		p.panelMemory = memory.Floats(n)
	}
	return p.panelMemory[:n]
}

// rightSide is a B that is to be packed: a matrix, or a part of one in bfloat16, when mat says its shape alone.
type rightSide struct {
	mat      Mat
	half     Half
	row, col int // where the part begins in half; col is even
}

// view is rows i0 to i1 and columns j0 to j1 of op(b).
func (b rightSide) view(trans bool, i0, i1, j0, j1 int) rightSide {
	if b.half.Data == nil {
		b.mat = opView(b.mat, trans, i0, i1, j0, j1)
		return b
	}
	if trans {
		i0, i1, j0, j1 = j0, j1, i0, i1
	}
	b.mat.Rows, b.mat.Cols, b.row, b.col = i1-i0, j1-j0, b.row+i0, b.col+j0
	return b
}

// widened is b in float32, in memory of at least its size if it is not yet.
func (b rightSide) widened(memory []float32) Mat {
	if b.half.Data == nil {
		return b.mat
	}
	m := NewMat(memory, b.mat.Rows, b.mat.Cols)
	for i := range m.Rows {
		widenPlaces(m.Row(i), b.places(i))
	}
	return m
}

// places is row i of a part of a matrix in bfloat16.
func (b rightSide) places(i int) []float32 {
	places := (b.half.Cols + 1) / 2
	return b.half.Data[(b.row+i)*places+b.col/2:][:(b.mat.Cols+1)/2]
}

// packTask is packing divided into items: packPanels panels, packK of their k.
type packTask struct {
	pool   *Pool
	set    *tileSet
	dst    []float32
	stride int
	b      rightSide
	trans  bool
	k, n   int
	kStep  int // of an item, and its panels
	panels int
	kItems int
}

// packPanels packs op(b) into dst, whose panels lie stride floats apart.
func (p *Pool) packPanels(set *tileSet, dst []float32, stride int, b rightSide, trans bool) {
	t := &p.pack
	*t = packTask{pool: p, set: set, dst: dst, stride: stride, b: b, trans: trans, k: b.mat.Rows, n: b.mat.Cols, kStep: packedRows, panels: packedColumns / set.width}
	if trans {
		t.k, t.n, t.kStep, t.panels = t.n, t.k, packedColumns, max(1, packedRows/2/set.width)
	}
	t.kItems = ceilDiv(t.k, t.kStep)
	p.Run(t.kItems*ceilDiv(ceilDiv(t.n, set.width), t.panels), t)
	*t = packTask{}
}

// Do packs one item.
func (t *packTask) Do(worker, item int) {
	k0 := item % t.kItems * t.kStep
	k1 := min(k0+t.kStep, t.k)
	n0 := item / t.kItems * t.panels * t.set.width
	n1 := min(n0+t.panels*t.set.width, t.n)
	dst := t.dst[n0/t.set.width*t.stride+t.set.depth(k0)*t.set.width:]
	part := t.b.view(t.trans, k0, k1, n0, n1)
	packPart(t.set, dst, t.stride, part, t.trans, t.pool.Scratch(worker, packingFloats(t.set, part, t.trans)))
}

// packPart packs the panels of op(b), stride floats apart, with packingFloats of memory.
func packPart(set *tileSet, dst []float32, stride int, b rightSide, trans bool, memory []float32) {
	switch {
	case set.bf16 && b.half.Data != nil:
		packHalf(set.width, dst, stride, b, trans)
	case set.bf16:
		packRounded(set.width, dst, stride, b.mat, trans, memory)
	case trans:
		wide := b.widened(memory)
		for n := 0; n < wide.Rows; n += set.width {
			packTransposed(set.width, dst[n/set.width*stride:], wide.Slice(n, min(n+set.width, wide.Rows)))
		}
	default:
		packRows(set.width, dst, stride, b.widened(memory))
	}
}

// packingFloats is the memory that packPart needs.
func packingFloats(set *tileSet, b rightSide, trans bool) int {
	switch {
	case set.bf16 && b.half.Data == nil && trans:
		return set.width * roundedAtOnce / 2
	case !set.bf16 && b.half.Data != nil:
		return b.mat.Rows * b.mat.Cols
	}
	return 0
}

// packHalf packs panels of values that are in bfloat16 already.
func packHalf(width int, dst []float32, stride int, b rightSide, trans bool) {
	if !trans {
		for n := 0; n < b.mat.Cols; n += width {
			packPairs(width, dst[n/width*stride:], b.half, b.row, b.row+b.mat.Rows, b.col+n, b.col+min(n+width, b.mat.Cols))
		}
		return
	}
	// A pair is one value of a matrix half as wide.
	places := (b.half.Cols + 1) / 2
	pairs := NewMat(b.half.Data, b.half.Rows, places).Slice(b.row, b.row+b.mat.Rows).ColSlice(b.col/2, b.col/2+(b.mat.Cols+1)/2)
	for n := 0; n < pairs.Rows; n += width {
		packTransposed(width, dst[n/width*stride:], pairs.Slice(n, min(n+width, pairs.Rows)))
	}
}

// packRows packs panels, stride floats apart, from b[k, n].
func packRows(width int, dst []float32, stride int, b Mat) {
	whole := b.Cols / width
	if !packRowsFast(width, dst, stride, b, whole) {
		whole = 0
	}
	for n := whole * width; n < b.Cols; n += width {
		panel, columns := dst[n/width*stride:], b.ColSlice(n, min(n+width, b.Cols))
		for k := range b.Rows {
			row := panel[k*width : (k+1)*width]
			clear(row[copy(row, columns.Row(k)):])
		}
	}
}

// packTransposed packs one panel from b[n, k].
func packTransposed(width int, dst []float32, b Mat) {
	turn(Mat{Data: dst, Rows: b.Cols, Cols: b.Rows, Stride: width}, b)
	if b.Rows == width {
		return
	}
	for k := range b.Cols {
		clear(dst[k*width+b.Rows : (k+1)*width])
	}
}

// turn is y[k, n] = x[n, k].
func turn(y, x Mat) {
	n := 0
	for ; n+8 <= x.Rows; n += 8 {
		eight := x.Slice(n, n+8)
		done := packTransposedFast(y.Data[n:], y.Stride, eight)
		for i := range 8 {
			row := eight.Row(i)
			for k := done; k < len(row); k++ {
				y.Data[k*y.Stride+n+i] = row[k]
			}
		}
	}
	for ; n < x.Rows; n++ {
		for k, v := range x.Row(n) {
			y.Data[k*y.Stride+n] = v
		}
	}
}

// packColumns packs the tiles of a transposed a[k, r], stride floats apart: each holds its rows of one k side by side.
func packColumns(set *tileSet, dst []float32, stride int, a Mat) {
	full := set.fullTiles(a.Cols)
	if !packRowsFast(set.rows, dst, stride, a, full) {
		full = 0
	}
	for r := full * set.rows; r < a.Cols; {
		h := set.height(a.Cols - r)
		tile, to := a.ColSlice(r, r+h), dst[ceilDiv(r, set.rows)*stride:][:h*a.Rows]
		if pack := set.columns[h]; pack != nil {
			pack(tile.Rows, &to[0], &tile.Data[0], uintptr(tile.Stride)*4)
		} else {
			for k := range tile.Rows {
				copy(to[k*h:(k+1)*h], tile.Row(k))
			}
		}
		r += h
	}
}

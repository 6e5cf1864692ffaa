package kernel

import (
	"math"
	"unsafe"

	"github.com/parley-lm/parley/internal/memory"
)

// For products in bfloat16 both sides are rounded beforehand, two successive k to a float32's place, the earlier in its lower
// half; after an odd last k stands a zero. What follows sees matrices half as deep.

// roundBF16 is x as a bfloat16, rounded to nearest, ties to even. A NaN stays one.
func roundBF16(x float32) uint16 {
	bits := math.Float32bits(x)
	if bits&0x7fffffff > 0x7f800000 {
		return uint16(bits>>16) | 0x40
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

// halves views float32 memory as bfloat16 values.
func halves(x []float32) []uint16 {
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(x))), 2*len(x))
}

// roundRow rounds the values of x, side by side, into y.
func roundRow(y []uint16, x []float32) {
	y = y[:len(x)]
	for i := roundRowFast(y, x); i < len(x); i++ {
		y[i] = roundBF16(x[i])
	}
}

// roundRowPairs rounds rows of b[k, n] in pairs, each to a row of (places of) y. Columns come in panels of the given width,
// panelStride apart, of which the last is filled up with zeros; within a panel, rows lie rowStride apart.
func roundRowPairs(y []float32, rowStride, panelStride, width int, b Mat) {
	pairs := b.Rows / 2
	done := roundPanelsFast(y, rowStride, panelStride, width, b)
	for i := range (b.Rows + 1) / 2 {
		lower, upper := b.Row(2*i), []float32(nil)
		from := 0
		if i < pairs {
			upper, from = b.Row(2*i+1), done
		}
		for j := from; j < ceilDiv(b.Cols, width)*width; j += width {
			panel := halves(y[j/width*panelStride+i*rowStride:][:width])
			clear(panel)
			for l := range min(width, b.Cols-j) {
				panel[2*l] = roundBF16(lower[j+l])
				if upper != nil {
					panel[2*l+1] = roundBF16(upper[j+l])
				}
			}
		}
	}
}

// roundedAtOnce is how many k of a panel are rounded and then transposed while they are in cache.
const roundedAtOnce = 512

// packRounded packs panels, stride floats apart, with packingFloats of memory.
func packRounded(width int, dst []float32, stride int, b Mat, trans bool, memory []float32) {
	if !trans {
		roundRowPairs(dst, width, stride, width, b)
		return
	}
	places := NewMat(memory, width, roundedAtOnce/2)
	for n := 0; n < b.Rows; n += width {
		rows := b.Slice(n, min(n+width, b.Rows))
		for k := 0; k < b.Cols; k += roundedAtOnce {
			part := rows.ColSlice(k, min(k+roundedAtOnce, b.Cols))
			words := places.Slice(0, part.Rows).ColSlice(0, (part.Cols+1)/2)
			roundRows(words, part)
			packTransposed(width, dst[n/width*stride+k/2*width:], words)
		}
	}
}

// roundRows rounds the rows of x[m, k] into y[m, (k+1)/2].
func roundRows(y, x Mat) {
	for i := range x.Rows {
		row := halves(y.Row(i))
		if x.Cols%2 == 1 {
			row[len(row)-1] = 0
		}
		roundRow(row, x.Row(i))
	}
}

// roundTask is the rounding of A, divided into items of roundedRows rows, or pairs of rows where A is transposed.
type roundTask struct {
	pool  *Pool
	y, x  Mat
	trans bool
	tiles bool // y is in the layout of byTiles, and not transposed
}

const roundedRows = tileRegister

// round returns op(a)[m, k] in bfloat16: as [m, (k+1)/2], or transposed as it was; or, if the set wants it, in tiles, of which
// those of the same rows follow each other, y.Stride from those of the next. It is valid until the next call.
func (p *Pool) round(set *tileSet, a Mat, trans bool) Mat {
	t := &p.rounding
	*t = roundTask{pool: p, x: a, trans: trans, tiles: set.byTiles}
	rows, cols := a.Rows, (a.Cols+1)/2
	switch {
	case trans && set.byTiles:
		rows, cols = a.Cols, (a.Rows+1)/2
	case trans:
		rows, cols = (a.Rows+1)/2, ceilDiv(a.Cols, roundedPanel)*roundedPanel
	}
	items := ceilDiv(rows, roundedRows)
	if trans && set.byTiles {
		items = ceilDiv(cols, roundedRows)
	}
	if set.byTiles {
		rows, cols = ceilDiv(rows, tileRegister), ceilDiv(cols, tileRegister)*tileRegister*tileRegister
	}
	stride := cols + 16
	if alias := stride % 1024; !set.byTiles && (alias < 64 || alias > 960) { // so that rows do not drive each other out of the cache
		stride += 128
	}
	if len(p.roundedMemory) < rows*stride {
		p.roundedMemory = memory.Floats(rows * stride)
	}
	t.y = Mat{Data: p.roundedMemory[:rows*stride], Rows: rows, Cols: cols, Stride: stride}
	if cols > 0 {
		p.Run(items, t)
	}
	y := t.y
	*t = roundTask{}
	if trans && !set.byTiles {
		y.Cols = a.Cols
	}
	return y
}

const roundedPanel = 32

// Do rounds one item.
func (t *roundTask) Do(worker, item int) {
	r0 := item * roundedRows
	switch {
	case t.tiles && t.trans:
		t.turnPairs(worker, item)
	case t.tiles:
		for r := r0; r < min(r0+roundedRows, t.x.Rows); r++ {
			roundToTiles(t.y.Row(item)[r%tileRegister*tileRegister:], t.x.Row(r))
		}
	case t.trans:
		r1 := min(r0+roundedRows, t.y.Rows)
		roundRowPairs(t.y.Data[r0*t.y.Stride:], t.y.Stride, roundedPanel, roundedPanel, t.x.Slice(2*r0, min(2*r1, t.x.Rows)))
	default:
		r1 := min(r0+roundedRows, t.y.Rows)
		roundRows(t.y.Slice(r0, r1), t.x.Slice(r0, r1))
	}
}

// roundToTiles rounds a row into tiles that follow each other.
func roundToTiles(y, x []float32) {
	const tile, columns = tileRegister * tileRegister, 2 * tileRegister
	for at := roundTilesFast(y, x); at < len(x); at += columns {
		part := x[at:min(at+columns, len(x))]
		row := halves(y[at/columns*tile:][:(len(part)+1)/2])
		row[len(row)-1] = 0
		roundRow(row, part)
	}
}

// turnPairs makes one column of tiles from 16 pairs of rows of x.
func (t *roundTask) turnPairs(worker, item int) {
	const few = 512 // columns of x, of which the pairs are in cache when they are turned
	memory := t.pool.Scratch(worker, tileRegister*few)
	rows := t.x.Slice(2*item*tileRegister, min(2*(item+1)*tileRegister, t.x.Rows))
	for j := 0; j < rows.Cols; j += few {
		part := rows.ColSlice(j, min(j+few, rows.Cols))
		roundRowPairs(memory, few, roundedPanel, roundedPanel, part)
		pairs := Mat{Data: memory, Rows: (rows.Rows + 1) / 2, Cols: part.Cols, Stride: few}
		for i := 0; i < part.Cols; i += tileRegister {
			tile := t.y.Row((j + i) / tileRegister)[item*tileRegister*tileRegister:]
			columns := pairs.ColSlice(i, min(i+tileRegister, pairs.Cols))
			turn(Mat{Data: tile, Rows: columns.Cols, Cols: columns.Rows, Stride: tileRegister}, columns)
		}
	}
}

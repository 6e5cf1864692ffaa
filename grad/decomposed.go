package grad

import (
	"math"

	"github.com/parley-lm/parley/internal/kernel"
)

// decomposedUse is one use by a linear layer of a matrix whose update is decomposed (DoRA, Liu et al. 2024): the rows of W + Scale·B·A
// have the lengths that Magnitude says. So every column of the product x·(W + Scale·B·A)ᵀ is multiplied by its magnitude over the
// length of its row. The length counts as a constant when A and B learn, as in the paper's section 4.3. With dropout the update, and what
// the magnitudes change of the product, are of dropout(x), as PEFT has it: y = W·(x − dropout(x)) + factor·(W + Scale·B·A)·dropout(x).
type decomposedUse struct {
	*LowRank
	w      *Param
	factor []float32  // of each column of y; 1 where no part is
	length []float32  // of each row of W + Scale·B·A
	before kernel.Mat // y before it was multiplied, where the pass records
	drop   kernel.Dropout

	task     decomposedTask
	y, dy    kernel.Mat
	dm       []float32 // the sums over the rows of dy·before
	deltas   kernel.Mat
	firstRow int
	scale    float32
}

// decomposedTask says what a decomposedUse does as a task of the pool.
type decomposedTask uint8

const (
	measureRows   decomposedTask = iota // length of rows, of which deltas has Scale·B·A but for Scale
	multiplyRows                        // y by factor
	subtractRows                        // y from dy, into y
	differentiate                       // dy into y and dm, by columns
)

const (
	decomposedRows    = 64 // that a thread takes at a time
	decomposedColumns = 32
)

// decomposes says whether the update has magnitudes.
func (l *LowRank) decomposes() bool { return len(l.Parts) > 0 && l.Parts[0].Magnitude != nil }

// decomposed returns the update that is, if the pass computes with one.
func (p *Param) decomposed(m Mode) *LowRank {
	if m.Plain {
		return nil
	}
	for _, l := range p.updates {
		if l.decomposes() {
			return l
		}
	}
	return nil
}

// addDecomposed leaves in y, where the update's own part is, what a decomposed update l of w makes of x, and what o asks for.
func (t *Tape) addDecomposed(y, x kernel.Mat, w *Param, l *LowRank, update *updateUse, o kernel.GemmOpt) *decomposedUse {
	in, memory := t.dropped(x, update.drop)
	w.multiply(t, y, in, kernel.GemmOpt{Acc: true})
	u := t.decompose(l, w, y)
	if memory == nil {
		nothing := kernel.Mat{Rows: y.Rows} // has no columns: what is left is the epilogue
		t.Pool.Gemm(y, nothing, false, kernel.Mat{Rows: y.Cols}, true, o)
		return u
	}
	u.drop = update.drop
	u.subtract(t, in, x)
	w.multiply(t, y, in, o)
	t.free.put(memory)
	return u
}

// subtract is y = from − y, row by row.
func (u *decomposedUse) subtract(t *Tape, y, from kernel.Mat) {
	u.task, u.y, u.dy = subtractRows, y, from
	t.Pool.Run((y.Rows+decomposedRows-1)/decomposedRows, u)
}

// past is what goes back to x through W past any dropout: dy or, without dropout, d, which is dy by the product that is multiplied.
func (u *decomposedUse) past(dy, d kernel.Mat) kernel.Mat {
	if u.drop.Rate == 0 {
		return d
	}
	return dy
}

// through adds to dx what goes back to x through W and dropout, d − dy; d is changed.
func (u *decomposedUse) through(t *Tape, dx, dy, d kernel.Mat) {
	if u.drop.Rate == 0 || dx.Data == nil {
		return
	}
	u.subtract(t, d, dy)
	memory := t.free.get(dx.Rows * dx.Cols)
	less := kernel.NewMat(memory, dx.Rows, dx.Cols)
	u.w.multiplyAcross(t, less, d, kernel.GemmOpt{})
	t.Pool.Dropout(less, less, u.drop)
	u.subtract(t, less, dx)
	t.Pool.Copy(dx, less)
	t.free.put(memory)
}

// decompose multiplies the columns of y = x·(W + update)ᵀ.
func (t *Tape) decompose(l *LowRank, w *Param, y kernel.Mat) *decomposedUse {
	u := t.decompositions.next()
	*u = decomposedUse{LowRank: l, w: w, factor: l.settled}
	if u.factor == nil || t.mode.Record {
		lines := t.scratch(2, y.Cols)
		u.factor, u.length = lines.Row(0), lines.Row(1)
		u.measure(t)
	}
	if t.mode.Record {
		u.before = t.scratch(y.Rows, y.Cols)
		t.Pool.Copy(u.before, y)
	}
	u.task, u.y = multiplyRows, y
	t.Pool.Run((y.Rows+decomposedRows-1)/decomposedRows, u)
	return u
}

// measure computes length and factor.
func (u *decomposedUse) measure(t *Tape) {
	for i := range u.factor {
		u.factor[i], u.length[i] = 1, 1
	}
	memory := t.free.get(decomposedRows * 4 * u.A.Value.Cols)
	rank := 0
	for _, part := range u.Parts {
		b, m := part.B.Value, part.Magnitude.Value.Data
		a := u.A.Value.Slice(rank, rank+b.Cols)
		rank += b.Cols
		for from := 0; from < b.Rows; from += 4 * decomposedRows {
			rows := b.Slice(from, min(from+4*decomposedRows, b.Rows))
			u.deltas = kernel.NewMat(memory[:rows.Rows*a.Cols], rows.Rows, a.Cols)
			t.Pool.Gemm(u.deltas, rows, false, a, false, kernel.GemmOpt{})
			u.task, u.firstRow, u.scale = measureRows, part.Row+from, part.Scale
			t.Pool.Run(rows.Rows, u)
		}
		for i := range b.Rows {
			if n := u.length[part.Row+i]; n > 0 {
				u.factor[part.Row+i] = m[i] / n
			}
		}
	}
	t.free.put(memory)
}

// Do is a part of the task in progress.
func (u *decomposedUse) Do(_, item int) {
	switch u.task {
	case measureRows:
		u.length[u.firstRow+item] = u.w.rowLength(u.firstRow+item, u.deltas.Row(item), u.scale)
	case multiplyRows:
		for i := item * decomposedRows; i < min((item+1)*decomposedRows, u.y.Rows); i++ {
			row := u.y.Row(i)
			for j, f := range u.factor[:len(row)] {
				row[j] *= f
			}
		}
	case subtractRows:
		for i := item * decomposedRows; i < min((item+1)*decomposedRows, u.y.Rows); i++ {
			row := u.y.Row(i)
			for j, x := range u.dy.Row(i) {
				row[j] = x - row[j]
			}
		}
	case differentiate:
		u.differentiate(item*decomposedColumns, min((item+1)*decomposedColumns, u.y.Cols))
	}
}

// rowLength returns the length of a row of W plus scale times delta, which may be nil.
func (p *Param) rowLength(i int, delta []float32, scale float32) float32 {
	sum := 0.0
	add := func(j int, w float32) {
		if delta != nil {
			w += scale * delta[j]
		}
		sum += float64(w) * float64(w)
	}
	if p.Value.Data != nil {
		for j, w := range p.Value.Row(i) {
			add(j, w)
		}
	} else {
		for j, h := range p.rows.Row(i) {
			add(j, math.Float32frombits(uint32(h)<<16))
		}
	}
	return float32(math.Sqrt(sum))
}

// RowLengths writes the lengths of rows, from the given one on. The value must be one that ReadsRows.
func (p *Param) RowLengths(to []float32, from int) {
	for i := range to {
		to[i] = p.rowLength(from+i, nil, 0)
	}
}

// ReadRow writes a row's values. The value must be one that ReadsRows.
func (p *Param) ReadRow(to []float32, i int) {
	if p.Value.Data != nil {
		copy(to, p.Value.Row(i))
		return
	}
	for j, h := range p.rows.Row(i) {
		to[j] = math.Float32frombits(uint32(h) << 16)
	}
}

// ReadsRows says whether the value can be read row by row: it is not held in bfloat16 for use only.
func (p *Param) ReadsRows() bool { return p.Value.Data != nil || p.rows.Data != nil }

// backward returns dy by the product, in memory that goes back to the free list, and adds to the gradients of the magnitudes, where they
// are trained.
func (u *decomposedUse) backward(t *Tape, dy kernel.Mat) (d kernel.Mat, memory []float32) {
	memory = t.free.get(dy.Rows * dy.Cols)
	sums := t.free.get(dy.Cols)
	u.task, u.dy, u.y, u.dm = differentiate, dy, kernel.NewMat(memory, dy.Rows, dy.Cols), sums
	t.Pool.Run((dy.Cols+decomposedColumns-1)/decomposedColumns, u)
	for _, part := range u.Parts {
		for i := range part.Magnitude.Grad.Data {
			if n := u.length[part.Row+i]; n > 0 {
				part.Magnitude.Grad.Data[i] += sums[part.Row+i] / n
			}
		}
	}
	t.free.put(sums)
	return u.y, memory
}

// differentiate does so for columns [from, to).
func (u *decomposedUse) differentiate(from, to int) {
	var sums [decomposedColumns]float64
	for i := range u.dy.Rows {
		dy, before, d := u.dy.Row(i)[from:to], u.before.Row(i)[from:to], u.y.Row(i)[from:to]
		for j, g := range dy {
			sums[j] += float64(g) * float64(before[j])
			d[j] = g * u.factor[from+j]
		}
	}
	for j := range to - from {
		u.dm[from+j] = float32(sums[j])
	}
}

// Settle computes once what the update of a matrix takes long to find out, for passes that do not record, as long as nothing of it
// changes; Unsettle drops that. Only a decomposed update has such.
func (l *LowRank) Settle(pool *kernel.Pool, w *Param) {
	if !l.decomposes() {
		return
	}
	l.settled = nil
	lines := make([]float32, 2*w.Value.Rows)
	u := decomposedUse{LowRank: l, w: w, factor: lines[:w.Value.Rows:w.Value.Rows], length: lines[w.Value.Rows:]}
	u.measure(&Tape{Pool: pool})
	l.settled = u.factor
}

// Unsettle drops what Settle found out.
func (l *LowRank) Unsettle() { l.settled = nil }

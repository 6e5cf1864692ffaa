package grad

import (
	"fmt"

	"github.com/parley-lm/parley/internal/kernel"
)

// LowRank is added to what linear layers compute with a matrix W (LoRA, Hu et al. 2021): for every part, the columns of
// x·Wᵀ that it stands for become x·Wᵀ + Scale·dropout(x)·Aᵀ·Bᵀ. Parts are those of a stacked matrix, the projections to
// queries and values for instance; their A lie one under the other, so that one product serves all.
type LowRank struct {
	A       *Param // [Σ ranks, in]
	Parts   []LowRankPart
	Dropout float32 // of x

	settled []float32 // of a decomposed update: what columns are multiplied by, as long as nothing changes
}

// LowRankPart is the update of some rows of W.
type LowRankPart struct {
	B     *Param  // [out, rank]
	Row   int     // the first row of W that it is added to; parts are in this order, and do not overlap
	Scale float32 // alpha/rank, or what else multiplies the update

	// Magnitude, [1, out], is the length that each row of W + Scale·B·A gets (DoRA, Liu et al. 2024); nil: that which it has. Either all
	// parts have one or none, and such an update is the only one of its matrix, which is frozen.
	Magnitude *Param
}

// Attach adds an update to those that the matrix has. Linear layers that use the matrix compute with it from now on.
func (p *Param) Attach(l *LowRank) {
	rank, row := 0, 0
	for _, part := range l.Parts {
		b := part.B.Value
		rank += b.Cols
		if part.Row < row || part.Row+b.Rows > p.Value.Rows {
			panic(fmt.Sprintf("grad: an update of rows %d to %d of a matrix of %d, after one up to %d", part.Row, part.Row+b.Rows, p.Value.Rows, row))
		}
		row = part.Row + b.Rows
	}
	if a := l.A.Value; a.Cols != p.Value.Cols || a.Rows != rank {
		panic(fmt.Sprintf("grad: A of an update is [%d, %d], for %d columns and ranks of %d", a.Rows, a.Cols, p.Value.Cols, rank))
	}
	if l.decomposes() && (p.Grad.Data != nil || len(p.updates) > 0 || !p.ReadsRows()) || len(p.updates) > 0 && p.updates[0].decomposes() {
		panic("grad: a decomposed update of a matrix that is trained itself, has another one, or is held for use only")
	}
	p.updates = append(p.updates, l)
}

// Detach takes back what Attach did.
func (p *Param) Detach(l *LowRank) {
	for i, u := range p.updates {
		if u == l {
			p.updates = append(p.updates[:i:i], p.updates[i+1:]...)
			return
		}
	}
}

// updateUse is one use of a LowRank by a linear layer.
type updateUse struct {
	*LowRank
	h    kernel.Mat // Scale·dropout(x)·Aᵀ, [N, Σ ranks]
	drop kernel.Dropout
	next *updateUse // of the same layer
}

// addUpdates leaves in y what the updates of w add to x·Wᵀ, and returns their uses.
func (t *Tape) addUpdates(y, x kernel.Mat, w *Param) (first *updateUse) {
	for i, l := range w.updates {
		u := t.updates.next()
		*u = updateUse{LowRank: l, h: t.scratch(x.Rows, l.A.Value.Rows), drop: t.mask(l.Dropout), next: first}
		first = u
		in, memory := t.dropped(x, u.drop)
		t.Pool.Gemm(u.h, in, false, l.A.Value, true, kernel.GemmOpt{})
		t.free.put(memory)
		l.scale(u.h)
		l.add(t.Pool, y, u.h, i > 0)
	}
	return first
}

// dropped is x after dropout, in memory that goes back to the free list; x itself if there is none.
func (t *Tape) dropped(x kernel.Mat, d kernel.Dropout) (kernel.Mat, []float32) {
	if d.Rate == 0 {
		return x, nil
	}
	memory := t.free.get(x.Rows * x.Cols)
	m := kernel.NewMat(memory, x.Rows, x.Cols)
	t.Pool.Dropout(m, x, d)
	return m, memory
}

// scale multiplies the columns of h [N, Σ ranks] by the scales of their parts.
func (l *LowRank) scale(h kernel.Mat) {
	for i := range h.Rows {
		row := h.Row(i)
		for _, part := range l.Parts {
			for j := range part.B.Value.Cols {
				row[j] *= part.Scale
			}
			row = row[part.B.Value.Cols:]
		}
	}
}

// add is y += h·Bᵀ for the columns of every part or, if accumulate is not set, y = h·Bᵀ with zeros for those of none.
func (l *LowRank) add(pool *kernel.Pool, y, h kernel.Mat, accumulate bool) {
	done, from := 0, 0
	for _, part := range l.Parts {
		b := part.B.Value
		if !accumulate && part.Row > done {
			pool.Fill(y.ColSlice(done, part.Row), 0)
		}
		done = part.Row + b.Rows
		pool.Gemm(y.ColSlice(part.Row, done), h.ColSlice(from, from+b.Cols), false, b, true, kernel.GemmOpt{Acc: accumulate})
		from += b.Cols
	}
	if !accumulate && done < y.Cols {
		pool.Fill(y.ColSlice(done, y.Cols), 0)
	}
}

// backward adds to the gradients of A and B, where they are trained, and to dx, if its Data is not nil.
func (u *updateUse) backward(t *Tape, dx, dy, x kernel.Mat) {
	trained := u.A.Grad.Data != nil
	memory := t.free.get(u.h.Rows * u.h.Cols)
	dh := kernel.NewMat(memory, u.h.Rows, u.h.Cols)
	from := 0
	for _, part := range u.Parts {
		b := part.B.Value
		d, end := dy.ColSlice(part.Row, part.Row+b.Rows), from+b.Cols
		t.Pool.Gemm(dh.ColSlice(from, end), d, false, b, false, kernel.GemmOpt{})
		if trained {
			t.Pool.Gemm(part.B.Grad, d, true, u.h.ColSlice(from, end), false, kernel.GemmOpt{Acc: part.B.addTo()})
		}
		from = end
	}
	u.scale(dh)
	if trained {
		in, dropped := t.dropped(x, u.drop)
		t.Pool.Gemm(u.A.Grad, dh, true, in, false, kernel.GemmOpt{Acc: u.A.addTo()})
		t.free.put(dropped)
	}
	switch {
	case dx.Data == nil:
	case u.drop.Rate == 0:
		t.Pool.Gemm(dx, dh, false, u.A.Value, false, kernel.GemmOpt{Acc: true})
	default:
		through := t.free.get(dx.Rows * dx.Cols)
		d := kernel.NewMat(through, dx.Rows, dx.Cols)
		t.Pool.Gemm(d, dh, false, u.A.Value, false, kernel.GemmOpt{})
		t.Pool.Dropout(d, d, u.drop)
		t.Pool.AddTo(dx, d)
		t.free.put(through)
	}
	t.free.put(memory)
}

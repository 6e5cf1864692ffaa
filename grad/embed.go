package grad

import "github.com/parley-lm/parley/internal/kernel"

// embedOp is y[i] = dropout(scale·table[ids[i]] + positions[at[i]]).
type embedOp struct {
	y       *node
	table   *Param
	learned *Param // positions that are trained, or nil
	ids, at []int32
	scale   float32
	drop    kernel.Dropout
	skip    int32
}

// Embedding describes a lookup: every row of the result is dropout(Scale·Table[id] + Positions[at]).
type Embedding struct {
	Table     *Param     // [V, D]
	Scale     float32    // usually 1 or √D
	Positions kernel.Mat // [context length, D], fixed; Data nil: none
	Learned   *Param     // [context length, D], trained, instead of Positions; or nil
	Rate      float32    // of dropout
	Skip      int32      // the id whose row receives no gradient, or −1
}

// Embed looks up ids, each at its position; it returns [len(ids), D]. ids and at must live until Backward.
func (t *Tape) Embed(e Embedding, ids, at []int32) Var {
	y := t.alloc(len(ids), e.Table.Value.Cols)
	op := t.embeds.next()
	*op = embedOp{y: y.n, table: e.Table, learned: e.Learned, ids: ids, at: at, scale: e.Scale, drop: t.mask(e.Rate), skip: e.Skip}
	positions := e.Positions
	if e.Learned != nil {
		positions = e.Learned.Value
	}
	y.n.fixed = e.Table.Grad.Data == nil && (e.Learned == nil || e.Learned.Grad.Data == nil)
	if e.Table.Value.Data == nil {
		t.Pool.GatherHalf(y.n.value, e.Table.rows, ids, e.Scale, positions, at, op.drop)
	} else {
		t.Pool.Gather(y.n.value, e.Table.Value, ids, e.Scale, positions, at, op.drop)
	}
	t.push(op)
	return y
}

func (op *embedOp) result() *node { return op.y }

func (op *embedOp) backward(t *Tape) {
	if op.table.Grad.Data != nil {
		t.Pool.ScatterAdd(op.table.Grad, op.y.grad, op.ids, op.scale, op.drop, op.skip)
	}
	if op.learned != nil && op.learned.Grad.Data != nil {
		t.Pool.ScatterAdd(op.learned.Grad, op.y.grad, op.at, 1, op.drop, -1)
	}
}

// selectOp is y[i] = x[rows[i]].
type selectOp struct {
	x, y *node
	rows []int32
}

// Select returns the given rows of x, [len(rows), D]. rows must live until Backward.
func (t *Tape) Select(x Var, rows []int32) Var {
	y := t.alloc(len(rows), x.Cols())
	op := t.selects.next()
	*op = selectOp{x.n, y.n, rows}
	t.Pool.Gather(y.n.value, x.n.value, rows, 1, kernel.Mat{}, nil, kernel.Dropout{})
	t.push(op)
	return y
}

func (op *selectOp) result() *node { return op.y }

func (op *selectOp) backward(t *Tape) {
	dx, acc := t.into(op.x)
	if !acc {
		t.Pool.Fill(dx, 0)
	}
	t.Pool.ScatterAdd(dx, op.y.grad, op.rows, 1, kernel.Dropout{}, -1)
}

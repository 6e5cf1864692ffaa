package grad

import "github.com/parley-lm/parley/internal/kernel"

// embedOp is y[i] = dropout(scale·table[ids[i]] + positions[at[i]]).
type embedOp struct {
	y     *node
	table *Param
	ids   []int32
	scale float32
	drop  kernel.Dropout
	skip  int32
}

// Embedding describes a lookup: every row of the result is dropout(Scale·Table[id] + Positions[at]).
type Embedding struct {
	Table     *Param     // [V, D]
	Scale     float32    // usually 1 or √D
	Positions kernel.Mat // [context length, D], fixed; Data nil: none
	Rate      float32    // of dropout
	Skip      int32      // the id whose row receives no gradient, or −1
}

// Embed looks up ids, each at its position; it returns [len(ids), D]. ids and at must live until Backward.
func (t *Tape) Embed(e Embedding, ids, at []int32) Var {
	y := t.alloc(len(ids), e.Table.Value.Cols)
	op := t.embeds.next()
	*op = embedOp{y: y.n, table: e.Table, ids: ids, scale: e.Scale, drop: t.mask(e.Rate), skip: e.Skip}
	t.Pool.Gather(y.n.value, e.Table.Value, ids, e.Scale, e.Positions, at, op.drop)
	t.push(op)
	return y
}

func (op *embedOp) result() *node { return op.y }

func (op *embedOp) backward(t *Tape) {
	if op.table.Grad.Data != nil {
		t.Pool.ScatterAdd(op.table.Grad, op.y.grad, op.ids, op.scale, op.drop, op.skip)
	}
}

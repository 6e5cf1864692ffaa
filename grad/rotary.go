package grad

import "github.com/parley-lm/parley/internal/kernel"

// rotaryOp turns heads by the angles of their positions. x and y are the same numbers.
type rotaryOp struct {
	x, y    *node
	columns int // that are turned, from the first
	table   kernel.Mat
	at      []int32
}

// Rotary turns the first columns of x [N, …], heads as wide as the table, by the angles of their rows' positions (Su et al.
// 2021): queries and keys, not the values that stand behind them. table [positions, HeadDim] holds cosines and sines, at
// [N] the positions; both must live until Backward. The numbers are changed where they lie: x may not be used any more,
// and no operation before may need its result for its derivative (a linear layer without activation does not).
func (t *Tape) Rotary(x Var, columns int, table kernel.Mat, at []int32) Var {
	y := t.nodes.next()
	*y = node{value: x.n.value}
	op := t.rotaries.next()
	*op = rotaryOp{x: x.n, y: y, columns: columns, table: table, at: at}
	t.Pool.Rotary(y.value.ColSlice(0, columns), table, at, table.Cols, false)
	t.push(op)
	return Var{y}
}

func (op *rotaryOp) result() *node { return op.y }

func (op *rotaryOp) backward(t *Tape) {
	t.Pool.Rotary(op.y.grad.ColSlice(0, op.columns), op.table, op.at, op.table.Cols, true)
	t.pass(op.y, op.x)
}

package kernel

import "fmt"

// Rotary turns the heads of x in place by the angles of their positions (Su et al. 2021, RoPE). x is [N, heads·headDim];
// row i is at position at[i]. Element j of a head, in its first half, and element j+headDim/2 are the two coordinates of
// what is turned, as `transformers` pairs them. table [positions, headDim] holds the angles' cosines and then their sines.
// With back the turn is the opposite one, which is the derivative.
func (p *Pool) Rotary(x, table Mat, at []int32, headDim int, back bool) {
	x.check("Rotary: x")
	table.check("Rotary: table")
	if headDim < 2 || headDim%2 != 0 || x.Cols%headDim != 0 || table.Cols != headDim || len(at) != x.Rows {
		panic(fmt.Sprintf("kernel: Rotary: %d×%d in heads of %d, %d positions, a table of %d columns", x.Rows, x.Cols, headDim, len(at), table.Cols))
	}
	q := p.orSerial()
	t := &q.records.rows
	t.x, t.table, t.positions, t.acc = x, table, at, back
	q.runRows(t, x.Rows, x.Cols, rotaryRows)
	t.reset()
	p.giveBack(q)
}

func rotaryRows(t *rowTasks, r0, r1 int) {
	sign := float32(1)
	if t.acc {
		sign = -1
	}
	for i := r0; i < r1; i++ {
		angles := t.table.Row(int(t.positions[i]))
		half := len(angles) / 2
		rotaryRow(t.x.Row(i), angles[:half], angles[half:], sign)
	}
}

// rotaryRowPortable turns the heads of a row by the angles of the given cosines and sines, which sign multiplies. The products
// are rounded one by one, so that every processor has the same bits.
func rotaryRowPortable[T float](x, cos, sin []T, sign T) {
	half := len(cos)
	for ; len(x) > 0; x = x[2*half:] {
		a, b := x[:half], x[half:][:half]
		for j := range a {
			c, s := cos[j], sign*sin[j]
			a[j], b[j] = T(a[j]*c)-T(b[j]*s), T(b[j]*c)+T(a[j]*s)
		}
	}
}

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
	for i := r0; i < r1; i++ {
		angles := t.table.Row(int(t.positions[i]))
		for x := t.x.Row(i); len(x) > 0; x = x[len(angles):] {
			rotaryHead(x[:len(angles)], angles, t.acc)
		}
	}
}

// rotaryHead turns one head. The products are rounded one by one, so that every processor has the same bits.
func rotaryHead(x, angles []float32, back bool) {
	half := len(x) / 2
	a, b := x[:half], x[half:][:half]
	cos, sin := angles[:half], angles[half:][:half]
	for j := range a {
		c, s := cos[j], sin[j]
		if back {
			s = -s
		}
		a[j], b[j] = float32(a[j]*c)-float32(b[j]*s), float32(b[j]*c)+float32(a[j]*s)
	}
}

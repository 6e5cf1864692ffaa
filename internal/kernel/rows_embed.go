package kernel

import "fmt"

// Gather is y[i] = dropout(table[ids[i]]·scale + pos[positions[i]]), the lookup of embeddings. With pos.Data nil no
// position is added. An id or position outside its table panics.
func (p *Pool) Gather(y, table Mat, ids []int32, scale float32, pos Mat, positions []int32, d Dropout) {
	table.check("Gather: table")
	p.gather(y, table, Half{}, ids, scale, pos, positions, d)
}

// GatherHalf is Gather from a table in bfloat16: the same bits as from its widened values.
func (p *Pool) GatherHalf(y Mat, table Half, ids []int32, scale float32, pos Mat, positions []int32, d Dropout) {
	p.gather(y, Mat{Rows: table.Rows, Cols: table.Cols}, table, ids, scale, pos, positions, d)
}

func (p *Pool) gather(y, table Mat, half Half, ids []int32, scale float32, pos Mat, positions []int32, d Dropout) {
	y.check("Gather: y")
	checkIndex("Gather", "ids", ids, y, table)
	if pos.Data != nil {
		pos.check("Gather: positions")
		checkIndex("Gather", "positions", positions, y, pos)
	}
	q := p.orSerial()
	t := &q.records.rows
	t.y, t.table, t.half, t.ids, t.scale, t.pos, t.positions = y, table, half, ids, scale, pos, positions
	t.drop = d.prepare(y.Cols)
	q.runRows(t, y.Rows, y.Cols, gatherRows)
	t.reset()
	p.giveBack(q)
}

// checkIndex panics unless index holds a row number of table for each row of y, and the widths agree.
func checkIndex(op, name string, index []int32, y, table Mat) {
	if len(index) != y.Rows || table.Cols != y.Cols {
		panic(fmt.Sprintf("kernel: %s: %d %s of rows of %d values for %d×%d", op, len(index), name, table.Cols, y.Rows, y.Cols))
	}
}

func gatherRows(t *rowTasks, r0, r1 int) {
	for i := r0; i < r1; i++ {
		y := t.y.Row(i)
		x := y
		if t.half.Data != nil {
			widenRow(y, t.half.Row(int(t.ids[i])))
		} else {
			x = t.table.Row(int(t.ids[i]))
		}
		if t.pos.Data != nil {
			scaleAddRow(y, x, t.scale, t.pos.Row(int(t.positions[i])))
		} else {
			scaleRow(y, x, t.scale)
		}
		if t.drop.active() {
			t.drop.apply(y, y, i, 0)
		}
	}
}

// ScatterAdd is the derivative of [Pool.Gather] with respect to the table: dtable[ids[i]] += scale·dropout(dy[i]), in the
// order of the rows. Rows whose id is skip are left out; -1 leaves out none. Threads share the work by columns.
func (p *Pool) ScatterAdd(dtable, dy Mat, ids []int32, scale float32, d Dropout, skip int32) {
	dy.check("ScatterAdd: dy")
	dtable.check("ScatterAdd: dtable")
	checkIndex("ScatterAdd", "ids", ids, dy, dtable)
	q := p.orSerial()
	t := &q.records.rows
	t.table, t.dy, t.ids, t.scale, t.skip = dtable, dy, ids, scale, skip
	t.drop = d.prepare(dy.Cols)
	// Any split by columns gives the same bits; dropout wants multiples of its blocks.
	step := roundUp32((dy.Cols + q.Threads() - 1) / q.Threads())
	q.runBlocks(t, dy.Cols, max(step, philoxBlock), scatterAddColumns)
	t.reset()
	p.giveBack(q)
}

func scatterAddColumns(t *rowTasks, c0, c1 int) {
	var dropped [512]float32
	for i, id := range t.ids {
		if id == t.skip {
			continue
		}
		to, from := t.table.Row(int(id))[c0:c1], t.dy.Row(i)[c0:c1]
		if !t.drop.active() {
			axpyRow(to, from, t.scale)
			continue
		}
		for c := 0; c < len(from); c += len(dropped) {
			part := from[c:min(c+len(dropped), len(from))]
			t.drop.apply(dropped[:len(part)], part, i, c0+c)
			axpyRow(to[c:c+len(part)], dropped[:len(part)], t.scale)
		}
	}
}

package kernel

// Activate is y = act(x). y may alias x.
func (p *Pool) Activate(y, x Mat, act Activation) {
	y.check("Activate: y")
	sameShape("Activate", "x", y, x)
	q := p.orSerial()
	t := &q.records.rows
	t.y, t.x, t.act = y, x, act
	flatten(&t.y, &t.x)
	q.runRows(t, t.y.Rows, t.y.Cols, activateRows)
	t.reset()
	p.giveBack(q)
}

func activateRows(t *rowTasks, r0, r1 int) {
	for i := r0; i < r1; i++ {
		activateRow(elements(&t.y, i), elements(&t.x, i), t.act)
	}
}

// ActivateBackward is dx = dy·act'(x), or dx += if accDx, where x holds the values before the activation (for ReLU, its
// output serves as well). dx may alias dy unless accDx.
func (p *Pool) ActivateBackward(dx, dy, x Mat, act Activation, accDx bool) {
	dx.check("ActivateBackward: dx")
	sameShape("ActivateBackward", "dy", dx, dy)
	sameShape("ActivateBackward", "x", dx, x)
	q := p.orSerial()
	t := &q.records.rows
	t.dx, t.dy, t.x, t.act, t.acc = dx, dy, x, act, accDx
	flatten(&t.dx, &t.dy, &t.x)
	q.runRows(t, t.dx.Rows, t.dx.Cols, activateBackwardRows)
	t.reset()
	p.giveBack(q)
}

func activateBackwardRows(t *rowTasks, r0, r1 int) {
	for i := r0; i < r1; i++ {
		activateBackwardRow(elements(&t.dx, i), elements(&t.dy, i), elements(&t.x, i), t.act, t.acc)
	}
}

// Gated is y = act(gate)·up, the gated linear unit of Shazeer (2020): SwiGLU with SiLU. y may alias gate or up.
func (p *Pool) Gated(y, gate, up Mat, act Activation) {
	y.check("Gated: y")
	sameShape("Gated", "gate", y, gate)
	sameShape("Gated", "up", y, up)
	q := p.orSerial()
	t := &q.records.rows
	t.y, t.a, t.b, t.act = y, gate, up, act
	flatten(&t.y, &t.a, &t.b)
	q.runRows(t, t.y.Rows, t.y.Cols, gatedRows)
	t.reset()
	p.giveBack(q)
}

func gatedRows(t *rowTasks, r0, r1 int) {
	for i := r0; i < r1; i++ {
		gatedRow(elements(&t.y, i), elements(&t.a, i), elements(&t.b, i), t.act)
	}
}

// GatedBackward is the derivative of [Pool.Gated]: dgate = dy·up·act'(gate), dup = dy·act(gate), both overwritten. Each
// of dgate and dup may alias one of dy, gate and up.
func (p *Pool) GatedBackward(dgate, dup, dy, gate, up Mat, act Activation) {
	dgate.check("GatedBackward: dgate")
	sameShape("GatedBackward", "dup", dgate, dup)
	sameShape("GatedBackward", "dy", dgate, dy)
	sameShape("GatedBackward", "gate", dgate, gate)
	sameShape("GatedBackward", "up", dgate, up)
	q := p.orSerial()
	t := &q.records.rows
	t.dx, t.y, t.dy, t.a, t.b, t.act = dgate, dup, dy, gate, up, act
	flatten(&t.dx, &t.y, &t.dy, &t.a, &t.b)
	q.runRows(t, t.dx.Rows, t.dx.Cols, gatedBackwardRows)
	t.reset()
	p.giveBack(q)
}

func gatedBackwardRows(t *rowTasks, r0, r1 int) {
	for i := r0; i < r1; i++ {
		gatedBackwardRow(elements(&t.dx, i), elements(&t.y, i), elements(&t.dy, i), elements(&t.a, i), elements(&t.b, i), t.act)
	}
}

// epilogueRow finishes columns [col, col+len(c)) of a row of a matrix product in place: c = residual +
// dropout(act(c + bias)), and pre, if not nil, receives c + bias. bias, pre and residual are cut like c and may be nil;
// drop, prepared for the whole row's width, may be nil. It is what [Epilogue] promises, for one row.
func epilogueRow(c, bias, pre, residual []float32, act Activation, drop *dropper, row, col int) {
	if bias != nil && pre != nil && act != None {
		biasedRow(c, pre, bias, act)
	} else {
		if bias != nil {
			addRow(c, c, bias)
		}
		if pre != nil {
			copy(pre, c)
		}
		if act != None {
			activateRow(c, c, act)
		}
	}
	if drop != nil {
		drop.apply(c, c, row, col)
	}
	if residual != nil {
		addRow(c, c, residual)
	}
}

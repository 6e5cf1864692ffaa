package kernel

// LayerNorm is y = (x - mean)·rstd·gamma + beta for each row, with rstd = 1/√(variance + eps) of that row (Ba et al.
// 2016). gamma [Cols]; beta [Cols] or nil; mean and rstd [Rows] receive what the backward pass needs and may be nil.
// y may alias x.
func (p *Pool) LayerNorm(y, x Mat, gamma, beta, mean, rstd []float32, eps float32) {
	y.check("LayerNorm: y")
	sameShape("LayerNorm", "x", y, x)
	sameLength("LayerNorm", "gamma", gamma, x.Cols, false)
	sameLength("LayerNorm", "beta", beta, x.Cols, true)
	sameLength("LayerNorm", "mean", mean, x.Rows, true)
	sameLength("LayerNorm", "rstd", rstd, x.Rows, true)
	q := p.orSerial()
	t := &q.records.rows
	t.y, t.x, t.gamma, t.beta, t.mean, t.rstd, t.eps = y, x, gamma, beta, mean, rstd, eps
	q.runRows(t, y.Rows, y.Cols, layerNormRows)
	t.reset()
	p.giveBack(q)
}

func layerNormRows(t *rowTasks, r0, r1 int) {
	for i := r0; i < r1; i++ {
		mean, rstd := layerNormRow(t.y.Row(i), t.x.Row(i), t.gamma, t.beta, t.eps)
		if t.mean != nil {
			t.mean[i] = mean
		}
		if t.rstd != nil {
			t.rstd[i] = rstd
		}
	}
}

// LayerNormBackward is the derivative of [Pool.LayerNorm] with respect to x (dx overwritten, or added to if accDx) and
// to gamma and beta (added to; nil if not wanted). mean and rstd [Rows] are those of the forward pass. dx may alias dy
// unless accDx.
func (p *Pool) LayerNormBackward(dx Mat, dgamma, dbeta []float32, dy, x Mat, gamma, mean, rstd []float32, accDx bool) {
	sameLength("LayerNormBackward", "mean", mean, x.Rows, false)
	sameLength("LayerNormBackward", "dbeta", dbeta, x.Cols, true)
	p.normBackward("LayerNormBackward", dx, dgamma, dbeta, dy, x, gamma, mean, rstd, accDx, layerNormBackwardRows)
}

func layerNormBackwardRows(t *rowTasks, r0, r1 int) {
	t.inCache(r0, r1, func(t *rowTasks, r0, r1 int) {
		for i := r0; i < r1; i++ {
			layerNormBackwardRow(t.dx.Row(i), t.dy.Row(i), t.x.Row(i), t.gamma, t.mean[i], t.rstd[i], t.acc)
		}
	})
}

// RMSNorm is y = x·rstd·gamma for each row, with rstd = 1/√(mean of squares + eps) (Zhang and Sennrich 2019). gamma
// [Cols]; rstd [Rows] receives what the backward pass needs and may be nil. y may alias x.
func (p *Pool) RMSNorm(y, x Mat, gamma, rstd []float32, eps float32) {
	y.check("RMSNorm: y")
	sameShape("RMSNorm", "x", y, x)
	sameLength("RMSNorm", "gamma", gamma, x.Cols, false)
	sameLength("RMSNorm", "rstd", rstd, x.Rows, true)
	q := p.orSerial()
	t := &q.records.rows
	t.y, t.x, t.gamma, t.rstd, t.eps = y, x, gamma, rstd, eps
	q.runRows(t, y.Rows, y.Cols, rmsNormRows)
	t.reset()
	p.giveBack(q)
}

func rmsNormRows(t *rowTasks, r0, r1 int) {
	for i := r0; i < r1; i++ {
		rstd := rmsNormRow(t.y.Row(i), t.x.Row(i), t.gamma, t.eps)
		if t.rstd != nil {
			t.rstd[i] = rstd
		}
	}
}

// RMSNormBackward is the derivative of [Pool.RMSNorm] with respect to x (dx overwritten, or added to if accDx) and to
// gamma (added to; nil if not wanted). dx may alias dy unless accDx.
func (p *Pool) RMSNormBackward(dx Mat, dgamma []float32, dy, x Mat, gamma, rstd []float32, accDx bool) {
	p.normBackward("RMSNormBackward", dx, dgamma, nil, dy, x, gamma, nil, rstd, accDx, rmsNormBackwardRows)
}

func rmsNormBackwardRows(t *rowTasks, r0, r1 int) {
	t.inCache(r0, r1, func(t *rowTasks, r0, r1 int) {
		for i := r0; i < r1; i++ {
			rmsNormBackwardRow(t.dx.Row(i), t.dy.Row(i), t.x.Row(i), t.gamma, t.rstd[i], t.acc)
		}
	})
}

// normBackward runs a norm's backward pass over blocks of rows of constant size and adds up, in their order, the
// gradients of gamma and beta that each block left in its partial sums: [blocks, 2, Cols].
func (p *Pool) normBackward(op string, dx Mat, dgamma, dbeta []float32, dy, x Mat, gamma, mean, rstd []float32, accDx bool, do func(t *rowTasks, r0, r1 int)) {
	dx.check(op)
	sameShape(op, "dy", dx, dy)
	sameShape(op, "x", dx, x)
	sameLength(op, "gamma", gamma, x.Cols, false)
	sameLength(op, "rstd", rstd, x.Rows, false)
	sameLength(op, "dgamma", dgamma, x.Cols, true)
	q := p.orSerial()
	t := &q.records.rows
	t.dx, t.dy, t.x, t.gamma, t.mean, t.rstd, t.acc = dx, dy, x, gamma, mean, rstd, accDx
	step := partialRows(x.Rows)
	width := 0
	if dgamma != nil || dbeta != nil {
		width = 2 * x.Cols
	}
	t.zeroPartials((x.Rows+step-1)/step, width)
	q.runBlocks(t, x.Rows, step, do)
	for partials := t.partials; len(partials) > 0; partials = partials[width:] {
		if dgamma != nil {
			addRow(dgamma, dgamma, partials[:x.Cols])
		}
		if dbeta != nil {
			addRow(dbeta, dbeta, partials[x.Cols:width])
		}
	}
	t.reset()
	p.giveBack(q)
}

// inCache does block [r0, r1) in turns of a few rows that fit the first cache: it calls dx for them and adds their
// gradients of gamma and beta to the block's partial sums; before dx if that overwrites dy, else after it, because dx
// reads row by row, which fills the cache faster.
func (t *rowTasks) inCache(r0, r1 int, dx func(t *rowTasks, r0, r1 int)) {
	cols := t.x.Cols
	var dgamma, dbeta, mean []float32
	if len(t.partials) > 0 {
		part := t.partials[r0/t.step*2*cols:][:2*cols]
		dgamma, dbeta = part[:cols], part[cols:]
	}
	inPlace := cols > 0 && &t.dx.Data[0] == &t.dy.Data[0]
	step := min(max(4096/max(cols, 1), 2), reduceBlock)
	for r := r0; r < r1; r += step {
		end := min(r+step, r1)
		if t.mean != nil {
			mean = t.mean[r:end]
		}
		if !inPlace {
			dx(t, r, end)
		}
		if dgamma != nil {
			normGradient(dgamma, dbeta, t.dy.Slice(r, end), t.x.Slice(r, end), mean, t.rstd[r:end])
		}
		if inPlace {
			dx(t, r, end)
		}
	}
}

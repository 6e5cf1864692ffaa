package kernel

import "fmt"

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
	dx.check("LayerNormBackward")
	sameShape("LayerNormBackward", "dy", dx, dy)
	sameShape("LayerNormBackward", "x", dx, x)
	sameLength("LayerNormBackward", "gamma", gamma, x.Cols, false)
	sameLength("LayerNormBackward", "mean", mean, x.Rows, false)
	sameLength("LayerNormBackward", "rstd", rstd, x.Rows, false)
	sameLength("LayerNormBackward", "dgamma", dgamma, x.Cols, true)
	sameLength("LayerNormBackward", "dbeta", dbeta, x.Cols, true)
	q := p.orSerial()
	t := &q.records.rows
	t.dx, t.dy, t.x, t.gamma, t.mean, t.rstd, t.acc = dx, dy, x, gamma, mean, rstd, accDx
	width := 0
	if dgamma != nil || dbeta != nil {
		width = 2 * x.Cols
	}
	q.runPartials(t, x.Rows, width, layerNormBackwardRows)
	t.addPartials(dgamma, 0)
	t.addPartials(dbeta, x.Cols)
	t.reset()
	p.giveBack(q)
}

// layerNormBackwardRows does block [r0, r1) in turns of a few rows that fit the first cache: those of dx and the gradients
// of gamma and beta; these before dx if that overwrites dy, else after it, because dx reads row by row, which fills the
// cache faster.
func layerNormBackwardRows(t *rowTasks, r0, r1 int) {
	cols := t.x.Cols
	partial := t.partial(r0)
	inPlace := cols > 0 && &t.dx.Data[0] == &t.dy.Data[0]
	step := min(max(4096/max(cols, 1), 2), reduceBlock)
	for r := r0; r < r1; r += step {
		end := min(r+step, r1)
		if !inPlace {
			layerNormBackwardByX(t, r, end)
		}
		if partial != nil {
			layerNormGradient(partial[:cols], partial[cols:], t.dy.Slice(r, end), t.x.Slice(r, end), t.mean[r:end], t.rstd[r:end])
		}
		if inPlace {
			layerNormBackwardByX(t, r, end)
		}
	}
}

func layerNormBackwardByX(t *rowTasks, r0, r1 int) {
	for i := r0; i < r1; i++ {
		layerNormBackwardRow(t.dx.Row(i), t.dy.Row(i), t.x.Row(i), t.gamma, t.mean[i], t.rstd[i], t.acc)
	}
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
	var unwanted [1]float32
	for i := r0; i < r1; i++ {
		rstd := unwanted[:]
		if t.rstd != nil {
			rstd = t.rstd[i : i+1]
		}
		rmsNormRow(t.y.Row(i), t.x.Row(i), t.gamma, rstd, t.eps)
	}
}

// RMSNormBackward is the derivative of [Pool.RMSNorm] with respect to x (dx overwritten, or added to if accDx) and to
// gamma (added to; nil if not wanted). dx may alias dy unless accDx.
func (p *Pool) RMSNormBackward(dx Mat, dgamma []float32, dy, x Mat, gamma, rstd []float32, accDx bool) {
	dx.check("RMSNormBackward")
	sameShape("RMSNormBackward", "dy", dx, dy)
	sameShape("RMSNormBackward", "x", dx, x)
	sameLength("RMSNormBackward", "gamma", gamma, x.Cols, false)
	sameLength("RMSNormBackward", "rstd", rstd, x.Rows, false)
	sameLength("RMSNormBackward", "dgamma", dgamma, x.Cols, true)
	q := p.orSerial()
	t := &q.records.rows
	t.dx, t.dy, t.x, t.gamma, t.rstd, t.acc = dx, dy, x, gamma, rstd, accDx
	q.runPartials(t, x.Rows, len(dgamma), rmsNormBackwardRows)
	t.addPartials(dgamma, 0)
	t.reset()
	p.giveBack(q)
}

func rmsNormBackwardRows(t *rowTasks, r0, r1 int) {
	dgamma := t.partial(r0)
	for i := r0; i < r1; i++ {
		rmsNormBackwardRow(t.dx.Row(i), t.dy.Row(i), t.x.Row(i), t.gamma, dgamma, t.rstd[i:i+1], t.acc)
	}
}

// HeadNorm is RMSNorm of each query and key head of a stacked projection (Henry et al. 2020): x is [Rows,
// (Heads + 2·KVHeads)·HeadDim], queries, keys and values, of which the values pass unchanged. All queries' heads share gamma
// q [HeadDim], all keys' heads k. rstd [Rows, Heads+KVHeads] receives what the backward pass needs. y may alias x.
func (p *Pool) HeadNorm(y, x Mat, q, k, rstd []float32, s AttnShape, eps float32) {
	y.check("HeadNorm: y")
	sameShape("HeadNorm", "x", y, x)
	checkHeads("HeadNorm", x, q, k, rstd, s)
	pool := p.orSerial()
	t := &pool.records.rows
	t.y, t.x, t.gamma, t.keyGamma, t.rstd, t.heads, t.eps = y, x, q, k, rstd, s, eps
	pool.runRows(t, y.Rows, y.Cols, headNormRows)
	t.reset()
	p.giveBack(pool)
}

func checkHeads(op string, x Mat, q, k, rstd []float32, s AttnShape) {
	if x.Cols != (s.Heads+2*s.KVHeads)*s.HeadDim {
		panic(fmt.Sprintf("kernel: %s: %d columns for %d heads of queries and %d of keys and values, of %d", op, x.Cols, s.Heads, s.KVHeads, s.HeadDim))
	}
	sameLength(op, "q", q, s.HeadDim, false)
	sameLength(op, "k", k, s.HeadDim, false)
	sameLength(op, "rstd", rstd, x.Rows*(s.Heads+s.KVHeads), false)
}

func headNormRows(t *rowTasks, r0, r1 int) {
	keys, values := t.headColumns()
	for i := r0; i < r1; i++ {
		y, x := t.y.Row(i), t.x.Row(i)
		rstdQ, rstdK := t.headRoots(i)
		rmsNormRow(y[:keys], x[:keys], t.gamma, rstdQ, t.eps)
		rmsNormRow(y[keys:values], x[keys:values], t.keyGamma, rstdK, t.eps)
		copy(y[values:], x[values:])
	}
}

// headColumns is where keys and values begin in a row.
func (t *rowTasks) headColumns() (keys, values int) {
	return t.heads.Heads * t.heads.HeadDim, (t.heads.Heads + t.heads.KVHeads) * t.heads.HeadDim
}

// headRoots is rstd of the heads of row i, of queries and of keys.
func (t *rowTasks) headRoots(i int) (q, k []float32) {
	n := t.heads.Heads + t.heads.KVHeads
	row := t.rstd[i*n:][:n]
	return row[:t.heads.Heads], row[t.heads.Heads:]
}

// HeadNormBackward is the derivative of [Pool.HeadNorm] with respect to x (dx overwritten) and to q and k (dq and dk, added
// to; nil if not wanted). The gradients of one gamma are summed for each head by itself, and then the heads in their order.
// dx may alias dy.
func (p *Pool) HeadNormBackward(dx Mat, dq, dk []float32, dy, x Mat, q, k, rstd []float32, s AttnShape) {
	dx.check("HeadNormBackward")
	sameShape("HeadNormBackward", "dy", dx, dy)
	sameShape("HeadNormBackward", "x", dx, x)
	checkHeads("HeadNormBackward", x, q, k, rstd, s)
	sameLength("HeadNormBackward", "dq", dq, s.HeadDim, true)
	sameLength("HeadNormBackward", "dk", dk, s.HeadDim, true)
	pool := p.orSerial()
	t := &pool.records.rows
	t.dx, t.dy, t.x, t.gamma, t.keyGamma, t.rstd, t.heads = dx, dy, x, q, k, rstd, s
	keys, values := t.headColumns()
	width := 0
	if dq != nil || dk != nil {
		width = values
	}
	pool.runPartials(t, x.Rows, width, headNormBackwardRows)
	t.addHeadPartials(dq, 0, keys)
	t.addHeadPartials(dk, keys, values)
	t.reset()
	p.giveBack(pool)
}

func headNormBackwardRows(t *rowTasks, r0, r1 int) {
	keys, values := t.headColumns()
	var dq, dk []float32
	if partial := t.partial(r0); partial != nil {
		dq, dk = partial[:keys], partial[keys:]
	}
	for i := r0; i < r1; i++ {
		dx, dy, x := t.dx.Row(i), t.dy.Row(i), t.x.Row(i)
		rstdQ, rstdK := t.headRoots(i)
		rmsNormBackwardRow(dx[:keys], dy[:keys], x[:keys], t.gamma, dq, rstdQ, false)
		rmsNormBackwardRow(dx[keys:values], dy[keys:values], x[keys:values], t.keyGamma, dk, rstdK, false)
		copy(dx[values:], dy[values:])
	}
}

// addHeadPartials adds the partial sums of the heads in columns [from, to) to dgamma, unless that is nil.
func (t *rowTasks) addHeadPartials(dgamma []float32, from, to int) {
	if len(dgamma) == 0 {
		return
	}
	for at := from; at < to; at += len(dgamma) {
		t.addPartials(dgamma, at)
	}
}

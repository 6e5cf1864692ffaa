package kernel

import "sync/atomic"

// Softmax is y = exp(x - max)/sum of the same for each row. A row with a NaN or +Inf, or of -Inf alone, becomes NaN.
// y may alias x.
func (p *Pool) Softmax(y, x Mat) {
	y.check("Softmax: y")
	sameShape("Softmax", "x", y, x)
	q := p.orSerial()
	t := &q.records.rows
	t.y, t.x = y, x
	q.runRows(t, y.Rows, 2*y.Cols, softmaxRows)
	t.reset()
	p.giveBack(q)
}

func softmaxRows(t *rowTasks, r0, r1 int) {
	for i := r0; i < r1; i++ {
		softmaxRow(t.y.Row(i), t.x.Row(i))
	}
}

// ColumnSum is dst[j] += Σ_i x[i,j]. Blocks of rows are summed from the top down, then the blocks in their order.
func (p *Pool) ColumnSum(dst []float32, x Mat) {
	x.check("ColumnSum: x")
	sameLength("ColumnSum", "dst", dst, x.Cols, false)
	q := p.orSerial()
	t := &q.records.rows
	t.x = x
	q.runPartials(t, x.Rows, x.Cols, columnSumRows)
	t.addPartials(dst, 0)
	t.reset()
	p.giveBack(q)
}

func columnSumRows(t *rowTasks, r0, r1 int) {
	columnSum(t.partial(r0), t.x.Slice(r0, r1))
}

// sumBlock is how many elements one partial sum of SumSquares covers.
const sumBlock = 16384

// SumSquares is Σ x², in float64, by blocks of constant size added in their order.
func (p *Pool) SumSquares(x []float32) float64 {
	q := p.orSerial()
	t := &q.records.rows
	t.x = Mat{Data: x}
	blocks := (len(x) + sumBlock - 1) / sumBlock
	if cap(t.sums) < blocks {
		t.sums = make([]float64, blocks+blocks/4)
	}
	t.sums = t.sums[:blocks]
	q.runBlocks(t, len(x), sumBlock, sumSquaresBlock)
	var sum float64
	for _, s := range t.sums {
		sum += s
	}
	t.reset()
	p.giveBack(q)
	return sum
}

func sumSquaresBlock(t *rowTasks, i0, i1 int) {
	t.sums[i0/t.step] = sumSquares(t.x.Data[i0:i1])
}

// AnyNonFinite says whether x holds a NaN or an infinity.
func (p *Pool) AnyNonFinite(x []float32) bool {
	q := p.orSerial()
	t := &q.records.rows
	t.x = Mat{Data: x}
	q.runBlocks(t, len(x), sumBlock, nonFiniteBlock)
	found := atomic.LoadInt32(&t.skip) != 0
	t.reset()
	p.giveBack(q)
	return found
}

func nonFiniteBlock(t *rowTasks, i0, i1 int) {
	if atomic.LoadInt32(&t.skip) == 0 && nonFinite(t.x.Data[i0:i1]) {
		atomic.StoreInt32(&t.skip, 1)
	}
}

package kernel

import (
	"fmt"

	"github.com/parley-lm/parley/internal/memory"
)

//go:generate go run -C _asm ./rows -out ../rows_amd64.s -stubs ../rows_stubs_amd64.go -pkg kernel

// Row-wise kernels. Each is a method of *Pool that checks shapes and describes its work in the Pool's rowTasks, and a
// function that does a range of rows by calling serial primitives (rows_amd64.go or rows_noasm.go choose the assembly
// or rows_portable.go). A primitive sees one row, or one block of rows of constant size: that is law 1 and law 2.

const (
	// rowGrain is about how many elements one item holds: enough work to be worth handing to another thread.
	rowGrain = 8192
	// flatCols is the length of the rows into which elementwise kernels cut matrices without gaps.
	flatCols = 4096
	// reduceBlock is the number of rows whose sum is one partial result, at least; maxPartials bounds their number.
	reduceBlock = 32
	maxPartials = 64
)

// rowTasks is the one record that the row-wise kernels of a Pool reuse. The fields are named after the arguments of the
// methods that fill them; reset forgets them all.
type rowTasks struct {
	do         func(t *rowTasks, r0, r1 int)
	rows, step int

	y, x, a, b     Mat
	dx, dy         Mat
	table, pos     Mat
	half           Half
	gamma, beta    []float32
	keyGamma       []float32
	heads          AttnShape
	mean, rstd     []float32
	ids, positions []int32
	scale, scaleB  float32
	eps            float32
	act            Activation
	acc            bool
	skip           int32
	drop           dropper

	w, g, m, v []float32
	adam       adamStep[float32]

	partials []float32 // kept: partial sums, [blocks, width]
	width    int
	sums     []float64 // kept: partial sums, [blocks]
}

// Do is the pool's entry: the rows of one item.
func (t *rowTasks) Do(_, item int) {
	t.do(t, item*t.step, min((item+1)*t.step, t.rows))
}

// reset drops every reference to callers' memory.
func (t *rowTasks) reset() {
	*t = rowTasks{partials: t.partials, sums: t.sums}
}

// runRows calls do for all rows, cut into items of about rowGrain elements of cols each.
func (p *Pool) runRows(t *rowTasks, rows, cols int, do func(t *rowTasks, r0, r1 int)) {
	p.runBlocks(t, rows, max(1, rowGrain/max(1, cols)), do)
}

// runBlocks calls do for all rows in blocks of exactly step rows, the last one shorter.
func (p *Pool) runBlocks(t *rowTasks, rows, step int, do func(t *rowTasks, r0, r1 int)) {
	t.do, t.rows, t.step = do, rows, step
	p.Run((rows+step-1)/step, t)
}

// partialRows is how many rows make one partial sum of a reduction over rows: it depends on the shape alone.
func partialRows(rows int) int {
	return max(reduceBlock, (rows+maxPartials-1)/maxPartials)
}

// runPartials calls do for all rows in blocks of constant size, each of which has width zeroed partial sums (see partial).
func (p *Pool) runPartials(t *rowTasks, rows, width int, do func(t *rowTasks, r0, r1 int)) {
	step := partialRows(rows)
	n := (rows + step - 1) / step * width
	if cap(t.partials) < n {
		t.partials = memory.Floats(n + n/4)
	}
	t.partials, t.width = t.partials[:n], width
	clear(t.partials)
	p.runBlocks(t, rows, step, do)
}

// partial is the partial sums of the block that begins with row r0, nil if there are none.
func (t *rowTasks) partial(r0 int) []float32 {
	if t.width == 0 {
		return nil
	}
	return t.partials[r0/t.step*t.width:][:t.width]
}

// addPartials adds the partial sums of all blocks, in their order, to dst: those from column at on. There is nothing to add
// to a nil dst.
func (t *rowTasks) addPartials(dst []float32, at int) {
	for sums := t.partials; len(sums) > 0; sums = sums[t.width:] {
		addRow(dst, dst, sums[at:])
	}
}

// flatten turns matrices of one shape that all lie in memory without gaps into matrices of flatCols columns over the
// same elements, so that elementwise primitives see long rows however narrow the matrix is. The last row is cut by
// elements. Matrices without data stay as they are.
func flatten(ms ...*Mat) {
	for _, m := range ms {
		if m.Data != nil && m.Rows > 1 && m.Stride != m.Cols {
			return
		}
	}
	for _, m := range ms {
		if n := m.Rows * m.Cols; m.Data != nil {
			*m = Mat{Data: m.Data[:n:n], Rows: (n + flatCols - 1) / flatCols, Cols: flatCols, Stride: flatCols}
		}
	}
}

// elements is row i of a matrix that may have been flattened.
func elements(m *Mat, i int) []float32 {
	lo := i * m.Stride
	return m.Data[lo:min(lo+m.Cols, len(m.Data))]
}

// sameShape panics unless m has the shape of y.
func sameShape(op, name string, y, m Mat) {
	m.check(op)
	if m.Rows != y.Rows || m.Cols != y.Cols {
		panic(fmt.Sprintf("kernel: %s: %s is %d×%d, not %d×%d", op, name, m.Rows, m.Cols, y.Rows, y.Cols))
	}
}

// sameLength panics unless v has n elements, or is nil where that is allowed.
func sameLength(op, name string, v []float32, n int, optional bool) {
	if len(v) != n && !(optional && v == nil) {
		panic(fmt.Sprintf("kernel: %s: %s has %d elements, not %d", op, name, len(v), n))
	}
}

// Add is y = a + b. y may alias either.
func (p *Pool) Add(y, a, b Mat) {
	y.check("Add: y")
	sameShape("Add", "a", y, a)
	sameShape("Add", "b", y, b)
	q := p.orSerial()
	t := &q.records.rows
	t.y, t.a, t.b = y, a, b
	flatten(&t.y, &t.a, &t.b)
	q.runRows(t, t.y.Rows, t.y.Cols, addRows)
	t.reset()
	p.giveBack(q)
}

func addRows(t *rowTasks, r0, r1 int) {
	for i := r0; i < r1; i++ {
		addRow(elements(&t.y, i), elements(&t.a, i), elements(&t.b, i))
	}
}

// AddTo is y += x.
func (p *Pool) AddTo(y, x Mat) { p.Add(y, y, x) }

// WeightedSum is y = a·s + b·t. The products are rounded before they are added. y may alias either.
func (p *Pool) WeightedSum(y, a Mat, s float32, b Mat, t float32) {
	y.check("WeightedSum: y")
	sameShape("WeightedSum", "a", y, a)
	sameShape("WeightedSum", "b", y, b)
	q := p.orSerial()
	r := &q.records.rows
	r.y, r.a, r.scale, r.b, r.scaleB = y, a, s, b, t
	flatten(&r.y, &r.a, &r.b)
	q.runRows(r, r.y.Rows, r.y.Cols, weightedSumRows)
	r.reset()
	p.giveBack(q)
}

func weightedSumRows(t *rowTasks, r0, r1 int) {
	for i := r0; i < r1; i++ {
		weightedSumRow(elements(&t.y, i), elements(&t.a, i), t.scale, elements(&t.b, i), t.scaleB)
	}
}

// Scale is y *= s.
func (p *Pool) Scale(y Mat, s float32) {
	y.check("Scale: y")
	q := p.orSerial()
	t := &q.records.rows
	t.y, t.scale = y, s
	flatten(&t.y)
	q.runRows(t, t.y.Rows, t.y.Cols, scaleRows)
	t.reset()
	p.giveBack(q)
}

func scaleRows(t *rowTasks, r0, r1 int) {
	for i := r0; i < r1; i++ {
		y := elements(&t.y, i)
		scaleRow(y, y, t.scale)
	}
}

// Fill sets every element of y to v.
func (p *Pool) Fill(y Mat, v float32) {
	y.check("Fill: y")
	q := p.orSerial()
	t := &q.records.rows
	t.y, t.scale = y, v
	flatten(&t.y)
	q.runRows(t, t.y.Rows, t.y.Cols, fillRows)
	t.reset()
	p.giveBack(q)
}

func fillRows(t *rowTasks, r0, r1 int) {
	for i := r0; i < r1; i++ {
		fillRow(elements(&t.y, i), t.scale)
	}
}

// Copy is y = x.
func (p *Pool) Copy(y, x Mat) {
	y.check("Copy: y")
	sameShape("Copy", "x", y, x)
	q := p.orSerial()
	t := &q.records.rows
	t.y, t.x = y, x
	flatten(&t.y, &t.x)
	q.runRows(t, t.y.Rows, t.y.Cols, copyElements)
	t.reset()
	p.giveBack(q)
}

func copyElements(t *rowTasks, r0, r1 int) {
	for i := r0; i < r1; i++ {
		copy(elements(&t.y, i), elements(&t.x, i))
	}
}

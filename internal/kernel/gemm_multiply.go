package kernel

import (
	"slices"
	"unsafe"
)

// product is one multiplication by packed panels: C (+)= op(A)·B for a range of k and of columns of a whole product.
type product struct {
	set         *tileSet
	panels      []float32 // packed B; nil if each item packs its part of b
	panelStride int
	b           rightSide
	transB      bool
	k           int // values; counted in the set's steps once multiply has begun
	c           Mat // the columns of C that the panels stand for
	col0, cols  int // the first of them in the whole C, and the columns that has
	a           Mat
	transA      bool
	load        bool // sums go on from C's values
	finish      bool // these are the last k: the epilogue follows
	ep          Epilogue
}

// Sizes that decide how a product is divided, measured on processors with 32 and 48 KB of first-level and 512 KB to 2 MB of
// second-level cache. No result depends on them, nor on those in gemm_blocking.go.
const (
	fewPackedRows   = 288     // up to here each item packs its own columns of B
	leastPackedK    = 128     // from here on,
	leastItemPanels = 6       // of not fewer panels if there are enough,
	mostPackedItems = 4       // and so many of a thread at most
	tailRows        = 24      // of all columns, the least work of an item of a product of many rows: the last ones even out the threads
	epilogueBlock   = 1 << 17 // elements of C that are computed before their epilogue
	narrowColumns   = 384     // up to this stride a transposed A is read in place, from the second-level cache
	fewRows         = 12      // up to here B is read only once, and K is not divided
	largePanels     = 1 << 20 // floats of B above which few passes along it count more than even threads
	minWork         = 1 << 18 // multiply-adds below which one thread is quicker than two

	// The same for tiles that multiply faster than memory is read.
	tilesBlockK    = 256
	tilesBlockRows = 256
	tilesPackRows  = 512
	tilesPanels    = 8
)

// gemmTask is a product divided into items: rows × columns of C.
type gemmTask struct {
	product
	pool *Pool
	drop dropper

	values     int // of k
	blockK     int // k of a block, in the set's steps
	items      []gemmItem
	after      []gemmItem // memory for divideRows
	colPanels  int        // the most panels of an item
	group      int        // of them, that are packed at a time if the items pack them
	panelCount int
	copyA      bool // rows of A lie so that they would drive each other out of the cache
	copyC      bool // the same of C, which is read and written for every block of k
}

// gemmItem is rows r0 to r1 and panels p0 to p1 of a product.
type gemmItem struct{ r0, r1, p0, p1 int }

// packsAsItGoes says whether the threads should each pack their own columns of B, a block of k at a time, instead of all
// of B beforehand: a packed block is used at once. It suits few rows, for which B's way to memory and back would take long
// beside the product; with tiles that multiply fast these are more.
func (p *Pool) packsAsItGoes(set *tileSet, m, k, n int, b rightSide, transB bool) bool {
	panels := ceilDiv(n, set.width)
	if set.byTiles {
		return m > fewRows && m <= tilesPackRows && panels >= 2*p.Threads()
	}
	return !set.bf16 && b.half.Data == nil && k >= leastPackedK && m > fewRows && m <= fewPackedRows && panels >= 2*p.Threads()
}

// multiply computes pr on all threads.
func (p *Pool) multiply(pr product) {
	t := &p.gemm
	if pr.set.bf16 {
		pr.a = p.round(pr.set, pr.a, pr.transA)
		pr.transA = pr.transA && !pr.set.byTiles
	}
	t.values = pr.k
	pr.k = pr.set.steps(pr.k)
	t.product, t.pool = pr, p
	if pr.finish {
		t.drop = pr.ep.Drop.prepare(pr.cols)
	}
	t.panelCount = ceilDiv(pr.c.Cols, pr.set.width)
	t.blockK = t.evenBlocks()
	alias := pr.a.Stride % 1024
	switch {
	case pr.set.byTiles:
		t.copyA = false
	case pr.transA:
		t.copyA = pr.a.Stride > narrowColumns
	default:
		t.copyA = pr.c.Cols >= 64 && pr.c.Rows > fewRows && (alias < 64 || alias > 960)
	}
	alias = pr.c.Stride % 1024
	t.copyC = pr.panels != nil && pr.k > t.blockK && pr.c.Rows > fewRows && pr.c.Cols >= 512 && (alias < 16 || alias > 1008)
	if pr.c.Rows*pr.c.Cols*pr.k < minWork {
		(*Pool)(nil).Run(t.divide(1), t)
	} else {
		p.Run(t.divide(p.Threads()), t)
	}
	t.product, t.pool = product{}, nil
}

// evenBlocks is k of a block: as many as may be, of blocks that are alike.
func (t *gemmTask) evenBlocks() int {
	most := t.set.blockK()
	if t.panels == nil && !t.set.byTiles {
		most = blocks.packedK
		if t.k <= blocks.packedWhole {
			most = t.k
		}
	}
	count := max(1, ceilDiv(t.k, most))
	return max(1, ceilDiv(ceilDiv(t.k, count), tileRegister)) * tileRegister
}

// packedPanels is the most panels that an item packs at a time.
func (t *gemmTask) packedPanels() int {
	switch {
	case t.set.byTiles:
		return tilesPanels
	case t.k <= t.blockK:
		return blocks.packedPanels
	}
	return blocks.packedPanels * max(1, blocks.packedWhole/blocks.packedK) // as much memory: they hold less of k
}

// packedItems is how many items each thread gets where these pack their panels.
func (t *gemmTask) packedItems(threads int) int {
	if t.set.byTiles {
		return ceilDiv(t.panelCount, tilesPanels*threads)
	}
	return max(1, min(mostPackedItems, t.panelCount/leastItemPanels/threads))
}

// divide decides the items and returns how many there are.
func (t *gemmTask) divide(threads int) int {
	m, big := t.c.Rows, t.set.headRows()
	t.items, t.colPanels = t.items[:0], 0
	switch {
	case t.panels == nil:
		t.items = t.cut(t.items, 0, m, threads*t.packedItems(threads))
		t.group = ceilDiv(t.colPanels, ceilDiv(t.colPanels, t.packedPanels()))
	case threads == 1:
		t.items = t.cut(t.items, 0, m, 1)
	case m <= t.set.tailRows():
		t.items = t.cut(t.items, 0, m, 4*threads)
	case m <= 2*big && t.panelCount*t.panelStride >= largePanels:
		t.items = t.cut(t.items, 0, m, threads*min(8, max(1, t.panelCount/8/threads)))
	default:
		t.divideRows(threads, big)
	}
	return len(t.items)
}

// divideRows makes items of a share of the work that is left, within limits: the last ones even out the threads (guided
// self-scheduling, Polychronopoulos and Kuck 1987). An item is a pass along its columns of B, which must not be for few rows:
// small items are a part of the columns instead. The pool takes from both ends, so they lie in the middle.
func (t *gemmTask) divideRows(threads, most int) {
	first, last, unit := 0, t.c.Rows, t.set.rows // rows that are left
	after := t.after[:0]                         // items, from the last one on
	for n := 0; first < last; n++ {
		height, parts := (last-first)/(2*threads)/unit*unit, 1
		height = max(t.set.tailRows(), min(most, height))
		if height < most/2 {
			parts = min(ceilDiv(most/2, height), max(1, t.panelCount/2))
			height *= parts
		}
		if n%2 == 0 {
			end := min(first+height, last)
			t.items = t.cut(t.items, first, end, parts)
			first = end
		} else {
			begin := max(first, (last-height)/unit*unit)
			after = t.cut(after, begin, last, parts)
			last = begin
		}
	}
	slices.Reverse(after)
	t.items, t.after = append(t.items, after...), after
}

// cut appends items of rows r0 to r1, all columns in about so many parts.
func (t *gemmTask) cut(items []gemmItem, r0, r1, parts int) []gemmItem {
	panels := ceilDiv(t.panelCount, parts)
	if r1-r0 <= fewRows {
		panels = ceilDiv(panels, 4) * 4
	}
	t.colPanels = max(t.colPanels, min(panels, t.panelCount))
	for p := 0; p < t.panelCount; p += panels {
		items = append(items, gemmItem{r0, r1, p, min(p+panels, t.panelCount)})
	}
	return items
}

// Do computes one item.
func (t *gemmTask) Do(worker, item int) {
	g := t.items[item]
	w := tileRun{t: t, end: g.r1, p0: g.p0, p1: g.p1}
	w.divide(t.pool.Scratch(worker, t.scratchFloats()))
	step := t.blockHeight()
	for r := g.r0; r < g.r1; r += step {
		w.block(r, min(r+step, g.r1))
	}
}

// blockHeight is the height of the blocks of an item.
func (t *gemmTask) blockHeight() int {
	switch {
	case t.panels == nil:
		return t.c.Rows
	case t.copyC: // which has to stay in the second-level cache too
		return min(t.c.Rows, t.set.blockRows()/2)
	}
	return min(t.c.Rows, t.set.blockRows())
}

// tileRun is the state of a worker within one item: rows r0 to r1 of C, and the block of A in use.
type tileRun struct {
	t      *gemmTask
	r0, r1 int
	end    int // of the item's rows
	p0, p1 int // the item's panels

	lastTile, copyOfA, copyOfC, packing []float32 // memory

	c       []float32 // element (r, j) of the item's columns is c[r·cStride + j], rows from r0
	cStride int

	k0, k1     int       // the block of k that a holds; none if both are 0
	a          []float32 // element (r, k) of it is a[r·rs + k·ks], rows from r0; byTiles, rs is the distance of tiles below each other
	rs, ks     int
	b          []float32 // memory for the block of k of the item's panels from b0 on, if the item packs them
	b0         int
	tileStride int // if not 0, a is tiles so far apart, in each of which element (r, k) is at [k·height + r]
}

// block computes rows r0 to r1 of the item's panels.
func (w *tileRun) block(r0, r1 int) {
	t := w.t
	w.r0, w.r1, w.k0, w.k1 = r0, r1, 0, 0
	w.c, w.cStride = t.c.Data[r0*t.c.Stride+w.p0*t.set.width:], t.c.Stride
	if t.copyC {
		w.cStride = t.copyStride()
		w.c = w.copyOfC
	}
	step := w.p1 - w.p0
	if t.finish && !t.ep.empty() || t.set.byTiles {
		// What the epilogue, or the next block of k, touches should still be in cache.
		step = max(4, epilogueBlock/(r1-r0)/t.set.width/4*4)
	}
	if t.panels == nil {
		step = min(step, t.group)
	}
	for p := w.p0; p < w.p1; p += step {
		w.columns(p, min(p+step, w.p1))
	}
}

// copyStride is the distance of rows in the copy of C.
func (t *gemmTask) copyStride() int { return t.colPanels*t.set.width + 16 }

// scratchParts is the sizes of a worker's memory: a tile for the last panel, copies of a block of A and of one of C, a block of
// B, and what packing it takes.
func (t *gemmTask) scratchParts() (tile, a, c, b, packing int) {
	tile = t.set.rows * t.set.width
	if t.copyA {
		a = (t.blockHeight() + t.set.rows) * (min(t.k, t.blockK) + 16)
	}
	if t.copyC {
		c = t.blockHeight() * t.copyStride()
	}
	if t.panels == nil {
		b = t.group * t.blockStride()
		packing = packingFloats(t.set, t.b, t.transB)
	}
	return tile, a, c, b, packing
}

func (t *gemmTask) scratchFloats() int {
	tile, a, c, b, packing := t.scratchParts()
	return tile + a + c + b + packing
}

// divide gives the parts of a worker's memory their names.
func (w *tileRun) divide(memory []float32) {
	take := func(n int) []float32 {
		part := memory[:n:n]
		memory = memory[n:]
		return part
	}
	tile, a, c, b, packing := w.t.scratchParts()
	w.lastTile, w.copyOfA, w.copyOfC, w.b, w.packing = take(tile), take(a), take(c), take(b), take(packing)
}

// blockStride is the distance of panels that hold a block of k.
func (t *gemmTask) blockStride() int {
	k := t.blockK
	if t.set.bf16 {
		k *= 2
	}
	return panelFloats(t.set, k)
}

// columns computes panels p0 to p1 of the item's rows, epilogue included.
func (w *tileRun) columns(p0, p1 int) {
	t := w.t
	if t.k == 0 && !t.load {
		for i := w.r0; i < w.r1; i++ {
			clear(w.row(i, p0, p1))
		}
	}
	blk := t.blockK
	if w.r1-w.r0 <= fewRows && !t.transA && !t.copyA && t.panels != nil {
		blk = max(t.k, 1)
	}
	if t.copyC && t.load {
		for i := w.r0; i < w.r1; i++ {
			copy(w.sums(i, p0, p1), w.row(i, p0, p1))
		}
	}
	for k0 := 0; k0 < t.k; k0 += blk {
		w.blockA(k0, min(k0+blk, t.k))
		w.blockB(p0, p1)
		w.tiles(p0, p1, t.load || k0 > 0)
	}
	if t.copyC {
		for i := w.r0; i < w.r1; i++ {
			copy(w.row(i, p0, p1), w.sums(i, p0, p1))
		}
	}
	if t.finish && !t.ep.empty() {
		for i := w.r0; i < w.r1; i++ {
			t.ep.finish(w.row(i, p0, p1), &t.drop, i, t.col0+p0*t.set.width)
		}
	}
}

// row is the part of row i of C that panels p0 to p1 make.
func (w *tileRun) row(i, p0, p1 int) []float32 {
	c, width := w.t.c, w.t.set.width
	return c.Data[i*c.Stride+p0*width : i*c.Stride+min(p1*width, c.Cols)]
}

// sums is where that part is computed.
func (w *tileRun) sums(i, p0, p1 int) []float32 {
	width := w.t.set.width
	from := (i-w.r0)*w.cStride + (p0-w.p0)*width
	return w.c[from : from+min(p1*width, w.t.c.Cols)-p0*width]
}

// finish does the epilogue on a piece of row i of C that begins at column j.
func (e *Epilogue) finish(c []float32, drop *dropper, i, j int) {
	var bias, pre, residual []float32
	if e.Bias != nil {
		bias = e.Bias[j : j+len(c)]
	}
	if e.Pre.Data != nil {
		pre = e.Pre.Row(i)[j : j+len(c)]
	}
	if e.Residual.Data != nil {
		residual = e.Residual.Row(i)[j : j+len(c)]
	}
	if !drop.active() {
		drop = nil
	}
	epilogueRow(c, bias, pre, residual, e.Act, drop, i, j)
}

// tiles adds the products of the current block of A with panels p0 to p1.
func (w *tileRun) tiles(p0, p1 int, load bool) {
	t, set := w.t, w.t.set
	full := set.fullTiles(w.r1 - w.r0)
	whole := min(p1, t.c.Cols/set.width) // panels with all their columns
	if full > 0 {
		for p := p0; p < whole; p++ {
			w.tile(0, set.rows, full, p, 1, load, w.following(p, p0, whole, full))
			w.lowTiles(full*set.rows, p, p+1, load)
		}
	} else {
		w.lowTiles(0, p0, whole, load)
	}
	if whole < p1 {
		w.lastPanel(whole, load)
	}
}

// lowTiles computes, in panels p0 to p1, the tiles from row r of the item on, which are not of full height.
func (w *tileRun) lowTiles(r, p0, p1 int, load bool) {
	set := w.t.set
	for r < w.r1-w.r0 {
		h := set.height(w.r1 - w.r0 - r)
		p := p0
		if h < len(set.wide) && set.wide[h] != nil {
			n := set.widePanels[h]
			for ; p+n <= p1; p += n {
				w.tile(r, h, 1, p, n, load, prefetch{})
			}
		}
		for ; p < p1; p++ {
			w.tile(r, h, 1, p, 1, load, prefetch{})
		}
		r += h
	}
}

// tile computes `count` tiles of the given height from row r of the item on, in panels p to p+panels.
func (w *tileRun) tile(r, height, count, p, panels int, load bool, next prefetch) {
	set := w.t.set
	f := set.tiles[height]
	if panels > 1 {
		f = set.wide[height]
	}
	a, rs, ks, step := w.tileA(r, height)
	c := &w.c[r*w.cStride+(p-w.p0)*set.width]
	f(w.k1-w.k0, count, a, rs, ks, step, w.panel(p), uintptr(w.panelStride())*4, c, uintptr(w.cStride)*4, load,
		next.a, next.aStep, next.b)
}

// prefetch is addresses of what comes after a column of tiles; see [tileFunc].
type prefetch struct{ a, aStep, b uintptr }

// following says what the tiles need after panel p of the range from p0 on: the next panel, and the next block of A, of
// which each column of tiles fetches a part.
func (w *tileRun) following(p, p0, whole, tiles int) prefetch {
	t := w.t
	here := uintptr(unsafe.Pointer(w.panel(p)))
	f := prefetch{a: here, b: here}
	if p+1 < whole {
		f.b = uintptr(unsafe.Pointer(w.panel(p + 1)))
	}
	if t.set.byTiles {
		return f
	}
	if t.transA && !t.copyA {
		rows := tiles * (w.k1 - w.k0) / t.a.Stride // of A, which lie side by side if it is narrow
		if k := w.k1 + (p-p0)*rows; k+rows < t.k {
			f.a = uintptr(unsafe.Pointer(&t.a.Data[k*t.a.Stride]))
		}
		return f
	}
	if t.transA {
		column, k := w.r0, w.k1
		if k == t.k {
			column, k = w.r1, 0
		}
		if k += (p - p0) * tiles; k+tiles <= t.k && column < w.end {
			f.a = uintptr(unsafe.Pointer(&t.a.Data[k*t.a.Stride+column]))
			f.aStep = uintptr(t.a.Stride-w.k1+w.k0) * 4
		}
		return f
	}
	row, end, k := w.r0, w.r1, w.k1
	if k == t.k {
		row, end, k = w.r1, w.end, 0
	}
	if row += (p - p0) * tiles; row+tiles <= end {
		f.a = uintptr(unsafe.Pointer(&t.a.Data[row*t.a.Stride+k]))
		f.aStep = uintptr(t.a.Stride-w.k1+w.k0) * 4
	}
	return f
}

// lastPanel is tile for all rows and a panel p with fewer columns than a tile, which goes through a tile of memory.
func (w *tileRun) lastPanel(p int, load bool) {
	set := w.t.set
	tmp := w.lastTile
	for r := 0; r < w.r1-w.r0; {
		h := set.height(w.r1 - w.r0 - r)
		if load {
			for i := range h {
				copy(tmp[i*set.width:(i+1)*set.width], w.sums(w.r0+r+i, p, p+1))
			}
		}
		a, rs, ks, step := w.tileA(r, h)
		set.tiles[h](w.k1-w.k0, 1, a, rs, ks, step, w.panel(p), 0, &tmp[0], uintptr(set.width)*4, load, 0, 0, 0)
		for i := range h {
			copy(w.sums(w.r0+r+i, p, p+1), tmp[i*set.width:])
		}
		r += h
	}
}

// panelStride is the distance of panels.
func (w *tileRun) panelStride() int {
	if w.t.panels == nil {
		return w.t.blockStride()
	}
	return w.t.panelStride
}

// panel is where the current block of k begins in panel p.
func (w *tileRun) panel(p int) *float32 {
	if w.t.panels == nil {
		return &w.b[(p-w.b0)*w.t.blockStride()]
	}
	return &w.t.panels[p*w.t.panelStride+w.t.set.places(w.k0)*w.t.set.width]
}

// tileA is where the tile of the given height at row r of the item begins in A, and its strides in bytes.
func (w *tileRun) tileA(r, height int) (a *float32, rs, ks, step uintptr) {
	if w.t.set.byTiles {
		return &w.a[r/tileRegister*w.rs], uintptr(w.rs) * 4, 0, 0
	}
	if w.tileStride > 0 {
		return &w.a[ceilDiv(r, w.t.set.rows)*w.tileStride], 4, uintptr(height) * 4, uintptr(w.tileStride) * 4
	}
	return &w.a[r*w.rs], uintptr(w.rs) * 4, uintptr(w.ks) * 4, uintptr(height*w.rs) * 4
}

// blockA makes columns k0 to k1 of the item's rows of op(A) ready for the tiles: in place where that is fast.
func (w *tileRun) blockA(k0, k1 int) {
	if w.k0 == k0 && w.k1 == k1 {
		return
	}
	w.k0, w.k1 = k0, k1
	t, set := w.t, w.t.set
	if set.byTiles {
		w.a, w.rs = t.a.Data[w.r0/tileRegister*t.a.Stride+k0*tileRegister:], t.a.Stride
		return
	}
	a := opView(t.a, t.transA, w.r0, w.r1, k0, k1)
	switch {
	case t.transA && !t.copyA:
		w.a, w.rs, w.ks = a.Data, 1, a.Stride
	case t.transA:
		w.a, w.tileStride = w.copyOfA, set.rows*(k1-k0)+16
		packColumns(set, w.a, w.tileStride, a)
	case t.copyA:
		w.a, w.rs, w.ks = w.copyOfA, k1-k0+16, 1
		for r := range a.Rows {
			copy(w.a[r*w.rs:], a.Row(r))
		}
	default:
		w.a, w.rs, w.ks = a.Data, a.Stride, 1
	}
}

// blockB packs panels p0 to p1 of the current block of k, if B was not packed beforehand.
func (w *tileRun) blockB(p0, p1 int) {
	t, set := w.t, w.t.set
	if t.panels != nil {
		return
	}
	k0, k1 := w.k0, w.k1
	if set.bf16 {
		k0, k1 = 2*k0, min(2*k1, t.values)
	}
	part := t.b.view(t.transB, k0, k1, p0*set.width, min(p1*set.width, t.c.Cols))
	w.b0 = p0
	packPart(set, w.b, t.blockStride(), part, t.transB, w.packing)
}

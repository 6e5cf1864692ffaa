package kernel

//go:generate go run -C _asm ./attention -out ../attention_amd64.s -stubs ../attention_stubs_amd64.go -pkg kernel

import (
	"fmt"
	"math"
)

// PageRows is the number of keys in one block of attention, counted from a sequence's first key, and so the number of
// positions in one page of a key/value cache.
const PageRows = 32

// queryRows is the number of query rows that one item of work takes through all its key blocks.
const queryRows = 96

// attentionMinWork is the number of multiply-adds, of each of the two products, below which threads do not pay.
const attentionMinWork = 1 << 16

// AttnShape says how rows are divided into heads. Query head h uses key/value head h/(Heads/KVHeads).
type AttnShape struct {
	Heads, KVHeads, HeadDim int
	Scale                   float32 // multiplies q·k, usually 1/sqrt(HeadDim)
	Causal                  bool
	Window                  int // with Causal: a row sees its own key and the Window-1 before it; 0: all before it

	// Drop sets probabilities to zero and lets the others grow, in training. That of a row and head has the row
	// row·Heads+head, that of a key the column that it has in its span; a row is as long as all keys. Pages know none.
	Drop Dropout
}

// AttnSpan says that query rows [Q0, Q1) look at key rows [K0, K1). When causal, query row i sees the keys up to row
// K0+Pos+(i-Q0), itself included: Pos is the position of the first query in the sequence of keys.
type AttnSpan struct{ Q0, Q1, K0, K1, Pos int32 }

// visible is the number of keys that the first query row of the span sees, and what each further row adds.
func (a AttnSpan) visible(causal bool) (first, step int) {
	if causal {
		return int(a.Pos) + 1, 1
	}
	return int(a.K1 - a.K0), 0
}

func (s AttnShape) check() {
	if s.Heads < 1 || s.KVHeads < 1 || s.HeadDim < 1 || s.Heads%s.KVHeads != 0 {
		panic(fmt.Sprintf("kernel: attention: %d heads of %d over %d key/value heads", s.Heads, s.HeadDim, s.KVHeads))
	}
	if s.Window < 0 || s.Window > 0 && !s.Causal {
		panic(fmt.Sprintf("kernel: attention: a window of %d keys, causal: %v", s.Window, s.Causal))
	}
}

// firstBlock is where the first block of keys begins of which a row sees anything that sees the keys below lim.
func (s AttnShape) firstBlock(lim int) int {
	if s.Window == 0 {
		return 0
	}
	return max(0, lim-s.Window) / PageRows * PageRows
}

func (s AttnShape) checkMats(queries, keys []Mat) {
	for _, m := range queries {
		m.check("attention: queries or output")
		if m.Cols != s.Heads*s.HeadDim || m.Rows != queries[0].Rows {
			panic(fmt.Sprintf("kernel: attention: %d×%d where %d rows of %d heads of %d are needed", m.Rows, m.Cols, queries[0].Rows, s.Heads, s.HeadDim))
		}
	}
	for _, m := range keys {
		m.check("attention: keys or values")
		if m.Cols != s.KVHeads*s.HeadDim || m.Rows != keys[0].Rows {
			panic(fmt.Sprintf("kernel: attention: %d×%d where %d rows of %d key/value heads of %d are needed", m.Rows, m.Cols, keys[0].Rows, s.KVHeads, s.HeadDim))
		}
	}
}

func checkSpans(spans []AttnSpan, nq, nk int) {
	for i, a := range spans {
		if a.Q0 < 0 || a.Q1 < a.Q0 || int(a.Q1) > nq || a.K0 < 0 || a.K1 < a.K0 || int(a.K1) > nk {
			panic(fmt.Sprintf("kernel: attention: span %d %+v outside of %d query rows and %d key rows", i, a, nq, nk))
		}
	}
}

// attentionPart is the query rows [q0, q1) of one span: with one key/value head or with all, an item of work.
type attentionPart struct{ span, q0, q1 int32 }

// attentionTask is the record of a forward attention, over rows or over pages.
type attentionTask struct {
	pool  *Pool
	simd  bool
	shape AttnShape
	o, q  Mat
	lse   []float32
	parts []attentionPart
	heads int // key/value heads in an item

	k, v  Mat
	spans []AttnSpan
	drop  dropper

	store []float32
	paged []PagedSpan
}

// Attention computes, for each span, query row and head, o = softmax(Scale·q·kᵀ)·v over the keys that the row sees.
//
// q is [Nq, Heads*HeadDim]; k and v are [Nk, KVHeads*HeadDim]; o is like q; they may be views with a stride, such as
// parts of a fused projection. lse, [Nq*Heads] or nil, receives the logarithm of the sum of the exponentials, which
// AttentionBackward needs. Rows of o in no span are left alone; a row that sees no key gets zeros and -Inf.
//
// Keys are taken in blocks of PageRows from the span's first, with a running maximum and sum (Dao et al. 2022,
// FlashAttention), so that nothing of size Nq×Nk exists and a row's bits depend on its own query and keys alone. Blocks
// that lie outside of a row's window are left out; in the block where the window begins, keys before it have weight 0.
func (p *Pool) Attention(o Mat, lse []float32, q, k, v Mat, spans []AttnSpan, s AttnShape) {
	s.check()
	queries, keys := [...]Mat{q, o}, [...]Mat{k, v}
	s.checkMats(queries[:], keys[:])
	checkSpans(spans, q.Rows, k.Rows)
	if lse != nil && len(lse) < q.Rows*s.Heads {
		panic(fmt.Sprintf("kernel: attention: %d log-sums for %d rows of %d heads", len(lse), q.Rows, s.Heads))
	}
	pool := p.orSerial()
	t := &pool.records.attention
	parts, work := t.parts[:0], 0
	for i, a := range spans {
		work += int(a.Q1-a.Q0) * int(a.K1-a.K0)
		for q0 := a.Q0; q0 < a.Q1; q0 += queryRows {
			parts = append(parts, attentionPart{int32(i), q0, min(q0+queryRows, a.Q1)})
		}
	}
	*t = attentionTask{pool: pool, simd: Active() >= AVX2, shape: s, o: o, q: q, lse: lse, parts: parts, k: k, v: v, spans: spans,
		drop: s.Drop.prepare(k.Rows)}
	t.run(work)
	*t = attentionTask{parts: parts}
	p.giveBack(pool)
}

// run divides the parts into items: by head only where there would be too few. work is the number of pairs of a query and
// a key; where it is little, one thread does it sooner than two.
func (t *attentionTask) run(work int) {
	pool := t.pool
	if work*t.shape.Heads*t.shape.HeadDim < attentionMinWork {
		pool = nil
	}
	t.heads = headsPerItem(len(t.parts), pool.Threads(), t.shape.KVHeads)
	pool.Run(len(t.parts)*t.shape.KVHeads/t.heads, t)
}

// headsPerItem is all heads, which lie side by side in memory, or one where all would leave too few items to share out.
func headsPerItem(parts, threads, heads int) int {
	if parts >= 8*threads || threads == 1 {
		return heads
	}
	return 1
}

// Do computes one part for its key/value heads.
func (t *attentionTask) Do(worker, item int) {
	items := t.shape.KVHeads / t.heads
	part, head := t.parts[item/items], item%items*t.heads
	if t.paged != nil && part.q1-part.q0 == 1 {
		t.doPagedRow(worker, part, head)
		return
	}
	for kvHead := head; kvHead < head+t.heads; kvHead++ {
		if t.paged != nil {
			t.doPaged(worker, part, kvHead)
		} else {
			t.doRows(worker, part, kvHead)
		}
	}
}

// doRows computes one part for one key/value head and the query heads that share it.
func (t *attentionTask) doRows(worker int, part attentionPart, kvHead int) {
	s, a := t.shape, t.spans[part.span]
	group, hd := s.Heads/s.KVHeads, s.HeadDim
	rows, first := int(part.q1-part.q0), int(part.q0)
	lim, step := a.visible(s.Causal)
	lim += step * (first - int(a.Q0))
	keys := max(0, min(int(a.K1-a.K0), lim+step*(rows-1)))

	w := attentionScratch(t.pool.Scratch(worker, attentionScratchFloats(rows, group, hd)), rows, group, hd)
	w.reset()
	if s.Window > 0 {
		clearRows(t.o, first, first+rows, kvHead*group*hd, group*hd)
	}
	for block := s.firstBlock(lim); block < keys; block += PageRows {
		n := min(PageRows, keys-block)
		row := int(a.K0) + block
		transpose(t.simd, n, hd, t.k.Data[row*t.k.Stride+kvHead*hd:], t.k.Stride, w.kt, PageRows)
		v, vRow := t.v.Data[row*t.v.Stride+kvHead*hd:], t.v.Stride
		if rows >= 2*PageRows { // distant rows would evict each other from the cache
			copyBlock(w.v, hd, v, vRow, n, hd)
			v, vRow = w.v, hd
		}
		for g := range group {
			head := (kvHead*group + g) * hd
			r := attentionRows{rows: rows, lim: lim, step: step,
				q: t.q.Data[first*t.q.Stride+head:], qRow: t.q.Stride,
				o: t.o.Data[first*t.o.Stride+head:], oRow: t.o.Stride,
				drop: probabilityDropper{&t.drop, first*s.Heads + kvHead*group + g, s.Heads}}
			r.attend(t.simd, s, w, g, block, n, w.kt, v, vRow)
		}
	}
	for g := range group {
		head := kvHead*group + g
		r := attentionRows{rows: rows, lim: lim, step: step, o: t.o.Data[first*t.o.Stride+head*hd:], oRow: t.o.Stride}
		var lse []float32
		if t.lse != nil {
			lse = t.lse[first*s.Heads+head:]
		}
		r.finish(t.simd, s, w, g, keys, lse)
	}
}

// attentionWork is one worker's memory for a part: the scores of a block, and each row's running maximum and sum.
type attentionWork struct {
	kt     []float32 // [HeadDim, PageRows] a block of keys, transposed
	v      []float32 // [PageRows, HeadDim] a block of values
	scores []float32 // [rows, PageRows]
	scale  []float32 // [rows] by which a block rescales what was summed before it
	max    []float32 // [group*rows]
	sum    []float32 // [group*rows, 8] in lanes: key j of a block is in lane j%8
}

func attentionScratchFloats(rows, group, hd int) int {
	return 2*hd*PageRows + rows*(PageRows+1+9*group) + 16
}

func attentionScratch(buf []float32, rows, group, hd int) (w attentionWork) {
	w.kt, buf = buf[:hd*PageRows], buf[hd*PageRows:]
	w.v, buf = buf[:hd*PageRows], buf[hd*PageRows:]
	w.scores, buf = buf[:rows*PageRows], buf[rows*PageRows:]
	w.sum, buf = buf[:rows*group*8], buf[rows*group*8:]
	w.max, buf = buf[:rows*group], buf[rows*group:]
	w.scale = buf[:rows]
	return w
}

// reset starts all rows. The maximum starts at the lowest finite value, so that a block whose scores are all -Inf adds nothing.
func (w attentionWork) reset() {
	clear(w.sum)
	for i := range w.max {
		w.max[i] = -math.MaxFloat32
	}
}

func (w attentionWork) total(row int) float32 {
	l := w.sum[row*8 : row*8+8 : row*8+8]
	return ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]))
}

// attentionRows is query rows of one head. Row i sees the first lim+i*step keys, or of these the last that fit the
// window; step is 0 or 1. With a window, o is zero before the first block.
type attentionRows struct {
	rows, lim, step int
	q               []float32
	qRow            int
	o               []float32
	oRow            int
	drop            probabilityDropper
}

// probabilityDropper is the dropout of the probabilities of rows of one head: the number of the first row, and the distance of
// numbers. Without a dropper there is none.
type probabilityDropper struct {
	*dropper
	first, step int
}

// block does dropout on rows of a block of scores, or of what has their shape: from row `from` on, keys from key `key` on.
func (d probabilityDropper) block(scores []float32, from, rows, key int) {
	if d.dropper == nil || !d.active() {
		return
	}
	for i := range rows {
		row := scores[i*PageRows:][:PageRows]
		d.apply(row, row, d.first+(from+i)*d.step, key)
	}
}

// attend adds the n keys of the block that starts at key `block` to the rows that see any of it. kt is the block's keys
// transposed, [HeadDim, PageRows]; only n of each row are used.
func (r attentionRows) attend(simd bool, s AttnShape, w attentionWork, g, block, n int, kt, v []float32, vRow int) {
	from, to, partial, lim := r.reach(s.Window, block, n)
	if from >= to {
		return
	}
	rows, hd := to-from, s.HeadDim
	q, o := r.q[from*r.qRow:], r.o[from*r.oRow:]
	multiply(simd, &tile{m: rows, n: lanes(n), k: hd, a: q, aRow: r.qRow, aCol: 1, b: kt, bRow: PageRows, c: w.scores, cRow: PageRows})
	maskBefore(w.scores, rows, lim-s.Window, s.Window)
	at := g*r.rows + from
	softmaxBlock(simd, rows, n, lim, r.step, s.Scale, w.scores, w.max[at:], w.sum[at*8:], w.scale)
	r.drop.block(w.scores, from, rows, block)
	start := scaleC
	if block == 0 && s.Window == 0 {
		start = zeroC
	}
	// A row that sees a part of the block adds that part only: later values may not be numbers.
	multiply(simd, &tile{m: partial, n: hd, k: min(lim, n), kStep: r.step, a: w.scores, aRow: PageRows, aCol: 1, b: v, bRow: vRow, c: o, cRow: r.oRow, start: start, scale: w.scale})
	if partial < rows {
		multiply(simd, &tile{m: rows - partial, n: hd, k: n, a: w.scores[partial*PageRows:], aRow: PageRows, aCol: 1, b: v, bRow: vRow, c: o[partial*r.oRow:], cRow: r.oRow, start: start, scale: w.scale[partial:]})
	}
}

// reach says how rows meet the block of n keys at key `block`: only rows [from, to) see any of it; the first `partial`
// of these do not see its end, the first row lim keys and each further one step more.
func (r attentionRows) reach(window, block, n int) (from, to, partial, lim int) {
	lim, to = r.lim-block, r.rows
	if window > 0 {
		to = min(to, n+window-lim) // that row's window begins behind the block
	}
	if lim < 1 {
		if r.step == 0 {
			return r.rows, r.rows, 0, 0
		}
		from = min(r.rows, 1-lim)
		lim = 1
	}
	switch {
	case lim >= n:
	case r.step == 0:
		partial = r.rows
	default:
		partial = min(n-lim, to-from)
	}
	return from, to, partial, lim
}

// maskBefore takes from rows of scores the keys before each row's window, which begins at key first in the first row and
// one later in each further one. Without a window it does nothing.
func maskBefore(scores []float32, rows, first, window int) {
	if window == 0 {
		return
	}
	for i := max(0, 1-first); i < rows; i++ {
		row := scores[i*PageRows : i*PageRows+first+i]
		for j := range row {
			row[j] = float32(math.Inf(-1))
		}
	}
}

// finish divides the rows of head g by their sums. There were so many keys in all. lse, if not nil, receives the row's
// value at every Heads-th place.
func (r attentionRows) finish(simd bool, s AttnShape, w attentionWork, g, keys int, lse []float32) {
	for i := range r.rows {
		total, logSum := w.total(g*r.rows+i), float32(math.Inf(-1))
		if lim := r.lim + i*r.step; min(keys, lim) < 1 || s.Window > 0 && lim-s.Window >= keys {
			clear(r.o[i*r.oRow : i*r.oRow+s.HeadDim])
			total = 1
		} else if lse != nil {
			logSum = w.max[g*r.rows+i] + logarithm(total)
		}
		if lse != nil {
			lse[i*s.Heads] = logSum
		}
		w.scale[i] = 1 / total
	}
	multiply(simd, &tile{m: r.rows, n: s.HeadDim, c: r.o, cRow: r.oRow, start: scaleC, scale: w.scale})
}

// logarithm is log(x), within 2 units in the last place where x is at least 1 (Moshier's Cephes library, logf).
func logarithm(x float32) float32 {
	if !(x >= 1 && x <= math.MaxFloat32) {
		return float32(math.Log(float64(x)))
	}
	bits := math.Float32bits(x)
	e := float32(int(bits>>23) - 126)
	m := math.Float32frombits(bits&0x7fffff | 0x3f000000) // in [0.5, 1)
	if m < math.Sqrt2/2 {
		e, m = e-1, m+m
	}
	m--
	z := m * m
	y := (((((((7.0376836292e-2*m-1.1514610310e-1)*m+1.1676998740e-1)*m-1.2420140846e-1)*m+1.4249322787e-1)*m-1.6668057665e-1)*m+2.0000714765e-1)*m-2.4999993993e-1)*m + 3.3333331174e-1
	return (m + (y*m*z - 2.12194440e-4*e - 0.5*z)) + 0.693359375*e
}

// lanes rounds n up to whole vectors of 8.
func lanes(n int) int { return (n + 7) &^ 7 }

func copyBlock(dst []float32, dstRow int, src []float32, srcRow, rows, cols int) {
	for i := range rows {
		copy(dst[i*dstRow:i*dstRow+cols], src[i*srcRow:i*srcRow+cols])
	}
}

// AttentionProbs writes the probabilities with which the queries of one span and head weigh its keys to dst,
// [Q1-Q0, K1-K0]; a key that a row does not see has 0. It is for looking at, not for computing with.
func (p *Pool) AttentionProbs(dst []float32, q, k Mat, span AttnSpan, head int, s AttnShape) {
	s.check()
	queries, keys := [...]Mat{q}, [...]Mat{k}
	s.checkMats(queries[:], keys[:])
	spans := [...]AttnSpan{span}
	checkSpans(spans[:], q.Rows, k.Rows)
	nk, hd := int(span.K1-span.K0), s.HeadDim
	if head < 0 || head >= s.Heads || len(dst) < int(span.Q1-span.Q0)*nk {
		panic(fmt.Sprintf("kernel: attention: head %d of %d into %d values", head, s.Heads, len(dst)))
	}
	kvHead := head / (s.Heads / s.KVHeads)
	lim, step := span.visible(s.Causal)
	for i := range int(span.Q1 - span.Q0) {
		row := dst[i*nk : (i+1)*nk]
		clear(row)
		first, seen := 0, max(0, min(nk, lim+i*step))
		if s.Window > 0 {
			first = min(seen, max(0, lim+i*step-s.Window))
		}
		row = row[first:seen]
		qi := q.Row(int(span.Q0) + i)[head*hd : (head+1)*hd]
		for j := range row {
			kj := k.Row(int(span.K0) + first + j)[kvHead*hd : (kvHead+1)*hd]
			dot := float32(0)
			for d := range kj {
				dot += qi[d] * kj[d]
			}
			row[j] = dot * s.Scale
		}
		probabilities(row)
	}
}

// probabilities replaces scores by their softmax.
func probabilities(x []float32) {
	top := math.Inf(-1)
	for _, v := range x {
		top = max(top, float64(v))
	}
	sum := 0.0
	for j, v := range x {
		e := math.Exp(float64(v) - top)
		x[j] = float32(e)
		sum += e
	}
	for j := range x {
		x[j] = float32(float64(x[j]) / sum)
	}
}

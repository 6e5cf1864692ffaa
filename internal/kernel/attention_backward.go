package kernel

import (
	"cmp"
	"fmt"
	"slices"
)

// attentionBackwardTask is the record of a backward attention. An item is a group of spans whose keys overlap, with one
// key/value head: nothing outside of it adds to the gradients of its keys.
type attentionBackwardTask struct {
	pool       *Pool
	simd       bool
	shape      AttnShape
	dq, dk, dv Mat
	do, o      Mat
	q, k, v    Mat
	spans      []AttnSpan
	lseByRow   []float32
	heads      int // key/value heads in an item
	drop       dropper

	order      []int32 // spans, group by group
	groups     []spanGroup
	lse, delta []float32 // [Heads, Nq]
}

// spanGroup is the spans order[from:to], whose keys lie in [k0, k1).
type spanGroup struct{ from, to, k0, k1 int32 }

// AttentionBackward computes the gradients of q, k and v from that of the output, do, and from o and lse as Attention left
// them. The probabilities are computed again, block by block. The rows of dq, dk and dv that the spans cover are overwritten
// and others left alone; when several spans look at the same keys their contributions are added in the order of the spans.
// Each query row is in one span at most.
func (p *Pool) AttentionBackward(dq, dk, dv Mat, do, o, q, k, v Mat, lse []float32, spans []AttnSpan, s AttnShape) {
	s.check()
	queries, keys := [...]Mat{q, o, do, dq}, [...]Mat{k, v, dk, dv}
	s.checkMats(queries[:], keys[:])
	checkSpans(spans, q.Rows, k.Rows)
	if len(lse) < q.Rows*s.Heads {
		panic(fmt.Sprintf("kernel: attention: %d log-sums for %d rows of %d heads", len(lse), q.Rows, s.Heads))
	}
	pool := p.orSerial()
	t := &pool.records.attentionBackward
	*t = attentionBackwardTask{pool: pool, simd: Active() >= AVX2, shape: s,
		dq: dq, dk: dk, dv: dv, do: do, o: o, q: q, k: k, v: v, spans: spans, lseByRow: lse, drop: s.Drop.prepare(k.Rows),
		order: t.order, groups: t.groups,
		lse: slices.Grow(t.lse[:0], q.Rows*s.Heads)[:q.Rows*s.Heads], delta: slices.Grow(t.delta[:0], q.Rows*s.Heads)[:q.Rows*s.Heads]}
	t.group()
	t.heads = headsPerItem(len(t.groups), pool.Threads(), s.KVHeads)
	pool.Run(len(t.groups)*s.KVHeads/t.heads, t)
	*t = attentionBackwardTask{order: t.order, groups: t.groups, lse: t.lse, delta: t.delta}
	p.giveBack(pool)
}

// group sorts the spans into groups whose keys do not overlap.
func (t *attentionBackwardTask) group() {
	t.order, t.groups = t.order[:0], t.groups[:0]
	for i := range t.spans {
		t.order = append(t.order, int32(i))
	}
	slices.SortFunc(t.order, func(i, j int32) int {
		return cmp.Or(cmp.Compare(t.spans[i].K0, t.spans[j].K0), cmp.Compare(i, j))
	})
	for at, i := range t.order {
		a := t.spans[i]
		if n := len(t.groups); n > 0 && a.K0 < t.groups[n-1].k1 {
			g := &t.groups[n-1]
			g.to, g.k1 = int32(at+1), max(g.k1, a.K1)
			continue
		}
		t.groups = append(t.groups, spanGroup{int32(at), int32(at + 1), a.K0, a.K1})
	}
	for _, g := range t.groups {
		slices.Sort(t.order[g.from:g.to])
	}
}

// Do computes the gradients of one group of spans for its key/value heads.
func (t *attentionBackwardTask) Do(worker, item int) {
	items := t.shape.KVHeads / t.heads
	g, head, hd := t.groups[item/items], item%items*t.heads, t.shape.HeadDim
	w := gradientScratch(t.pool.Scratch(worker, gradientScratchFloats(hd)), hd)
	alone := g.to-g.from == 1
	for kvHead := head; kvHead < head+t.heads; kvHead++ {
		if !alone {
			t.clearKeys(int(g.k0), int(g.k1), kvHead)
		}
		for _, i := range t.order[g.from:g.to] {
			t.span(w, t.spans[i], kvHead, alone)
		}
	}
}

func (t *attentionBackwardTask) clearKeys(k0, k1, kvHead int) {
	hd := t.shape.HeadDim
	clearRows(t.dk, k0, k1, kvHead*hd, hd)
	clearRows(t.dv, k0, k1, kvHead*hd, hd)
}

func clearRows(m Mat, r0, r1, c0, cols int) {
	for i := r0; i < r1; i++ {
		clear(m.Data[i*m.Stride+c0:][:cols])
	}
}

// gradientWork is one worker's memory for a block of keys and queryRows rows.
type gradientWork struct {
	kt, vt     []float32 // [HeadDim, PageRows] a block of keys and of values, transposed
	k          []float32 // [PageRows, HeadDim] the keys
	scores, dp []float32 // [queryRows, PageRows]
}

func gradientScratchFloats(hd int) int { return 3*hd*PageRows + 2*queryRows*PageRows }

func gradientScratch(buf []float32, hd int) (w gradientWork) {
	n := hd * PageRows
	w.kt, w.vt, w.k, buf = buf[:n], buf[n:2*n], buf[2*n:3*n], buf[3*n:]
	w.scores, w.dp = buf[:queryRows*PageRows], buf[queryRows*PageRows:]
	return w
}

// span computes what one span gives to the gradients of its keys, and the gradients of its queries. When it is alone in
// having its keys, their gradients are overwritten; otherwise they are added to.
func (t *attentionBackwardTask) span(w gradientWork, a AttnSpan, kvHead int, alone bool) {
	s := t.shape
	group, hd := s.Heads/s.KVHeads, s.HeadDim
	rows := int(a.Q1 - a.Q0)
	lim, step := a.visible(s.Causal)
	keys := 0
	if rows > 0 {
		keys = max(0, min(int(a.K1-a.K0), lim+step*(rows-1)))
	}
	for head := kvHead * group; head < (kvHead+1)*group && rows > 0; head++ {
		t.prepare(a, head, lim < 1 || keys < 1 || s.Window > 0)
	}
	first := min(s.firstBlock(lim), keys)
	for block := first; block < keys; block += PageRows {
		n := min(PageRows, keys-block)
		row := int(a.K0) + block
		k, kRow := t.k.Data[row*t.k.Stride+kvHead*hd:], t.k.Stride
		transpose(t.simd, n, hd, k, kRow, w.kt, PageRows)
		transpose(t.simd, n, hd, t.v.Data[row*t.v.Stride+kvHead*hd:], t.v.Stride, w.vt, PageRows)
		if rows >= 2*PageRows { // distant rows would evict each other from the cache
			copyBlock(w.k, hd, k, kRow, n, hd)
			k, kRow = w.k, hd
		}
		start := addC
		if alone {
			start = zeroC
		}
		for head := kvHead * group; head < (kvHead+1)*group; head++ {
			for q0 := 0; q0 < rows; q0 += queryRows {
				r := attentionRows{rows: min(queryRows, rows-q0), lim: lim + q0*step, step: step}
				if t.block(w, r, int(a.Q0)+q0, head, row, block, n, k, kRow, start) {
					start = addC
				}
			}
		}
		if start == zeroC { // no row sees the block
			t.clearKeys(row, row+n, kvHead)
		}
	}
	if alone {
		t.clearKeys(int(a.K0), int(a.K0)+first, kvHead)
		t.clearKeys(int(a.K0)+keys, int(a.K1), kvHead)
	}
}

// prepare readies a span's queries in one head: delta = do·o is what the softmax takes from each gradient. unseeing says
// that not all rows begin with the first block, or that some see no key: their gradients are set to zero here.
func (t *attentionBackwardTask) prepare(a AttnSpan, head int, unseeing bool) {
	hd, q0, rows := t.shape.HeadDim, int(a.Q0), int(a.Q1-a.Q0)
	if unseeing {
		clearRows(t.dq, q0, q0+rows, head*hd, hd)
	}
	at := head*t.q.Rows + q0
	rowDots(t.simd, t.delta[at:], rows, hd, t.do.Data[q0*t.do.Stride+head*hd:], t.do.Stride, t.o.Data[q0*t.o.Stride+head*hd:], t.o.Stride)
	lse := t.lseByRow[q0*t.shape.Heads+head:]
	for i := range t.lse[at : at+rows] {
		t.lse[at+i] = lse[i*t.shape.Heads]
	}
}

// block takes rows of one head, the first of which is row q0 of the matrices, through the block of n keys that starts at
// key `block` of the span and row k0 of the matrices; k is those keys, and start what their gradients begin with. It
// returns whether the rows see the block at all.
func (t *attentionBackwardTask) block(w gradientWork, r attentionRows, q0, head, k0, block, n int, k []float32, kRow int, start start) bool {
	s := t.shape
	from, to, partial, lim := r.reach(s.Window, block, n)
	if from >= to {
		return false
	}
	rows, hd, q0 := to-from, s.HeadDim, q0+from
	q, do := t.q.Data[q0*t.q.Stride+head*hd:], t.do.Data[q0*t.do.Stride+head*hd:]
	multiply(t.simd, &tile{m: rows, n: lanes(n), k: hd, a: q, aRow: t.q.Stride, aCol: 1, b: w.kt, bRow: PageRows, c: w.scores, cRow: PageRows})
	multiply(t.simd, &tile{m: rows, n: lanes(n), k: hd, a: do, aRow: t.do.Stride, aCol: 1, b: w.vt, bRow: PageRows, c: w.dp, cRow: PageRows})
	maskBefore(w.scores, rows, lim-s.Window, s.Window)
	at := head*t.q.Rows + q0
	drop := probabilityDropper{&t.drop, q0*s.Heads + head, s.Heads}
	drop.block(w.dp, 0, rows, block)
	gradientBlock(t.simd, rows, n, lim, r.step, s.Scale, w.scores, w.dp, t.lse[at:], t.delta[at:])
	drop.block(w.scores, 0, rows, block)

	kvCol := head / (s.Heads / s.KVHeads) * hd
	multiply(t.simd, &tile{m: n, n: hd, k: rows, a: w.scores, aRow: 1, aCol: PageRows, b: do, bRow: t.do.Stride, c: t.dv.Data[k0*t.dv.Stride+kvCol:], cRow: t.dv.Stride, start: start})
	multiply(t.simd, &tile{m: n, n: hd, k: rows, a: w.dp, aRow: 1, aCol: PageRows, b: q, bRow: t.q.Stride, c: t.dk.Data[k0*t.dk.Stride+kvCol:], cRow: t.dk.Stride, start: start})

	start = addC
	if block == 0 && s.Window == 0 {
		start = zeroC
	}
	dq, dqRow := t.dq.Data[q0*t.dq.Stride+head*hd:], t.dq.Stride
	multiply(t.simd, &tile{m: partial, n: hd, k: min(lim, n), kStep: r.step, a: w.dp, aRow: PageRows, aCol: 1, b: k, bRow: kRow, c: dq, cRow: dqRow, start: start})
	if partial < rows {
		multiply(t.simd, &tile{m: rows - partial, n: hd, k: n, a: w.dp[partial*PageRows:], aRow: PageRows, aCol: 1, b: k, bRow: kRow, c: dq[partial*dqRow:], cRow: dqRow, start: start})
	}
	return true
}

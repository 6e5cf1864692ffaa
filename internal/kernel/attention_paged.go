package kernel

import "fmt"

// A page holds PageRows positions of all key/value heads: first the keys, transposed, [KVHeads, HeadDim, PageRows], as
// attention multiplies them; then the values, [KVHeads, PageRows, HeadDim].

// PageFloats is the number of floats in one page of the key/value cache.
func PageFloats(s AttnShape) int { return 2 * s.KVHeads * s.HeadDim * PageRows }

// StoreKV writes the key and the value of one position, each [KVHeads*HeadDim], to a page. slot is the position within the
// page, in [0, PageRows).
func StoreKV(page []float32, slot int, k, v []float32, s AttnShape) {
	n := s.KVHeads * s.HeadDim
	if len(page) < PageFloats(s) || len(k) < n || len(v) < n || uint(slot) >= PageRows {
		panic(fmt.Sprintf("kernel: storing %d and %d values in slot %d of a page of %d", len(k), len(v), slot, len(page)))
	}
	keys, values := page[:n*PageRows], page[n*PageRows:]
	for i, x := range k[:n] {
		keys[i*PageRows+slot] = x
	}
	for h := range s.KVHeads {
		copy(values[(h*PageRows+slot)*s.HeadDim:][:s.HeadDim], v[h*s.HeadDim:])
	}
}

// PagedSpan says that query rows [Q0, Q1) look at Len keys that lie in Pages, in order; page j of the cache is the j-th run
// of PageFloats values of the store. When causal, the queries are the last Q1-Q0 of the Len positions: row i sees
// Len-(Q1-1-i) keys.
type PagedSpan struct {
	Q0, Q1, Len int32
	Pages       []int32
}

// AttentionPaged is Attention with the keys and values in pages. An output row has the same bits as with Attention on
// the same keys in rows.
func (p *Pool) AttentionPaged(o Mat, q Mat, store []float32, spans []PagedSpan, s AttnShape) {
	s.check()
	queries := [...]Mat{q, o}
	s.checkMats(queries[:], nil)
	for i, a := range spans {
		checkPaged(i, a, q.Rows, len(store)/PageFloats(s))
	}
	pool := p.orSerial()
	t := &pool.records.attention
	parts := t.parts[:0]
	for i, a := range spans {
		for q0 := a.Q0; q0 < a.Q1; q0 += queryRows {
			parts = append(parts, attentionPart{int32(i), q0, min(q0+queryRows, a.Q1)})
		}
	}
	if len(parts) > 0 {
		*t = attentionTask{pool: pool, simd: Active() >= AVX2, shape: s, o: o, q: q, parts: parts, store: store, paged: spans}
		t.run()
		*t = attentionTask{parts: parts}
	}
	p.giveBack(pool)
}

func checkPaged(i int, a PagedSpan, nq, pages int) {
	if a.Q0 < 0 || a.Q1 < a.Q0 || int(a.Q1) > nq || a.Len < 0 || len(a.Pages) < (int(a.Len)+PageRows-1)/PageRows {
		panic(fmt.Sprintf("kernel: attention: span %d: queries [%d, %d) of %d, %d keys in %d pages", i, a.Q0, a.Q1, nq, a.Len, len(a.Pages)))
	}
	for _, page := range a.Pages[:(int(a.Len)+PageRows-1)/PageRows] {
		if page < 0 || int(page) >= pages {
			panic(fmt.Sprintf("kernel: attention: span %d: page %d of %d", i, page, pages))
		}
	}
}

// doPaged computes one part for one key/value head and the query heads that share it. When the part is a single row, as
// in decoding, those heads are the rows that go through a page together.
func (t *attentionTask) doPaged(worker int, part attentionPart, kvHead int) {
	s, a := t.shape, t.paged[part.span]
	group, hd := s.Heads/s.KVHeads, s.HeadDim
	rows, first := int(part.q1-part.q0), int(part.q0)
	lim, step := int(a.Len), 0
	if s.Causal {
		lim, step = int(a.Len)-int(a.Q1-1-part.q0), 1
	}
	keys := max(0, min(int(a.Len), lim+step*(rows-1)))
	head := kvHead * group * hd
	r := attentionRows{rows: rows, lim: lim, step: step,
		q: t.q.Data[first*t.q.Stride+head:], qRow: t.q.Stride,
		o: t.o.Data[first*t.o.Stride+head:], oRow: t.o.Stride}
	if rows == 1 {
		r.rows, r.step, r.qRow, r.oRow, group = group, 0, hd, hd, 1
	}
	w := attentionScratch(t.pool.Scratch(worker, attentionScratchFloats(r.rows, group, hd)), r.rows, group, hd)
	w.reset()
	headFloats := hd * PageRows
	for block := 0; block < keys; block += PageRows {
		page := t.store[int(a.Pages[block/PageRows])*PageFloats(s):][:PageFloats(s)]
		kt, v := page[kvHead*headFloats:], page[(s.KVHeads+kvHead)*headFloats:]
		for g := range group {
			r.head(g, hd).attend(t.simd, s, w, g, block, min(PageRows, keys-block), kt, v, hd)
		}
	}
	for g := range group {
		r.head(g, hd).finish(t.simd, s, w, g, keys, nil)
	}
}

// head is the same rows of the g-th head further on.
func (r attentionRows) head(g, hd int) attentionRows {
	r.q, r.o = r.q[g*hd:], r.o[g*hd:]
	return r
}

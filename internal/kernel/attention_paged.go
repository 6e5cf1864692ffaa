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
	parts, work := t.parts[:0], 0
	for i, a := range spans {
		work += int(a.Q1-a.Q0) * int(a.Len)
		for q0 := a.Q0; q0 < a.Q1; q0 += queryRows {
			parts = append(parts, attentionPart{int32(i), q0, min(q0+queryRows, a.Q1)})
		}
	}
	if len(parts) > 0 {
		*t = attentionTask{pool: pool, simd: Active() >= AVX2, shape: s, o: o, q: q, parts: parts, store: store, paged: spans}
		t.run(work)
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

// doPaged computes one part for one key/value head and the query heads that share it.
func (t *attentionTask) doPaged(worker int, part attentionPart, kvHead int) {
	s, a := t.shape, t.paged[part.span]
	group, hd := s.Heads/s.KVHeads, s.HeadDim
	rows, first := int(part.q1-part.q0), int(part.q0)
	lim, step := int(a.Len), 0
	if s.Causal {
		lim, step = int(a.Len)-int(a.Q1-1-part.q0), 1
	}
	keys := max(0, min(int(a.Len), lim+step*(rows-1)))
	w := attentionScratch(t.pool.Scratch(worker, attentionScratchFloats(rows, group, hd)), rows, group, hd)
	w.reset()
	at := func(g int) attentionRows {
		head := (kvHead*group + g) * hd
		return attentionRows{rows: rows, lim: lim, step: step,
			q: t.q.Data[first*t.q.Stride+head:], qRow: t.q.Stride,
			o: t.o.Data[first*t.o.Stride+head:], oRow: t.o.Stride}
	}
	if s.Window > 0 {
		clearRows(t.o, first, first+rows, kvHead*group*hd, group*hd)
	}
	for block := s.firstBlock(lim); block < keys; block += PageRows {
		kt, v := t.page(a, block, kvHead)
		for g := range group {
			at(g).attend(t.simd, s, w, g, block, min(PageRows, keys-block), kt, v, hd)
		}
	}
	for g := range group {
		at(g).finish(t.simd, s, w, g, keys, nil)
	}
}

// page is the keys of one head, transposed, and its values, in the page where the given block of a span begins.
func (t *attentionTask) page(a PagedSpan, block, kvHead int) (kt, v []float32) {
	size, headFloats := PageFloats(t.shape), t.shape.HeadDim*PageRows
	page := t.store[int(a.Pages[block/PageRows])*size:][:size]
	return page[kvHead*headFloats:][:headFloats], page[(t.shape.KVHeads+kvHead)*headFloats:][:headFloats]
}

// doPagedRow is doPaged for a single row, as in decoding, and all key/value heads of the item: a head is what a row is
// elsewhere, so that their steps overlap.
func (t *attentionTask) doPagedRow(worker int, part attentionPart, kvHead int) {
	s, a := t.shape, t.paged[part.span]
	group, hd := s.Heads/s.KVHeads, s.HeadDim
	heads, keys := group*t.heads, int(a.Len)
	if s.Causal {
		keys -= int(a.Q1 - 1 - part.q0)
	}
	from, end := kvHead*group*hd, (kvHead+t.heads)*group*hd
	q, o := t.q.Row(int(part.q0))[from:end], t.o.Row(int(part.q0))[from:end]
	w := attentionScratch(t.pool.Scratch(worker, attentionScratchFloats(heads, 1, hd)), heads, 1, hd)
	w.reset()
	first := s.firstBlock(keys)
	for block := first; block < keys; block += PageRows {
		n, start := min(PageRows, keys-block), scaleC
		if block == first {
			start = zeroC
		}
		for h := 0; h < heads; h += group {
			kt, _ := t.page(a, block, kvHead+h/group)
			multiply(t.simd, &tile{m: group, n: lanes(n), k: hd, a: q[h*hd:], aRow: hd, aCol: 1, b: kt, bRow: PageRows, c: w.scores[h*PageRows:], cRow: PageRows})
		}
		if before := keys - s.Window - block; s.Window > 0 && before > 0 {
			for h := range heads {
				maskBefore(w.scores[h*PageRows:], 1, before, s.Window)
			}
		}
		softmaxBlock(t.simd, heads, n, n, 0, s.Scale, w.scores, w.max, w.sum, w.scale)
		for h := 0; h < heads; h += group {
			_, v := t.page(a, block, kvHead+h/group)
			multiply(t.simd, &tile{m: group, n: hd, k: n, a: w.scores[h*PageRows:], aRow: PageRows, aCol: 1, b: v, bRow: hd, c: o[h*hd:], cRow: hd, start: start, scale: w.scale[h:]})
		}
	}
	attentionRows{rows: heads, lim: keys, o: o, oRow: hd}.finish(t.simd, s, w, 0, keys, nil)
}

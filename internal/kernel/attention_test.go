package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// attentionCase is a problem with all its matrices, some of them views with a stride.
type attentionCase struct {
	name                       string
	s                          AttnShape
	spans                      []AttnSpan
	nq, nk                     int
	q, k, v, do, o, dq, dk, dv Mat
	lse                        []float32
}

func randomMat(r *rand.Rand, rows, cols, gap int) Mat {
	m := Mat{Data: make([]float32, rows*(cols+gap)), Rows: rows, Cols: cols, Stride: cols + gap}
	for i := range m.Data {
		m.Data[i] = float32(r.NormFloat64())
	}
	return m
}

func newAttentionCase(seed uint64, name string, s AttnShape, nq, nk int, spans ...AttnSpan) *attentionCase {
	r := rand.New(rand.NewPCG(seed, 1))
	if s.Scale == 0 {
		s.Scale = float32(1 / math.Sqrt(float64(s.HeadDim)))
	}
	c := &attentionCase{name: name, s: s, spans: spans, nq: nq, nk: nk}
	d, kd, gap := s.Heads*s.HeadDim, s.KVHeads*s.HeadDim, int(seed%4)
	c.q, c.do, c.o, c.dq = randomMat(r, nq, d, gap), randomMat(r, nq, d, 0), randomMat(r, nq, d, gap), randomMat(r, nq, d, 2*gap)
	c.k, c.v, c.dk, c.dv = randomMat(r, nk, kd, gap), randomMat(r, nk, kd, 3*gap), randomMat(r, nk, kd, gap), randomMat(r, nk, kd, 0)
	c.lse = make([]float32, nq*s.Heads)
	return c
}

func (c *attentionCase) run(p *Pool) {
	p.Attention(c.o, c.lse, c.q, c.k, c.v, c.spans, c.s)
	p.AttentionBackward(c.dq, c.dk, c.dv, c.do, c.o, c.q, c.k, c.v, c.lse, c.spans, c.s)
}

func attentionCases() []*attentionCase {
	self := func(lens ...int32) (spans []AttnSpan, n int) {
		at := int32(0)
		for _, l := range lens {
			spans = append(spans, AttnSpan{at, at + l, at, at + l, 0})
			at += l
		}
		return spans, int(at)
	}
	var cases []*attentionCase
	add := func(name string, s AttnShape, nq, nk int, spans ...AttnSpan) {
		cases = append(cases, newAttentionCase(uint64(len(cases)+1), name, s, nq, nk, spans...))
	}
	for _, causal := range []bool{false, true} {
		spans, n := self(5, 1, 17, 32, 0, 33, 40, 8)
		add("sentences", AttnShape{Heads: 4, KVHeads: 4, HeadDim: 32, Causal: causal}, n, n, spans...)
		spans, n = self(131, 7, 250)
		add("long", AttnShape{Heads: 2, KVHeads: 2, HeadDim: 64, Causal: causal}, n, n, spans...)
		for _, hd := range []int{1, 2, 3, 7, 8, 9, 16, 20, 24, 40, 47, 48, 56, 72, 80, 96, 100, 128} {
			spans, n = self(19, 70, 3)
			add("odd head dim", AttnShape{Heads: 2, KVHeads: 1, HeadDim: hd, Causal: causal}, n, n, spans...)
		}
		spans, n = self(100, 20)
		add("grouped heads", AttnShape{Heads: 8, KVHeads: 2, HeadDim: 16, Causal: causal}, n, n, spans...)
	}
	add("cross", AttnShape{Heads: 4, KVHeads: 4, HeadDim: 32}, 30, 50, AttnSpan{0, 11, 0, 20, 0}, AttnSpan{11, 12, 20, 21, 0}, AttnSpan{12, 30, 21, 50, 0})
	add("cross without keys", AttnShape{Heads: 2, KVHeads: 2, HeadDim: 8}, 9, 5, AttnSpan{0, 4, 0, 0, 0}, AttnSpan{4, 9, 0, 5, 0})
	add("shared keys", AttnShape{Heads: 4, KVHeads: 2, HeadDim: 8}, 60, 90, AttnSpan{0, 20, 40, 90, 0}, AttnSpan{20, 21, 0, 40, 0}, AttnSpan{21, 40, 40, 90, 0}, AttnSpan{40, 60, 30, 60, 0})
	add("prefill in pieces", AttnShape{Heads: 2, KVHeads: 1, HeadDim: 16, Causal: true}, 100, 100, AttnSpan{0, 10, 0, 10, 0}, AttnSpan{10, 90, 0, 90, 10}, AttnSpan{90, 100, 0, 100, 90})
	add("before the first key", AttnShape{Heads: 2, KVHeads: 2, HeadDim: 8, Causal: true}, 50, 40, AttnSpan{0, 50, 0, 40, -5})
	add("rows outside of spans", AttnShape{Heads: 1, KVHeads: 1, HeadDim: 8, Causal: true}, 20, 20, AttnSpan{3, 9, 5, 11, 0})
	for _, window := range []int{1, 3, 8, 31, 32, 33, 64, 100, 500} {
		spans, n := self(5, 1, 17, 131, 0, 64, 250)
		add("window", AttnShape{Heads: 4, KVHeads: 2, HeadDim: 16, Causal: true, Window: window}, n, n, spans...)
		add("window in pieces", AttnShape{Heads: 2, KVHeads: 1, HeadDim: 8, Causal: true, Window: window}, 200, 200,
			AttnSpan{0, 10, 0, 10, 0}, AttnSpan{10, 150, 0, 150, 10}, AttnSpan{150, 200, 0, 200, 150})
		add("window behind the last key", AttnShape{Heads: 2, KVHeads: 2, HeadDim: 8, Causal: true, Window: window}, 50, 40, AttnSpan{0, 50, 0, 40, 30})
	}
	for r := rand.New(rand.NewPCG(7, 7)); len(cases) < 100; {
		kv := 1 + r.IntN(3)
		s := AttnShape{Heads: kv * (1 + r.IntN(3)), KVHeads: kv, HeadDim: 1 + r.IntN(34), Causal: r.IntN(2) == 0}
		if s.Causal && r.IntN(3) == 0 {
			s.Window = 1 + r.IntN(50)
		}
		var spans []AttnSpan
		var q, k int32
		for range 1 + r.IntN(4) {
			nq, nk := int32(r.IntN(50)), int32(r.IntN(80))
			spans = append(spans, AttnSpan{q, q + nq, k, k + nk, int32(r.IntN(40)) - 4})
			q, k = q+nq+int32(r.IntN(2)), k+nk+int32(r.IntN(2))
		}
		r.Shuffle(len(spans), func(i, j int) { spans[i], spans[j] = spans[j], spans[i] })
		add(fmt.Sprintf("random %d", len(cases)), s, int(q), int(k), spans...)
	}
	add("sharp", AttnShape{Heads: 1, KVHeads: 1, HeadDim: 32, Scale: 30}, 70, 70, AttnSpan{0, 70, 0, 70, 0})
	return cases
}

// truth is attention and its gradients as the textbook has them, in float64; NaN where no span reaches.
type truth struct{ o, dq, dk, dv, lse truthMat }

type truthMat struct {
	x    []float64
	cols int
}

func newTruthMat(m Mat) truthMat {
	t := truthMat{make([]float64, m.Rows*m.Cols), m.Cols}
	for i := range t.x {
		t.x[i] = math.NaN()
	}
	return t
}

func (t truthMat) head(i, c0, n int) []float64 { return t.x[i*t.cols+c0:][:n] }

// reach makes NaN zero: a span covers these values.
func reach(x []float64) []float64 {
	for i := range x {
		if math.IsNaN(x[i]) {
			x[i] = 0
		}
	}
	return x
}

func dot64(a, b []float32) (sum float64) {
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func addScaled(dst []float64, s float64, x []float32) {
	for i := range dst {
		dst[i] += s * float64(x[i])
	}
}

func attentionTruth(c *attentionCase) truth {
	w := truth{newTruthMat(c.o), newTruthMat(c.dq), newTruthMat(c.dk), newTruthMat(c.dv), newTruthMat(Mat{Rows: c.nq, Cols: c.s.Heads})}
	s, hd := c.s, c.s.HeadDim
	for _, a := range c.spans {
		for head := range s.Heads {
			qc, kc := head*hd, head/(s.Heads/s.KVHeads)*hd
			for j := int(a.K0); j < int(a.K1); j++ {
				reach(w.dk.head(j, kc, hd))
				reach(w.dv.head(j, kc, hd))
			}
			for i := int(a.Q0); i < int(a.Q1); i++ {
				first, seen := 0, int(a.K1-a.K0)
				if s.Causal {
					lim := int(a.Pos) + 1 + i - int(a.Q0)
					seen = max(0, min(seen, lim))
					if s.Window > 0 {
						first = min(seen, max(0, lim-s.Window))
					}
				}
				k0 := int(a.K0) + first
				q, do := c.q.Row(i)[qc:qc+hd], c.do.Row(i)[qc:qc+hd]
				p, dp, top, sum, delta := make([]float64, seen-first), make([]float64, seen-first), math.Inf(-1), 0.0, 0.0
				for j := range p {
					p[j] = dot64(q, c.k.Row(k0 + j)[kc:kc+hd]) * float64(s.Scale)
					top = max(top, p[j])
				}
				for j := range p {
					p[j] = math.Exp(p[j] - top)
					sum += p[j]
				}
				w.lse.x[i*s.Heads+head] = top + math.Log(sum)
				o, dq := reach(w.o.head(i, qc, hd)), reach(w.dq.head(i, qc, hd))
				for j := range p {
					v := c.v.Row(k0 + j)[kc : kc+hd]
					p[j] /= sum
					dp[j] = dot64(do, v)
					delta += p[j] * dp[j]
					addScaled(o, p[j], v)
					addScaled(w.dv.head(k0+j, kc, hd), p[j], do)
				}
				for j := range p {
					ds := p[j] * (dp[j] - delta) * float64(s.Scale)
					addScaled(dq, ds, c.k.Row(k0 + j)[kc:kc+hd])
					addScaled(w.dk.head(k0+j, kc, hd), ds, q)
				}
			}
		}
	}
	return w
}

// compareTruth checks every element of m: near the truth where there is one, as before where there is none.
func compareTruth(t *testing.T, what string, got, before Mat, want truthMat, tol float64) {
	t.Helper()
	bad := 0
	for at, x := range got.Data {
		i, j := at/got.Stride, at%got.Stride
		y := math.NaN()
		if j < want.cols {
			y = want.x[i*want.cols+j]
		}
		switch {
		case math.IsNaN(y) && math.Float32bits(x) != math.Float32bits(before.Data[at]):
			t.Errorf("%s[%d,%d] was written", what, i, j)
		case math.Abs(float64(x)-y) > tol*(1+math.Abs(y)) || !math.IsNaN(y) && (x != x || math.IsInf(y, -1) != math.IsInf(float64(x), -1)):
			t.Errorf("%s[%d,%d] = %v, want %v", what, i, j, x, y)
		default:
			continue
		}
		if bad++; bad > 3 {
			return
		}
	}
}

func cloneMat(m Mat) Mat { m.Data = slices.Clone(m.Data); return m }

// onEveryISA runs a test with each instruction set that the processor has.
func onEveryISA(t *testing.T, f func(t *testing.T)) {
	for _, isa := range Available() {
		t.Run(isa.String(), func(t *testing.T) {
			defer SetISA(isa)()
			f(t)
		})
	}
}

func TestAttentionAndGradientsMatchFloat64(t *testing.T) {
	onEveryISA(t, func(t *testing.T) {
		for _, c := range attentionCases() {
			t.Run(fmt.Sprintf("%s/%d/causal=%v", c.name, c.s.HeadDim, c.s.Causal), func(t *testing.T) {
				o, dq, dk, dv := cloneMat(c.o), cloneMat(c.dq), cloneMat(c.dk), cloneMat(c.dv)
				lse := Mat{Data: slices.Clone(c.lse), Rows: c.nq, Cols: c.s.Heads, Stride: c.s.Heads}
				c.run(nil)
				want := attentionTruth(c)
				tol := 2e-5 * float64(max(1, c.s.Scale))
				compareTruth(t, "o", c.o, o, want.o, tol)
				compareTruth(t, "lse", NewMat(c.lse, c.nq, c.s.Heads), lse, want.lse, tol)
				compareTruth(t, "dq", c.dq, dq, want.dq, 3*tol)
				compareTruth(t, "dk", c.dk, dk, want.dk, 3*tol)
				compareTruth(t, "dv", c.dv, dv, want.dv, 3*tol)
			})
		}
	})
}

// The textbook's gradients, against which the kernel is tested, are themselves the slopes of the textbook's output.
func TestAttentionTruthGradientsAreNumericGradients(t *testing.T) {
	c := newAttentionCase(5, "", AttnShape{Heads: 4, KVHeads: 2, HeadDim: 3, Causal: true}, 9, 12, AttnSpan{0, 4, 0, 6, 2}, AttnSpan{4, 9, 6, 12, 1})
	value := func() (sum float64) {
		o := attentionTruth(c).o
		for i := range c.nq {
			for j, x := range c.do.Row(i) {
				sum += o.x[i*o.cols+j] * float64(x)
			}
		}
		return sum
	}
	truth := attentionTruth(c)
	for _, g := range []struct {
		name string
		m    Mat
		want truthMat
	}{{"q", c.q, truth.dq}, {"k", c.k, truth.dk}, {"v", c.v, truth.dv}} {
		for at, want := range g.want.x {
			x := &g.m.Row(at / g.want.cols)[at%g.want.cols]
			old, h := *x, float32(1.0/1024)
			*x = old + h
			hi, up := value(), float64(*x)
			*x = old - h
			lo, down := value(), float64(*x)
			*x = old
			if got := (hi - lo) / (up - down); math.Abs(got-want) > 1e-5*(1+math.Abs(want)) {
				t.Errorf("element %d of d%s is %v, numerically %v", at, g.name, want, got)
			}
		}
	}
}

func TestAttentionIsTheSameOnAnyNumberOfThreads(t *testing.T) {
	onEveryISA(t, func(t *testing.T) {
		for _, c := range attentionCases() {
			if c.name == "odd head dim" {
				continue
			}
			c.run(nil)
			want := []Mat{cloneMat(c.o), cloneMat(c.dq), cloneMat(c.dk), cloneMat(c.dv), NewMat(slices.Clone(c.lse), 1, len(c.lse))}
			for _, threads := range []int{1, 2, 3, 8} {
				p := NewPool(threads)
				c.run(p)
				p.Close()
				for i, got := range []Mat{c.o, c.dq, c.dk, c.dv, NewMat(c.lse, 1, len(c.lse))} {
					sameBits(t, fmt.Sprintf("%s, result %d, %d threads", c.name, i, threads), got.Data, want[i].Data)
				}
			}
		}
	})
}

func sameBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Errorf("%s: element %d is %v, not %v", what, i, got[i], want[i])
			return
		}
	}
}

// A causal sequence is computed whole; in pieces; row by row, with what the row must not see being not numbers; and from
// pages, whole, in pieces and row by row.
func TestAttentionRowHasTheSameBitsHoweverItIsComputed(t *testing.T) {
	onEveryISA(t, func(t *testing.T) {
		for _, s := range []AttnShape{
			{Heads: 2, KVHeads: 2, HeadDim: 32, Causal: true},
			{Heads: 6, KVHeads: 2, HeadDim: 24, Causal: true},
			{Heads: 2, KVHeads: 1, HeadDim: 13, Causal: true},
			{Heads: 4, KVHeads: 2, HeadDim: 64, Causal: false},
			{Heads: 6, KVHeads: 2, HeadDim: 24, Causal: true, Window: 1},
			{Heads: 4, KVHeads: 2, HeadDim: 16, Causal: true, Window: 40},
			{Heads: 2, KVHeads: 1, HeadDim: 13, Causal: true, Window: 64},
		} {
			const n = 203
			c := newAttentionCase(3, "", s, n, n, AttnSpan{0, n, 0, n, 0})
			c.run(nil)
			want, wantLSE, wantDQ := cloneMat(c.o), slices.Clone(c.lse), cloneMat(c.dq)
			nan := float32(math.NaN())
			pages, store := pagesOf(c)

			for _, piece := range []int{1, 2, 7, 31, 32, 33, 100} {
				for q0 := 0; q0 < n; q0 += piece {
					q1 := min(q0+piece, n)
					seen := n
					if s.Causal {
						seen = q1
					}
					k, v := cloneMat(c.k), cloneMat(c.v)
					for i := seen * k.Stride; i < len(k.Data); i++ {
						k.Data[i] = nan
					}
					for i := seen * v.Stride; i < len(v.Data); i++ {
						v.Data[i] = nan
					}
					spans := []AttnSpan{{int32(q0), int32(q1), 0, int32(seen), int32(q0)}}
					if piece%2 == 1 { // keys beyond the limit, not only beyond the span
						spans[0].K1 = n
					}
					(*Pool)(nil).Attention(c.o, c.lse, c.q, k, v, spans, c.s)
					if piece > 30 {
						(*Pool)(nil).AttentionBackward(c.dq, c.dk, c.dv, c.do, c.o, c.q, k, v, c.lse, spans, c.s)
					}
				}
				what := fmt.Sprintf("%+v in pieces of %d", s, piece)
				sameBits(t, what, c.o.Data, want.Data)
				sameBits(t, what+": lse", c.lse, wantLSE)
				sameBits(t, what+": dq", c.dq.Data, wantDQ.Data)

				for q0 := 0; q0 < n; q0 += piece {
					q1 := min(q0+piece, n)
					seen := n
					if s.Causal {
						seen = q1
					}
					(*Pool)(nil).AttentionPaged(c.o, c.q, store, []PagedSpan{{int32(q0), int32(q1), int32(seen), pages}}, c.s)
				}
				sameBits(t, what+", from pages", c.o.Data, want.Data)
			}
		}
	})
}

// pagesOf stores a case's keys and values in pages, out of order, between slots that are not numbers.
func pagesOf(c *attentionCase) (pages []int32, store []float32) {
	used := (c.nk + PageRows - 1) / PageRows
	store = make([]float32, (2*used+1)*PageFloats(c.s))
	for i := range store {
		store[i] = float32(math.NaN())
	}
	for j := range used {
		pages = append(pages, int32(2*(used-j)-1))
	}
	for i := range c.nk {
		StoreKV(store[int(pages[i/PageRows])*PageFloats(c.s):], i%PageRows, c.k.Row(i), c.v.Row(i), c.s)
	}
	return pages, store
}

func TestAttentionPagedServesManySequencesAtOnce(t *testing.T) {
	onEveryISA(t, func(t *testing.T) {
		s := AttnShape{Heads: 4, KVHeads: 2, HeadDim: 16, Causal: true}
		c := newAttentionCase(8, "", s, 12, 120)
		pages, store := pagesOf(c)
		lens := []int32{120, 1, 33, 64, 0}
		rows := []int32{3, 1, 5, 1, 2}
		var paged []PagedSpan
		var spans []AttnSpan
		at := int32(0)
		for i, n := range lens {
			paged = append(paged, PagedSpan{at, at + rows[i], n, pages})
			spans = append(spans, AttnSpan{at, at + rows[i], 0, n, n - rows[i]})
			at += rows[i]
		}
		p := NewPool(2)
		defer p.Close()
		p.Attention(c.o, nil, c.q, c.k, c.v, spans, s)
		want := cloneMat(c.o)
		p.AttentionPaged(c.o, c.q, store, paged, s)
		sameBits(t, "paged", c.o.Data, want.Data)
	})
}

func TestAttentionProbsAreTheWeightsOfTheValues(t *testing.T) {
	for _, s := range []AttnShape{
		{Heads: 4, KVHeads: 2, HeadDim: 8}, {Heads: 4, KVHeads: 2, HeadDim: 8, Causal: true}, {Heads: 4, KVHeads: 2, HeadDim: 8, Causal: true, Window: 5},
	} {
		c := newAttentionCase(2, "", s, 10, 40, AttnSpan{2, 9, 4, 39, 3})
		span := c.spans[0]
		c.run(nil)
		nq, nk := int(span.Q1-span.Q0), int(span.K1-span.K0)
		probs := make([]float32, nq*nk)
		for head := range c.s.Heads {
			(*Pool)(nil).AttentionProbs(probs, c.q, c.k, span, head, c.s)
			for i := range nq {
				for d := range c.s.HeadDim {
					want := 0.0
					for j := range nk {
						want += float64(probs[i*nk+j]) * float64(c.v.Row(int(span.K0) + j)[head/2*8+d])
					}
					if got := c.o.Row(int(span.Q0) + i)[head*8+d]; math.Abs(float64(got)-want) > 1e-5 {
						t.Errorf("head %d: o[%d,%d] = %v, by the probabilities %v", head, i, d, got, want)
					}
				}
			}
		}
	}
}

func TestAttentionOfNotNumbersIsNotANumberInThatRowOnly(t *testing.T) {
	onEveryISA(t, func(t *testing.T) {
		for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
			s := AttnShape{Heads: 1, KVHeads: 1, HeadDim: 16}
			c := newAttentionCase(4, "", s, 50, 50, AttnSpan{0, 50, 0, 50, 0})
			c.run(nil)
			want := cloneMat(c.o)
			c.q.Row(20)[3] = bad
			c.run(nil)
			if x := float64(c.o.Row(20)[0]); !math.IsNaN(x) {
				t.Errorf("a query of %v gives %v", bad, x)
			}
			copy(c.o.Row(20), want.Row(20))
			sameBits(t, "the other rows", c.o.Data, want.Data)
		}
	})
}

func TestAttentionAllocatesNothingOnceWarm(t *testing.T) {
	c := attentionCases()[0]
	pages, store := pagesOf(c)
	paged := []PagedSpan{{0, 1, int32(c.nk), pages}, {1, 2, 10, pages}}
	p := NewPool(2)
	defer p.Close()
	if n := testing.AllocsPerRun(20, func() { c.run(p); p.AttentionPaged(c.o, c.q, store, paged, c.s) }); n != 0 {
		t.Errorf("%v allocations a run", n)
	}
}

func TestAttentionRejectsWhatDoesNotFit(t *testing.T) {
	c := newAttentionCase(1, "", AttnShape{Heads: 2, KVHeads: 1, HeadDim: 4}, 3, 3, AttnSpan{0, 3, 0, 3, 0})
	for name, call := range map[string]func(){
		"span beyond the keys": func() { (*Pool)(nil).Attention(c.o, nil, c.q, c.k, c.v, []AttnSpan{{0, 3, 0, 4, 0}}, c.s) },
		"heads not divisible": func() {
			(*Pool)(nil).Attention(c.o, nil, c.q, c.k, c.v, nil, AttnShape{Heads: 3, KVHeads: 2, HeadDim: 4})
		},
		"window without order": func() {
			(*Pool)(nil).Attention(c.o, nil, c.q, c.k, c.v, c.spans, AttnShape{Heads: 2, KVHeads: 1, HeadDim: 4, Window: 3})
		},
		"columns of other size": func() { (*Pool)(nil).Attention(c.o, nil, c.q, c.q, c.v, c.spans, c.s) },
		"short lse":             func() { (*Pool)(nil).Attention(c.o, make([]float32, 5), c.q, c.k, c.v, c.spans, c.s) },
		"page outside the store": func() {
			(*Pool)(nil).AttentionPaged(c.o, c.q, make([]float32, PageFloats(c.s)), []PagedSpan{{0, 1, 3, []int32{1}}}, c.s)
		},
		"too few pages": func() {
			(*Pool)(nil).AttentionPaged(c.o, c.q, make([]float32, PageFloats(c.s)), []PagedSpan{{0, 1, 33, []int32{0}}}, c.s)
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			call()
		})
	}
}

// Over several blocks of keys and of queries: what is dropped is what Dropout drops from the matrix of probabilities, in
// both directions.
func TestAttentionDropsProbabilities(t *testing.T) {
	onEveryISA(t, func(t *testing.T) {
		s := AttnShape{Heads: 4, KVHeads: 2, HeadDim: 8, Causal: true, Drop: Dropout{Rate: 0.3, Key: [2]uint32{1, 2}, Ctr: [3]uint32{3, 4, 5}}}
		c := newAttentionCase(3, "dropout", s, 210, 210, AttnSpan{0, 70, 0, 70, 0}, AttnSpan{70, 210, 70, 210, 0})
		pool := NewPool(2)
		defer pool.Close()
		c.run(pool)
		kept := NewMat(make([]float32, c.nq*s.Heads*c.nk), c.nq*s.Heads, c.nk)
		for i := range kept.Data {
			kept.Data[i] = 1
		}
		pool.Dropout(kept, kept, s.Drop)
		o, dv := make([]float64, c.nq*s.Heads*s.HeadDim), make([]float64, c.nk*s.KVHeads*s.HeadDim)
		for _, a := range c.spans {
			for i := int(a.Q0); i < int(a.Q1); i++ {
				for h := range s.Heads {
					kv := h / (s.Heads / s.KVHeads) * s.HeadDim
					p, sum := make([]float64, i-int(a.Q0)+1), 0.0
					for j := range p {
						for d := range s.HeadDim {
							p[j] += float64(c.q.Row(i)[h*s.HeadDim+d]) * float64(c.k.Row(int(a.K0) + j)[kv+d])
						}
						p[j] = math.Exp(p[j] * float64(c.s.Scale))
						sum += p[j]
					}
					for j := range p {
						w := p[j] / sum * float64(kept.Row(i*s.Heads + h)[j])
						for d := range s.HeadDim {
							o[(i*s.Heads+h)*s.HeadDim+d] += w * float64(c.v.Row(int(a.K0) + j)[kv+d])
							dv[(int(a.K0)+j)*s.KVHeads*s.HeadDim+kv+d] += w * float64(c.do.Row(i)[h*s.HeadDim+d])
						}
					}
				}
			}
		}
		for name, pair := range map[string]struct {
			got  Mat
			want []float64
		}{"output": {c.o, o}, "gradient of the values": {c.dv, dv}} {
			for i := range pair.got.Rows {
				for j, got := range pair.got.Row(i) {
					if want := pair.want[i*pair.got.Cols+j]; math.Abs(float64(got)-want) > 1e-4 {
						t.Fatalf("%s: [%d, %d] is %g, want %g", name, i, j, got, want)
					}
				}
			}
		}
	})
}

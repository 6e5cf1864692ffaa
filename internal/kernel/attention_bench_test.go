package kernel

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// attentionBenchCases are what training and reading spend their time on: 200 sentences of 5 to 30 tokens, and a long text.
func attentionBenchCases() []*attentionCase {
	sentences := func(causal bool) *attentionCase {
		var spans []AttnSpan
		at := int32(0)
		for i := range 200 {
			n := int32(5 + i*7%26)
			spans = append(spans, AttnSpan{at, at + n, at, at + n, 0})
			at += n
		}
		return newAttentionCase(4, "sentences", AttnShape{Heads: 4, KVHeads: 4, HeadDim: 32, Causal: causal}, int(at), int(at), spans...)
	}
	long := func(causal bool) *attentionCase {
		return newAttentionCase(4, "long", AttnShape{Heads: 4, KVHeads: 4, HeadDim: 64, Causal: causal}, 1024, 1024, AttnSpan{0, 1024, 0, 1024, 0})
	}
	return []*attentionCase{sentences(false), sentences(true), long(false), long(true)}
}

// multiplyAdds is how many multiply-adds the two products of attention take for what the rows see.
func (c *attentionCase) multiplyAdds() (n float64) {
	for _, a := range c.spans {
		lim, step := a.visible(c.s.Causal)
		for i := range int(a.Q1 - a.Q0) {
			n += 2 * float64(c.s.Heads*c.s.HeadDim) * float64(min(lim+i*step, int(a.K1-a.K0)))
		}
	}
	return n
}

// reportPeak runs f, which takes so many floating-point operations, and reports the median and the best of its rates as
// shares of the multiply-add peak measured between the runs, and the median time.
func reportPeak(b *testing.B, p *Pool, flops float64, f func()) {
	f()
	var shares, times []float64
	peak := p.PeakFMA(5 * time.Millisecond)
	for b.Loop() {
		start, rounds := time.Now(), 0
		for rounds == 0 || time.Since(start) < 10*time.Millisecond {
			f()
			rounds++
		}
		took := time.Since(start).Seconds() / float64(rounds)
		after := p.PeakFMA(2 * time.Millisecond)
		shares, times = append(shares, flops/took/((peak+after)/2)), append(times, took)
		peak = after
	}
	slices.Sort(shares)
	slices.Sort(times)
	b.ReportMetric(100*shares[len(shares)/2], "%peak")
	b.ReportMetric(100*shares[len(shares)-1], "%best")
	b.ReportMetric(1e3*times[len(times)/2], "ms")
	b.ReportMetric(0, "ns/op")
}

func BenchmarkAttention(b *testing.B) {
	for _, c := range attentionBenchCases() {
		for _, threads := range []int{1, 2} {
			name := fmt.Sprintf("%s/causal=%v/threads=%d", c.name, c.s.Causal, threads)
			b.Run("forward/"+name, func(b *testing.B) {
				p := NewPool(threads)
				defer p.Close()
				reportPeak(b, p, 2*c.multiplyAdds(), func() { p.Attention(c.o, c.lse, c.q, c.k, c.v, c.spans, c.s) })
			})
			b.Run("backward/"+name, func(b *testing.B) {
				p := NewPool(threads)
				defer p.Close()
				reportPeak(b, p, 5*c.multiplyAdds(), func() { // five products where forward has two
					p.AttentionBackward(c.dq, c.dk, c.dv, c.do, c.o, c.q, c.k, c.v, c.lse, c.spans, c.s)
				})
			})
		}
	}
}

// BenchmarkAttentionDecoding is one token of 16 sequences with 500 tokens behind them.
func BenchmarkAttentionDecoding(b *testing.B) {
	s := AttnShape{Heads: 8, KVHeads: 4, HeadDim: 64, Causal: true}
	c := newAttentionCase(1, "", s, 16, 512)
	pages, one := pagesOf(c)
	var store []float32
	var spans []PagedSpan
	for i := range 16 {
		own := make([]int32, len(pages))
		for j, page := range pages {
			own[j] = page + int32(i*len(one)/PageFloats(s))
		}
		store = append(store, one...)
		spans = append(spans, PagedSpan{int32(i), int32(i + 1), 500, own})
	}
	for _, threads := range []int{1, 2} {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			p := NewPool(threads)
			defer p.Close()
			for range b.N {
				p.AttentionPaged(c.o, c.q, store, spans, s)
			}
			b.ReportMetric(16*500*2*4*float64(s.KVHeads*s.HeadDim)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GB/s")
		})
	}
}

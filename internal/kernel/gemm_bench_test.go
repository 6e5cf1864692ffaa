package kernel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// gemmShape is one product of the benchmarks.
type gemmShape struct {
	name           string
	m, k, n        int
	transA, transB bool
	acc            bool
	packed         bool
}

// trainingShapes are the products of a Transformer-Tiny on 3,500 tokens, forward and backward, and the usual square.
func trainingShapes() []gemmShape {
	s := []gemmShape{{name: "square", m: 1024, k: 1024, n: 1024}}
	for _, d := range [][2]int{{128, 128}, {128, 256}, {256, 128}, {128, 10000}} {
		k, n := d[0], d[1]
		s = append(s,
			gemmShape{name: "forward", m: 3500, k: k, n: n, transB: true},
			gemmShape{name: "dX", m: 3500, k: n, n: k},
			gemmShape{name: "dW", m: n, k: 3500, n: k, transA: true, acc: true})
	}
	return s
}

// decodingShapes are the products of few rows.
func decodingShapes() []gemmShape {
	var s []gemmShape
	for _, m := range []int{1, 2, 4, 8, 20} {
		for _, d := range [][2]int{{128, 128}, {128, 256}, {256, 128}, {128, 10000}, {4096, 4096}} {
			s = append(s, gemmShape{name: "decode", m: m, k: d[0], n: d[1], packed: true})
		}
	}
	return s
}

func (s gemmShape) String() string {
	return fmt.Sprintf("%s/%dx%dx%d", s.name, s.m, s.k, s.n)
}

// prepare returns a function that does the product once.
func (s gemmShape) prepare(p *Pool) func() {
	rng := rand.New(rand.NewPCG(1, 1))
	a, b := randomOperand(rng, s.m, s.k, s.transA, 0), randomOperand(rng, s.k, s.n, s.transB, 0)
	c := NewMat(make([]float32, s.m*s.n), s.m, s.n)
	if s.packed {
		packed := p.Pack(b, s.transB, false)
		return func() { p.GemmPacked(c, a, packed, GemmOpt{Acc: s.acc}) }
	}
	return func() { p.Gemm(c, a, s.transA, b, s.transB, GemmOpt{Acc: s.acc}) }
}

// BenchmarkGemm reports each product's share of the multiply-add peak that was measured just before and after it.
func BenchmarkGemm(b *testing.B) {
	for _, threads := range []int{1, 2} {
		for _, s := range append(trainingShapes(), decodingShapes()...) {
			b.Run(fmt.Sprintf("threads=%d/%v", threads, s), func(b *testing.B) {
				p := NewPool(threads)
				defer p.Close()
				f := s.prepare(p)
				f()
				var shares, rates []float64
				flops := 2 * float64(s.m) * float64(s.k) * float64(s.n)
				peak := p.PeakFMA(10 * time.Millisecond)
				for b.Loop() {
					start := time.Now()
					rounds := 0
					for time.Since(start) < 10*time.Millisecond || rounds == 0 {
						f()
						rounds++
					}
					rate := flops * float64(rounds) / time.Since(start).Seconds()
					after := p.PeakFMA(2 * time.Millisecond)
					shares = append(shares, rate/((peak+after)/2))
					rates = append(rates, rate)
					peak = after
				}
				slices.Sort(shares)
				slices.Sort(rates)
				b.ReportMetric(100*shares[len(shares)/2], "%peak")
				b.ReportMetric(rates[len(rates)/2]/1e9, "GFLOP/s")
				if s.packed {
					b.ReportMetric(rates[len(rates)/2]/float64(2*s.m)*4/1e9, "GB/s")
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

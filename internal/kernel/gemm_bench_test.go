package kernel

import (
	"fmt"
	"math"
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
	bf16           bool
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

// languageShapes are the products of language models in training: GPT-2 with 4 rows of 64 tokens and 8,192 of its
// vocabulary, and one of 384 with 8 rows of 256.
func languageShapes() []gemmShape {
	var s []gemmShape
	for _, d := range [][3]int{{256, 768, 3072}, {256, 3072, 768}, {256, 768, 768}, {256, 768, 8192}, {2048, 384, 1536}, {2048, 1536, 384}, {2048, 384, 384}, {768, 128, 512}, {768, 512, 128}} {
		n, in, out := d[0], d[1], d[2]
		for _, bf16 := range precisions() {
			s = append(s,
				gemmShape{name: "language-forward", m: n, k: in, n: out, transB: true, bf16: bf16},
				gemmShape{name: "language-dX", m: n, k: out, n: in, bf16: bf16},
				gemmShape{name: "language-dW", m: out, k: n, n: in, transA: true, acc: true, bf16: bf16})
		}
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
	name := s.name
	if s.bf16 {
		name += "-bf16"
	}
	return fmt.Sprintf("%s/%dx%dx%d", name, s.m, s.k, s.n)
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
	return func() { p.Gemm(c, a, s.transA, b, s.transB, GemmOpt{Acc: s.acc, BF16: s.bf16}) }
}

// BenchmarkGemm reports each product's share of the multiply-add peak. Both are the best of many short measurements taken
// in turn, so that what else the machine does hardly shows.
func BenchmarkGemm(b *testing.B) {
	for _, threads := range []int{1, 2} {
		for _, s := range slices.Concat(trainingShapes(), languageShapes(), decodingShapes()) {
			b.Run(fmt.Sprintf("threads=%d/%v", threads, s), func(b *testing.B) {
				p := NewPool(threads)
				defer p.Close()
				f := s.prepare(p)
				f()
				var peak float64
				best := time.Duration(math.MaxInt64)
				for b.Loop() {
					peak = max(peak, p.PeakFMA(2*time.Millisecond))
					for turn := time.Now(); time.Since(turn) < 2*time.Millisecond; {
						start := time.Now()
						f()
						best = min(best, time.Since(start))
					}
				}
				rate := 2 * float64(s.m) * float64(s.k) * float64(s.n) / best.Seconds()
				b.ReportMetric(100*rate/peak, "%peak")
				b.ReportMetric(rate/1e9, "GFLOP/s")
				if s.packed {
					b.ReportMetric(float64(s.k*s.n*4)/best.Seconds()/1e9, "GB/s")
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

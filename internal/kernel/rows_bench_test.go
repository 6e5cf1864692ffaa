package kernel

import (
	"fmt"
	"testing"
)

// BenchmarkRows runs each row-wise kernel on the rows of a training batch of Transformer-Tiny, on one thread, and
// reports the time of one element.
func BenchmarkRows(b *testing.B) {
	p := NewPool(1)
	defer p.Close()
	for _, shape := range [][2]int{{3500, 128}, {64, 1024}} {
		o := newRowOperands(shape[0], shape[1], 0)
		o.x.Data, o.moments[0], o.moments[1] = o.x.Data[:shape[0]*shape[1]], o.moments[0][:shape[0]*shape[1]], o.moments[1][:shape[0]*shape[1]]
		o.y.Data = o.y.Data[:shape[0]*shape[1]]
		run := func(name string, f func()) {
			b.Run(fmt.Sprintf("%s/%dx%d", name, shape[0], shape[1]), func(b *testing.B) {
				for b.Loop() {
					f()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(shape[0]*shape[1]), "ns/element")
			})
		}
		for _, k := range rowKernels {
			run(k.name, func() { k.run(p, o) })
		}
		for act, name := range map[Activation]string{ReLU: "ReLU", GELU: "GELU", GELUTanh: "GELUTanh", SiLU: "SiLU"} {
			run(name+" forward", func() { p.Activate(o.y, o.x, act) })
			run(name+" backward", func() { p.ActivateBackward(o.y, o.dy, o.x, act, false) })
		}
		idx, val := make([]int32, 8), make([]float32, 8)
		run("MaxIndex", func() { MaxIndex(o.x.Data) })
		run("LogSumExp", func() { LogSumExp(o.x.Data) })
		run("TopK 8", func() { TopK(o.x.Data, idx, val) })
	}
}

// BenchmarkHeads runs what is done to the heads of queries and keys on a batch of a small language model, on one thread.
func BenchmarkHeads(b *testing.B) {
	const rows = 2048
	s := AttnShape{Heads: 4, KVHeads: 4, HeadDim: 32}
	p := NewPool(1)
	defer p.Close()
	o := newHeadNorms(rows, 0, s)
	turned, table, at := o.dx.ColSlice(0, (s.Heads+s.KVHeads)*s.HeadDim), NewMat(make([]float32, s.HeadDim), 1, s.HeadDim), make([]int32, rows)
	for j := range s.HeadDim / 2 {
		table.Data[j] = 1 // the cosine of no turn, so that the numbers stay as large as they are
	}
	for name, f := range map[string]func(){
		"HeadNorm":         func() { p.HeadNorm(o.y, o.x, o.q, o.k, o.rstd, s, 1e-6) },
		"HeadNormBackward": func() { p.HeadNormBackward(o.dx, o.dq, o.dk, o.dy, o.x, o.q, o.k, o.rstd, s) },
		"Rotary":           func() { p.Rotary(turned, table, at, s.HeadDim, false) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				f()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
		})
	}
}

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

package bench

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/parley-lm/parley/internal/kernel"
)

// work is one kernel call and the floating-point operations that it does, a multiply-add counting two.
type work struct {
	name string
	ops  float64
	call func(p *kernel.Pool)
}

// Kernels measures the processor (multiply-adds, reading from memory) and matrix products: of 1024³, of the shapes of
// Transformer-Tiny with a batch of 3,500 rows, forward and backward, and its vocabulary layer with the loss.
func (b *Bench) Kernels(ctx context.Context) error {
	rows, cube, vocabulary, memory := 3500, 1024, 10000, 256<<20
	if b.Small {
		rows, cube, vocabulary, memory = 20, 32, 40, 1<<16
	}
	list := []work{product(fmt.Sprintf("GEMM %d³", cube), cube, cube, cube)}
	for _, s := range [][2]int{{128, 128}, {128, 256}, {256, 128}, {128, vocabulary}} {
		list = append(list, linear(rows, s[0], s[1])...)
	}
	list = append(list, loss(rows, 128, vocabulary))

	peaks, bandwidth := make([]series, len(b.pools)), make([]series, len(b.pools))
	measured := make([]series, len(list)*len(b.pools))
	for repeat := range b.Repeats {
		b.say("kernels, %d of %d", repeat+1, b.Repeats)
		for i, p := range b.pools {
			peaks[i].rates = append(peaks[i].rates, b.peak(p))
			bandwidth[i].rates = append(bandwidth[i].rates, p.ReadBandwidth(b.Window, memory))
			for j, w := range list {
				if err := ctx.Err(); err != nil {
					return err
				}
				if repeat == 0 {
					w.call(p)
				}
				b.beside(p, &measured[j*len(b.pools)+i], w.ops, func() { w.call(p) })
			}
		}
	}
	for i, p := range b.pools {
		b.add(peaks[i].figure("processor", "multiply-adds at most", p.Threads(), "GFLOP/s", 1e-9))
	}
	for i, p := range b.pools {
		b.add(bandwidth[i].figure("processor", "reading from memory", p.Threads(), "GB/s", 1e-9))
	}
	for j, w := range list {
		for i, p := range b.pools {
			s := &measured[j*len(b.pools)+i]
			b.add(s.ofPeak(s.figure("kernels", w.name, p.Threads(), "GFLOP/s", w.ops*1e-9)))
		}
	}
	return nil
}

// product is C[m, n] = A[m, k]·B[k, n].
func product(name string, m, k, n int) work {
	a, b, c := matrix(m, k), matrix(k, n), matrix(m, n)
	return work{name, 2 * float64(m) * float64(k) * float64(n), func(p *kernel.Pool) {
		p.Gemm(c, a, false, b, false, kernel.GemmOpt{})
	}}
}

// linear is a layer y = x·wᵀ of the given width and its two derivatives.
func linear(rows, in, out int) []work {
	x, w, y := matrix(rows, in), matrix(out, in), matrix(rows, out)
	dx, dw := matrix(rows, in), matrix(out, in)
	ops := 2 * float64(rows) * float64(in) * float64(out)
	name := fmt.Sprintf("%d rows, %d×%d: ", rows, in, out)
	return []work{
		{name + "y = x·wᵀ", ops, func(p *kernel.Pool) { p.Gemm(y, x, false, w, true, kernel.GemmOpt{}) }},
		{name + "dx = dy·w", ops, func(p *kernel.Pool) { p.Gemm(dx, y, false, w, false, kernel.GemmOpt{}) }},
		{name + "dw = dyᵀ·x", ops, func(p *kernel.Pool) { p.Gemm(dw, y, true, x, false, kernel.GemmOpt{}) }},
	}
}

// loss is the vocabulary layer with label smoothing and all gradients: three products. The softmax between them is not
// counted as work.
func loss(rows, in, vocabulary int) work {
	h, w, dh, dw := matrix(rows, in), matrix(vocabulary, in), matrix(rows, in), matrix(vocabulary, in)
	targets := make([]int32, rows)
	for i := range targets {
		targets[i] = int32(i * 7 % vocabulary)
	}
	o := kernel.CrossEntropy{Targets: targets, Smoothing: 0.1, Scale: 1 / float32(rows)}
	return work{
		fmt.Sprintf("%d rows, %d×%d: loss and gradients", rows, in, vocabulary),
		6 * float64(rows) * float64(in) * float64(vocabulary),
		func(p *kernel.Pool) { p.LinearCrossEntropy(h, w, nil, o, nil, nil, dh, dw, nil) },
	}
}

// matrix returns a matrix of small random numbers.
func matrix(rows, cols int) kernel.Mat {
	m := kernel.NewMat(make([]float32, rows*cols), rows, cols)
	rng := rand.New(rand.NewPCG(uint64(rows), uint64(cols)))
	for i := range m.Data {
		m.Data[i] = rng.Float32() - 0.5
	}
	return m
}

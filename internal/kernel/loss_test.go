package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// lossCase is a problem with all its matrices.
type lossCase struct {
	name            string
	h, w, dh, dw    Mat
	bias, dbias     []float32
	rowLoss, rowNLL []float32
	o               CrossEntropy // with Entropy, and EntropyWeights where weighted
}

func newLossCase(seed uint64, n, d, v int, smoothing float32, ignored float64, weighted bool) *lossCase {
	r := rand.New(rand.NewPCG(seed, 2))
	c := &lossCase{name: fmt.Sprintf("%dx%dx%d/eps=%v/ignored=%v", n, d, v, smoothing, ignored)}
	c.h, c.w, c.dh, c.dw = randomMat(r, n, d, int(seed%3)), randomMat(r, v, d, int(seed%2)), randomMat(r, n, d, 2), randomMat(r, v, d, 1)
	c.bias, c.dbias = randomMat(r, 1, v, 0).Data, randomMat(r, 1, v, 0).Data
	c.rowLoss, c.rowNLL = make([]float32, n), make([]float32, n)
	c.o = CrossEntropy{Targets: make([]int32, n), Smoothing: smoothing, Scale: 0.25}
	for i := range c.o.Targets {
		if c.o.Targets[i] = int32(r.IntN(v)); r.Float64() < ignored {
			c.o.Targets[i] = -100
		}
	}
	c.o.Entropy = make([]float32, n)
	if weighted {
		c.o.Weights, c.o.EntropyWeights = randomMat(r, 1, n, 0).Data, randomMat(r, 1, n, 0).Data
	}
	return c
}

func lossCases() []*lossCase {
	var cases []*lossCase
	for i, c := range []struct {
		n, d, v  int
		eps      float32
		ignored  float64
		weighted bool
	}{
		{0, 4, 5, 0.1, 0, false}, {1, 1, 1, 0.1, 0, false}, {3, 5, 2, 0, 0, true}, {5, 8, 31, 0.1, 0.5, true}, {7, 16, 32, 0.1, 0, false},
		{9, 3, 33, 0.3, 0, true}, {20, 24, 97, 0.1, 1, false}, {2*mostLossRows + 17, 12, 130, 0.1, 0, true}, {3*mostLossRows + 5, 20, 71, 0.1, 0.4, true},
		{leastLossRows, 16, 1000, 0, 0, false},
	} {
		cases = append(cases, newLossCase(uint64(i), c.n, c.d, c.v, c.eps, c.ignored, c.weighted))
	}
	return cases
}

func (c *lossCase) run(p *Pool) float64 {
	return p.LinearCrossEntropy(c.h, c.w, c.bias, c.o, c.rowLoss, c.rowNLL, c.dh, c.dw, c.dbias)
}

// lossTruth is the loss and its gradients as the textbook has them, in float64. logits may be given to be changed by it.
type lossTruth struct {
	total           float64 // of the loss; with that of the entropy, what the gradients are of
	entropyTotal    float64
	rowLoss, rowNLL []float64
	entropy         []float64
	dh, dw          [][]float64
	dbias           []float64
}

func (c *lossCase) truth() lossTruth {
	n, d, v := c.h.Rows, c.h.Cols, c.w.Rows
	zeros := func(rows, cols int) [][]float64 {
		m := make([][]float64, rows)
		for i := range m {
			m[i] = make([]float64, cols)
		}
		return m
	}
	w := lossTruth{rowLoss: make([]float64, n), rowNLL: make([]float64, n), entropy: make([]float64, n), dh: zeros(n, d), dw: zeros(v, d), dbias: make([]float64, v)}
	eps := float64(c.o.Smoothing)
	for i, target := range c.o.Targets {
		if target < 0 {
			continue
		}
		logits, top := make([]float64, v), math.Inf(-1)
		for j := range logits {
			logits[j] = float64(c.bias[j])
			for k, x := range c.h.Row(i) {
				logits[j] += float64(x) * float64(c.w.Row(j)[k])
			}
			top = max(top, logits[j])
		}
		sum := 0.0
		for _, x := range logits {
			sum += math.Exp(x - top)
		}
		weight, entropyWeight := 1.0, 0.0
		if c.o.Weights != nil {
			weight, entropyWeight = float64(c.o.Weights[i]), float64(c.o.EntropyWeights[i])
		}
		for _, x := range logits {
			logP := x - top - math.Log(sum)
			w.entropy[i] -= math.Exp(logP) * logP
		}
		for j, x := range logits {
			logP := x - top - math.Log(sum)
			share := eps / float64(v)
			if j == int(target) {
				w.rowNLL[i] = -logP
				share += 1 - eps
			}
			w.rowLoss[i] -= share * logP
			g := float64(c.o.Scale) * (weight*(math.Exp(logP)-share) - entropyWeight*math.Exp(logP)*(logP+w.entropy[i]))
			w.dbias[j] += g
			for k, x := range c.h.Row(i) {
				w.dh[i][k] += g * float64(c.w.Row(j)[k])
				w.dw[j][k] += g * float64(x)
			}
		}
		w.total += float64(c.o.Scale) * weight * w.rowLoss[i]
		w.entropyTotal += float64(c.o.Scale) * entropyWeight * w.entropy[i]
	}
	return w
}

func nearTruth(t *testing.T, what string, got float32, want float64) {
	t.Helper()
	if !(math.Abs(float64(got)-want) <= 3e-5*(1+math.Abs(want))) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func TestLossAndGradientsMatchFloat64(t *testing.T) {
	onEveryISA(t, func(t *testing.T) {
		for _, c := range lossCases() {
			t.Run(c.name, func(t *testing.T) {
				want := c.truth()
				dw, dbias := cloneMat(c.dw), slices.Clone(c.dbias)
				got := c.run(nil)
				if math.Abs(got-want.total) > 1e-5*(1+math.Abs(want.total)) {
					t.Errorf("loss %v, want %v", got, want.total)
				}
				for i := range c.h.Rows {
					nearTruth(t, fmt.Sprintf("loss of row %d", i), c.rowLoss[i], want.rowLoss[i])
					nearTruth(t, fmt.Sprintf("nll of row %d", i), c.rowNLL[i], want.rowNLL[i])
					nearTruth(t, fmt.Sprintf("entropy of row %d", i), c.o.Entropy[i], want.entropy[i])
					for k, x := range c.dh.Row(i) {
						nearTruth(t, fmt.Sprintf("dh[%d,%d]", i, k), x, want.dh[i][k])
					}
				}
				for j := range c.w.Rows {
					nearTruth(t, fmt.Sprintf("dbias[%d]", j), c.dbias[j], float64(dbias[j])+want.dbias[j])
					for k, x := range c.dw.Row(j) {
						nearTruth(t, fmt.Sprintf("dw[%d,%d]", j, k), x, float64(dw.Row(j)[k])+want.dw[j][k])
					}
				}
			})
		}
	})
}

func TestLossTruthGradientsAreNumericGradients(t *testing.T) {
	c := newLossCase(3, 4, 3, 6, 0.1, 0, true)
	want := c.truth()
	objective := func() float64 {
		w := c.truth()
		return w.total + w.entropyTotal
	}
	for _, m := range []struct {
		name string
		x    []float32
		want func(i int) float64
	}{
		{"bias", c.bias, func(i int) float64 { return want.dbias[i] }},
		{"h", c.h.Data[:c.h.Cols], func(i int) float64 { return want.dh[0][i] }},
		{"w", c.w.Data[:c.w.Cols], func(i int) float64 { return want.dw[0][i] }},
	} {
		for i := range m.x {
			old := m.x[i]
			m.x[i] = old + 1.0/1024
			up, hi := float64(m.x[i]), objective()
			m.x[i] = old - 1.0/1024
			down, lo := float64(m.x[i]), objective()
			m.x[i] = old
			if got := (hi - lo) / (up - down); math.Abs(got-m.want(i)) > 1e-5 {
				t.Errorf("d%s[%d] = %v, numerically %v", m.name, i, m.want(i), got)
			}
		}
	}
}

func TestLossIsTheSameOnAnyNumberOfThreads(t *testing.T) {
	onEveryISA(t, func(t *testing.T) {
		for _, c := range lossCases() {
			dw, dbias := slices.Clone(c.dw.Data), slices.Clone(c.dbias)
			var want []Mat
			var total float64
			for _, threads := range []int{1, 2, 3, 8} {
				copy(c.dw.Data, dw)
				copy(c.dbias, dbias)
				p := NewPool(threads)
				sum := c.run(p)
				p.Close()
				got := []Mat{c.dh, c.dw, {Data: c.dbias}, {Data: c.rowLoss}, {Data: c.rowNLL}, {Data: c.o.Entropy}}
				if want == nil {
					total = sum
					for _, m := range got {
						want = append(want, cloneMat(m))
					}
				}
				if sum != total {
					t.Errorf("%s: loss %v on %d threads, not %v", c.name, sum, threads, total)
				}
				for i := range got {
					sameBits(t, fmt.Sprintf("%s: result %d on %d threads", c.name, i, threads), got[i].Data, want[i].Data)
				}
			}
		}
	})
}

func TestLossOfARowDoesNotDependOnOtherRows(t *testing.T) {
	onEveryISA(t, func(t *testing.T) {
		c := newLossCase(6, mostLossRows+50, 40, 333, 0.1, 0.2, true)
		c.run(nil)
		for _, i := range []int{0, 1, 77, lossRows(mostLossRows+50, 333) - 1, lossRows(mostLossRows+50, 333), mostLossRows + 49} {
			one := CrossEntropy{
				Targets: c.o.Targets[i : i+1], Weights: c.o.Weights[i : i+1], Smoothing: c.o.Smoothing, Scale: c.o.Scale,
				Entropy: make([]float32, 1), EntropyWeights: c.o.EntropyWeights[i : i+1],
			}
			rowLoss, rowNLL := make([]float32, 1), make([]float32, 1)
			dh := NewMat(make([]float32, c.h.Cols), 1, c.h.Cols)
			(*Pool)(nil).LinearCrossEntropy(c.h.Slice(i, i+1), c.w, c.bias, one, rowLoss, rowNLL, dh, Mat{}, nil)
			sameBits(t, "loss", rowLoss, c.rowLoss[i:i+1])
			sameBits(t, "nll", rowNLL, c.rowNLL[i:i+1])
			sameBits(t, "entropy", one.Entropy, c.o.Entropy[i:i+1])
			sameBits(t, "dh", dh.Data, c.dh.Row(i))
			(*Pool)(nil).LinearCrossEntropy(c.h.Slice(i, i+1), c.w, c.bias, one, rowLoss, nil, Mat{}, Mat{}, nil)
			sameBits(t, "loss without gradients", rowLoss, c.rowLoss[i:i+1])
		}
	})
}

// Rows that are ignored leave the sums over the others as they are without them.
func TestIgnoredRowsLeaveNoTrace(t *testing.T) {
	onEveryISA(t, func(t *testing.T) {
		c := newLossCase(4, 300, 8, 50, 0.1, 0.5, false)
		dw := cloneMat(c.dw)
		total := c.run(nil)
		kept := newLossCase(4, 300, 8, 50, 0.1, 0.5, false)
		kept.dw = dw
		n := 0
		for i, target := range c.o.Targets {
			if target >= 0 {
				copy(kept.h.Row(n), c.h.Row(i))
				kept.o.Targets[n] = target
				n++
			}
		}
		kept.o.Targets = kept.o.Targets[:n]
		kept.h, kept.dh = kept.h.Slice(0, n), kept.dh.Slice(0, n)
		if sum := kept.run(nil); sum != total {
			t.Errorf("loss %v without the ignored rows, %v with them", sum, total)
		}
		sameBits(t, "dw", c.dw.Data, kept.dw.Data)
	})
}

func TestLossOfExtremeLogitsIsFinite(t *testing.T) {
	onEveryISA(t, func(t *testing.T) {
		for _, size := range []float32{1e4, 1e15, 1e30} {
			c := newLossCase(5, 6, 8, 100, 0.1, 0, false)
			for i := range c.w.Data {
				c.w.Data[i] *= size
			}
			clear(c.dw.Data)
			if sum := c.run(nil); math.IsNaN(sum) || math.IsInf(sum, 0) {
				t.Errorf("logits of size %g: loss %v", size, sum)
			}
			for _, x := range [][]float32{c.rowLoss, c.rowNLL, c.o.Entropy, c.dh.Data, c.dw.Data, c.dbias} {
				if (*Pool)(nil).AnyNonFinite(x) {
					t.Errorf("logits of size %g: a result is not finite", size)
				}
			}
		}
	})
}

// A class that a bias of -Inf forbids has no part in the loss, nor a gradient; a NaN is not lost.
func TestLossOfInfinitiesAndNotNumbers(t *testing.T) {
	onEveryISA(t, func(t *testing.T) {
		for _, class := range []int{0, 37, 99} {
			c := newLossCase(5, 3, 8, 100, 0, 0, true)
			c.o.Targets = []int32{1, 2, 3}
			clear(c.dbias)
			c.bias[class] = float32(math.Inf(-1))
			if sum := c.run(nil); math.IsNaN(sum) || math.IsInf(sum, 0) || c.dbias[class] != 0 || (*Pool)(nil).AnyNonFinite(c.o.Entropy) {
				t.Errorf("class %d forbidden: loss %v, its gradient %v", class, sum, c.dbias[class])
			}
			c.bias[class] = float32(math.NaN())
			if sum := c.run(nil); !math.IsNaN(sum) {
				t.Errorf("class %d not a number: loss %v", class, sum)
			}
		}
	})
}

func TestLossPassesMatchFloat64(t *testing.T) {
	onEveryISA(t, func(t *testing.T) {
		simd := Active() >= AVX2
		r := rand.New(rand.NewPCG(1, 1))
		for n := 1; n < 140; n++ {
			x := randomMat(r, 1, n+3, 0).Data
			for i := range x {
				x[i] *= 20
			}
			truth, in := make([]float64, n), x[1:n+1]
			for i := range truth {
				truth[i] = float64(in[i])
			}
			guard := [2]float32{x[0], x[n+1]}
			top, mean := maxMean(simd, in)
			wantTop, wantMean := maxMeanPortable(truth)
			sum, wantSum := expSum(simd, in, top), expSumPortable(truth, wantTop)
			if float64(top) != wantTop {
				t.Errorf("%d: maximum %v, want %v", n, top, wantTop)
			}
			nearTruth(t, "mean", mean, wantMean)
			nearTruth(t, "sum", sum, wantSum)
			scaleShift(simd, in, 0.7, -0.1)
			scaleShiftPortable(truth, 0.7, -0.1)
			for i := range truth {
				if math.Abs(float64(in[i])-truth[i]) > 2e-6 {
					t.Errorf("%d: element %d is %v, want %v", n, i, in[i], truth[i])
				}
			}
			if guard != [2]float32{x[0], x[n+1]} {
				t.Errorf("%d: a pass wrote outside of its row", n)
			}
		}
	})
}

func TestLossAllocatesNothingOnceWarm(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	for _, ignored := range []float64{0, 0.5} {
		c := newLossCase(1, 400, 16, 200, 0.1, ignored, true)
		if n := testing.AllocsPerRun(10, func() { c.run(p) }); n != 0 {
			t.Errorf("%v allocations a call", n)
		}
	}
}

// BenchmarkLoss reports the share of the multiply-add peak that the three products of the vocabulary layer reach together
// with all that lies between them.
func BenchmarkLoss(b *testing.B) {
	c := newLossCase(6, 3500, 128, 10000, 0.1, 0, false)
	for _, threads := range []int{1, 2} {
		for _, forward := range []bool{true, false} {
			name, products, dh := "training", 3.0, c.dh
			if forward {
				name, products, dh = "forward", 1.0, Mat{}
			}
			b.Run(fmt.Sprintf("%s/threads=%d", name, threads), func(b *testing.B) {
				p := NewPool(threads)
				defer p.Close()
				reportPeak(b, p, products*2*float64(c.h.Rows*c.h.Cols*c.w.Rows), func() {
					p.LinearCrossEntropy(c.h, c.w, c.bias, c.o, c.rowLoss, c.rowNLL, dh, c.dw, c.dbias)
				})
			})
		}
	}
}

package grad

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/parley-lm/parley/internal/kernel"
)

// The operations are checked against formulas in float64 written here plainly, without blocks, lanes or fusion: the
// tape's result against the formula, and the tape's gradient against central differences of it.

// matrix is a float64 matrix.
type matrix struct {
	rows, cols int
	v          []float64
}

func (m matrix) at(i, j int) float64 { return m.v[i*m.cols+j] }

func random(rng *rand.Rand, rows, cols int) matrix {
	m := matrix{rows, cols, make([]float64, rows*cols)}
	for i := range m.v {
		m.v[i] = float64(float32(rng.NormFloat64()))
	}
	return m
}

func zero(rows, cols int) matrix { return matrix{rows, cols, make([]float64, rows*cols)} }

func (m matrix) float32() kernel.Mat {
	d := make([]float32, len(m.v))
	for i, x := range m.v {
		d[i] = float32(x)
	}
	return kernel.NewMat(d, m.rows, m.cols)
}

func (m matrix) param() *Param {
	return &Param{Value: m.float32(), Grad: kernel.NewMat(make([]float32, len(m.v)), m.rows, m.cols)}
}

func activate(x float64, a kernel.Activation) float64 {
	switch a {
	case kernel.ReLU:
		return max(x, 0)
	case kernel.GELU:
		return 0.5 * x * (1 + math.Erf(x/math.Sqrt2))
	case kernel.GELUTanh:
		return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	case kernel.SiLU:
		return x / (1 + math.Exp(-x))
	case kernel.Tanh:
		return math.Tanh(x)
	}
	return x
}

func linear(x, w, b matrix, a kernel.Activation) matrix {
	y := zero(x.rows, w.rows)
	for i := range x.rows {
		for o := range w.rows {
			s := 0.0
			if b.v != nil {
				s = b.v[o]
			}
			for k := range x.cols {
				s += x.at(i, k) * w.at(o, k)
			}
			y.v[i*y.cols+o] = activate(s, a)
		}
	}
	return y
}

func norm(x, gamma, beta matrix, eps float64) matrix {
	y := zero(x.rows, x.cols)
	for i := range x.rows {
		row := x.v[i*x.cols:][:x.cols]
		mean, variance := 0.0, 0.0
		if beta.v != nil {
			for _, v := range row {
				mean += v / float64(x.cols)
			}
		}
		for _, v := range row {
			variance += (v - mean) * (v - mean) / float64(x.cols)
		}
		for j, v := range row {
			y.v[i*x.cols+j] = (v - mean) / math.Sqrt(variance+eps) * gamma.v[j]
			if beta.v != nil {
				y.v[i*x.cols+j] += beta.v[j]
			}
		}
	}
	return y
}

func columns(m matrix, from, n int) matrix {
	y := zero(m.rows, n)
	for i := range m.rows {
		copy(y.v[i*n:][:n], m.v[i*m.cols+from:])
	}
	return y
}

func attention(q, k, v matrix, spans []kernel.AttnSpan, s kernel.AttnShape) matrix {
	o := zero(q.rows, q.cols)
	kept := kernel.NewMat(slices.Repeat([]float32{1}, q.rows*s.Heads*k.rows), q.rows*s.Heads, k.rows)
	(*kernel.Pool)(nil).Dropout(kept, kept, s.Drop)
	for _, sp := range spans {
		for i := sp.Q0; i < sp.Q1; i++ {
			first, last := sp.K0, sp.K1
			if s.Causal {
				last = min(last, sp.K0+sp.Pos+i-sp.Q0+1)
			}
			if s.Window > 0 {
				first = max(first, last-int32(s.Window))
			}
			for h := range s.Heads {
				kvh := h / (s.Heads / s.KVHeads)
				p, sum := make([]float64, last-first), 0.0
				for j := range p {
					for d := range s.HeadDim {
						p[j] += q.at(int(i), h*s.HeadDim+d) * k.at(int(first)+j, kvh*s.HeadDim+d)
					}
					p[j] = math.Exp(p[j] * float64(s.Scale))
					sum += p[j]
				}
				for j := range p {
					for d := range s.HeadDim {
						o.v[int(i)*o.cols+h*s.HeadDim+d] += p[j] / sum * float64(kept.Row(int(i)*s.Heads + h)[int(first-sp.K0)+j]) * v.at(int(first)+j, kvh*s.HeadDim+d)
					}
				}
			}
		}
	}
	return o
}

func crossEntropy(h, w matrix, bias []float64, o kernel.CrossEntropy) float64 {
	logits, loss := linear(h, w, matrix{1, w.rows, bias}, kernel.None), 0.0
	for i, target := range o.Targets {
		if target < 0 {
			continue
		}
		row, sum, mean := logits.v[i*logits.cols:][:logits.cols], 0.0, 0.0
		for _, x := range row {
			sum += math.Exp(x)
			mean += x / float64(len(row))
		}
		eps := float64(o.Smoothing)
		l := math.Log(sum) - (1-eps)*row[target] - eps*mean
		if o.Weights != nil {
			l *= float64(o.Weights[i])
		}
		loss += l
	}
	return loss * float64(o.Scale)
}

// check compares the gradient of one input with central differences of the formula's scalar.
func check(t *testing.T, name string, x matrix, got kernel.Mat, scalar func() float64) {
	t.Helper()
	const step = 1e-5
	for i := range x.v {
		old := x.v[i]
		x.v[i] = old + step
		up := scalar()
		x.v[i] = old - step
		down := scalar()
		x.v[i] = old
		want := (up - down) / (2 * step)
		have := float64(got.Data[i/x.cols*got.Stride+i%x.cols])
		if math.Abs(want-have) > 2e-4*(1+math.Abs(want)) || math.IsNaN(have) {
			t.Errorf("gradient of %s[%d] is %g, central difference %g", name, i, have, want)
			return
		}
	}
}

func sameValues(t *testing.T, got kernel.Mat, want matrix) {
	t.Helper()
	for i := range want.rows {
		for j := range want.cols {
			if d := math.Abs(float64(got.Row(i)[j]) - want.at(i, j)); !(d < 1e-4*(1+math.Abs(want.at(i, j)))) {
				t.Fatalf("value [%d, %d] is %g, want %g", i, j, got.Row(i)[j], want.at(i, j))
			}
		}
	}
}

// seed makes Σ weights·y the scalar that Backward differentiates.
func seed(t *Tape, y Var, weights matrix) { t.Seed(y, weights.float32()) }

func dot(a, b matrix) float64 {
	s := 0.0
	for i := range a.v {
		s += a.v[i] * b.v[i]
	}
	return s
}

var recording = Mode{Record: true, Dropout: 1, Seed: 5, Step: 2}

// gradientOf keeps the gradients of inputs, which Backward gives back to the free list otherwise: a leaf has no operation.
func gradientOf(v Var) kernel.Mat { return v.n.grad }

func TestLinear(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, act := range []kernel.Activation{kernel.None, kernel.ReLU, kernel.GELU, kernel.GELUTanh, kernel.SiLU, kernel.Tanh} {
		x, w, b, c := random(rng, 7, 5), random(rng, 9, 5), random(rng, 1, 9), random(rng, 7, 9)
		tape := &Tape{Pool: kernel.NewPool(2)}
		tape.Begin(recording)
		xv, wp, bp := tape.Input(x.float32()), w.param(), b.param()
		y := tape.Linear(xv, wp, bp, act)
		sameValues(t, y.Value(), linear(x, w, b, act))
		seed(tape, y, c)
		tape.Backward()
		scalar := func() float64 { return dot(linear(x, w, b, act), c) }
		check(t, "x", x, gradientOf(xv), scalar)
		check(t, "w", w, wp.Grad, scalar)
		check(t, "b", b, bp.Grad, scalar)
	}
}

// ones runs the operation on inputs that show where dropout keeps an element, and by what it scales.
func kept(rows, cols int, rate float32, site uint32) matrix {
	tape := &Tape{Pool: kernel.NewPool(1)}
	tape.Begin(recording)
	tape.site = site
	ones := kernel.NewMat(slices.Repeat([]float32{1}, rows*cols), rows, cols)
	y := tape.Dropout(tape.Input(ones), rate).Value()
	m := zero(rows, cols)
	for i, v := range y.Data {
		m.v[i] = float64(v)
	}
	return m
}

func times(a, b matrix) matrix {
	y := zero(a.rows, a.cols)
	for i := range y.v {
		y.v[i] = a.v[i] * b.v[i]
	}
	return y
}

func plus(a, b matrix) matrix {
	y := zero(a.rows, a.cols)
	for i := range y.v {
		y.v[i] = a.v[i] + b.v[i]
	}
	return y
}

func TestLinearAddWithDropout(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, rate := range []float32{0, 0.4} {
		x, w, b, r, c := random(rng, 6, 8), random(rng, 8, 8), random(rng, 1, 8), random(rng, 6, 8), random(rng, 6, 8)
		mask := matrix{6, 8, slices.Repeat([]float64{1}, 48)}
		if rate > 0 {
			mask = kept(6, 8, rate, 0)
		}
		tape := &Tape{Pool: kernel.NewPool(2)}
		tape.Begin(recording)
		xv, rv, wp, bp := tape.Input(x.float32()), tape.Input(r.float32()), w.param(), b.param()
		y := tape.LinearAdd(xv, wp, bp, rate, rv)
		formula := func() matrix { return plus(r, times(mask, linear(x, w, b, kernel.None))) }
		sameValues(t, y.Value(), formula())
		seed(tape, y, c)
		tape.Backward()
		scalar := func() float64 { return dot(formula(), c) }
		check(t, "x", x, gradientOf(xv), scalar)
		check(t, "residual", r, gradientOf(rv), scalar)
		check(t, "w", w, wp.Grad, scalar)
		check(t, "b", b, bp.Grad, scalar)
	}
}

func TestNorms(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, layer := range []bool{true, false} {
		x, gamma, beta, c := random(rng, 5, 11), random(rng, 1, 11), random(rng, 1, 11), random(rng, 5, 11)
		tape := &Tape{Pool: kernel.NewPool(2)}
		tape.Begin(recording)
		xv, gp, bp := tape.Input(x.float32()), gamma.param(), beta.param()
		var y Var
		if layer {
			y = tape.LayerNorm(xv, gp, bp, 1e-5)
		} else {
			y, beta.v = tape.RMSNorm(xv, gp, 1e-5), nil
		}
		sameValues(t, y.Value(), norm(x, gamma, beta, 1e-5))
		seed(tape, y, c)
		tape.Backward()
		scalar := func() float64 { return dot(norm(x, gamma, beta, 1e-5), c) }
		check(t, "x", x, gradientOf(xv), scalar)
		check(t, "gamma", gamma, gp.Grad, scalar)
		if layer {
			check(t, "beta", beta, bp.Grad, scalar)
		}
	}
}

func TestAttention(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	shape := kernel.AttnShape{Heads: 4, KVHeads: 2, HeadDim: 3, Scale: 0.6}
	dropped := kernel.Dropout{Rate: 0.4, Key: [2]uint32{uint32(recording.Seed)}, Ctr: [3]uint32{recording.Step}} // as the tape has it
	t.Run("self", func(t *testing.T) {
		spans := []kernel.AttnSpan{{Q0: 0, Q1: 4, K0: 0, K1: 4}, {Q0: 4, Q1: 5, K0: 4, K1: 5}, {Q0: 5, Q1: 11, K0: 5, K1: 11}}
		for _, s := range []kernel.AttnShape{
			shape, {Heads: 4, KVHeads: 2, HeadDim: 3, Scale: 0.6, Causal: true}, {Heads: 4, KVHeads: 2, HeadDim: 3, Scale: 0.6, Causal: true, Window: 2},
			{Heads: 4, KVHeads: 2, HeadDim: 3, Scale: 0.6, Drop: dropped}, {Heads: 4, KVHeads: 2, HeadDim: 3, Scale: 0.6, Causal: true, Drop: dropped},
		} {
			qkv, c := random(rng, 11, 24), random(rng, 11, 12)
			formula := func() matrix {
				return attention(columns(qkv, 0, 12), columns(qkv, 12, 6), columns(qkv, 18, 6), spans, s)
			}
			tape := &Tape{Pool: kernel.NewPool(2)}
			tape.Begin(recording)
			in := tape.Input(qkv.float32())
			y := tape.SelfAttention("", in, spans, s, s.Drop.Rate)
			sameValues(t, y.Value(), formula())
			seed(tape, y, c)
			tape.Backward()
			check(t, "qkv", qkv, gradientOf(in), func() float64 { return dot(formula(), c) })
		}
	})
	t.Run("cross", func(t *testing.T) {
		spans := []kernel.AttnSpan{{Q0: 0, Q1: 4, K0: 0, K1: 3}, {Q0: 4, Q1: 6, K0: 3, K1: 9}}
		q, kv, c := random(rng, 6, 12), random(rng, 9, 12), random(rng, 6, 12)
		formula := func() matrix { return attention(q, columns(kv, 0, 6), columns(kv, 6, 6), spans, shape) }
		tape := &Tape{Pool: kernel.NewPool(2)}
		tape.Begin(recording)
		qv, kvv := tape.Input(q.float32()), tape.Input(kv.float32())
		y := tape.CrossAttention("", qv, kvv, spans, shape, 0)
		sameValues(t, y.Value(), formula())
		seed(tape, y, c)
		tape.Backward()
		check(t, "q", q, gradientOf(qv), func() float64 { return dot(formula(), c) })
		check(t, "kv", kv, gradientOf(kvv), func() float64 { return dot(formula(), c) })
	})
}

func TestCrossEntropy(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	h, w := random(rng, 6, 5), random(rng, 13, 5)
	bias := random(rng, 1, 13)
	o := kernel.CrossEntropy{Targets: []int32{3, 0, -1, 12, 7, 7}, Weights: []float32{1, 0.5, 1, 2, 0, 1}, Smoothing: 0.1, Scale: 0.25}
	tape := &Tape{Pool: kernel.NewPool(2)}
	scalar := func() float64 { return crossEntropy(h, w, bias.v, o) }
	for _, record := range []bool{true, false} {
		tape.Begin(Mode{Record: record})
		hv, wp := tape.Input(h.float32()), w.param()
		got := tape.CrossEntropy(hv, wp, bias.float32().Data, o, nil, nil)
		if math.Abs(got-scalar()) > 1e-5 {
			t.Errorf("loss is %g, want %g", got, scalar())
		}
		if record {
			tape.Backward()
			check(t, "h", h, gradientOf(hv), scalar)
			check(t, "w", w, wp.Grad, scalar)
		}
	}
}

func TestEmbedWithDropout(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	table, pos, c := random(rng, 6, 5), random(rng, 4, 5), random(rng, 5, 5)
	ids, at := []int32{2, 5, 2, 0, 2}, []int32{0, 1, 2, 3, 0}
	mask := kept(5, 5, 0.3, 0)
	formula := func() matrix {
		y := zero(5, 5)
		for i, id := range ids {
			for j := range 5 {
				y.v[i*5+j] = mask.at(i, j) * (3*table.at(int(id), j) + pos.at(int(at[i]), j))
			}
		}
		return y
	}
	tape := &Tape{Pool: kernel.NewPool(2)}
	tape.Begin(recording)
	p := table.param()
	y := tape.Embed(Embedding{Table: p, Scale: 3, Positions: pos.float32(), Rate: 0.3, Skip: 5}, ids, at)
	sameValues(t, y.Value(), formula())
	seed(tape, y, c)
	tape.Backward()
	for _, g := range p.Grad.Row(5) {
		if g != 0 {
			t.Fatal("the skipped row has a gradient")
		}
	}
	rest := matrix{5, 5, table.v[:25]} // without the skipped row
	check(t, "table", rest, p.Grad.Slice(0, 5), func() float64 { return dot(formula(), c) })
}

func TestElementwise(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	a, b, c := random(rng, 4, 6), random(rng, 4, 6), random(rng, 4, 6)
	mask := kept(4, 6, 0.5, 0)
	formula := func() matrix { // a is used twice, so that gradients accumulate
		y := plus(a, b)
		for i := range y.v {
			y.v[i] = activate(y.v[i], kernel.GELU)
		}
		return plus(times(mask, y), a)
	}
	tape := &Tape{Pool: kernel.NewPool(2)}
	tape.Begin(recording)
	av, bv := tape.Input(a.float32()), tape.Input(b.float32())
	y := tape.Add(tape.Dropout(tape.Activate(tape.Add(av, bv), kernel.GELU), 0.5), av)
	sameValues(t, y.Value(), formula())
	seed(tape, y, c)
	tape.Backward()
	check(t, "a", a, gradientOf(av), func() float64 { return dot(formula(), c) })
	check(t, "b", b, gradientOf(bv), func() float64 { return dot(formula(), c) })
}

func TestDropoutSitesAndStepsAreIndependent(t *testing.T) {
	draw := func(m Mode, site uint32) []float32 {
		tape := &Tape{Pool: kernel.NewPool(1)}
		tape.Begin(m)
		tape.site = site
		return tape.Dropout(tape.Input(kernel.NewMat(slices.Repeat([]float32{1}, 4096), 64, 64)), 0.25).Value().Data
	}
	base := Mode{Dropout: 1, Seed: 1, Step: 1}
	first := draw(base, 0)
	if !slices.Equal(first, draw(base, 0)) {
		t.Error("the same key gives different masks")
	}
	zeros := 0
	for _, v := range first {
		if v == 0 {
			zeros++
		} else if v != 1/float32(0.75) {
			t.Fatalf("a kept element is scaled by %g", v)
		}
	}
	if zeros < 900 || zeros > 1150 {
		t.Errorf("%d of 4096 elements dropped at a rate of 0.25", zeros)
	}
	for name, other := range map[string][]float32{
		"site": draw(base, 1), "step": draw(Mode{Dropout: 1, Seed: 1, Step: 2}, 0),
		"seed": draw(Mode{Dropout: 1, Seed: 2, Step: 1}, 0), "high seed": draw(Mode{Dropout: 1, Seed: 1 | 1<<40, Step: 1}, 0),
		"micro-batch": draw(Mode{Dropout: 1, Seed: 1, Step: 1, Micro: 1}, 0),
	} {
		if slices.Equal(first, other) {
			t.Errorf("another %s gives the same mask", name)
		}
	}
}

func TestDropoutAppliesTheShareThatTheModeAsksFor(t *testing.T) {
	tape := &Tape{Pool: kernel.NewPool(1)}
	for share, want := range map[float32]float64{0: 0, 0.25: 0.1, 1: 0.4} {
		tape.Begin(Mode{Dropout: share, Seed: 1})
		zeros := 0
		for _, v := range tape.Dropout(tape.Input(kernel.NewMat(slices.Repeat([]float32{1}, 1<<14), 128, 128)), 0.4).Value().Data {
			if v == 0 {
				zeros++
			}
		}
		if got := float64(zeros) / (1 << 14); math.Abs(got-want) > 0.02 {
			t.Errorf("a share of %g of the rate 0.4 drops %.3f of the elements, want %.3f", share, got, want)
		}
	}
}

func TestFreeListReusesBuffersOfOneClass(t *testing.T) {
	var f freeList
	for _, n := range []int{1, 15, 16, 17, 100, 1000, 1 << 20, 1<<20 + 1} {
		b := f.get(n)
		if len(b) != n || cap(b) != class(n) || float64(cap(b)) > 1.25*float64(n)+16 {
			t.Errorf("get(%d) has length %d and capacity %d", n, len(b), cap(b))
		}
		f.put(b)
		held := f.bytes
		f.put(f.get(n))
		if f.bytes != held {
			t.Errorf("a second get(%d) took new memory", n)
		}
	}
}

package grad

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/parley-lm/parley/internal/kernel"
)

// frozen is a parameter without a gradient.
func (m matrix) frozen() *Param { return &Param{Value: m.float32()} }

// frozenIn holds the matrix in "float32", "packed" or, where half has its numbers, in "bfloat16".
func (m matrix) frozenIn(held string, half kernel.Half) *Param {
	p := m.frozen()
	switch held {
	case "bfloat16":
		p = new(Param)
		p.HoldHalf(nil, half, false, true)
	case "packed":
		p.PackAcross(nil)
	}
	return p
}

func scaled(m matrix, s float64) matrix {
	y := zero(m.rows, m.cols)
	for i, v := range m.v {
		y.v[i] = s * v
	}
	return y
}

// added is to with m added to its columns from the given one on.
func added(to, m matrix, column int) matrix {
	y := matrix{to.rows, to.cols, slices.Clone(to.v)}
	for i := range m.rows {
		for j := range m.cols {
			y.v[i*y.cols+column+j] += m.at(i, j)
		}
	}
	return y
}

// rows is a part of m.
func rows(m matrix, from, n int) matrix { return matrix{n, m.cols, m.v[from*m.cols : (from+n)*m.cols]} }

// TestLowRankUpdates adapts two of three stacked projections and, with a second update, the middle one: with a bias, an
// activation, dropout and a residual around them, from a frozen matrix in float32 and in bfloat16.
func TestLowRankUpdates(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 32))
	for _, rate := range []float32{0, 0.3} {
		x, w, b, r, c := random(rng, 7, 6), random(rng, 12, 6), random(rng, 1, 12), random(rng, 7, 12), random(rng, 7, 12)
		a, b0, b2 := random(rng, 5, 6), random(rng, 4, 2), random(rng, 3, 3) // rows 0 to 4 with rank 2, 9 to 12 with rank 3
		a2, b1 := random(rng, 1, 6), random(rng, 5, 1)                       // rows 4 to 9 with rank 1
		half := kernel.NewHalf(12, 6)
		for i := range 12 {
			half.SetRow(i, w.float32().Row(i))
			for j, v := range half.Row(i) {
				w.v[i*6+j] = float64(math.Float32frombits(uint32(v) << 16))
			}
		}
		masks := [2]matrix{matrix{7, 6, slices.Repeat([]float64{1}, 42)}, matrix{7, 6, slices.Repeat([]float64{1}, 42)}}
		if rate > 0 {
			masks = [2]matrix{kept(7, 6, rate, 0), kept(7, 6, rate, 1)}
		}
		formula := func() matrix {
			x0, x1 := times(x, masks[0]), times(x, masks[1])
			y := linear(x, w, b, kernel.None)
			y = added(y, scaled(linear(linear(x0, rows(a, 0, 2), matrix{}, kernel.None), b0, matrix{}, kernel.None), 1.5), 0)
			y = added(y, scaled(linear(linear(x0, rows(a, 2, 3), matrix{}, kernel.None), b2, matrix{}, kernel.None), -0.5), 9)
			y = added(y, scaled(linear(linear(x1, a2, matrix{}, kernel.None), b1, matrix{}, kernel.None), 2), 4)
			return plus(y, r)
		}
		for _, held := range []string{"float32", "bfloat16", "packed"} {
			wp := w.frozenIn(held, half)
			ap, b0p, b2p, a2p, b1p := a.param(), b0.param(), b2.param(), a2.param(), b1.param()
			wp.Attach(&LowRank{A: ap, Dropout: rate, Parts: []LowRankPart{{B: b0p, Scale: 1.5}, {B: b2p, Row: 9, Scale: -0.5}}})
			second := &LowRank{A: a2p, Dropout: rate, Parts: []LowRankPart{{B: b1p, Row: 4, Scale: 2}}}
			wp.Attach(second)
			tape := &Tape{Pool: kernel.NewPool(2)}
			tape.Begin(recording)
			xv, rv := tape.Input(x.float32()), tape.Input(r.float32())
			y := tape.LinearAdd(xv, wp, b.frozen(), 0, rv)
			sameValues(t, y.Value(), formula())
			seed(tape, y, c)
			tape.Backward()
			scalar := func() float64 { return dot(formula(), c) }
			check(t, "x", x, gradientOf(xv), scalar)
			check(t, "residual", r, gradientOf(rv), scalar)
			for i, p := range []*Param{ap, b0p, b2p, a2p, b1p} {
				check(t, []string{"a", "b0", "b2", "a2", "b1"}[i], []matrix{a, b0, b2, a2, b1}[i], p.Grad, scalar)
			}

			tape.Begin(Mode{Plain: true})
			sameValues(t, tape.Linear(tape.Input(x.float32()), wp, nil, kernel.None).Value(), linear(x, w, matrix{}, kernel.None))
			wp.Detach(second)
			b1.v, a2.v = make([]float64, 5), make([]float64, 6)
			tape.Begin(Mode{})
			if rate == 0 {
				sameValues(t, tape.LinearAdd(tape.Input(x.float32()), wp, b.frozen(), 0, tape.Input(r.float32())).Value(), formula())
			}
			a2, b1 = random(rng, 1, 6), random(rng, 5, 1)
		}
	}
}

// TestFrozenParametersCostNothing differentiates layers that only a low-rank update of the last one learns from.
func TestFrozenParametersCostNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(33, 34))
	table, gamma, w, v := random(rng, 9, 4), random(rng, 1, 4), random(rng, 4, 4), random(rng, 9, 4)
	a, b := random(rng, 2, 4).param(), random(rng, 4, 2).param()
	last := w.frozen()
	last.Attach(&LowRank{A: a, Parts: []LowRankPart{{B: b, Scale: 1}}})
	tape := &Tape{Pool: kernel.NewPool(1)}
	tape.Begin(Mode{Record: true})
	x := tape.Embed(Embedding{Table: table.frozen(), Scale: 1, Skip: -1}, []int32{1, 8, 3}, nil)
	h := tape.Linear(tape.RMSNorm(x, gamma.frozen(), 1e-6), w.frozen(), nil, kernel.GELU)
	y := tape.LinearAdd(h, last, nil, 0, x)
	before := tape.free.bytes
	tape.CrossEntropy(y, v.frozen(), nil, kernel.CrossEntropy{Targets: []int32{0, 1, 2}, Scale: 1}, nil, nil)
	tape.Backward()
	if x.n.grad.Data != nil || h.n.grad.Data != nil || !h.n.fixed || y.n.fixed {
		t.Error("a gradient went to where nothing learns")
	}
	if made := tape.free.bytes - before; made > 4*2*16 {
		t.Errorf("%d bytes for gradients", made)
	}
	if slices.Max(a.Grad.Data) == 0 || slices.Max(b.Grad.Data) == 0 {
		t.Error("nothing was learned")
	}
}

// TestUpdatesAllocateNothingOnceWarm holds it for passes forward and back.
func TestUpdatesAllocateNothingOnceWarm(t *testing.T) {
	rng := rand.New(rand.NewPCG(35, 36))
	x, w := random(rng, 5, 8).float32(), random(rng, 6, 8).frozen()
	w.Attach(&LowRank{A: random(rng, 2, 8).param(), Dropout: 0.1, Parts: []LowRankPart{{B: random(rng, 6, 2).param(), Scale: 1}}})
	tape := &Tape{Pool: kernel.NewPool(1)}
	g := random(rng, 5, 6).float32()
	pass := func() {
		tape.Begin(recording)
		tape.Seed(tape.Linear(tape.Input(x), w, nil, kernel.GELU), g)
		tape.Backward()
	}
	pass()
	if n := testing.AllocsPerRun(5, pass); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

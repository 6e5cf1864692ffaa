package grad

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/parley-lm/parley/internal/kernel"
)

// TestDecomposedUpdates compares DoRA with the formula of the paper, y = m·(W + s·B·A)x / ‖W + s·B·A‖, in which the lengths of rows are
// constants as far as A and B are concerned: two of three stacked projections of a frozen matrix, with a bias and a residual, and
// with dropout as PEFT has it.
func TestDecomposedUpdates(t *testing.T) {
	rng := rand.New(rand.NewPCG(41, 42))
	const n, in, out = 70, 6, 12
	x, w, bias, r, c := random(rng, n, in), random(rng, out, in), random(rng, 1, out), random(rng, n, out), random(rng, n, out)
	a, b0, b2 := random(rng, 5, in), random(rng, 4, 2), random(rng, 3, 3) // rows 0 to 4 with rank 2, 9 to 12 with rank 3
	m0, m2 := random(rng, 1, 4), random(rng, 1, 3)
	half := kernel.NewHalf(out, in)
	for i := range out {
		half.SetRow(i, w.float32().Row(i))
		for j, v := range half.Row(i) {
			w.v[i*in+j] = float64(math.Float32frombits(uint32(v) << 16))
		}
	}
	parts := []struct {
		b, m        matrix
		row, before int // of W, and ranks of the parts before
		scale       float64
	}{{b0, m0, 0, 0, 1.5}, {b2, m2, 9, 2, -0.5}}
	updated := func() matrix {
		u := matrix{out, in, slices.Clone(w.v)}
		for _, p := range parts {
			for i := range p.b.rows {
				for j := range in {
					for k := range p.b.cols {
						u.v[(p.row+i)*in+j] += p.scale * p.b.at(i, k) * a.at(p.before+k, j)
					}
				}
			}
		}
		return u
	}
	length := make([]float64, out)
	for i := range out {
		sum := 0.0
		for j := range in {
			sum += updated().at(i, j) * updated().at(i, j)
		}
		length[i] = math.Sqrt(sum)
	}
	mask := matrix{n, in, slices.Repeat([]float64{1}, n*in)}
	formula := func() matrix {
		dropped := times(x, mask)
		y := linear(dropped, updated(), matrix{}, kernel.None)
		rest := linear(plus(x, scaled(dropped, -1)), w, matrix{}, kernel.None)
		for i := range n {
			for _, p := range parts {
				for j := range p.m.cols {
					y.v[i*out+p.row+j] *= p.m.v[j] / length[p.row+j]
				}
			}
			for j := range out {
				y.v[i*out+j] += rest.v[i*out+j]
			}
			for j := range out {
				y.v[i*out+j] += bias.v[j]
			}
		}
		return y
	}
	ones := mask
	for held, threads := range map[string]int{"float32": 1, "bfloat16": 2, "packed": 3} {
		for _, rate := range []float32{0, 0.3} {
			t.Run(fmt.Sprint(held, rate), func(t *testing.T) {
				if mask = ones; rate > 0 {
					mask = kept(n, in, rate, 0)
				}
				wp := w.frozenIn(held, half)
				ap, b0p, b2p, m0p, m2p, biasp := a.param(), b0.param(), b2.param(), m0.param(), m2.param(), bias.param()
				l := &LowRank{A: ap, Dropout: rate, Parts: []LowRankPart{{B: b0p, Scale: 1.5, Magnitude: m0p}, {B: b2p, Row: 9, Scale: -0.5, Magnitude: m2p}}}
				wp.Attach(l)
				tape := &Tape{Pool: kernel.NewPool(threads)}
				defer tape.Pool.Close()
				tape.Begin(recording)
				xv, rv := tape.Input(x.float32()), tape.Input(r.float32())
				y := tape.LinearAdd(xv, wp, biasp, 0, rv)
				sameValues(t, y.Value(), plus(formula(), r))
				seed(tape, y, c)
				tape.Backward()
				scalar := func() float64 { return dot(plus(formula(), r), c) }
				check(t, "x", x, gradientOf(xv), scalar)
				check(t, "residual", r, gradientOf(rv), scalar)
				for i, p := range []*Param{ap, b0p, b2p, m0p, m2p, biasp} {
					check(t, []string{"a", "b0", "b2", "m0", "m2", "bias"}[i], []matrix{a, b0, b2, m0, m2, bias}[i], p.Grad, scalar)
				}

				tape.Begin(Mode{})
				plain := slices.Clone(tape.Linear(tape.Input(x.float32()), wp, biasp, kernel.GELU).Value().Data)
				l.Settle(tape.Pool, wp)
				tape.Begin(Mode{})
				if !slices.Equal(plain, tape.Linear(tape.Input(x.float32()), wp, biasp, kernel.GELU).Value().Data) {
					t.Error("settled, the update gives other bits")
				}
				for i := range x.rows {
					tape.Begin(Mode{})
					alone := tape.Linear(tape.Input(matrix{1, in, x.v[i*in : (i+1)*in]}.float32()), wp, biasp, kernel.GELU).Value().Row(0)
					if !slices.Equal(plain[i*out:(i+1)*out], alone) {
						t.Fatal("a row alone has other bits")
					}
				}
				l.Unsettle()
				tape.Begin(Mode{Plain: true})
				sameValues(t, tape.Linear(tape.Input(x.float32()), wp, nil, kernel.None).Value(), linear(x, w, matrix{}, kernel.None))
			})
		}
	}
}

package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/parley-lm/parley/internal/memory"
)

// rowPrimitive is a serial primitive in the form under test and in float64. Outputs are also inputs where the
// primitive accumulates. Tolerances are relative to 1 + |truth|.
type rowPrimitive struct {
	name     string
	outs     int
	tol      float64
	specials bool // elementwise: even extreme values come out as in float64
	f32      func(out, in [][]float32)
	f64      func(out, in [][]float64)
}

var activationNames = map[Activation]string{None: "None", ReLU: "ReLU", GELU: "GELU", GELUTanh: "GELUTanh", SiLU: "SiLU", Tanh: "Tanh"}

func rowPrimitives() []rowPrimitive {
	ps := []rowPrimitive{
		{"add", 1, 2e-7, true,
			func(o, in [][]float32) { addRow(o[0], in[0], in[1]) },
			func(o, in [][]float64) { addRowPortable(o[0], in[0], in[1]) }},
		{"scale", 1, 2e-7, true,
			func(o, in [][]float32) { scaleRow(o[0], in[0], 0.75) },
			func(o, in [][]float64) { scaleRowPortable(o[0], in[0], 0.75) }},
		{"scaleAdd", 1, 4e-7, false,
			func(o, in [][]float32) { scaleAddRow(o[0], in[0], 1.5, in[1]) },
			func(o, in [][]float64) { scaleAddRowPortable(o[0], in[0], 1.5, in[1]) }},
		{"axpy", 1, 4e-7, false,
			func(o, in [][]float32) { axpyRow(o[0], in[0], -0.3) },
			func(o, in [][]float64) { axpyRowPortable(o[0], in[0], float64(float32(-0.3))) }},
		{"weightedSum", 1, 4e-7, false,
			func(o, in [][]float32) { weightedSumRow(o[0], in[0], 1.5, in[1], -0.75) },
			func(o, in [][]float64) { weightedSumRowPortable(o[0], in[0], 1.5, in[1], -0.75) }},
		{"fill", 1, 0, true,
			func(o, in [][]float32) { fillRow(o[0], 0.5) },
			func(o, in [][]float64) { fillRowPortable(o[0], 0.5) }},
		{"softmax", 1, 4e-7, false,
			func(o, in [][]float32) { softmaxRow(o[0], in[0]) },
			func(o, in [][]float64) { softmaxRowPortable(o[0], in[0]) }},
		{"layerNorm", 1, 4e-6, false,
			func(o, in [][]float32) { layerNormRow(o[0], in[0], in[1], in[2], 1e-5) },
			func(o, in [][]float64) { layerNormRowPortable(o[0], in[0], in[1], in[2], float64(float32(1e-5))) }},
		{"layerNorm without beta", 1, 4e-6, false,
			func(o, in [][]float32) { layerNormRow(o[0], in[0], in[1], nil, 1e-5) },
			func(o, in [][]float64) { layerNormRowPortable(o[0], in[0], in[1], nil, float64(float32(1e-5))) }},
		{"rmsNorm", 1, 4e-6, false,
			func(o, in [][]float32) { rmsNormRow(o[0], in[0], in[1], make([]float32, 1), 1e-5) },
			func(o, in [][]float64) {
				rmsNormRowPortable(o[0], in[0], in[1], make([]float64, 1), float64(float32(1e-5)))
			}},
		{"adam", 3, 2e-6, false,
			func(o, in [][]float32) { adamCase(o, in) },
			func(o, in [][]float64) { adamCase64(o, in) }},
	}
	for _, acc := range []bool{false, true} {
		ps = append(ps,
			rowPrimitive{fmt.Sprint("layerNormBackward acc=", acc), 1, 1e-5, false,
				func(o, in [][]float32) { layerNormBackwardRow(o[0], in[0], in[1], in[2], 0.25, 0.75, acc) },
				func(o, in [][]float64) { layerNormBackwardRowPortable(o[0], in[0], in[1], in[2], 0.25, 0.75, acc) }},
			rowPrimitive{fmt.Sprint("rmsNormBackward acc=", acc), 1, 1e-5, false,
				func(o, in [][]float32) { rmsNormBackwardRow(o[0], in[0], in[1], in[2], nil, []float32{0.75}, acc) },
				func(o, in [][]float64) {
					rmsNormBackwardRowPortable(o[0], in[0], in[1], in[2], nil, []float64{0.75}, acc)
				}},
			rowPrimitive{fmt.Sprint("rmsNormBackward with gamma acc=", acc), 2, 1e-5, false,
				func(o, in [][]float32) { rmsNormBackwardRow(o[0], in[0], in[1], in[2], o[1], []float32{0.75}, acc) },
				func(o, in [][]float64) {
					rmsNormBackwardRowPortable(o[0], in[0], in[1], in[2], o[1], []float64{0.75}, acc)
				}})
	}
	for act, name := range activationNames {
		ps = append(ps,
			rowPrimitive{name, 1, 3e-7, true,
				func(o, in [][]float32) { activateRow(o[0], in[0], act) },
				func(o, in [][]float64) { activateRowPortable(o[0], in[0], act) }},
			rowPrimitive{name + " gated", 1, 5e-7, false,
				func(o, in [][]float32) { gatedRow(o[0], in[0], in[1], act) },
				func(o, in [][]float64) { gatedRowPortable(o[0], in[0], in[1], act) }},
			rowPrimitive{name + " gatedBackward", 2, 2e-6, false,
				func(o, in [][]float32) { gatedBackwardRow(o[0], o[1], in[2], in[0], in[1], act) },
				func(o, in [][]float64) { gatedBackwardRowPortable(o[0], o[1], in[2], in[0], in[1], act) }})
		for _, acc := range []bool{false, true} {
			ps = append(ps, rowPrimitive{fmt.Sprint(name, " backward acc=", acc), 1, 1e-6, !acc,
				func(o, in [][]float32) { activateBackwardRow(o[0], in[1], in[0], act, acc) },
				func(o, in [][]float64) { activateBackwardRowPortable(o[0], in[1], in[0], act, acc) }})
		}
	}
	return ps
}

var adamSettings = AdamParams{LR: 0.01, Beta1: 0.9, Beta2: 0.99, Eps: 1e-6, WeightDecay: 0.1, GradScale: 0.5, Step: 3}

func adamCase(o, in [][]float32) {
	s := newAdamStep[float32](adamSettings)
	for i := range o[2] {
		o[2][i] *= o[2][i] // second moments are not negative
	}
	adamRow(o[0], in[0], o[1], o[2], &s)
}

func adamCase64(o, in [][]float64) {
	s := newAdamStep[float64](adamSettings)
	for i := range o[2] {
		o[2][i] *= o[2][i]
	}
	adamRowPortable(o[0], in[0], o[1], o[2], &s)
}

// specialValues begins with those that come out of every primitive as in float64; the extremes do where nothing is squared.
var specialValues = []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 0, float32(math.Copysign(0, -1)), 1e-42, -1e-42,
	3e38, -3e38, 20, -20, 88.5, -88.5, 104, -104, 14.4, -14.6, 1, -1}

// checkRow runs a primitive on rows of n elements that begin off elements after an aligned one, and compares. The first
// input may hold special values. Memory around the outputs must stay as it was.
func checkRow(t *testing.T, rng *rand.Rand, p rowPrimitive, n, off int, specials bool) {
	t.Helper()
	const canary = 12345
	values := specialValues
	if !p.specials {
		values = values[:3]
	}
	var in32, out32, guarded [][]float32
	var in64, out64 [][]float64
	row := func(gap int, specials bool) (whole, a []float32, b []float64) {
		whole = memory.Floats(n + 32)
		for i := range whole {
			whole[i] = canary
		}
		a, b = whole[gap:gap+n:gap+n], make([]float64, n)
		for i := range a {
			a[i] = float32(rng.NormFloat64() * 2)
			if specials && rng.IntN(3) == 0 {
				a[i] = values[rng.IntN(len(values))]
			}
			b[i] = float64(a[i])
		}
		return whole, a, b
	}
	for k := range 3 {
		_, a, b := row(off*(k+1)%8, specials && k == 0)
		in32, in64 = append(in32, a), append(in64, b)
	}
	for range p.outs {
		w, a, b := row(off, false)
		out32, out64, guarded = append(out32, a), append(out64, b), append(guarded, w)
	}
	p.f32(out32, in32)
	p.f64(out64, in64)
	for k, got := range out32 {
		for i, g := range got {
			want := float32(out64[k][i])
			if !near(g, want, p.tol) {
				t.Fatalf("%v: n=%d off=%d output %d[%d] = %g, want %g (inputs %g %g %g)", p.name, n, off, k, i, g, want, in32[0][i], in32[1][i], in32[2][i])
			}
		}
		for i, v := range guarded[k] {
			if (i < off || i >= off+n) && v != canary {
				t.Fatalf("%s: n=%d off=%d wrote outside of output %d, at %d", p.name, n, off, k, i-off)
			}
		}
	}
}

func near(got, want float32, tol float64) bool {
	g, w := float64(got), float64(want)
	if math.IsNaN(w) || math.IsInf(w, 0) {
		return math.IsNaN(g) && math.IsNaN(w) || g == w
	}
	return math.Abs(g-w) <= tol*(1+math.Abs(w))
}

func TestRowPrimitivesMatchFloat64(t *testing.T) {
	for _, isa := range Available() {
		t.Run(isa.String(), func(t *testing.T) {
			defer SetISA(isa)()
			for _, p := range rowPrimitives() {
				rng := rand.New(rand.NewPCG(1, 2))
				for n := 0; n <= 70; n++ {
					checkRow(t, rng, p, n, n%5, false)
				}
				for _, n := range []int{127, 128, 256, 1000, 4099} {
					checkRow(t, rng, p, n, 3, false)
				}
				for n := range 40 {
					checkRow(t, rng, p, n, 1, true)
				}
			}
		})
	}
}

func FuzzRowPrimitives(f *testing.F) {
	f.Add(uint64(1), uint16(33), uint8(1), true)
	f.Add(uint64(2), uint16(777), uint8(0), false)
	f.Fuzz(func(t *testing.T, seed uint64, n uint16, off uint8, specials bool) {
		for _, isa := range Available() {
			restore := SetISA(isa)
			for _, p := range rowPrimitives() {
				checkRow(t, rand.New(rand.NewPCG(seed, 0)), p, int(n%5000), int(off%8), specials)
			}
			restore()
		}
	})
}

func TestWeightedSumHasTheSameBitsOnEveryInstructionSet(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for n := range 75 {
		a, b := randomRows(rng, 1, n, 0).Data[:n], randomRows(rng, 1, n, 0).Data[:n]
		want := make([]float32, n)
		weightedSumRowPortable(want, a, 0.9, b, -0.3)
		for _, isa := range Available() {
			restore, y := SetISA(isa), make([]float32, n)
			weightedSumRow(y, a, 0.9, b, -0.3)
			restore()
			sameBits(t, isa.String(), y, want)
		}
	}
}

// The exponential is inside softmax and LogSumExp; a sum of one term shows it alone.
func TestExponentialIsWithinTwoUlp(t *testing.T) {
	for _, isa := range Available() {
		t.Run(isa.String(), func(t *testing.T) {
			defer SetISA(isa)()
			worst := 0.0
			for x := float32(0); x > -87.3; x -= 0.00037 {
				got, want := float64(sumExp([]float32{x}, 0)), math.Exp(float64(x))
				ulp := float64(math.Nextafter32(float32(want), 2)) - float64(float32(want))
				worst = max(worst, math.Abs(got-want)/ulp)
			}
			if worst > 2 {
				t.Errorf("off by %.2f ulp", worst)
			}
			for x, want := range map[float32]float32{0: 1, -200: 0, float32(math.Inf(-1)): 0, float32(math.NaN()): float32(math.NaN())} {
				if got := sumExp([]float32{x}, 0); !near(got, want, 0) {
					t.Errorf("exp(%g) = %g, want %g", x, got, want)
				}
			}
		})
	}
}

// The derivatives in float64 agree with differences of the functions.
func TestDerivativesMatchDifferences(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const n, h = 7, 1e-6
	x, gamma, beta, dy := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range x {
		x[i], gamma[i], beta[i], dy[i] = rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64()
	}
	var mean, rstd float64
	root := make([]float64, 1)
	checks := map[string]struct{ forward, backward func(out []float64) }{
		"LayerNorm": {
			func(y []float64) { mean, rstd = layerNormRowPortable(y, x, gamma, beta, 1e-5) },
			func(dx []float64) { layerNormBackwardRowPortable(dx, dy, x, gamma, mean, rstd, false) }},
		"RMSNorm": {
			func(y []float64) { rmsNormRowPortable(y, x, gamma, root, 1e-5) },
			func(dx []float64) { rmsNormBackwardRowPortable(dx, dy, x, gamma, nil, root, false) }},
	}
	for act, name := range activationNames {
		checks[name] = struct{ forward, backward func(out []float64) }{
			func(y []float64) { activateRowPortable(y, x, act) },
			func(dx []float64) { activateBackwardRowPortable(dx, dy, x, act, false) }}
		dup := make([]float64, n)
		checks[name+" gated"] = struct{ forward, backward func(out []float64) }{
			func(y []float64) { gatedRowPortable(y, x, gamma, act) },
			func(dx []float64) { gatedBackwardRowPortable(dx, dup, dy, x, gamma, act) }}
	}
	for name, c := range checks {
		dx, y := make([]float64, n), make([]float64, n)
		c.forward(y)
		c.backward(dx)
		loss := func() (s float64) {
			c.forward(y)
			for i := range y {
				s += dy[i] * y[i]
			}
			return s
		}
		for i := range x {
			old := x[i]
			x[i] = old + h
			up := loss()
			x[i] = old - h
			down := loss()
			x[i] = old
			if want := (up - down) / (2 * h); math.Abs(dx[i]-want) > 1e-7*(1+math.Abs(want)) {
				t.Errorf("%s: derivative %d is %g, differences give %g", name, i, dx[i], want)
			}
		}
	}
}

func TestReductionsMatchFloat64(t *testing.T) {
	for _, isa := range Available() {
		t.Run(isa.String(), func(t *testing.T) {
			defer SetISA(isa)()
			rng := rand.New(rand.NewPCG(5, 6))
			for n := range 75 {
				rows := n % 9
				x, dy := randomRows(rng, rows, n, 3), randomRows(rng, rows, n, 5)
				sum, dgamma, dbeta := make([]float32, n), make([]float32, n), make([]float32, n)
				mean, rstd := randomRows(rng, 1, rows, 0).Data, randomRows(rng, 1, rows, 0).Data
				columnSum(sum, x)
				layerNormGradient(dgamma, dbeta, dy, x, mean, rstd)
				for j := range n {
					var s, g, b float64
					for i := range rows {
						u, d := float64(x.Row(i)[j]), float64(dy.Row(i)[j])
						s += u
						g += d * (u - float64(mean[i])) * float64(rstd[i])
						b += d
					}
					for what, pair := range map[string][2]float64{"columnSum": {float64(sum[j]), s}, "dgamma": {float64(dgamma[j]), g}, "dbeta": {float64(dbeta[j]), b}} {
						if !near(float32(pair[0]), float32(pair[1]), 1e-5) {
							t.Fatalf("%s[%d] of %d×%d = %g, want %g", what, j, rows, n, pair[0], pair[1])
						}
					}
				}
				v := randomRows(rng, 1, n, 1).Data
				if got, want := sumSquares(v), sumSquaresPortable(v); math.Abs(got-want) > 1e-12*(1+want) {
					t.Fatalf("sumSquares of %d = %g, want %g", n, got, want)
				}
				if nonFinite(v) {
					t.Fatalf("%d finite values are called non-finite", n)
				}
				for i := range v {
					for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
						old := v[i]
						v[i] = float32(bad)
						if !nonFinite(v) {
							t.Fatalf("%g at %d of %d is not found", bad, i, n)
						}
						v[i] = old
					}
				}
			}
		})
	}
}

// randomRows is a random matrix with gap unused values after each row, not aligned.
func randomRows(rng *rand.Rand, rows, cols, gap int) Mat {
	m := Mat{Data: memory.Floats(rows*(cols+gap) + 1)[1:], Rows: rows, Cols: cols, Stride: cols + gap}
	for i := range m.Data {
		m.Data[i] = 6*rng.Float32() - 3
	}
	return m
}

func TestSoftmaxOfSpecialRows(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, isa := range Available() {
		t.Run(isa.String(), func(t *testing.T) {
			defer SetISA(isa)()
			for _, c := range []struct{ x, want []float32 }{
				{[]float32{-inf, 1, -inf, 1}, []float32{0, 0.5, 0, 0.5}},
				{[]float32{3e38, -3e38}, []float32{1, 0}},
				{[]float32{nan, 1}, []float32{nan, nan}},
				{[]float32{inf, 1}, []float32{nan, nan}},
				{[]float32{-inf, -inf}, []float32{nan, nan}},
				{[]float32{-5}, []float32{1}},
			} {
				y := make([]float32, len(c.x))
				softmaxRow(y, c.x)
				for i := range y {
					if !near(y[i], c.want[i], 1e-7) {
						t.Errorf("softmax of %g is %g, want %g", c.x, y, c.want)
					}
				}
			}
		})
	}
}

func TestActivationsHaveTheSameBitsInEveryWidth(t *testing.T) {
	if Available()[len(Available())-1] < AVX512 {
		t.Skip("this processor has no AVX-512")
	}
	rng := rand.New(rand.NewPCG(5, 6))
	random := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(4 * rng.NormFloat64())
		}
		copy(x[n/2:], specialValues)
		return x
	}
	for act := range activationNames {
		for _, n := range []int{1, 15, 16, 17, 47, 64, 100, 300} {
			x, y, z := random(n), random(n), random(n)
			all := func(isa ISA) (outs [6][]float32) {
				defer SetISA(isa)()
				for i := range outs {
					outs[i] = slices.Clone(z)
				}
				activateRow(outs[0], x, act)
				activateBackwardRow(outs[1], y, x, act, false)
				activateBackwardRow(outs[2], y, x, act, true)
				gatedRow(outs[3], x, y, act)
				gatedBackwardRow(outs[4], outs[5], z, x, y, act)
				return outs
			}
			narrow, wide := all(AVX2), all(AVX512)
			for i := range narrow {
				for j := range narrow[i] {
					if a, b := math.Float32bits(narrow[i][j]), math.Float32bits(wide[i][j]); a != b {
						t.Fatalf("%s of %d, result %d: [%d] is %#x and %#x", activationNames[act], n, i, j, a, b)
					}
				}
			}
		}
	}
}

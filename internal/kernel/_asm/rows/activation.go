package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

const signBit = 1 << 31

// expNegative emits e^x for x ≤ 0, within 1 ulp; results below 2^-126 are 0, NaN stays NaN. x is not kept.
//
// x = n·ln 2 + r with |r| ≤ ln 2 / 2; e^r by a minimax polynomial of degree 6 (relative error 3e-9 before rounding),
// fitted for this program.
func expNegative(x vec) vec {
	const (
		magic = 1.5 * (1 << 23) // adding it rounds to an integer, left in the low bits
		ln2hi = 0.693145751953125
		ln2lo = math.Ln2 - ln2hi
		lost  = -87.33654 // ln 2^-126
	)
	kept := YMM()
	VMOVUPS(f32(lost), kept)
	r := YMM()
	VMAXPS(x, kept, r)                 // NaN stays
	VCMPPS(U8(0x1A), x, kept, kept)    // not lost > x: NaN is kept
	z := YMM()                         //
	VMOVUPS(f32(magic), z)             //
	VFMADD231PS(f32(math.Log2E), r, z) // magic + n
	n := YMM()                         //
	VSUBPS(f32(magic), z, n)           //
	VFNMADD231PS(f32(ln2hi), n, r)     //
	VFNMADD231PS(f32(ln2lo), n, r)     //
	e := held(f32(0.0013814540579915047))
	for _, c := range []float64{0.00836874544620514, 0.04166838899254799, 0.1666652113199234, 0.4999999403953552, 1, 1} {
		VFMADD213PS(f32(c), r, e)
	}
	VPSLLD(U8(23), z, z)
	VPADDD(f32(1), z, z) // 2^n
	VMULPS(z, e, e)
	VANDPS(kept, e, e)
	return e
}

// kind is one activation: its tail q = Φ(-|x|) at a = |x| and, if asked for, the density Φ'(x), of the form x·Φ(x).
// limit is where the tail is 0.
type kind struct {
	name  string
	limit float64
	tail  func(a vec, slope bool) (q, density vec)
}

var kinds = []kind{
	{name: "ReLU"},
	{name: "GELU", limit: 14.5, tail: geluTail},
	{name: "GELUTanh", limit: 12, tail: geluTanhTail},
	{name: "SiLU", limit: 105, tail: siluTail},
}

// geluTail: Φ is the normal distribution. Its tail is e^(-a²/2)·w(t) with t = 1/(1 + 0.27·a) and w a minimax polynomial
// without constant term, fitted for this program (relative error 4e-8).
func geluTail(a vec, slope bool) (q, density vec) {
	s := YMM()
	VMULPS(a, a, s)
	VMULPS(f32(-0.5), s, s)
	e := expNegative(s)
	t, d := held(f32(1)), held(f32(1))
	VFMADD231PS(f32(0.27), a, d)
	VDIVPS(d, t, t)
	q = held(f32(0.028961095958948135))
	for _, c := range []float64{-0.12648583948612213, 0.16978609561920166, -0.06921069324016571, 0.10782557725906372,
		0.07204963266849518, 0.10181060433387756, 0.10754287242889404, 0.10772065818309784} {
		VFMADD213PS(f32(c), t, q)
	}
	VMULPS(t, q, q)
	VMULPS(e, q, q)
	if slope {
		VMULPS(f32(1/math.Sqrt(2*math.Pi)), e, e)
	}
	return q, e
}

// geluTanhTail: Φ(x) is sigmoid(2·√(2/π)·(x + 0.044715·x³)).
func geluTanhTail(a vec, slope bool) (q, density vec) {
	k := 2 * math.Sqrt(2/math.Pi)
	const c = 0.044715
	s, z := YMM(), held(f32(-k))
	VMULPS(a, a, s)
	VFMADD231PS(f32(-k*c), s, z)
	VMULPS(a, z, z)
	q, density = sigmoidTail(z)
	if slope {
		w := held(f32(k))
		VFMADD231PS(f32(3*k*c), s, w)
		VMULPS(w, density, density)
	}
	return q, density
}

// siluTail: Φ is the sigmoid.
func siluTail(a vec, _ bool) (q, density vec) {
	z := YMM()
	VXORPS(u32(signBit), a, z)
	return sigmoidTail(z)
}

// sigmoidTail is q = e^z/(1 + e^z) for z ≤ 0 and its derivative q·(1 - q). z is not kept.
func sigmoidTail(z vec) (q, density vec) {
	e := expNegative(z)
	d, r := YMM(), held(f32(1))
	VADDPS(r, e, d)
	VDIVPS(d, r, r)
	q, density = e, YMM()
	VMULPS(r, q, q)
	VMULPS(r, q, density)
	return q, density
}

// magnitude is |x|, at most limit, where NaN stays.
func (k kind) magnitude(x vec) vec {
	a := YMM()
	VANDPS(u32(signBit-1), x, a)
	VMINPS(a, held(f32(k.limit)), a)
	return a
}

// value emits act(x) = max(x, 0) - |x|·q.
func (k kind) value(x vec) vec {
	if k.tail == nil {
		return k.relu(x)
	}
	a := k.magnitude(x)
	q, _ := k.tail(a, false)
	y := k.relu(x)
	VFNMADD231PS(q, a, y)
	return y
}

func (k kind) relu(x vec) vec {
	y := YMM()
	VMAXPS(x, zero(), y)
	return y
}

// gradient emits d·act'(x), and act(x) if wanted, with act'(x) = Φ(x) + x·Φ'(x). d is not kept.
func (k kind) gradient(x, d vec, wantValue bool) (grad, value vec) {
	if k.tail == nil {
		off := YMM()
		VCMPPS(U8(0x12), zero(), x, off) // x <= 0
		VANDNPS(d, off, d)
		if wantValue {
			value = k.relu(x)
		}
		return d, value
	}
	a := k.magnitude(x)
	q, density := k.tail(a, true)
	if wantValue {
		value = k.relu(x)
		VFNMADD231PS(q, a, value)
	}
	phi := held(f32(1))
	VSUBPS(q, phi, phi)
	VBLENDVPS(x, q, phi, phi)
	clipped := YMM()
	VANDPS(u32(signBit), x, clipped)
	VORPS(a, clipped, clipped)
	VFMADD231PS(density, clipped, phi)
	VMULPS(phi, d, d)
	return d, value
}

func activations() {
	for _, k := range kinds {
		unroll := 2
		if k.tail == nil {
			unroll = 4
		}
		function("forward"+k.name+"AVX2", "func(y, x []float32)", "forward"+k.name+"AVX2 is y = act(x).")
		y, x, n := base("y"), base("x"), length("y")
		sweep(n, unroll, each(func(p place) { p.store(k.value(p.load(x)), y) }))
		finish()

		for _, acc := range []string{"", "Acc"} {
			name := "backward" + k.name + acc + "AVX2"
			function(name, "func(dx, dy, x []float32)", name+" is dx = dy·act'(x), or dx += for Acc.")
			dx, dy, x, n := base("dx"), base("dy"), base("x"), length("dx")
			sweep(n, unroll, each(func(p place) {
				d, _ := k.gradient(p.load(x), p.load(dy), false)
				if acc != "" {
					VADDPS(p.load(dx), d, d)
				}
				p.store(d, dx)
			}))
			finish()
		}

		name := "gated" + k.name + "AVX2"
		function(name, "func(y, gate, up []float32)", name+" is y = act(gate)·up.")
		y, gate, up, n := base("y"), base("gate"), base("up"), length("y")
		sweep(n, unroll, each(func(p place) {
			v := k.value(p.load(gate))
			VMULPS(p.load(up), v, v)
			p.store(v, y)
		}))
		finish()

		name = "gatedBackward" + k.name + "AVX2"
		function(name, "func(dgate, dup, dy, gate, up []float32)", name+" is dgate = dy·up·act'(gate), dup = dy·act(gate).")
		dgate, dup, dy := base("dgate"), base("dup"), base("dy")
		gate, up, n = base("gate"), base("up"), length("dgate")
		sweep(n, 1, each(func(p place) {
			d := p.load(dy)
			du := YMM()
			VMULPS(p.load(up), d, du)
			dg, value := k.gradient(p.load(gate), du, true)
			VMULPS(d, value, value)
			p.store(dg, dgate)
			p.store(value, dup)
		}))
		finish()
	}
}

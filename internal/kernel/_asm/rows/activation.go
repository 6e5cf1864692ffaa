package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

const signBit = 1 << 31

// The functions below work on several vectors in step: one instruction for each before the next instruction, because a
// polynomial is one long chain of dependent steps and the processor overlaps only what stands close together.

// vecs are n new registers.
func vecs(n int) []vec {
	v := make([]vec, n)
	for i := range v {
		v[i] = vector()
	}
	return v
}

// fillAll are n registers that hold a constant.
func fillAll(n int, m Mem) []vec {
	v := vecs(n)
	for i := range v {
		VMOVUPS(m, v[i])
	}
	return v
}

// horner continues a polynomial: p = p·x + c for each of the coefficients.
func horner(p, x []vec, coefficients ...float64) {
	for _, c := range coefficients {
		for i := range p {
			VFMADD213PS(f32(c), x[i], p[i])
		}
	}
}

// expFloor is the least argument that expNegative takes: results from there to -126.5·ln 2 are 0.
const expFloor = -127 * math.Ln2

// expNegative emits e^x for expFloor ≤ x ≤ 0, within 1 ulp where the result is at least 2^-126; NaN stays NaN. x is not
// kept.
//
// x = n·ln 2 + r with |r| ≤ ln 2 / 2; e^r by a minimax polynomial of degree 6 (relative error 3e-9 before rounding),
// fitted for this program. 2^n is made in the exponent's bits, which are those of 0 for n = -127.
func expNegative(x []vec) []vec {
	const (
		magic = 1.5 * (1 << 23) // adding it rounds to an integer, left in the low bits
		ln2hi = 0.693145751953125
		ln2lo = math.Ln2 - ln2hi
	)
	power := fillAll(len(x), f32(math.Log2E))
	n := vecs(len(x))
	for i := range x {
		VFMADD213PS(f32(magic), x[i], power[i])
	}
	for i := range x {
		VSUBPS(f32(magic), power[i], n[i])
	}
	for i := range x {
		VFNMADD231PS(f32(ln2hi), n[i], x[i])
	}
	for i := range x {
		VFNMADD231PS(f32(ln2lo), n[i], x[i])
	}
	e := fillAll(len(x), f32(0.0013814540579915047))
	horner(e, x, 0.00836874544620514, 0.04166838899254799, 0.1666652113199234, 0.4999999403953552, 1, 1)
	for i := range x {
		VPSLLD(U8(23), power[i], power[i])
		VPADDD(f32(1), power[i], power[i])
		VMULPS(power[i], e[i], e[i])
	}
	return e
}

// kind is one activation: its tail q = Φ(-a) at a = |x| and, if asked for, the density Φ'(x), of the form x·Φ(x).
// At limit the tail's exponential has come to 0: its argument lies between expFloor and -126.5·ln 2.
type kind struct {
	name  string
	limit float64
	tail  func(a []vec, slope bool) (q, density []vec)
}

var kinds = []kind{
	{name: "ReLU"},
	{name: "GELU", limit: 13.26, tail: geluTail},
	{name: "GELUTanh", limit: 10.025, tail: geluTanhTail},
	{name: "SiLU", limit: 88, tail: siluTail},
}

// geluTail: Φ is the normal distribution. Its tail is e^(-a²/2)·w(t) with t = 1/(1 + 0.27·a) and w a minimax polynomial
// without constant term, fitted for this program (relative error 4e-8).
func geluTail(a []vec, slope bool) (q, density []vec) {
	s := vecs(len(a))
	for i := range a {
		VMULPS(f32(-0.5), a[i], s[i])
	}
	for i := range a {
		VMULPS(a[i], s[i], s[i])
	}
	e := expNegative(s)
	d := fillAll(len(a), f32(0.27))
	horner(d, a, 1)
	t := fillAll(len(a), f32(1))
	for i := range a {
		VDIVPS(d[i], t[i], t[i])
	}
	q = fillAll(len(a), f32(0.028961095958948135))
	horner(q, t, -0.12648583948612213, 0.16978609561920166, -0.06921069324016571, 0.10782557725906372,
		0.07204963266849518, 0.10181060433387756, 0.10754287242889404, 0.10772065818309784)
	for i := range a {
		VMULPS(e[i], t[i], t[i])
		VMULPS(t[i], q[i], q[i])
	}
	if slope {
		for i := range a {
			VMULPS(f32(1/math.Sqrt(2*math.Pi)), e[i], e[i])
		}
	}
	return q, e
}

// geluTanhTail: Φ(x) is sigmoid(2·√(2/π)·(x + 0.044715·x³)).
func geluTanhTail(a []vec, slope bool) (q, density []vec) {
	k := 2 * math.Sqrt(2/math.Pi)
	const c = 0.044715
	s, z := vecs(len(a)), fillAll(len(a), f32(-k*c))
	for i := range a {
		VMULPS(a[i], a[i], s[i])
	}
	horner(z, s, -k)
	for i := range a {
		VMULPS(a[i], z[i], z[i])
	}
	q, density = sigmoidTail(z, slope)
	if slope {
		for i := range a {
			w, s := held(f32(k)), vector()
			VMULPS(a[i], a[i], s)
			VFMADD231PS(f32(3*k*c), s, w)
			VMULPS(w, density[i], density[i])
		}
	}
	return q, density
}

// siluTail: Φ is the sigmoid.
func siluTail(a []vec, slope bool) (q, density []vec) {
	z := vecs(len(a))
	for i := range a {
		VXORPS(u32(signBit), a[i], z[i])
	}
	return sigmoidTail(z, slope)
}

// sigmoidTail is q = e^z/(1 + e^z) for z ≤ 0 and, if asked for, its derivative q·(1 - q) = q/(1 + e^z). z is not kept.
func sigmoidTail(z []vec, slope bool) (q, density []vec) {
	q = expNegative(z)
	r := fillAll(len(z), f32(1))
	d := vecs(len(z))
	for i := range z {
		VADDPS(r[i], q[i], d[i])
	}
	for i := range z {
		VDIVPS(d[i], r[i], r[i])
	}
	for i := range z {
		VMULPS(r[i], q[i], q[i])
		if slope {
			VMULPS(r[i], q[i], r[i])
		}
	}
	return q, r
}

// bounds are the registers that an activation holds throughout.
type bounds struct{ limit, zero vec }

func (k kind) bounds() bounds {
	b := bounds{zero: zero()}
	if k.tail != nil {
		b.limit = held(f32(k.limit))
	}
	return b
}

// magnitude is |x|, at most the limit, where NaN stays.
func (b bounds) magnitude(x []vec) []vec {
	a := vecs(len(x))
	for i := range x {
		VANDPS(u32(signBit-1), x[i], a[i])
		VMINPS(a[i], b.limit, a[i])
	}
	return a
}

// relu is max(x, 0), where NaN stays.
func (b bounds) relu(x vec) vec {
	y := vector()
	VMAXPS(x, b.zero, y)
	return y
}

// value emits act(x) = max(x, 0) - |x|·q.
func (k kind) value(b bounds, x []vec) []vec {
	y := vecs(len(x))
	if k.tail == nil {
		for i := range x {
			y[i] = b.relu(x[i])
		}
		return y
	}
	a := b.magnitude(x)
	q, _ := k.tail(a, false)
	for i := range x {
		y[i] = b.relu(x[i])
		VFNMADD231PS(q[i], a[i], y[i])
	}
	return y
}

// slope emits act'(x) = Φ(x) + x·Φ'(x), and act(x) if wanted. For ReLU it is a mask of the elements to leave out.
func (k kind) slope(b bounds, x []vec, wantValue bool) (slope, value []vec) {
	slope, value = vecs(len(x)), vecs(len(x))
	if k.tail == nil {
		for i := range x {
			VCMPPS(U8(0x12), b.zero, x[i], slope[i]) // x <= 0
			if wantValue {
				value[i] = b.relu(x[i])
			}
		}
		return slope, value
	}
	a := b.magnitude(x)
	q, density := k.tail(a, true)
	for i := range x {
		if wantValue {
			value[i] = b.relu(x[i])
			VFNMADD231PS(q[i], a[i], value[i])
		}
		VMOVUPS(f32(1), slope[i])
		VSUBPS(q[i], slope[i], slope[i])
		whereNegative(x[i], q[i], slope[i])
		VANDPS(u32(signBit), x[i], x[i])
		VORPS(a[i], x[i], x[i]) // x within the limits
		VFMADD231PS(density[i], x[i], slope[i])
	}
	return slope, value
}

// whereNegative emits y = v in the lanes where the sign bit of x is set.
func whereNegative(x, v, y vec) {
	if lanes == wideLanes {
		negative := K()
		VPMOVD2M(x, negative)
		VMOVAPS(v, negative, y)
		return
	}
	VBLENDVPS(x, v, y, y)
}

// times is d·slope, left in d.
func (k kind) times(slope, d vec) {
	if k.tail == nil {
		VANDNPS(d, slope, d)
	} else {
		VMULPS(slope, d, d)
	}
}

func loadAll(ps []place, row gp) []vec {
	v := make([]vec, len(ps))
	for i, p := range ps {
		v[i] = p.load(row)
	}
	return v
}

// activations emits the functions of every activation, and a second time in wide form where they calculate enough for that.
func activations() {
	for _, k := range kinds {
		k.functions("AVX2")
		if k.tail != nil {
			wide(func() { k.functions("AVX512") })
		}
	}
}

// unroll is how many vectors the functions work on in step: as many as there are registers for.
func (k kind) unroll(forward bool) int {
	switch {
	case k.tail == nil && forward, lanes == wideLanes && forward:
		return 4
	case lanes == wideLanes:
		return 3
	}
	return 2
}

func (k kind) functions(set string) {
	name := "forward" + k.name + set
	function(name, "func(y, x []float32)", name+" is y = act(x).")
	y, x, n := base("y"), base("x"), length("y")
	b := k.bounds()
	sweep(n, k.unroll(true), func(ps []place) {
		for i, v := range k.value(b, loadAll(ps, x)) {
			ps[i].store(v, y)
		}
	})
	finish()

	name = "biased" + k.name + set
	function(name, "func(c, pre, bias []float32)", name+" is pre = c + bias, c = act(pre).")
	c, pre, bias, n := base("c"), base("pre"), base("bias"), length("c")
	b = k.bounds()
	sweep(n, k.unroll(true), func(ps []place) {
		sums := loadAll(ps, c)
		for i, p := range ps {
			VADDPS(p.load(bias), sums[i], sums[i])
			p.store(sums[i], pre)
		}
		for i, v := range k.value(b, sums) {
			ps[i].store(v, c)
		}
	})
	finish()

	for _, acc := range []string{"", "Acc"} {
		name := "backward" + k.name + acc + set
		function(name, "func(dx, dy, x []float32)", name+" is dx = dy·act'(x), or dx += for Acc.")
		dx, dy, x, n := base("dx"), base("dy"), base("x"), length("dx")
		b := k.bounds()
		sweep(n, k.unroll(false), func(ps []place) {
			slope, _ := k.slope(b, loadAll(ps, x), false)
			for i, p := range ps {
				d := p.load(dy)
				k.times(slope[i], d)
				if acc != "" {
					VADDPS(p.load(dx), d, d)
				}
				p.store(d, dx)
			}
		})
		finish()
	}

	name = "gated" + k.name + set
	function(name, "func(y, gate, up []float32)", name+" is y = act(gate)·up.")
	y, gate, up := base("y"), base("gate"), base("up")
	n = length("y")
	b = k.bounds()
	sweep(n, k.unroll(true), func(ps []place) {
		for i, v := range k.value(b, loadAll(ps, gate)) {
			VMULPS(ps[i].load(up), v, v)
			ps[i].store(v, y)
		}
	})
	finish()

	name = "gatedBackward" + k.name + set
	function(name, "func(dgate, dup, dy, gate, up []float32)", name+" is dgate = dy·up·act'(gate), dup = dy·act(gate).")
	dgate, dup, dy := base("dgate"), base("dup"), base("dy")
	gate, up, n = base("gate"), base("up"), length("dgate")
	b = k.bounds()
	sweep(n, k.unroll(false), func(ps []place) {
		slope, value := k.slope(b, loadAll(ps, gate), true)
		for i, p := range ps {
			d, du := p.load(dy), vector()
			VMULPS(p.load(up), d, du)
			k.times(slope[i], du)
			VMULPS(d, value[i], value[i])
			p.store(du, dgate)
			p.store(value[i], dup)
		}
	})
	finish()
}

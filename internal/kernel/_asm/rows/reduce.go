package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// maximum emits the greatest of row, in all lanes, without NaNs; -Inf if there is nothing else.
func maximum(row, n gp) vec {
	lowest := f32(math.Inf(-1))
	m := []vec{held(lowest), held(lowest), held(lowest), held(lowest)}
	sweep(n, 4, func(ps []place) {
		for i, p := range ps {
			x := p.load(row)
			if p.masked {
				outside := held(lowest)
				VBLENDVPS(p.mask, x, outside, x)
			}
			VMAXPS(m[i], x, m[i]) // the second of the two where one is NaN
		}
	})
	VMAXPS(m[1], m[0], m[0])
	VMAXPS(m[3], m[2], m[2])
	VMAXPS(m[2], m[0], m[0])
	foldLanes(m[0], func(x, y vec) { VMAXPS(x, y, y) })
	return m[0]
}

// sumOfExponentials emits Σ exp(x - shift), in all lanes, and each for every vector of exponentials.
func sumOfExponentials(x, n gp, shift vec, each func(p place, e vec)) vec {
	sum := accumulators(2)
	floor := held(f32(expFloor))
	sweep(n, 4, func(ps []place) {
		v := loadAll(ps, x)
		for i := range v {
			VSUBPS(shift, v[i], v[i])
			VMAXPS(v[i], floor, v[i]) // NaN stays
		}
		e := expNegative(v)
		for i, p := range ps {
			p.clip(e[i])
			VADDPS(e[i], sum[i%2], sum[i%2])
			each(p, e[i])
		}
	})
	return total(sum)
}

func reductions() {
	function("maxAVX2", "func(x []float32) float32", "maxAVX2 is the maximum of x without NaNs.")
	m := maximum(base("x"), length("x"))
	VMOVSS(m.AsX(), returned())
	finish()

	function("sumExpAVX2", "func(x []float32, m float32) float32", "sumExpAVX2 is Σ exp(x - m), for m not less than any of x.")
	x, n, shift := base("x"), length("x"), splat("m")
	sum := sumOfExponentials(x, n, shift, func(p place, e vec) {})
	VMOVSS(sum.AsX(), returned())
	finish()

	function("softmaxAVX2", "func(y, x []float32)", "softmaxAVX2 is y = exp(x - max)/Σ.")
	y, x, n := base("y"), base("x"), length("x")
	sum = sumOfExponentials(x, n, maximum(x, n), func(p place, e vec) { p.store(e, y) })
	inverse := held(f32(1))
	VDIVPS(sum, inverse, inverse)
	sweep(n, 4, each(func(p place) {
		v := p.load(y)
		VMULPS(inverse, v, v)
		p.store(v, y)
	}))
	finish()

	columnSum()

	function("sumSquaresAVX2", "func(x []float32) float64", "sumSquaresAVX2 is Σ x², in float64.")
	x, n = base("x"), length("x")
	squares := accumulators(4)
	sweep(n, 2, func(ps []place) {
		for i, p := range ps {
			low, high := YMM(), YMM()
			if p.masked {
				v := p.load(x)
				VEXTRACTF128(U8(1), v, high.AsX())
				VCVTPS2PD(v.AsX(), low)
				VCVTPS2PD(high.AsX(), high)
			} else {
				VCVTPS2PD(p.at(x), low)
				VCVTPS2PD(p.at(x).Offset(16), high)
			}
			VFMADD231PD(low, low, squares[2*i])
			VFMADD231PD(high, high, squares[2*i+1])
		}
	})
	VADDPD(squares[1], squares[0], squares[0])
	VADDPD(squares[3], squares[2], squares[2])
	VADDPD(squares[2], squares[0], squares[0])
	half := YMM()
	VEXTRACTF128(U8(1), squares[0], half.AsX())
	VADDPD(half.AsX(), squares[0].AsX(), half.AsX())
	VHADDPD(half.AsX(), half.AsX(), half.AsX())
	VMOVSD(half.AsX(), returned())
	finish()

	function("nonFiniteAVX2", "func(x []float32) bool", "nonFiniteAVX2 says whether x holds a NaN or an infinity.")
	x, n = base("x"), length("x")
	found := accumulators(2)
	infinity := held(f32(math.Inf(1)))
	sweep(n, 4, func(ps []place) {
		for i, p := range ps {
			v := p.load(x)
			VANDPS(infinity, v, v)
			VPCMPEQD(infinity, v, v)
			VORPS(v, found[i%2], found[i%2])
		}
	})
	VORPS(found[1], found[0], found[0])
	bits := GP32()
	VMOVMSKPS(found[0], bits)
	TESTL(bits, bits)
	answer := GP8()
	SETNE(answer)
	Store(answer, ReturnIndex(0))
	finish()
}

// returned is where the only result goes.
func returned() Mem {
	a, err := ReturnIndex(0).Resolve()
	if err != nil {
		panic(err)
	}
	return a.Addr
}

// columnSum keeps a few vectors of sums in registers and walks down the rows.
func columnSum() {
	function("columnSumAVX2", "func(dst []float32, x *float32, rows, stride int)", "columnSumAVX2 is dst[j] += Σ x[i,j], rows from the top down.")
	dst, n := base("dst"), length("dst")
	x, rows, stride := Load(Param("x"), GP64()).(gp), Load(Param("rows"), GP64()).(gp), Load(Param("stride"), GP64()).(gp)
	SHLQ(U8(2), stride)
	sweep(n, 8, func(ps []place) {
		sums := make([]vec, len(ps))
		for i, p := range ps {
			sums[i] = p.load(dst)
		}
		row := GP64()
		MOVQ(x, row)
		down(rows, func() {
			for i, p := range ps {
				if p.masked {
					VADDPS(p.load(row.(gp)), sums[i], sums[i])
				} else {
					VADDPS(p.at(row.(gp)), sums[i], sums[i])
				}
			}
			ADDQ(stride, row)
		})
		for i, p := range ps {
			p.store(sums[i], dst)
		}
	})
	finish()
}

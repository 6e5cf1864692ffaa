package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

var loops int

// down emits body for each of count rows.
func down(count gp, body func()) {
	loops++
	again, end := fmt.Sprintf("row%d", loops), fmt.Sprintf("rowsEnd%d", loops)
	left := GP64()
	MOVQ(count, left)
	TESTQ(left, left)
	JZ(LabelRef(end))
	Label(again)
	body()
	DECQ(left)
	JNZ(LabelRef(again))
	Label(end)
}

// inverse emits 1/n in all lanes.
func inverse(n gp) vec {
	x, y, one := XMM(), YMM(), held(f32(1))
	VXORPS(x, x, x)
	VCVTSI2SSQ(n, x, x)
	VBROADCASTSS(x, y)
	VDIVPS(y, one, one)
	return one
}

// average emits the average of what a holds.
func average(a []vec, inverse vec) vec {
	v := total(a)
	VMULPS(inverse, v, v)
	return v
}

// inverseRoot emits 1/√(v + eps).
func inverseRoot(v vec, eps vec) vec {
	VADDPS(eps, v, v)
	VSQRTPS(v, v)
	r := held(f32(1))
	VDIVPS(v, r, r)
	return r
}

// optional emits body with the row, or without it if its pointer is nil.
func optional(row gp, body func(given bool)) {
	loops++
	without, end := fmt.Sprintf("without%d", loops), fmt.Sprintf("given%d", loops)
	TESTQ(row, row)
	JZ(LabelRef(without))
	body(true)
	JMP(LabelRef(end))
	Label(without)
	body(false)
	Label(end)
}

func norms() {
	function("layerNormAVX2", "func(y, x, gamma, beta []float32, eps float32) (mean, rstd float32)",
		"layerNormAVX2 is y = (x - mean)·rstd·gamma + beta; beta may be nil.")
	x, n := base("x"), length("x")
	perElement := inverse(n)
	sum := accumulators(4)
	sweep(n, 4, func(ps []place) {
		for i, p := range ps {
			VADDPS(p.load(x), sum[i], sum[i])
		}
	})
	mean := average(sum, perElement)
	squares := accumulators(4)
	sweep(n, 4, func(ps []place) {
		for i, p := range ps {
			v := p.load(x)
			VSUBPS(mean, v, v)
			p.clip(v)
			VFMADD231PS(v, v, squares[i])
		}
	})
	rstd := inverseRoot(average(squares, perElement), splat("eps"))
	result(mean, "mean")
	result(rstd, "rstd")
	y, gamma, beta := base("y"), base("gamma"), base("beta")
	optional(beta, func(given bool) {
		sweep(n, 4, each(func(p place) {
			v := p.load(x)
			VSUBPS(mean, v, v)
			VMULPS(rstd, v, v)
			if given {
				VFMADD213PS(p.load(beta), p.load(gamma), v)
			} else {
				VMULPS(p.load(gamma), v, v)
			}
			p.store(v, y)
		}))
	})
	finish()

	rmsNorm()
	for _, acc := range []string{"", "Acc"} {
		layerNormBackward(acc)
		rmsNormBackward(acc)
	}
	layerNormGradient()
}

// overHeads emits body for each of count heads of n elements, of which every row has its own.
func overHeads(count, n gp, rows []gp, body func()) {
	down(count, func() {
		body()
		for _, row := range rows {
			LEAQ(Mem{Base: row, Index: n, Scale: 4}, row)
		}
	})
}

func rmsNorm() {
	function("rmsNormAVX2", "func(y, x, gamma, rstd []float32, eps float32)",
		"rmsNormAVX2 is y = x·rstd·gamma for heads as long as gamma, as many as there are rstd, which it writes.")
	y, x, gamma, n := base("y"), base("x"), base("gamma"), length("gamma")
	rstd, heads := base("rstd"), length("rstd")
	perElement, eps := inverse(n), splat("eps")
	overHeads(heads, n, []gp{y, x}, func() {
		squares := accumulators(4)
		sweep(n, 4, func(ps []place) {
			for i, p := range ps {
				v := p.load(x)
				VFMADD231PS(v, v, squares[i])
			}
		})
		root := inverseRoot(average(squares, perElement), eps)
		VMOVSS(root.AsX(), Mem{Base: rstd})
		ADDQ(U8(4), rstd)
		sweep(n, 4, each(func(p place) {
			v := p.load(x)
			VMULPS(root, v, v)
			VMULPS(p.load(gamma), v, v)
			p.store(v, y)
		}))
	})
	finish()
}

// layerNormBackward: with d = dy·gamma and u = x - mean, dx = rstd·(d - avg(d) - u·rstd²·avg(d·u)).
func layerNormBackward(acc string) {
	name := "layerNormBackward" + acc + "AVX2"
	function(name, "func(dx, dy, x, gamma []float32, mean, rstd float32)", name+" is the derivative by x; Acc adds it to dx.")
	dx, dy, x, gamma, n := base("dx"), base("dy"), base("x"), base("gamma"), length("x")
	mean, rstd, perElement := splat("mean"), splat("rstd"), inverse(n)
	sums, dots := accumulators(2), accumulators(2)
	sweep(n, 2, func(ps []place) {
		for i, p := range ps {
			d, u := p.load(dy), p.load(x)
			VMULPS(p.load(gamma), d, d)
			VADDPS(d, sums[i], sums[i])
			VSUBPS(mean, u, u)
			VFMADD231PS(d, u, dots[i])
		}
	})
	dot, avg := projection(dots, perElement, rstd), average(sums, perElement)
	sweep(n, 2, each(func(p place) {
		d, u := p.load(dy), p.load(x)
		VFMSUB132PS(p.load(gamma), avg, d) // d·gamma - avg
		VSUBPS(mean, u, u)
		VFNMADD231PS(u, dot, d)
		p.storeScaled(d, rstd, dx, acc)
	}))
	finish()
}

// rmsNormBackward: with d = dy·gamma, dx = rstd·(d - x·rstd²·avg(d·x)), and dy·x·rstd is the gradient of gamma.
func rmsNormBackward(acc string) {
	name := "rmsNormBackward" + acc + "AVX2"
	function(name, "func(dx, dy, x, gamma, dgamma, rstd []float32)",
		name+" is the derivative by x of heads as long as gamma, as many as there are rstd; Acc adds it to dx. That by each head's gamma is added to dgamma, which may be nil.")
	dx, dy, x, gamma, n := base("dx"), base("dy"), base("x"), base("gamma"), length("gamma")
	roots, heads, dgamma := base("rstd"), length("rstd"), base("dgamma")
	perElement := inverse(n)
	optional(dgamma, func(wanted bool) {
		rows := []gp{dx, dy, x}
		if wanted {
			rows = append(rows, dgamma)
		}
		overHeads(heads, n, rows, func() {
			dots, rstd := accumulators(2), YMM()
			VBROADCASTSS(Mem{Base: roots}, rstd)
			ADDQ(U8(4), roots)
			sweep(n, 2, func(ps []place) {
				for i, p := range ps {
					d := p.load(dy)
					VMULPS(p.load(gamma), d, d)
					VFMADD231PS(d, p.load(x), dots[i])
				}
			})
			dot := projection(dots, perElement, rstd)
			sweep(n, 2, each(func(p place) {
				d, u := p.load(dy), p.load(x)
				if wanted {
					g, scaled := p.load(dgamma), YMM()
					VMULPS(rstd, u, scaled)
					VFMADD231PS(scaled, d, g)
					p.store(g, dgamma)
				}
				VMULPS(p.load(gamma), d, d)
				VFNMADD231PS(u, dot, d)
				p.storeScaled(d, rstd, dx, acc)
			}))
		})
	})
	finish()
}

// projection emits rstd²·avg(d·u), of which dots holds the sums of d·u.
func projection(dots []vec, perElement, rstd vec) vec {
	dot := average(dots, perElement)
	VMULPS(rstd, dot, dot)
	VMULPS(rstd, dot, dot)
	return dot
}

// storeScaled writes d·rstd to dx, or adds it for Acc.
func (p place) storeScaled(d, rstd vec, dx gp, acc string) {
	if acc == "" {
		VMULPS(rstd, d, d)
	} else {
		VFMADD213PS(p.load(dx), rstd, d)
	}
	p.store(d, dx)
}

// layerNormGradient keeps vectors of both sums in registers and walks down the rows.
func layerNormGradient() {
	function("layerNormGradientAVX2", "func(dgamma, dbeta []float32, dy *float32, dyStride int, x *float32, xStride int, mean, rstd []float32)",
		"layerNormGradientAVX2 adds Σ dy·(x - mean)·rstd to dgamma and Σ dy to dbeta, rows from the top down.")
	dgamma, dbeta, n := base("dgamma"), base("dbeta"), length("dgamma")
	rstd, rows := base("rstd"), length("rstd")
	mean := base("mean")
	dyStride, xStride := Load(Param("dyStride"), GP64()), Load(Param("xStride"), GP64())
	SHLQ(U8(2), dyStride)
	SHLQ(U8(2), xStride)
	sweep(n, 4, func(ps []place) {
		g, b := make([]vec, len(ps)), make([]vec, len(ps))
		for i, p := range ps {
			g[i], b[i] = p.load(dgamma), p.load(dbeta)
		}
		dy, x := Load(Param("dy"), GP64()).(gp), Load(Param("x"), GP64()).(gp)
		r := GP64()
		XORQ(r, r)
		down(rows, func() {
			m, s := YMM(), YMM()
			VBROADCASTSS(Mem{Base: mean, Index: r, Scale: 4}, m)
			VBROADCASTSS(Mem{Base: rstd, Index: r, Scale: 4}, s)
			for i, p := range ps {
				d, u := p.load(dy), p.load(x)
				VSUBPS(m, u, u)
				VMULPS(s, u, u)
				VFMADD231PS(u, d, g[i])
				VADDPS(d, b[i], b[i])
			}
			INCQ(r)
			ADDQ(dyStride, dy)
			ADDQ(xStride, x)
		})
		for i, p := range ps {
			p.store(g[i], dgamma)
			p.store(b[i], dbeta)
		}
	})
	finish()
}

package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// rotary keeps a vector of cosines and one of sines in registers and walks along the heads of the row.
func rotary() {
	function("rotaryAVX2", "func(x, cos, sin []float32, heads int, sign float32)",
		"rotaryAVX2 turns heads, side by side in x, by the angles whose cosines and sines are given; sign multiplies the sines.")
	x, cos, sin, n := base("x"), base("cos"), base("sin"), length("cos")
	heads, sign := Load(Param("heads"), GP64()).(gp), splat("sign")
	stride := GP64()
	MOVQ(n, stride)
	SHLQ(U8(3), stride) // two halves, four bytes an element
	sweep(n, 1, each(func(p place) {
		c, s := p.load(cos), p.load(sin)
		VMULPS(sign, s, s)
		first, second := GP64().(gp), GP64().(gp)
		MOVQ(x, first)
		LEAQ(Mem{Base: x, Index: n, Scale: 4}, second)
		down(heads, func() {
			a, b := p.load(first), p.load(second)
			ac, as, bs := YMM(), YMM(), YMM()
			VMULPS(c, a, ac)
			VMULPS(s, b, bs)
			VSUBPS(bs, ac, ac)
			p.store(ac, first)
			VMULPS(s, a, as)
			VMULPS(c, b, b)
			VADDPS(as, b, b)
			p.store(b, second)
			ADDQ(stride, first)
			ADDQ(stride, second)
		})
	}))
	finish()
}

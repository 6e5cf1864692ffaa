package main

import (
	. "github.com/mmcloughlin/avo/build"
)

func elementwise() {
	function("addAVX2", "func(y, a, b []float32)", "addAVX2 is y = a + b.")
	y, a, b, n := base("y"), base("a"), base("b"), length("y")
	sweep(n, 4, each(func(p place) {
		v := p.load(a)
		if p.masked {
			VADDPS(p.load(b), v, v)
		} else {
			VADDPS(p.at(b), v, v)
		}
		p.store(v, y)
	}))
	finish()

	function("scaleAVX2", "func(y, x []float32, s float32)", "scaleAVX2 is y = x·s.")
	y, x, n, s := base("y"), base("x"), length("y"), splat("s")
	sweep(n, 4, each(func(p place) {
		v := p.load(x)
		VMULPS(s, v, v)
		p.store(v, y)
	}))
	finish()

	function("scaleAddAVX2", "func(y, x []float32, s float32, z []float32)", "scaleAddAVX2 is y = x·s + z.")
	y, x, z, n, s := base("y"), base("x"), base("z"), length("y"), splat("s")
	sweep(n, 4, each(func(p place) {
		v, w := p.load(x), p.load(z)
		VFMADD213PS(w, s, v)
		p.store(v, y)
	}))
	finish()

	function("weightedSumAVX2", "func(y, a []float32, s float32, b []float32, t float32)", "weightedSumAVX2 is y = a·s + b·t, the products rounded.")
	y, a, b, n, s = base("y"), base("a"), base("b"), length("y"), splat("s")
	t := splat("t")
	sweep(n, 4, each(func(p place) {
		v, w := p.load(a), p.load(b)
		VMULPS(s, v, v)
		VMULPS(t, w, w)
		VADDPS(w, v, v)
		p.store(v, y)
	}))
	finish()

	function("fillAVX2", "func(y []float32, v float32)", "fillAVX2 sets y to v.")
	y, n, v := base("y"), length("y"), splat("v")
	sweep(n, 4, each(func(p place) { p.store(v, y) }))
	finish()
}

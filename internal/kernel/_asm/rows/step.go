package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// dropout emits Philox4x32-10 for eight counters at once. Four counters are the low halves of four 64-bit lanes, where
// VPMULUDQ finds them and leaves both halves of the product; the high halves hold what nobody reads. The even and the
// odd counters take one register each. The first two rounds are short because three words of the counter are the same
// for all: dropper.first holds what they come to.
func dropout() {
	const m0, m1 = 0xD2511F53, 0xCD9E8D57
	function("dropBlocksAVX2", "func(y, x []float32, state *uint32, counter uint32)",
		"dropBlocksAVX2 is y = dropout(x) for a multiple of 32 elements, whose first counter is given.")
	y, x, n := base("y"), base("x"), length("x")
	state := Load(Param("state"), GP64())
	field := func(i int) Mem { return Mem{Base: state, Disp: 4 * i} }
	round := func(i int) Mem { return field(i) }
	first := func(i int) Mem { return field(20 + i) }
	counter := YMM()
	VMOVD(Load(Param("counter"), GP32()), counter.AsX())
	VPBROADCASTD(counter.AsX(), counter)
	VPADDD(evenLanes(), counter, counter)
	mul0, mul1 := held(u32(m0)), held(u32(m1))

	broadcast := func(m Mem) vec {
		v := YMM()
		VPBROADCASTD(m, v)
		return v
	}
	i := GP64()
	XORQ(i, i)
	JMP(LabelRef("test"))
	Label("block")
	var c [2][4]vec // [even or odd counters][word]
	for g := range c {
		p0, q := YMM(), YMM()
		if g == 0 {
			VPMULUDQ(mul0, counter, p0)
		} else {
			VPADDD(u32(1), counter, p0)
			VPMULUDQ(mul0, p0, p0)
		}
		c0, c2 := YMM(), YMM()
		VPSRLQ(U8(32), p0, q)
		VPXOR(broadcast(first(0)), q, q)
		VPMULUDQ(mul1, q, q)
		VPSRLQ(U8(32), q, c0)
		VPXOR(broadcast(first(1)), c0, c0)
		VPXOR(broadcast(first(2)), p0, c2)
		// Round 3: word 3 is the same for all and first[3] holds it with the key.
		p, w2 := YMM(), YMM()
		VPMULUDQ(mul0, c0, p)
		r := YMM()
		VPMULUDQ(mul1, c2, r)
		VPSRLQ(U8(32), p, w2)
		VPXOR(broadcast(first(3)), w2, w2)
		w0 := YMM()
		VPSRLQ(U8(32), r, w0)
		VPXOR(q, w0, w0)
		VPXOR(broadcast(round(4)), w0, w0)
		c[g] = [4]vec{w0, r, w2, p}
	}
	for rnd := 3; rnd < 10; rnd++ {
		k0, k1 := broadcast(round(2*rnd)), broadcast(round(2*rnd+1))
		for g := range c {
			p, q, w0, w2 := YMM(), YMM(), YMM(), YMM()
			VPMULUDQ(mul0, c[g][0], p)
			VPMULUDQ(mul1, c[g][2], q)
			VPXOR(k0, c[g][1], w0)
			VPXOR(k1, c[g][3], w2)
			hi0, hi1 := YMM(), YMM()
			VPSRLQ(U8(32), q, hi1)
			VPSRLQ(U8(32), p, hi0)
			VPXOR(hi1, w0, w0)
			VPXOR(hi0, w2, w2)
			c[g] = [4]vec{w0, q, w2, p}
		}
	}
	VPADDD(u32(8), counter, counter)
	threshold, scale := broadcast(field(24)), broadcast(field(25))
	for w := range 4 {
		word, odd := c[0][w], c[1][w]
		VPSLLQ(U8(32), odd, odd)
		VPBLENDD(U8(0xAA), odd, word, word)
		VPMAXUD(threshold, word, odd)
		VPCMPEQD(word, odd, odd) // threshold <= word: kept
		v := YMM()
		VMULPS(Mem{Base: x, Index: i, Scale: 4, Disp: 32 * w}, scale, v)
		VANDPS(odd, v, v)
		VMOVUPS(v, Mem{Base: y, Index: i, Scale: 4, Disp: 32 * w})
	}
	ADDQ(U8(32), i)
	Label("test")
	CMPQ(i, n)
	JLT(LabelRef("block"))
	finish()
}

// evenLanes is 0, 2, 4, 6 in 64-bit lanes.
func evenLanes() Mem {
	m := GLOBL("evenLanes", 24)
	for i := range 4 {
		DATA(8*i, U64(uint64(2*i)))
	}
	return m
}

// adam emits one step; the settings lie in the order of the fields of adamStep.
func adam() {
	function("adamAVX2", "func(w, g, m, v []float32, s *float32)", "adamAVX2 is one step of Adam.")
	w, g, m, v, n := base("w"), base("g"), base("m"), base("v"), length("w")
	s := Load(Param("s"), GP64())
	names := []string{"beta1", "oneMinusBeta1", "beta2", "oneMinusBeta2", "keep", "decay", "gradScale", "rate", "rootScale", "eps"}
	setting := map[string]reg.VecVirtual{}
	for i, name := range names {
		y := YMM()
		VBROADCASTSS(Mem{Base: s, Disp: 4 * i}, y)
		setting[name] = y
	}
	sweep(n, 1, each(func(p place) {
		wv, gv := p.load(w), p.load(g)
		VMULPS(setting["keep"], wv, wv)
		VMULPS(setting["gradScale"], gv, gv)
		VFMADD231PS(setting["decay"], wv, gv)
		mv := p.load(m)
		VMULPS(setting["beta1"], mv, mv)
		VFMADD231PS(setting["oneMinusBeta1"], gv, mv)
		p.store(mv, m)
		vv := p.load(v)
		VMULPS(gv, gv, gv)
		VMULPS(setting["beta2"], vv, vv)
		VFMADD231PS(setting["oneMinusBeta2"], gv, vv)
		p.store(vv, v)
		VSQRTPS(vv, vv)
		VFMADD213PS(setting["eps"], setting["rootScale"], vv)
		VDIVPS(vv, mv, mv)
		VFNMADD231PS(setting["rate"], mv, wv)
		p.store(wv, w)
	}))
	finish()
}

package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// selections emits searches: compare vectors until one has a hit, then find its first lane.
func selections() {
	search("indexOfAVX2", "func(x []float32, v float32) int", "indexOfAVX2 is the first index of v in x, len(x) if it is not there.", 0x00, false)
	search("nextAboveAVX2", "func(x []float32, from int, v float32) int", "nextAboveAVX2 is the first index from from on with x greater than v, len(x) if there is none.", 0x1E, true)
}

func search(name, signature, doc string, predicate uint8, from bool) {
	function(name, signature, doc)
	x, n, v := base("x"), length("x"), splat("v")
	i := GP64().(gp)
	if from {
		Load(Param("from"), i)
	} else {
		XORQ(i, i)
	}
	at, bits := GP64(), GP32()
	MOVQ(n, at)
	sweepFrom(i, n, 4, func(ps []place) {
		hits := make([]vec, len(ps))
		for k, p := range ps {
			hits[k] = YMM()
			VCMPPS(U8(predicate), v, p.load(x), hits[k])
			p.clip(hits[k])
		}
		if len(ps) == 1 {
			VMOVMSKPS(hits[0], bits)
			TESTL(bits, bits)
			JNE(LabelRef("found"))
			return
		}
		one := YMM()
		VORPS(hits[1], hits[0], one)
		for _, h := range hits[2:] {
			VORPS(h, one, one)
		}
		VMOVMSKPS(one, bits)
		TESTL(bits, bits)
		// The loop after the sweep finds which of the four it is.
		JNE(LabelRef("near"))
	})
	Store(at, ReturnIndex(0))
	finish()

	Label("near")
	hit := YMM()
	VCMPPS(U8(predicate), v, place{index: i}.load(x), hit)
	VMOVMSKPS(hit, bits)
	TESTL(bits, bits)
	JNE(LabelRef("found"))
	ADDQ(U8(lanes), i)
	JMP(LabelRef("near"))

	Label("found")
	BSFL(bits, bits)
	wide := GP64()
	MOVL(bits, wide.As32())
	ADDQ(i, wide)
	Store(wide, ReturnIndex(0))
	finish()
}

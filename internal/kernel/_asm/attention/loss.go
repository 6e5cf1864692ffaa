package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// lanesLoop emits a loop over a row in steps of 4 vectors, element j always in lane j%32, and then a last step in which
// the vectors are masked. get brings vector j to a register, put writes it back.
func lanesLoop(name string, body func(j int, get func(v reg.VecPhysical), put func(v reg.VecPhysical), mask reg.VecPhysical)) {
	x, n := Load(Param("x"), GP64()), Load(Param("n"), GP64())
	at := func(j int) Mem { return Mem{Base: x, Disp: 32 * j} }
	Label(name)
	CMPQ(n, Imm(pageRows))
	JLT(LabelRef(name + "_tail"))
	for j := range 4 {
		body(j, func(v reg.VecPhysical) { VMOVUPS(at(j), v) }, func(v reg.VecPhysical) { VMOVUPS(v, at(j)) }, nil)
	}
	ADDQ(Imm(4*pageRows), x)
	SUBQ(Imm(pageRows), n)
	JMP(LabelRef(name))
	Label(name + "_tail")
	TESTQ(n, n)
	JZ(LabelRef(name + "_done"))
	limit, mask := y[15], y[14]
	broadcastInt(n.(reg.GPVirtual), limit)
	for j := range 4 {
		maskBelow(limit, 8*j, mask)
		body(j, func(v reg.VecPhysical) { VMASKMOVPS(at(j), mask, v) }, func(v reg.VecPhysical) { VMASKMOVPS(v, mask, at(j)) }, mask)
	}
	Label(name + "_done")
}

// fourToOne emits the reduction of 32 lanes in 4 registers to one.
func fourToOne(op func(...Op), v []reg.VecPhysical, t reg.VecPhysical) {
	op(v[2], v[0], v[0])
	op(v[3], v[1], v[1])
	op(v[1], v[0], v[0])
	horizontal(op, v[0], t)
}

func maxMean() {
	TEXT("maxMeanAVX2", NOSPLIT, "func(x *float32, n int, part float32) (top, mean float32)")
	Pragma("noescape")
	Doc("maxMeanAVX2 is the maximum of x and the sum of x·part.")
	for j := range 4 {
		VMOVUPS(minusInf, y[j])
		VXORPS(y[4+j], y[4+j], y[4+j])
	}
	broadcast("part", y[13])
	lanesLoop("maxMean", func(j int, get, _ func(reg.VecPhysical), mask reg.VecPhysical) {
		get(y[8])
		VFMADD231PS(y[13], y[8], y[4+j])
		if mask != nil {
			VMOVUPS(minusInf, y[9])
			VBLENDVPS(mask, y[8], y[9], y[8])
		}
		VMAXPS(y[j], y[8], y[j])
	})
	fourToOne(maxPS, y[0:4], y[9])
	fourToOne(addPS, y[4:8], y[9])
	Store(reg.X0, Return("top"))
	Store(reg.X4, Return("mean"))
	done()
}

func expSum() {
	TEXT("expSumAVX2", NOSPLIT, "func(x *float32, n int, top float32) (sum float32)")
	Pragma("noescape")
	Doc("expSumAVX2 is expSumPortable.")
	for j := range 4 {
		VXORPS(y[j], y[j], y[j])
	}
	broadcast("top", y[13])
	lanesLoop("expSum", func(j int, get, put func(reg.VecPhysical), mask reg.VecPhysical) {
		get(y[8])
		VSUBPS(y[13], y[8], y[8])
		exp(y[8], y[9], y[10], y[11])
		if mask != nil {
			VANDPS(mask, y[9], y[9])
		}
		put(y[9])
		VADDPS(y[9], y[j], y[j])
	})
	fourToOne(addPS, y[0:4], y[9])
	Store(reg.X0, Return("sum"))
	done()
}

func scaleShift() {
	TEXT("scaleShiftAVX2", NOSPLIT, "func(x *float32, n int, a, b float32)")
	Pragma("noescape")
	Doc("scaleShiftAVX2 is scaleShiftPortable.")
	broadcast("a", y[12])
	broadcast("b", y[13])
	lanesLoop("scaleShift", func(j int, get, put func(reg.VecPhysical), _ reg.VecPhysical) {
		get(y[8])
		VFMADD213PS(y[13], y[12], y[8])
		put(y[8])
	})
	done()
}

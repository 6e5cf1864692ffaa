// Command attention generates the inner steps of attention and of the vocabulary loss: ../../attention_amd64.s and its Go
// declarations.
//
//	go generate ../../attention.go
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

func main() {
	ConstraintExpr("amd64")
	constants()
	multiplyAVX2()
	multiplyAVX512()
	transpose()
	softmaxBlock()
	gradientBlock()
	rowDots()
	maxMean()
	expSum()
	scaleShift()
	Generate()
}

// pageRows is kernel.PageRows.
const pageRows = 32

const (
	greaterOrUnordered = 5 // predicate of VCMPPS: not less than
	negativeInfinity   = 0xff800000
)

// vector is a constant in all 8 lanes.
func vector(name string, bits uint32) Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for i := range 8 {
		DATA(4*i, U32(bits))
	}
	return m
}

// done emits the end of a function. Go's own code uses the older forms of vector instructions, which are slow while the
// upper halves of registers are in use.
func done() {
	VZEROUPPER()
	RET()
}

// Command peak generates the loops that measure what the processor can do, the question how large its second-level cache is,
// and the pause of waiting threads:
// ../../peak_amd64.s and its Go declarations.
//
//	go generate ../../peak.go
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64")
	multiplyAdds("peakAVX2", []reg.VecPhysical{
		reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7,
		reg.Y8, reg.Y9, reg.Y10, reg.Y11}, reg.Y12, reg.Y13)
	multiplyAdds("peakAVX512", []reg.VecPhysical{
		reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7,
		reg.Z8, reg.Z9, reg.Z10, reg.Z11}, reg.Z12, reg.Z13)
	readMemory()
	cacheInfo()
	pause()
	Generate()
}

// multiplyAdds emits a loop of independent fused multiply-adds, enough of them to hide their latency.
func multiplyAdds(name string, acc []reg.VecPhysical, x, y reg.VecPhysical) {
	TEXT(name, NOSPLIT, "func(n int)")
	Doc(name + " does n times 48 vector multiply-adds, of zeros.")
	n := Load(Param("n"), GP64())
	for _, r := range append(acc, x, y) {
		if r.Size() == 64 {
			VPXORD(r, r, r)
		} else {
			VXORPS(r, r, r)
		}
	}
	Label("loop")
	for range 4 {
		for _, r := range acc {
			VFMADD231PS(x, y, r)
		}
	}
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// readMemory emits a loop that reads memory and does as little else as can be.
func readMemory() {
	TEXT("readAVX2", NOSPLIT, "func(n int, p *float32)")
	Pragma("noescape")
	Doc("readAVX2 reads n times 256 bytes.")
	n, p := Load(Param("n"), GP64()), Load(Param("p"), GP64())
	y := []reg.VecPhysical{reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7}
	Label("loop")
	for i := range y {
		VMOVUPS(Mem{Base: p, Disp: 32 * i}, y[i])
	}
	ADDQ(U32(256), p)
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// cacheInfo emits the question for the second-level cache, which Intel's and AMD's processors answer alike.
func cacheInfo() {
	TEXT("cacheInfo", NOSPLIT, "func() uint32")
	Doc("cacheInfo is what CPUID leaf 0x80000006 says in ECX, or 0: kilobytes of the second-level cache in the upper half.")
	XORL(reg.ECX, reg.ECX)
	MOVL(U32(0x80000000), reg.EAX)
	CPUID()
	XORL(reg.EDX, reg.EDX)
	CMPL(reg.EAX, U32(0x80000006))
	JB(LabelRef("answer"))
	XORL(reg.ECX, reg.ECX)
	MOVL(U32(0x80000006), reg.EAX)
	CPUID()
	MOVL(reg.ECX, reg.EDX)
	Label("answer")
	Store(reg.EDX, ReturnIndex(0))
	RET()
}

// pause emits what a thread does while it waits for another.
func pause() {
	TEXT("pause", NOSPLIT, "func(n uint32)")
	Doc("pause does nothing for a moment, n times, and leaves the core's resources to others meanwhile.")
	n := Load(Param("n"), GP32())
	Label("loop")
	PAUSE()
	DECL(n)
	JNZ(LabelRef("loop"))
	RET()
}

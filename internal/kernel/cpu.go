package kernel

import (
	"fmt"
	"os"
	"sync/atomic"
)

// ISA is an instruction set that kernels are written for, in rising order.
type ISA int

// The instruction sets. AVX2 means AVX2 with FMA; AVX512 means F, BW, VL and DQ; AMX means these and tiles of bfloat16. A
// kernel without a form for the active one uses its best form below it.
const (
	Portable ISA = iota
	AVX2
	AVX512
	AMX
)

var isaNames = [...]string{Portable: "portable", AVX2: "avx2", AVX512: "avx512", AMX: "amx"}

// String is the name that PARLEY_ISA takes.
func (i ISA) String() string {
	if i < 0 || int(i) >= len(isaNames) {
		return fmt.Sprintf("ISA(%d)", int(i))
	}
	return isaNames[i]
}

var (
	bestISA, bestBF16 = detectISA()
	activeISA         atomic.Int32
)

func init() {
	isa := bestISA
	want := os.Getenv("PARLEY_ISA")
	for i, name := range isaNames {
		if want == name {
			isa = min(isa, ISA(i))
		}
	}
	activeISA.Store(int32(isa))
}

// Active is the instruction set in use: the best that the processor and the operating system support, or the one that
// the environment variable PARLEY_ISA asks for if that is lower.
func Active() ISA { return ISA(activeISA.Load()) }

// HasBF16 says whether products with [GemmOpt].BF16 run on the processor's own bfloat16 dot products (AVX-512 BF16 or
// AMX). Elsewhere such products are computed in float32.
func HasBF16() bool { return Active() == AMX || Active() == AVX512 && bestBF16 }

// FastBF16 says whether such products take less time than in float32: on AMX, and with AVX-512 BF16 on processors that have no AMX.
// Those that have both issue dot products at half the rate of multiply-adds.
func FastBF16() bool { return HasBF16() && Active() == bestISA }

// Available lists the instruction sets that this processor can run, Portable first.
func Available() []ISA {
	all := []ISA{Portable, AVX2, AVX512, AMX}
	return all[:bestISA+1]
}

// SetISA makes isa the active one and returns a function that puts the previous one back. It is meant for tests: no
// kernel may be running. It panics when the processor lacks isa.
func SetISA(isa ISA) (restore func()) {
	if isa < Portable || isa > bestISA {
		panic(fmt.Sprintf("kernel: this processor cannot run %v", isa))
	}
	old := activeISA.Swap(int32(isa))
	return func() { activeISA.Store(old) }
}

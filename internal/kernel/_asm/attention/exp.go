package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The constants of exp, and the lane numbers 0 … 31 with which rows are masked.
var (
	log2e, magic, ln2Hi, ln2Lo, lowest, minusInf Mem
	polynomial                                   []Mem
	laneNumbers                                  Mem
)

func constants() {
	float := func(name string, x float64) Mem { return vector(name, math.Float32bits(float32(x))) }
	log2e = float("log2e", math.Log2E)
	magic = float("magic", 3<<22)
	ln2Hi = float("ln2Hi", 0.693359375)
	ln2Lo = float("ln2Lo", -2.12194440e-4)
	lowest = float("lowest", -87.33)
	minusInf = vector("minusInf", negativeInfinity)
	// The coefficients of expf in Moshier's Cephes library.
	for i, c := range []float64{1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1, 1, 1} {
		polynomial = append(polynomial, float(fmt.Sprintf("exp%d", i), c))
	}
	laneNumbers = GLOBL("laneNumbers", RODATA|NOPTR)
	for i := range pageRows {
		DATA(4*i, U32(i))
	}
}

// exp emits y = exp(x) for x up to 88; below -87.33 it is 0. x is kept; t is overwritten. exp(0) is 1 exactly.
//
// x = n·ln2 + r; adding 3·2^22 rounds x·log2e to n and leaves n in the low bits, from where it moves into the exponent.
func exp(x, y, t, r reg.VecPhysical) {
	VMOVUPS(magic, t)
	VFMADD231PS(log2e, x, t)
	VSUBPS(magic, t, y)
	VMOVAPS(x, r)
	VFNMADD231PS(ln2Hi, y, r)
	VFNMADD231PS(ln2Lo, y, r)
	VMOVUPS(polynomial[0], y)
	for _, c := range polynomial[1:] {
		VFMADD213PS(c, r, y)
	}
	VPSLLD(Imm(23), t, t)
	VPADDD(t, y, y)
	VCMPPS(Imm(greaterOrUnordered), lowest, x, r)
	VANDPS(r, y, y)
}

// horizontal emits a reduction of the 8 lanes of y to all of them; op is VADDPS or VMAXPS. The order is
// ((0+4)+(2+6)) + ((1+5)+(3+7)).
func horizontal(op func(...Op), y, t reg.VecPhysical) {
	VPERM2F128(Imm(1), y, y, t)
	op(t, y, y)
	VSHUFPS(Imm(0b01_00_11_10), y, y, t)
	op(t, y, y)
	VSHUFPS(Imm(0b10_11_00_01), y, y, t)
	op(t, y, y)
}

func addPS(ops ...Op) { VADDPS(ops[0], ops[1], ops[2]) }
func maxPS(ops ...Op) { VMAXPS(ops[0], ops[1], ops[2]) }

var y = []reg.VecPhysical{
	reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7,
	reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15,
}

var z = []reg.VecPhysical{
	reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7, reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
	reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23, reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31,
}

// low is the lower half of a vector register.
func low(v reg.VecPhysical) reg.VecPhysical {
	for i, x := range y {
		if x == v {
			return []reg.VecPhysical{
				reg.X0, reg.X1, reg.X2, reg.X3, reg.X4, reg.X5, reg.X6, reg.X7,
				reg.X8, reg.X9, reg.X10, reg.X11, reg.X12, reg.X13, reg.X14, reg.X15,
			}[i]
		}
	}
	panic("not a vector register")
}

// maskBelow emits mask = lanes whose number, counted from first, is below the number in all lanes of limit.
func maskBelow(limit reg.VecPhysical, first int, mask reg.VecPhysical) {
	VPCMPGTD(laneNumbers.Offset(4*first), limit, mask)
}

// broadcastInt emits all lanes of v = n.
func broadcastInt(n reg.GPVirtual, v reg.VecPhysical) {
	VMOVD(n.As32(), low(v))
	VPBROADCASTD(low(v), v)
}

// broadcast emits all lanes of v = the parameter called name.
func broadcast(name string, v reg.VecPhysical) {
	p, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSS(p.Addr, v)
}

// argument is where the parameter called name lies.
func argument(name string) Mem {
	p, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return p.Addr
}

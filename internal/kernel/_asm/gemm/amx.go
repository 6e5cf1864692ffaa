package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The tile registers of AMX hold 16 rows of 64 bytes. Go's assembler does not know their instructions (Intel 64 and IA-32
// Architectures Software Developer's Manual, volume 2, TDPBF16PS and others), so they are emitted as bytes, on fixed registers.

// tileRows and tileBytes are the size of a tile register.
const (
	tileRows  = 16
	tileBytes = 64
)

// emit writes an instruction as its bytes.
func emit(text string, bytes ...byte) {
	Comment(text)
	for _, b := range bytes {
		Instruction(&ir.Instruction{Opcode: "BYTE", Operands: []Op{U8(b)}})
	}
}

// pp is the mandatory prefix of a VEX instruction.
type pp byte

const (
	none pp = 0b00
	f3   pp = 0b10
	f2   pp = 0b11
)

// vex emits VEX.128.pp.0F38.W0 opcode modrm on registers without extension; third is VEX.vvvv.
func vex(text string, p pp, opcode byte, third int, modrm byte) {
	emit(text, 0xc4, 0xe2, byte(^third&15)<<3|byte(p), opcode, modrm)
}

func tileZero(t int) { vex(fmt.Sprintf("TILEZERO TMM%d", t), f2, 0x49, 0, 0b11<<6|byte(t)<<3) }

func tileRelease() { vex("TILERELEASE", none, 0x49, 0, 0b11<<6) }

// tileConfigure loads the shapes of all tiles from where AX points.
func tileConfigure() { vex("LDTILECFG (AX)", none, 0x49, 0, 0) }

// tileDot emits TDPBF16PS: acc[r, j] += Σ x[r, i]·y[i, j] over pairs i of bfloat16 values.
func tileDot(acc, x, y int) {
	vex(fmt.Sprintf("TDPBF16PS TMM%d, TMM%d, TMM%d", y, x, acc), f3, 0x5c, y, 0b11<<6|byte(acc)<<3|byte(x))
}

// tileMove emits a load or store of tile t at base + disp, whose rows lie stride bytes apart.
func tileMove(name string, p pp, t int, base, stride reg.GPPhysical, disp byte) {
	number := func(r reg.GPPhysical) byte { return byte(r.PhysicalIndex()) }
	b, x := number(base), number(stride)
	emit(fmt.Sprintf("%s TMM%d, %d(%s)(%s*1)", name, t, disp, base.Asm(), stride.Asm()),
		0xc4, 1<<7|(^x>>3&1)<<6|(^b>>3&1)<<5|0b00010, 0b1111<<3|byte(p), 0x4b, 0b01<<6|byte(t)<<3|0b100, (x&7)<<3|b&7, disp)
}

func tileLoad(t int, base, stride reg.GPPhysical, disp byte) {
	tileMove("TILELOADD", f2, t, base, stride, disp)
}

func tileStore(t int, base, stride reg.GPPhysical, disp byte) {
	tileMove("TILESTORED", f3, t, base, stride, disp)
}

// tileAMX emits a function that computes a column of tiles of C, 32 columns wide and, in one tile register or two, up to 32
// rows high: registers 0 to 3 hold C, 4 and 5 A, 6 and 7 a group of B.
func tileAMX() {
	TEXT("tileAMX", NOSPLIT, "func(shape *[64]byte, groups, tiles int, a *float32, rs, step uintptr, b *float32, c *float32, ldc, below uintptr, load, two bool)")
	Pragma("noescape")
	Doc("tileAMX adds up groups of 16 pairs of k in tiles one below the other, which have the shape that the tile registers are configured for.",
		"If two is set they are taller than 16 rows. The next tile lies below bytes on in C. For the rest see [tileFunc].")
	a, rs, b, ldc, c := reg.RSI, reg.RDI, reg.RBX, reg.R9, reg.RDX
	panel, a0, a1, c1, groups, tiles := reg.R8, reg.R10, reg.R11, reg.R13, reg.RCX, reg.R12
	Load(Param("shape"), reg.RAX)
	tileConfigure()
	Load(Param("tiles"), tiles)
	Load(Param("a"), a)
	Load(Param("rs"), rs)
	Load(Param("c"), c)
	Load(Param("ldc"), ldc)
	MOVQ(U32(2*tileBytes), panel)

	lower := func(name string) { // to name unless there is a second register of rows
		Load(Param("two"), reg.AL)
		TESTB(reg.AL, reg.AL)
		JZ(LabelRef(name))
	}
	Label("tile")
	Load(Param("b"), b)
	Load(Param("groups"), groups)
	MOVQ(a, a0)
	MOVQ(rs, a1)
	SHLQ(Imm(4), a1)
	ADDQ(a, a1)
	MOVQ(ldc, c1)
	SHLQ(Imm(4), c1)
	ADDQ(c, c1)

	Load(Param("load"), reg.AL)
	TESTB(reg.AL, reg.AL)
	JZ(LabelRef("zero"))
	tileLoad(0, c, ldc, 0)
	tileLoad(1, c, ldc, tileBytes)
	lower("oneLoop")
	tileLoad(2, c1, ldc, 0)
	tileLoad(3, c1, ldc, tileBytes)
	JMP(LabelRef("twoLoop"))
	Label("zero")
	tileZero(0)
	tileZero(1)
	lower("oneLoop")
	tileZero(2)
	tileZero(3)

	next := func() {
		ADDQ(Imm(tileBytes), a0)
		ADDQ(U32(tileRows*2*tileBytes), b)
	}
	Label("twoLoop")
	tileLoad(4, a0, rs, 0)
	tileLoad(6, b, panel, 0)
	tileDot(0, 4, 6)
	tileLoad(7, b, panel, tileBytes)
	tileDot(1, 4, 7)
	tileLoad(5, a1, rs, 0)
	tileDot(2, 5, 6)
	tileDot(3, 5, 7)
	next()
	ADDQ(Imm(tileBytes), a1)
	DECQ(groups)
	JNZ(LabelRef("twoLoop"))
	tileStore(2, c1, ldc, 0)
	tileStore(3, c1, ldc, tileBytes)
	JMP(LabelRef("store"))

	Label("oneLoop")
	tileLoad(4, a0, rs, 0)
	tileLoad(6, b, panel, 0)
	tileDot(0, 4, 6)
	tileLoad(7, b, panel, tileBytes)
	tileDot(1, 4, 7)
	next()
	DECQ(groups)
	JNZ(LabelRef("oneLoop"))

	Label("store")
	tileStore(0, c, ldc, 0)
	tileStore(1, c, ldc, tileBytes)
	Load(Param("step"), reg.RAX)
	ADDQ(reg.RAX, a)
	Load(Param("below"), reg.RAX)
	ADDQ(reg.RAX, c)
	DECQ(tiles)
	JNZ(LabelRef("tile"))
	tileRelease()
	RET()
}

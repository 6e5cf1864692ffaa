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

// rowsAt is where the rows of a tile lie: stride, or twice the stride if double is set, apart.
type rowsAt struct {
	base, stride reg.GPPhysical
	double       bool
	disp         byte
}

// tileMove emits a load or store of tile t.
func tileMove(name string, p pp, t int, m rowsAt) {
	b, x := number(m.base), number(m.stride)
	scale := byte(0)
	if m.double {
		scale = 1
	}
	emit(fmt.Sprintf("%s TMM%d, %d(%s)(%s*%d)", name, t, m.disp, m.base.Asm(), m.stride.Asm(), 1<<scale),
		0xc4, 1<<7|(^x>>3&1)<<6|(^b>>3&1)<<5|0b00010, 0b1111<<3|byte(p), 0x4b, 0b01<<6|byte(t)<<3|0b100, scale<<6|(x&7)<<3|b&7, m.disp)
}

func tileLoad(t int, m rowsAt) { tileMove("TILELOADD", f2, t, m) }

func tileStore(t int, m rowsAt) { tileMove("TILESTORED", f3, t, m) }

// prefetchToWrite emits PREFETCHW of the line at base + index + disp.
func prefetchToWrite(base, index reg.GPPhysical, disp byte) {
	b, x := number(base), number(index)
	emit(fmt.Sprintf("PREFETCHW %d(%s)(%s*1)", disp, base.Asm(), index.Asm()),
		0x40|(x>>3)<<1|b>>3, 0x0f, 0x0d, 0b01<<6|1<<3|0b100, (x&7)<<3|b&7, disp)
}

func number(r reg.GPPhysical) byte { return byte(r.PhysicalIndex()) }

// roundTiles emits the rounding of a row to where tiles of A have it. VCVTNE2PS2BF16 takes numbers below float32's normal
// ones for zero, as TDPBF16PS does.
func roundTiles() {
	TEXT("roundTiles", NOSPLIT, "func(groups int, dst, src *float32)")
	Pragma("noescape")
	Doc("roundTiles writes 32·groups values of src as bfloat16, each 32 of them 1,024 bytes after those before.")
	groups := Load(Param("groups"), GP64())
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	Label("group")
	VMOVUPS(Mem{Base: src}, reg.Z0)
	VMOVUPS(Mem{Base: src, Disp: 64}, reg.Z1)
	evex("VCVTNE2PS2BF16", f2, 0x72, 1, 0, 2)
	VMOVUPS(reg.Z2, Mem{Base: dst})
	ADDQ(U32(128), src)
	ADDQ(U32(tileRows*tileBytes), dst)
	DECQ(groups)
	JNZ(LabelRef("group"))
	VZEROUPPER()
	RET()
}

// tileAMX emits a function that computes a column of tiles of C, 32 columns wide and, in one tile register or two, up to 32
// rows high: registers 0 to 3 hold C, 4 and 5 A, 6 and 7 a group of B.
func tileAMX() {
	TEXT("tileAMX", NOSPLIT, "func(shape *[64]byte, groups, tiles int, a *float32, lower uintptr, b *float32, c *float32, ldc uintptr, load, two bool, nextB uintptr)")
	Pragma("noescape")
	Doc("tileAMX adds up groups of 16 pairs of k in tiles one below the other, which have the shape that the tile registers are configured",
		"for. The groups of 16 rows of A, of 64 bytes each, follow each other; those of the 16 rows below lie lower bytes on, and so does,",
		"for tiles of more rows if two is set, their second half. There is more than one tile only if two is set, of 32 rows. Rows of C lie",
		"ldc bytes apart. Sums begin with C's values if load is set, else with zero. With each group 256 bytes from nextB on are",
		"brought into cache, and what is to be written after this tile.")
	a, rs, b, ldc, c := reg.RSI, reg.RDI, reg.RBX, reg.R9, reg.RDX
	a0, a1, c1, groups, tiles, nextC, nextB := reg.R10, reg.R11, reg.R13, reg.RCX, reg.R12, reg.R8, reg.R15
	left := func(base reg.GPPhysical) rowsAt { return rowsAt{base: base, stride: ldc} }
	right := func(base reg.GPPhysical) rowsAt { return rowsAt{base: base, stride: ldc, disp: tileBytes} }
	ofA := func(base reg.GPPhysical) rowsAt { return rowsAt{base: base, stride: rs} }
	ofB := func(disp byte) rowsAt { return rowsAt{base: b, stride: rs, double: true, disp: disp} }
	Load(Param("shape"), reg.RAX)
	tileConfigure()
	Load(Param("tiles"), tiles)
	Load(Param("a"), a)
	MOVQ(U32(tileBytes), rs)
	Load(Param("c"), c)
	Load(Param("ldc"), ldc)
	Load(Param("nextB"), nextB)

	lower := func(name string) { // to name unless there is a second register of rows
		Load(Param("two"), reg.AL)
		TESTB(reg.AL, reg.AL)
		JZ(LabelRef(name))
	}
	Label("tile")
	Load(Param("b"), b)
	Load(Param("groups"), groups)
	MOVQ(a, a0)
	Load(Param("lower"), a1)
	ADDQ(a, a1)
	MOVQ(ldc, c1)
	SHLQ(Imm(4), c1)
	LEAQ(Mem{Base: c, Index: c1, Scale: 2}, nextC)
	SUBQ(ldc, nextC) // prefetchToWrite adds it
	ADDQ(c, c1)

	Load(Param("load"), reg.AL)
	TESTB(reg.AL, reg.AL)
	JZ(LabelRef("zero"))
	tileLoad(0, left(c))
	tileLoad(1, right(c))
	lower("oneLoop")
	tileLoad(2, left(c1))
	tileLoad(3, right(c1))
	JMP(LabelRef("twoLoop"))
	Label("zero")
	tileZero(0)
	tileZero(1)
	lower("oneLoop")
	tileZero(2)
	tileZero(3)

	next := func() {
		ADDQ(U32(tileRows*tileBytes), a0)
		ADDQ(U32(tileRows*2*tileBytes), b)
	}
	prefetch := func() {
		for line := 0; line < 256; line += 64 {
			PREFETCHT1(Mem{Base: nextB, Disp: line})
		}
		ADDQ(U32(256), nextB)
	}
	Label("twoLoop")
	tileLoad(4, ofA(a0))
	tileLoad(6, ofB(0))
	tileDot(0, 4, 6)
	tileLoad(7, ofB(tileBytes))
	tileDot(1, 4, 7)
	tileLoad(5, ofA(a1))
	tileDot(2, 5, 6)
	tileDot(3, 5, 7)
	prefetchToWrite(nextC, ldc, 0)
	prefetchToWrite(nextC, ldc, tileBytes)
	ADDQ(ldc, nextC)
	prefetchToWrite(nextC, ldc, 0)
	prefetchToWrite(nextC, ldc, tileBytes)
	ADDQ(ldc, nextC)
	prefetch()
	next()
	ADDQ(U32(tileRows*tileBytes), a1)
	DECQ(groups)
	JNZ(LabelRef("twoLoop"))
	tileStore(2, left(c1))
	tileStore(3, right(c1))
	JMP(LabelRef("store"))

	Label("oneLoop")
	tileLoad(4, ofA(a0))
	tileLoad(6, ofB(0))
	tileDot(0, 4, 6)
	tileLoad(7, ofB(tileBytes))
	tileDot(1, 4, 7)
	prefetch()
	next()
	DECQ(groups)
	JNZ(LabelRef("oneLoop"))

	Label("store")
	tileStore(0, left(c))
	tileStore(1, right(c))
	Load(Param("lower"), reg.RAX)
	LEAQ(Mem{Base: a, Index: reg.RAX, Scale: 2}, a)
	MOVQ(ldc, reg.RAX)
	SHLQ(Imm(5), reg.RAX)
	ADDQ(reg.RAX, c)
	DECQ(tiles)
	JNZ(LabelRef("tile"))
	tileRelease()
	RET()
}

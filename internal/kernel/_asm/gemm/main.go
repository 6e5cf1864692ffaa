// Command gemm generates the inner loops of the matrix product: ../../gemm_amd64.s and its Go declarations.
//
//	go generate ../../gemm.go
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64")
	avx2 := isa{name: "AVX2", lanes: 8, vectors: 16, rows: 6}
	avx512 := isa{name: "AVX512", lanes: 16, vectors: 32, rows: 12}
	bf16 := isa{name: "BF16", lanes: 16, vectors: 32, rows: 12, bf16: true}
	halfAVX2 := isa{name: "HalfAVX2", lanes: 8, vectors: 16, rows: 6, half: true}
	halfAVX512 := isa{name: "HalfAVX512", lanes: 16, vectors: 32, rows: 12, half: true}
	upper = GLOBL("upper", RODATA|NOPTR)
	for i := range 16 {
		DATA(4*i, U32(0xffff0000))
	}
	for _, s := range []isa{avx2, avx512, bf16, halfAVX2, halfAVX512} {
		s.tile(1, 4)
		s.tile(2, 2)
		if s.vectors >= 3*4+s.held(3)+s.perVector() { // or else there are no registers for it
			s.tile(3, 2)
		}
		for rows := 1; rows <= s.rows; rows++ {
			s.tile(rows, 1)
		}
	}
	tileAMX()
	roundTiles()
	packTransposed()
	packPanels(16)
	packPanels(32)
	packPanels(6)
	packPanels(12)
	for height := 1; height <= 12; height++ {
		packColumns(height)
	}
	roundRow()
	roundPanels()
	Generate()
}

// isa is an instruction set as far as a tile depends on it.
type isa struct {
	name    string
	lanes   int // float32 values in a vector
	vectors int // registers
	rows    int // of the tallest tile
	bf16    bool
	half    bool // B is bfloat16, as for bf16, but is widened to float32, and A is float32
}

// upper is a mask of the upper halves of float32 values.
var upper Mem

// held is how many registers hold values of A in a tile of several panels, perVector how many one vector of B takes.
func (s isa) held(rows int) int {
	if s.half {
		return 2 * rows
	}
	return rows
}

func (s isa) perVector() int {
	if s.half {
		return 2
	}
	return 1
}

// widen loads a vector of pairs and makes float32 of their earlier values, in even, and of their later ones, in odd;
// if both are the same register, of the earlier ones only.
func (s isa) widen(from Mem, even, odd reg.VecPhysical) {
	VMOVUPS(from, odd)
	VPSLLD(Imm(16), odd, even)
	if even != odd {
		s.keepUpper(odd)
	}
}

// later loads a vector of pairs and makes float32 of their later values.
func (s isa) later(from Mem, to reg.VecPhysical) {
	VMOVUPS(from, to)
	s.keepUpper(to)
}

func (s isa) keepUpper(y reg.VecPhysical) {
	if s.lanes == 16 {
		VPANDD(upper, y, y)
	} else {
		VANDPS(upper, y, y)
	}
}

func (s isa) reg(i int) reg.VecPhysical {
	if s.lanes == 16 {
		return []reg.VecPhysical{
			reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7,
			reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
			reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23,
			reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31,
		}[i]
	}
	return []reg.VecPhysical{
		reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7,
		reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15,
	}[i]
}

// multiplyAdd emits acc += x·y.
func (s isa) multiplyAdd(x, y, acc int) {
	if s.bf16 {
		dotBF16(x, y, acc)
		return
	}
	VFMADD231PS(s.reg(x), s.reg(y), s.reg(acc))
}

// dotBF16 emits VDPBF16PS: acc += x[2i]·y[2i] + x[2i+1]·y[2i+1] in each float32 lane i.
func dotBF16(x, y, acc int) { evex("VDPBF16PS", f3, 0x52, x, y, acc) }

// evex emits an instruction EVEX.512.p.0F38.W0 opcode /r on registers, which Go's assembler does not know.
func evex(name string, p pp, opcode byte, x, y, to int) {
	not := func(n, bit int) byte { return byte(^n>>bit) & 1 }
	emit(fmt.Sprintf("%s Z%d, Z%d, Z%d", name, y, x, to),
		0x62,
		not(to, 3)<<7|not(y, 4)<<6|not(y, 3)<<5|not(to, 4)<<4|0b010,
		byte(^x&15)<<3|0b100|byte(p),
		0b10<<5|not(x, 4)<<3,
		opcode,
		0b11<<6|byte(to&7)<<3|byte(y&7))
}

// embeds says whether a multiply-add can take a value of A from memory and repeat it, and so do without a broadcast. Where a core
// is shared by two threads, it is the number of instructions that counts: a tile of few is up to a fifth faster.
func (s isa) embeds() bool { return s.lanes == 16 && !s.bf16 && !s.half }

// embeddedStep emits one k of a tile of one panel, whose value of A for row r is at a(r). Rows for which embedded is true have it
// taken from memory by each multiply-add, which costs a load, but is one instruction only without an index. Some of each
// keep both the loads and the instructions few.
func (s isa) embeddedStep(rows, disp int, b func(v, disp int) Mem, a func(r int) Mem, embedded func(r int) bool) {
	free := 2 * rows
	for v := range 2 {
		VMOVUPS(b(v, disp), s.reg(free+v))
	}
	for r := range rows {
		if embedded(r) {
			for v := range 2 {
				VFMADD231PS_BCST(a(r), s.reg(free+v), s.reg(2*r+v))
			}
			continue
		}
		x := free + 2 + r%2
		VBROADCASTSS(a(r), s.reg(x))
		for v := range 2 {
			s.multiplyAdd(free+v, x, 2*r+v)
		}
	}
}

const unroll = 4

// ahead is how many bytes of B are asked for before they are needed where few rows use them: the processor's own reading
// ahead in one row of memory is not as fast as memory.
const ahead = 4096

// tile emits a function that computes a column of tiles of C, each of the given rows and of `panels` packed panels of
// two vectors: for every row r and column j, C[r, j] becomes a chain of fused multiply-adds over k, from C's old value
// if load is set, else from zero.
//
// Element (r, k) of A lies at a + r·rs + k·ks (bytes), where rs or ks is 4: so A is read as it is, transposed or not, or from a
// packed copy.
// Panels of B lie bs bytes apart. The next tile lies step bytes on in A and `rows` rows on in C. The k of bfloat16 count
// pairs of values.
//
// Where B is widened, k counts single values and panels hold pairs, the last one with a zero if k is odd.
//
// The tallest tiles also prefetch what comes after this column of tiles: a row of A from nextA on with each tile, and three
// times as many bytes of B from nextB on, so that eleven tiles prefetch a whole panel of 32 columns.
func (s isa) tile(rows, panels int) {
	width := panels * 2 * s.lanes
	name := fmt.Sprintf("tile%s_%dx%d", s.name, rows, width)
	TEXT(name, NOSPLIT, "func(k, tiles int, a *float32, rs, ks, step uintptr, b *float32, bs uintptr, c *float32, ldc uintptr, load bool, nextA, nextAStep, nextB uintptr)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s computes tiles of %d×%d one below the other.", name, rows, width))
	vec := 4 * s.lanes
	panel := 2 * vec

	acc := func(r, v int) int { return r*panels*2 + v }
	free := rows * panels * 2 // the first register that is no accumulator

	a, rs, ks := Load(Param("a"), GP64()), Load(Param("rs"), GP64()), Load(Param("ks"), GP64())
	c, ldc := Load(Param("c"), GP64()), Load(Param("ldc"), GP64())
	tiles := Load(Param("tiles"), GP64())
	b, bs := GP64(), GP64()
	if panels > 1 {
		Load(Param("bs"), bs)
	}
	count := GP64()
	cw := GP64()
	prefetching := rows == s.rows
	readingAhead := rows >= 4 && rows < s.rows && !s.bf16 && !s.half
	nextA, nextB := GP64(), GP64()
	if prefetching {
		Load(Param("nextA"), nextA)
		Load(Param("nextB"), nextB)
	}

	Label("tile")
	Load(Param("b"), b)
	b2 := GP64()
	if panels > 2 {
		LEAQ(Mem{Base: b, Index: bs, Scale: 2}, b2)
	}
	bAt := func(v, disp int) Mem {
		m := Mem{Base: b, Disp: disp + v%2*vec}
		if v/2 >= 2 {
			m.Base = b2
		}
		if v/2%2 == 1 {
			m.Index, m.Scale = bs, 1
		}
		return m
	}

	// Rows are addressed in threes: base, base + rs, base + 2·rs.
	aBase := []reg.GPVirtual{GP64()}
	MOVQ(a, aBase[0])
	for r := 3; r < rows; r += 3 {
		next := GP64()
		LEAQ(Mem{Base: aBase[len(aBase)-1], Index: rs, Scale: 2}, next)
		ADDQ(rs, next)
		aBase = append(aBase, next)
	}
	aAt := func(r int) Mem {
		m := Mem{Base: aBase[r/3]}
		if r%3 > 0 {
			m.Index, m.Scale = rs, uint8(r%3)
		}
		return m
	}
	broadcast := func(r, to int) {
		if s.bf16 {
			VPBROADCASTD(aAt(r), s.reg(to))
		} else {
			VBROADCASTSS(aAt(r), s.reg(to))
		}
	}
	// eachC calls f for every vector of the tile of C, and leaves cw at the row below it.
	eachC := func(f func(m Mem, r, v int)) {
		MOVQ(c, cw)
		for r := range rows {
			if r > 0 && r%3 == 0 {
				LEAQ(Mem{Base: cw, Index: ldc, Scale: 2}, cw)
				ADDQ(ldc, cw)
			}
			for v := range 2 * panels {
				m := Mem{Base: cw, Disp: v * vec}
				if r%3 > 0 {
					m.Index, m.Scale = ldc, uint8(r%3)
				}
				f(m, r, v)
			}
		}
	}

	flag := GP8()
	Load(Param("load"), flag)
	TESTB(flag, flag)
	JZ(LabelRef("zero"))
	eachC(func(m Mem, r, v int) { VMOVUPS(m, s.reg(acc(r, v))) })
	JMP(LabelRef("loaded"))
	Label("zero")
	eachC(func(m Mem, r, v int) {
		if s.lanes == 16 {
			VPXORD(s.reg(acc(r, v)), s.reg(acc(r, v)), s.reg(acc(r, v)))
		} else {
			VXORPS(s.reg(acc(r, v)), s.reg(acc(r, v)), s.reg(acc(r, v)))
		}
	})
	Label("loaded")
	// Ask for the next tile of C while this one is summed.
	for range (rows-1)%3 + 1 {
		ADDQ(ldc, cw)
	}
	for r := range rows {
		if r > 0 && r%3 == 0 {
			LEAQ(Mem{Base: cw, Index: ldc, Scale: 2}, cw)
			ADDQ(ldc, cw)
		}
		for at := 0; at < panels*panel; at += 64 {
			m := Mem{Base: cw, Disp: at}
			if r%3 > 0 {
				m.Index, m.Scale = ldc, uint8(r%3)
			}
			PREFETCHT0(m)
		}
	}

	nextK := func() {
		for _, p := range aBase {
			ADDQ(ks, p)
		}
	}
	step := func(u int) {
		if panels == 1 {
			VMOVUPS(bAt(0, u*panel), s.reg(free))
			VMOVUPS(bAt(1, u*panel), s.reg(free+1))
			for at := 0; at < panel && readingAhead; at += 64 {
				PREFETCHT0(bAt(0, u*panel+ahead+at))
			}
			for r := range rows {
				x := free + 2 + r%2
				broadcast(r, x)
				s.multiplyAdd(free, x, acc(r, 0))
				s.multiplyAdd(free+1, x, acc(r, 1))
			}
		} else {
			for r := range rows {
				broadcast(r, free+r)
			}
			spare := min(s.vectors-free-rows, 4)
			for v := range 2 * panels {
				y := free + rows + v%spare
				VMOVUPS(bAt(v, u*panel), s.reg(y))
				for r := range rows {
					s.multiplyAdd(y, free+r, acc(r, v))
				}
			}
		}
		nextK()
	}
	// pairStep is step for a pair of k, or for the first of one only.
	pairStep := func(u int, first bool) {
		if panels == 1 {
			for v := range 2 {
				s.widen(bAt(v, u*panel), s.reg(free+v), s.reg(free+v))
			}
			for half := range 2 {
				for r := range rows {
					x := free + 2 + r%2
					broadcast(r, x)
					s.multiplyAdd(free, x, acc(r, 0))
					s.multiplyAdd(free+1, x, acc(r, 1))
				}
				if first {
					return
				}
				nextK()
				if half == 0 {
					for v := range 2 {
						s.later(bAt(v, u*panel), s.reg(free+v))
					}
				}
			}
			return
		}
		for r := range rows {
			broadcast(r, free+r)
		}
		if !first {
			nextK()
			for r := range rows {
				broadcast(r, free+rows+r)
			}
			nextK()
		}
		spare := min((s.vectors-free-2*rows)/2, 4)
		for v := range 2 * panels {
			y := free + 2*rows + v%spare*2
			s.widen(bAt(v, u*panel), s.reg(y), s.reg(y+1))
			for r := range rows {
				s.multiplyAdd(y, free+r, acc(r, v))
			}
			for r := range rows {
				if !first {
					s.multiplyAdd(y+1, free+rows+r, acc(r, v))
				}
			}
		}
	}
	advance := func(n int) {
		ADDQ(U32(n*panel), b)
		if panels > 2 {
			ADDQ(U32(n*panel), b2)
		}
	}
	prefetch := func() {
		if !prefetching {
			return
		}
		PREFETCHT1(Mem{Base: nextA})
		PREFETCHT1(Mem{Base: nextB})
		ADDQ(Imm(4*unroll), nextA)
		ADDQ(Imm(12*unroll), nextB)
	}
	Load(Param("k"), count)
	SUBQ(Imm(unroll), count)
	JL(LabelRef("rest"))
	steps := unroll
	if s.embeds() && prefetching {
		CMPQ(ks, Imm(4))
		JE(LabelRef("loop"))
		Label("columns")
		for u := range unroll {
			s.embeddedStep(rows, u*panel, bAt, func(r int) Mem { return Mem{Base: aBase[0], Disp: 4 * r} }, func(r int) bool { return r%3 > 0 })
			ADDQ(ks, aBase[0])
		}
		prefetch()
		advance(unroll)
		SUBQ(Imm(unroll), count)
		JGE(LabelRef("columns"))
		for i := 1; i < len(aBase); i++ {
			LEAQ(Mem{Base: aBase[i-1], Disp: 3 * 4}, aBase[i])
		}
		JMP(LabelRef("rest"))
	}
	Label("loop")
	if s.half {
		steps = unroll / 2
	}
	for u := range steps {
		switch {
		case s.half:
			pairStep(u, false)
		case s.embeds() && prefetching:
			s.embeddedStep(rows, u*panel, bAt, func(r int) Mem {
				m := aAt(r)
				m.Disp = 4 * u
				return m
			}, func(r int) bool { return r%3 == 0 })
		default:
			step(u)
		}
	}
	if s.embeds() && prefetching {
		for _, base := range aBase {
			ADDQ(Imm(4*unroll), base)
		}
	}
	prefetch()
	advance(steps)
	SUBQ(Imm(unroll), count)
	JGE(LabelRef("loop"))
	Label("rest")
	ADDQ(Imm(unroll), count)
	JZ(LabelRef("store"))
	if s.half {
		CMPQ(count, Imm(1))
		JE(LabelRef("single"))
		pairStep(0, false)
		advance(1)
		SUBQ(Imm(2), count)
		JZ(LabelRef("store"))
	}
	Label("single")
	if s.half {
		pairStep(0, true)
	} else {
		step(0)
		advance(1)
		DECQ(count)
		JNZ(LabelRef("single"))
	}

	Label("store")
	eachC(func(m Mem, r, v int) { VMOVUPS(s.reg(acc(r, v)), m) })
	last := (rows-1)%3 + 1
	for range last {
		ADDQ(ldc, cw)
	}
	MOVQ(cw, c)
	st := GP64()
	Load(Param("step"), st)
	ADDQ(st, a)
	if prefetching {
		Load(Param("nextAStep"), st)
		ADDQ(st, nextA)
	}
	DECQ(tiles)
	JNZ(LabelRef("tile"))
	VZEROUPPER()
	RET()
}

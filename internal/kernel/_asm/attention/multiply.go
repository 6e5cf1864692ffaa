package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// product is one form of multiply, and its registers: where the current tile lies, and the strides in bytes.
type product struct {
	name    string
	lanes   int
	vec     []reg.VecPhysical
	heights []int // of tiles, in rows, down to 1
	widths  []int // of tiles, in vectors, down to 1: as many rows as the first height fit the registers with the first width

	a, b, c          reg.GPVirtual // of the tile
	aRow, aCol, bRow reg.GPVirtual
	aRow3            reg.GPVirtual // 3·aRow
	ap, bp, kLeft    reg.GPVirtual // inner loop
	ap4              reg.GPVirtual // four rows below ap
	cp               reg.GPVirtual // a row of C

	k, rows, scale Mem // of the tile; rows left to do
}

func multiplyAVX2() {
	p := &product{name: "multiplyAVX2", lanes: 8, vec: y, heights: []int{3, 2, 1}, widths: []int{4, 3, 2, 1}}
	p.emit()
}

func multiplyAVX512() {
	p := &product{name: "multiplyAVX512", lanes: 16, vec: z, heights: []int{8, 4, 2, 1}, widths: []int{2, 1}}
	p.emit()
}

// emit emits C[m,n] = start + A[m,k]·B[k,n] (see tileOf in the package). Columns are done in blocks of the widths and a masked
// one, and within them rows in tiles of the heights.
func (t *product) emit() {
	TEXT(t.name, NOSPLIT, "func(m, n, k, kStep int, a *float32, aRow, aCol int, b *float32, bRow int, c *float32, cRow int, start int, scale *float32)")
	Pragma("noescape")
	Doc(t.name + " is multiplyPortable. Neither m nor n is 0; kStep is 0 or 1.")
	load := func(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }
	t.b, t.aRow, t.aCol, t.bRow = load("b"), load("aRow"), load("aCol"), load("bRow")
	t.a, t.c, t.aRow3, t.ap, t.ap4, t.bp, t.kLeft, t.cp = GP64(), GP64(), GP64(), GP64(), GP64(), GP64(), GP64(), GP64()
	t.k, t.rows, t.scale = AllocLocal(8), AllocLocal(8), AllocLocal(8)
	for _, stride := range []reg.GPVirtual{t.aRow, t.aCol, t.bRow} {
		SHLQ(Imm(2), stride)
	}
	SHLQ(Imm(2), argument("cRow"))
	LEAQ(Mem{Base: t.aRow, Index: t.aRow, Scale: 2}, t.aRow3)
	for _, width := range append(t.widths, 0) {
		t.columns(width)
	}
	done()
}

// columns emits the block of tiles of the given number of vectors (0: one masked vector), as often as it fits: only the
// widest can fit more than once.
func (t *product) columns(width int) {
	name := fmt.Sprintf("columns%d", width)
	next := name + "_end"
	Label(name)
	if width == 0 {
		Load(Param("n"), t.kLeft)
		TESTQ(t.kLeft, t.kLeft)
		JZ(LabelRef(next))
		t.makeMask()
	} else {
		CMPQ(argument("n"), Imm(uint64(t.lanes*width)))
		JLT(LabelRef(next))
	}
	for _, local := range []struct {
		name string
		at   Mem
	}{{"k", t.k}, {"m", t.rows}, {"scale", t.scale}} {
		Load(Param(local.name), t.kLeft)
		MOVQ(t.kLeft, local.at)
	}
	Load(Param("a"), t.a)
	Load(Param("c"), t.c)
	ADDQ(t.b, t.c)
	SUBQ(argument("b"), t.c)

	for i, rows := range t.heights {
		here := fmt.Sprintf("%s_rows%d", name, rows)
		after := name + "_rows0"
		if i+1 < len(t.heights) {
			after = fmt.Sprintf("%s_rows%d", name, t.heights[i+1])
		}
		Label(here)
		CMPQ(t.rows, Imm(uint64(rows)))
		JLT(LabelRef(after))
		t.tile(here, rows, width)
		SUBQ(Imm(uint64(rows)), t.rows)
		for range rows {
			ADDQ(t.aRow, t.a)
		}
		MOVQ(t.cp, t.c)
		ADDQ(Imm(uint64(4*rows)), t.scale)
		Load(Param("kStep"), t.kLeft)
		for range rows {
			ADDQ(t.kLeft, t.k)
		}
		JMP(LabelRef(here))
	}
	Label(name + "_rows0")
	if width > 0 {
		ADDQ(Imm(uint64(4*t.lanes*width)), t.b)
		SUBQ(Imm(uint64(t.lanes*width)), argument("n"))
		if width == t.widths[0] {
			JMP(LabelRef(name))
		}
	}
	Label(next)
}

// makeMask emits the mask of the first kLeft lanes: in register 14 or, of AVX-512, in K1.
func (t *product) makeMask() {
	if t.lanes == 8 {
		broadcastInt(t.kLeft, y[15])
		maskBelow(y[15], 0, y[14])
		return
	}
	MOVQ(U32(0xffff), t.cp)
	BZHIQ(t.kLeft, t.cp, t.cp)
	KMOVW(t.cp.As32(), reg.K1)
}

// get emits the loading of a vector, masked where width is 0, and put the storing.
func (t *product) get(width int, m Mem, v reg.VecPhysical) {
	switch {
	case width > 0:
		VMOVUPS(m, v)
	case t.lanes == 8:
		VMASKMOVPS(m, y[14], v)
	default:
		VMOVUPS_Z(m, reg.K1, v)
	}
}

func (t *product) put(width int, v reg.VecPhysical, m Mem) {
	switch {
	case width > 0:
		VMOVUPS(v, m)
	case t.lanes == 8:
		VMASKMOVPS(v, y[14], m)
	default:
		VMOVUPS(v, reg.K1, m)
	}
}

// rowOfA is row i of the tile, up to 7, from ap.
func (t *product) rowOfA(i int) Mem {
	m := Mem{Base: t.ap}
	if i >= 4 {
		m.Base = t.ap4
	}
	switch i % 4 {
	case 1, 2:
		m.Index, m.Scale = t.aRow, uint8(i%4)
	case 3:
		m.Index, m.Scale = t.aRow3, 1
	}
	return m
}

// accumulator is the register for vector j of row i.
func (t *product) accumulator(i, j, width int) reg.VecPhysical { return t.vec[i*max(width, 1)+j] }

// tile emits rows×width vectors of C, and leaves cp at the row below. Accumulators are the first registers; the last is spare, as
// are those before it, less the mask.
func (t *product) tile(name string, rows, width int) {
	acc := func(i, j int) reg.VecPhysical { return t.accumulator(i, j, width) }
	each := func(f func(i, j int, c Mem)) {
		MOVQ(t.c, t.cp)
		for i := range rows {
			for j := range max(width, 1) {
				f(i, j, Mem{Base: t.cp, Disp: 4 * t.lanes * j})
			}
			ADDQ(argument("cRow"), t.cp)
		}
	}
	CMPQ(argument("start"), Imm(1))
	JEQ(LabelRef(name + "_add"))
	JGT(LabelRef(name + "_scale"))
	for i := range rows * max(width, 1) {
		t.zero(t.vec[i])
	}
	JMP(LabelRef(name + "_begin"))
	Label(name + "_scale")
	last := t.vec[len(t.vec)-1]
	MOVQ(t.scale, t.ap)
	each(func(i, j int, c Mem) {
		if j == 0 {
			VBROADCASTSS(Mem{Base: t.ap, Disp: 4 * i}, last)
		}
		t.get(width, c, acc(i, j))
		VMULPS(last, acc(i, j), acc(i, j))
	})
	JMP(LabelRef(name + "_begin"))
	Label(name + "_add")
	each(func(i, j int, c Mem) { t.get(width, c, acc(i, j)) })

	Label(name + "_begin")
	MOVQ(t.a, t.ap)
	if rows > 4 {
		LEAQ(Mem{Base: t.ap, Index: t.aRow, Scale: 4}, t.ap4)
	}
	MOVQ(t.b, t.bp)
	MOVQ(t.k, t.kLeft)
	TESTQ(t.kLeft, t.kLeft)
	JZ(LabelRef(name + "_store"))
	Label(name + "_k")
	t.step(0, rows, width)
	DECQ(t.kLeft)
	JNZ(LabelRef(name + "_k"))

	Label(name + "_store")
	if rows > 1 { // further rows may be longer
		CMPQ(argument("kStep"), Imm(0))
		JEQ(LabelRef(name + "_end"))
		for from := 1; from < rows; from++ {
			t.step(from, rows, width)
		}
	}
	Label(name + "_end")
	each(func(i, j int, c Mem) { t.put(width, acc(i, j), c) })
}

func (t *product) zero(v reg.VecPhysical) {
	if t.lanes == 8 {
		VXORPS(v, v, v)
	} else {
		VPXORD(v, v, v)
	}
}

// step emits one step of k for rows from … to, not included, of a tile.
func (t *product) step(from, to, width int) {
	acc := func(i, j int) reg.VecPhysical { return t.accumulator(i, j, width) }
	bAt := func(j int) Mem { return Mem{Base: t.bp, Disp: 4 * t.lanes * j} }
	switch {
	case to-from == 1 && width > 0:
		VBROADCASTSS(t.rowOfA(from), t.vec[13+t.lanes-8])
		for j := range width {
			VFMADD231PS(bAt(j), t.vec[13+t.lanes-8], acc(from, j))
		}
	case t.lanes == 16:
		for j := range max(width, 1) {
			t.get(width, bAt(j), z[16+j])
		}
		for i := from; i < to; i++ {
			VBROADCASTSS(t.rowOfA(i), z[18+i])
			for j := range max(width, 1) {
				VFMADD231PS(z[16+j], z[18+i], acc(i, j))
			}
		}
	case width == 0:
		t.get(width, bAt(0), y[12])
		for i := from; i < to; i++ {
			VBROADCASTSS(t.rowOfA(i), y[13])
			VFMADD231PS(y[13], y[12], acc(i, 0))
		}
	default:
		for i := from; i < to; i++ {
			VBROADCASTSS(t.rowOfA(i), y[13+i])
		}
		for j := range width {
			VMOVUPS(bAt(j), y[12])
			for i := from; i < to; i++ {
				VFMADD231PS(y[12], y[13+i], acc(i, j))
			}
		}
	}
	ADDQ(t.aCol, t.ap)
	if to > 4 {
		ADDQ(t.aCol, t.ap4)
	}
	ADDQ(t.bRow, t.bp)
}

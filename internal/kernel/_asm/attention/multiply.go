package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// product is the registers of multiply: where the current tile lies, and the strides in bytes.
type product struct {
	a, b, c, scale         reg.GPVirtual // of the tile
	aRow, aCol, bRow, cRow reg.GPVirtual
	k, rows                reg.GPVirtual // of the tile; rows left to do
	ap, bp, kLeft          reg.GPVirtual // inner loop
	cols                   reg.GPVirtual // left to do, this column of tiles included
}

// multiply emits C[m,n] = start + A[m,k]·B[k,n] (see tileOf in the package). Columns are done in blocks of 4, 3, 2 and 1
// vectors and a masked one, and within them rows 3 at a time.
func multiply() {
	TEXT("multiplyAVX2", NOSPLIT, "func(m, n, k, kStep int, a *float32, aRow, aCol int, b *float32, bRow int, c *float32, cRow int, start int, scale *float32)")
	Pragma("noescape")
	Doc("multiplyAVX2 is multiplyPortable. Neither m nor n is 0; kStep is 0 or 1.")
	load := func(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }
	t := &product{b: load("b"), aRow: load("aRow"), aCol: load("aCol"), bRow: load("bRow"), cRow: load("cRow"), cols: load("n"),
		a: GP64(), c: GP64(), scale: GP64(), k: GP64(), rows: GP64(), ap: GP64(), bp: GP64(), kLeft: GP64()}
	for _, stride := range []reg.GPVirtual{t.aRow, t.aCol, t.bRow, t.cRow} {
		SHLQ(Imm(2), stride)
	}
	for _, width := range []int{4, 3, 2, 1, 0} {
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
		TESTQ(t.cols, t.cols)
		JZ(LabelRef(next))
		broadcastInt(t.cols, y[15])
		maskBelow(y[15], 0, y[14])
	} else {
		CMPQ(t.cols, Imm(uint64(8*width)))
		JLT(LabelRef(next))
	}
	Load(Param("a"), t.a)
	Load(Param("c"), t.c)
	Load(Param("scale"), t.scale)
	Load(Param("k"), t.k)
	Load(Param("m"), t.rows)
	ADDQ(t.b, t.c)
	SUBQ(argument("b"), t.c)

	for _, rows := range []int{3, 2, 1} {
		here := fmt.Sprintf("%s_rows%d", name, rows)
		after := fmt.Sprintf("%s_rows%d", name, rows-1)
		Label(here)
		CMPQ(t.rows, Imm(uint64(rows)))
		JLT(LabelRef(after))
		t.tile(here, rows, width)
		SUBQ(Imm(uint64(rows)), t.rows)
		for range rows {
			ADDQ(t.aRow, t.a)
			ADDQ(t.cRow, t.c)
		}
		ADDQ(Imm(uint64(4*rows)), t.scale)
		for range rows {
			ADDQ(argument("kStep"), t.k)
		}
		JMP(LabelRef(here))
	}
	Label(name + "_rows0")
	if width > 0 {
		ADDQ(Imm(uint64(32*width)), t.b)
		SUBQ(Imm(uint64(8*width)), t.cols)
		if width == 4 {
			JMP(LabelRef(name))
		}
	}
	Label(next)
}

// rowAt is row i, up to 2, from base.
func rowAt(base, stride reg.GPVirtual, i int) Mem {
	if i == 0 {
		return Mem{Base: base}
	}
	return Mem{Base: base, Index: stride, Scale: uint8(i)}
}

// tile emits rows×width vectors of C. Accumulators are registers 0 to 11; a masked vector has its mask in 14.
func (t *product) tile(name string, rows, width int) {
	vectors := max(width, 1)
	acc := func(i, j int) reg.VecPhysical { return y[i*vectors+j] }
	get := func(m Mem, v reg.VecPhysical) {
		if width == 0 {
			VMASKMOVPS(m, y[14], v)
			return
		}
		VMOVUPS(m, v)
	}
	each := func(f func(i, j int, c Mem)) {
		for i := range rows {
			for j := range vectors {
				f(i, j, rowAt(t.c, t.cRow, i).Offset(32*j))
			}
		}
	}
	CMPQ(argument("start"), Imm(1))
	JEQ(LabelRef(name + "_add"))
	JGT(LabelRef(name + "_scale"))
	each(func(i, j int, _ Mem) { VXORPS(acc(i, j), acc(i, j), acc(i, j)) })
	JMP(LabelRef(name + "_begin"))
	Label(name + "_scale")
	each(func(i, j int, c Mem) {
		if j == 0 {
			VBROADCASTSS(Mem{Base: t.scale, Disp: 4 * i}, y[15])
		}
		get(c, acc(i, j))
		VMULPS(y[15], acc(i, j), acc(i, j))
	})
	JMP(LabelRef(name + "_begin"))
	Label(name + "_add")
	each(func(i, j int, c Mem) { get(c, acc(i, j)) })

	Label(name + "_begin")
	MOVQ(t.a, t.ap)
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
	each(func(i, j int, c Mem) {
		if width == 0 {
			VMASKMOVPS(acc(i, j), y[14], c)
			return
		}
		VMOVUPS(acc(i, j), c)
	})
}

// step emits one step of k for rows from … to, not included, of a tile.
func (t *product) step(from, to, width int) {
	acc := func(i, j int) reg.VecPhysical { return y[i*max(width, 1)+j] }
	switch {
	case to-from == 1 && width > 0:
		VBROADCASTSS(rowAt(t.ap, t.aRow, from), y[13])
		for j := range width {
			VFMADD231PS(Mem{Base: t.bp, Disp: 32 * j}, y[13], acc(from, j))
		}
	case width == 0:
		VMASKMOVPS(Mem{Base: t.bp}, y[14], y[12])
		for i := from; i < to; i++ {
			VBROADCASTSS(rowAt(t.ap, t.aRow, i), y[13])
			VFMADD231PS(y[13], y[12], acc(i, 0))
		}
	default:
		for i := from; i < to; i++ {
			VBROADCASTSS(rowAt(t.ap, t.aRow, i), y[13+i])
		}
		for j := range width {
			VMOVUPS(Mem{Base: t.bp, Disp: 32 * j}, y[12])
			for i := from; i < to; i++ {
				VFMADD231PS(y[12], y[13+i], acc(i, j))
			}
		}
	}
	ADDQ(t.aCol, t.ap)
	ADDQ(t.bRow, t.bp)
}

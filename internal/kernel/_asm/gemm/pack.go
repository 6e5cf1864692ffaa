package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// packTransposed emits the transpose of eight rows, eight columns at a time.
func packTransposed() {
	TEXT("packTransposed8", NOSPLIT, "func(blocks int, dst *float32, dstStride uintptr, src *float32, srcStride uintptr)")
	Pragma("noescape")
	Doc("packTransposed8 writes 8·blocks columns of eight rows of src as rows of eight values of dst. Strides are in bytes.")
	blocks := Load(Param("blocks"), GP64())
	dst, ds := Load(Param("dst"), GP64()), Load(Param("dstStride"), GP64())
	src, ss := Load(Param("src"), GP64()), Load(Param("srcStride"), GP64())
	ds3, ss3 := GP64(), GP64()
	LEAQ(Mem{Base: ds, Index: ds, Scale: 2}, ds3)
	LEAQ(Mem{Base: ss, Index: ss, Scale: 2}, ss3)
	row := func(base, base4, stride, stride3 reg.Register, r int) Mem {
		m := Mem{Base: base}
		if r >= 4 {
			m.Base = base4
		}
		switch r % 4 {
		case 1:
			m.Index, m.Scale = stride, 1
		case 2:
			m.Index, m.Scale = stride, 2
		case 3:
			m.Index, m.Scale = stride3, 1
		}
		return m
	}
	y := []reg.VecPhysical{reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7}
	t := []reg.VecPhysical{reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15}
	x := []reg.VecPhysical{reg.X0, reg.X1, reg.X2, reg.X3, reg.X4, reg.X5, reg.X6, reg.X7}
	src4, dst4, src8, src12 := GP64(), GP64(), GP64(), GP64()
	Label("block")
	LEAQ(Mem{Base: src, Index: ss, Scale: 4}, src4)
	// The next rows are usually packed next; each is so short that the processor would not read ahead in it.
	LEAQ(Mem{Base: src, Index: ss, Scale: 8}, src8)
	LEAQ(Mem{Base: src8, Index: ss, Scale: 4}, src12)
	for i := range 8 {
		PREFETCHT0(row(src8, src12, ss, ss3, i))
	}
	LEAQ(Mem{Base: dst, Index: ds, Scale: 4}, dst4)
	// Y[i]: the low halves hold row i, columns 0-3 | row i+4, columns 0-3; Y[i+4] the same of columns 4-7.
	for i := range 4 {
		lo, hi := row(src, src4, ss, ss3, i), row(src, src4, ss, ss3, i+4)
		VMOVUPS(lo, x[i])
		VINSERTF128(Imm(1), hi, y[i], y[i])
		lo.Disp, hi.Disp = 16, 16
		VMOVUPS(lo, x[i+4])
		VINSERTF128(Imm(1), hi, y[i+4], y[i+4])
	}
	for h := 0; h < 8; h += 4 {
		VUNPCKLPS(y[h+1], y[h], t[h])
		VUNPCKHPS(y[h+1], y[h], t[h+1])
		VUNPCKLPS(y[h+3], y[h+2], t[h+2])
		VUNPCKHPS(y[h+3], y[h+2], t[h+3])
		VUNPCKLPD(t[h+2], t[h], y[h])
		VUNPCKHPD(t[h+2], t[h], y[h+1])
		VUNPCKLPD(t[h+3], t[h+1], y[h+2])
		VUNPCKHPD(t[h+3], t[h+1], y[h+3])
	}
	for i := range 8 {
		VMOVUPS(y[i], row(dst, dst4, ds, ds3, i))
	}
	ADDQ(Imm(32), src)
	LEAQ(Mem{Base: dst, Index: ds, Scale: 8}, dst)
	DECQ(blocks)
	JNZ(LabelRef("block"))
	VZEROUPPER()
	RET()
}

// copyRow emits the copying of width values, in the widest pieces that fit.
func copyRow(dst, src Mem, width int) {
	type piece struct {
		at, n int
		reg   reg.VecPhysical
	}
	y := []reg.VecPhysical{reg.Y0, reg.Y1, reg.Y2, reg.Y3}
	x := []reg.VecPhysical{reg.X4, reg.X5, reg.X6}
	move := func(n int, from, to Op) {
		switch n {
		case 1:
			VMOVSS(from, to)
		case 2:
			VMOVSD(from, to)
		default:
			VMOVUPS(from, to)
		}
	}
	var pieces []piece
	for at := 0; at < width; {
		p := piece{at: at, n: 8}
		for p.n > width-at {
			p.n /= 2
		}
		if p.n == 8 {
			p.reg, y = y[0], y[1:]
		} else {
			p.reg, x = x[0], x[1:]
		}
		pieces = append(pieces, p)
		at += p.n
	}
	for _, p := range pieces {
		move(p.n, src.Offset(4*p.at), p.reg)
	}
	for _, p := range pieces {
		move(p.n, p.reg, dst.Offset(4*p.at))
	}
}

// packPanels emits the cutting of rows into panels of the given width.
func packPanels(width int) {
	name := fmt.Sprintf("packPanels%d", width)
	TEXT(name, NOSPLIT, "func(rows, panels int, dst *float32, panelStride uintptr, src *float32, srcStride uintptr)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s copies rows of panels·%d values of src into panels, which lie panelStride bytes apart.", name, width))
	rows := Load(Param("rows"), GP64())
	dst, ps := Load(Param("dst"), GP64()), Load(Param("panelStride"), GP64())
	src, ss := Load(Param("src"), GP64()), Load(Param("srcStride"), GP64())
	n, d, s, ahead, ps3 := GP64(), GP64(), GP64(), GP64(), GP64()
	// Rows may be pages apart, where the processor does not foresee what comes.
	LEAQ(Mem{Base: ss, Index: ss, Scale: 8}, ahead)
	LEAQ(Mem{Base: ps, Index: ps, Scale: 2}, ps3)
	Label("row")
	Load(Param("panels"), n)
	MOVQ(dst, d)
	MOVQ(src, s)
	SUBQ(Imm(4), n)
	JL(LabelRef("rest"))
	Label("four")
	for at := 0; at < 16*width; at += 64 {
		PREFETCHT0(Mem{Base: s, Index: ahead, Scale: 1, Disp: at})
	}
	for i := range 4 {
		to := Mem{Base: d}
		switch i {
		case 1, 2:
			to.Index, to.Scale = ps, uint8(i)
		case 3:
			to.Index, to.Scale = ps3, 1
		}
		copyRow(to, Mem{Base: s, Disp: 4 * width * i}, width)
	}
	ADDQ(U32(16*width), s)
	LEAQ(Mem{Base: d, Index: ps, Scale: 4}, d)
	SUBQ(Imm(4), n)
	JGE(LabelRef("four"))
	Label("rest")
	ADDQ(Imm(4), n)
	JZ(LabelRef("next"))
	Label("panel")
	PREFETCHT0(Mem{Base: s, Index: ahead, Scale: 1})
	copyRow(Mem{Base: d}, Mem{Base: s}, width)
	ADDQ(U32(4*width), s)
	ADDQ(ps, d)
	DECQ(n)
	JNZ(LabelRef("panel"))
	Label("next")
	ADDQ(U32(4*width), dst)
	ADDQ(ss, src)
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// packColumns emits the copying of a few columns.
func packColumns(width int) {
	name := fmt.Sprintf("packColumns%d", width)
	TEXT(name, NOSPLIT, "func(rows int, dst, src *float32, srcStride uintptr)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s copies %d values from each row of src to dst, without gaps.", name, width))
	rows := Load(Param("rows"), GP64())
	dst, src, ss := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("srcStride"), GP64())
	Label("row")
	copyRow(Mem{Base: dst}, Mem{Base: src}, width)
	ADDQ(ss, src)
	ADDQ(U32(4*width), dst)
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

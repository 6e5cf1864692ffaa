package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rounding is the constants of rounding to bfloat16, in registers.
type rounding struct{ one, half, quiet reg.VecVirtual }

func newRounding() rounding {
	constant := func(bits uint32) reg.VecVirtual {
		r, v := GP32(), ZMM()
		MOVL(U32(bits), r)
		VPBROADCASTD(r, v)
		return v
	}
	return rounding{one: constant(1), half: constant(0x7fff), quiet: constant(0x400000)}
}

// emit leaves in the upper half of each lane of y the bfloat16 nearest to x, ties to even; a NaN stays one, quiet. The lower
// half is undefined.
func (c rounding) emit(x, y reg.VecVirtual) {
	nan := K()
	VCMPPS(Imm(3), x, x, nan)
	VPSRLD(Imm(16), x, y)
	VPANDD(c.one, y, y)
	VPADDD(c.half, y, y)
	VPADDD(x, y, y)
	VPORD(c.quiet, x, nan, y)
}

// roundRow emits the rounding of values that lie side by side.
func roundRow() {
	TEXT("roundRow16", NOSPLIT, "func(blocks int, dst, src *float32)")
	Pragma("noescape")
	Doc("roundRow16 writes 16·blocks values of src as bfloat16.")
	blocks := Load(Param("blocks"), GP64())
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	c := newRounding()
	x, y := ZMM(), ZMM()
	Label("block")
	VMOVUPS(Mem{Base: src}, x)
	c.emit(x, y)
	VPSRLD(Imm(16), y, y)
	VPMOVDW(y, Mem{Base: dst})
	ADDQ(Imm(64), src)
	ADDQ(Imm(32), dst)
	DECQ(blocks)
	JNZ(LabelRef("block"))
	VZEROUPPER()
	RET()
}

// roundPanels emits the rounding of rows in pairs: the values of two rows share a place.
func roundPanels() {
	TEXT("roundPanels32", NOSPLIT, "func(pairs, panels int, dst *float32, dstStride, panelStride uintptr, src *float32, srcStride uintptr)")
	Pragma("noescape")
	Doc("roundPanels32 writes 2·pairs rows of panels·32 values of src as bfloat16, a pair of rows as one row of dst, the upper row in",
		"the lower halves. Rows of dst lie dstStride bytes apart, its panels of 32 places panelStride.")
	pairs := Load(Param("pairs"), GP64())
	dst, ds, ps := Load(Param("dst"), GP64()), Load(Param("dstStride"), GP64()), Load(Param("panelStride"), GP64())
	src, ss := Load(Param("src"), GP64()), Load(Param("srcStride"), GP64())
	c := newRounding()
	upper := ZMM()
	mask := GP32()
	MOVL(U32(0xffff0000), mask)
	VPBROADCASTD(mask, upper)
	n, d, s := GP64(), GP64(), GP64()
	Label("pair")
	Load(Param("panels"), n)
	MOVQ(dst, d)
	MOVQ(src, s)
	Label("panel")
	for at := 0; at < 128; at += 64 {
		x0, x1, y0, y1 := ZMM(), ZMM(), ZMM(), ZMM()
		VMOVUPS(Mem{Base: s, Disp: at}, x0)
		VMOVUPS(Mem{Base: s, Index: ss, Scale: 1, Disp: at}, x1)
		c.emit(x0, y0)
		c.emit(x1, y1)
		VPSRLD(Imm(16), y0, y0)
		VPANDD(upper, y1, y1)
		VPORD(y0, y1, y1)
		VMOVUPS(y1, Mem{Base: d, Disp: at})
	}
	ADDQ(U32(128), s)
	ADDQ(ps, d)
	DECQ(n)
	JNZ(LabelRef("panel"))
	LEAQ(Mem{Base: src, Index: ss, Scale: 2}, src)
	ADDQ(ds, dst)
	DECQ(pairs)
	JNZ(LabelRef("pair"))
	VZEROUPPER()
	RET()
}

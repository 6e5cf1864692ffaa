package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// transpose emits the transposition of rows into columns, 8 by 8. Behind the last row it repeats that row up to a multiple
// of 8 lanes.
func transpose() {
	TEXT("transposeAVX2", NOSPLIT, "func(rows, cols int, src *float32, srcRow int, dst *float32, dstRow int)")
	Pragma("noescape")
	Doc("transposeAVX2 is transposePortable, for cols a multiple of 8. It writes whole groups of 8 rows: behind the last row, that row again.")
	src, srcRow := Load(Param("src"), GP64()), Load(Param("srcRow"), GP64())
	dst, dstRow := Load(Param("dst"), GP64()), Load(Param("dstRow"), GP64())
	SHLQ(Imm(2), srcRow)
	SHLQ(Imm(2), dstRow)
	rowPtr := make([]reg.GPVirtual, 8)
	for i := range rowPtr {
		rowPtr[i] = GP64()
	}
	to, cols := GP64(), GP64()

	Label("transpose_rows")
	CMPQ(argument("rows"), Imm(0))
	JLE(LabelRef("transpose_done"))
	MOVQ(src, rowPtr[0])
	for i := 1; i < 8; i++ {
		MOVQ(rowPtr[i-1], rowPtr[i])
		MOVQ(rowPtr[i-1], to)
		ADDQ(srcRow, to)
		CMPQ(argument("rows"), Imm(uint64(i)))
		CMOVQGT(to, rowPtr[i])
	}
	MOVQ(dst, to)
	Load(Param("cols"), cols)
	Label("transpose_cols")
	CMPQ(cols, Imm(8))
	JLT(LabelRef("transpose_next"))
	for i := range 8 {
		VMOVUPS(Mem{Base: rowPtr[i]}, y[i])
		ADDQ(Imm(32), rowPtr[i])
	}
	for i := 0; i < 8; i += 2 { // pairs of rows
		VUNPCKLPS(y[i+1], y[i], y[8+i])
		VUNPCKHPS(y[i+1], y[i], y[9+i])
	}
	for i := 0; i < 8; i += 4 { // fours
		VSHUFPS(Imm(0x44), y[10+i], y[8+i], y[i])
		VSHUFPS(Imm(0xee), y[10+i], y[8+i], y[i+1])
		VSHUFPS(Imm(0x44), y[11+i], y[9+i], y[i+2])
		VSHUFPS(Imm(0xee), y[11+i], y[9+i], y[i+3])
	}
	for i := range 4 { // halves
		VPERM2F128(Imm(0x20), y[4+i], y[i], y[8+i])
		VPERM2F128(Imm(0x31), y[4+i], y[i], y[12+i])
	}
	for i := range 8 {
		VMOVUPS(y[8+i], Mem{Base: to})
		ADDQ(dstRow, to)
	}
	SUBQ(Imm(8), cols)
	JMP(LabelRef("transpose_cols"))
	Label("transpose_next")
	ADDQ(Imm(32), dst)
	for range 8 {
		ADDQ(srcRow, src)
	}
	SUBQ(Imm(8), argument("rows"))
	JMP(LabelRef("transpose_rows"))
	Label("transpose_done")
	done()
}

// rowsOf emits a loop over the rows of a block, once for each number of vectors that n keys may need. body finds the number
// of keys that the row sees in all lanes of register 15.
func rowsOf(name string, body func(vectors int, advance func(p reg.Register, bytes int))) {
	n, lim, step, rows := Load(Param("n"), GP64()), Load(Param("lim"), GP64()), Load(Param("step"), GP64()), Load(Param("rows"), GP64())
	seen := GP64()
	for vectors := 1; vectors < 4; vectors++ {
		CMPQ(n, Imm(uint64(8*vectors)))
		JLE(LabelRef(fmt.Sprintf("%s%d", name, vectors)))
	}
	for vectors := 4; vectors >= 1; vectors-- {
		here := fmt.Sprintf("%s%d", name, vectors)
		Label(here)
		MOVQ(lim, seen)
		CMPQ(seen, n)
		CMOVQGT(n, seen)
		broadcastInt(seen, y[15])
		body(vectors, func(p reg.Register, bytes int) { ADDQ(Imm(uint64(bytes)), p) })
		ADDQ(step, lim)
		DECQ(rows)
		JNZ(LabelRef(here))
		done()
	}
}

// softmaxBlock emits a step of the running softmax. Registers 0-3 hold the scores; 15 how many keys the row sees.
func softmaxBlock() {
	TEXT("softmaxBlockAVX2", NOSPLIT, "func(rows, n, lim, step int, scale float32, scores, top, sum, rescale *float32)")
	Pragma("noescape")
	Doc("softmaxBlockAVX2 is softmaxBlockPortable. rows and n are not 0. Scores behind n are written up to a multiple of 8.")
	scores, top := Load(Param("scores"), GP64()), Load(Param("top"), GP64())
	sum, rescale := Load(Param("sum"), GP64()), Load(Param("rescale"), GP64())
	broadcast("scale", y[14])
	rowsOf("softmax", func(vectors int, advance func(reg.Register, int)) {
		maximum, old := y[13], y[12]
		VMOVUPS(minusInf, y[11])
		for j := range vectors {
			VMULPS(Mem{Base: scores, Disp: 32 * j}, y[14], y[j])
			maskBelow(y[15], 8*j, y[10])
			VBLENDVPS(y[10], y[j], y[11], y[j])
		}
		VMOVAPS(y[0], maximum)
		for j := 1; j < vectors; j++ {
			VMAXPS(y[j], maximum, maximum)
		}
		horizontal(maxPS, maximum, y[11])
		VBROADCASTSS(Mem{Base: top}, old)
		VMAXPS(old, maximum, maximum)
		VMOVSS(low(maximum), Mem{Base: top})
		VSUBPS(maximum, old, old)
		exp(old, y[8], y[9], y[10])
		VMOVSS(low(y[8]), Mem{Base: rescale})
		VMULPS(Mem{Base: sum}, y[8], y[12])
		for j := range vectors {
			VSUBPS(maximum, y[j], y[j])
			exp(y[j], y[4+j], y[9], y[10])
			maskBelow(y[15], 8*j, y[10])
			VANDPS(y[10], y[4+j], y[4+j])
			VMOVUPS(y[4+j], Mem{Base: scores, Disp: 32 * j})
		}
		for j := 0; j+1 < vectors; j += 2 {
			VADDPS(y[5+j], y[4+j], y[4+j])
		}
		if vectors > 2 {
			VADDPS(y[6], y[4], y[4])
		}
		VADDPS(y[4], y[12], y[12])
		VMOVUPS(y[12], Mem{Base: sum})
		advance(scores, 4*pageRows)
		advance(top, 4)
		advance(sum, 32)
		advance(rescale, 4)
	})
}

// gradientBlock emits the gradients of a block's scores.
func gradientBlock() {
	TEXT("gradientBlockAVX2", NOSPLIT, "func(rows, n, lim, step int, scale float32, scores, dp, lse, delta *float32)")
	Pragma("noescape")
	Doc("gradientBlockAVX2 is gradientBlockPortable. rows and n are not 0. Values behind n are written up to a multiple of 8.")
	scores, dp := Load(Param("scores"), GP64()), Load(Param("dp"), GP64())
	lse, delta := Load(Param("lse"), GP64()), Load(Param("delta"), GP64())
	broadcast("scale", y[14])
	rowsOf("gradient", func(vectors int, advance func(reg.Register, int)) {
		VBROADCASTSS(Mem{Base: lse}, y[13])
		VBROADCASTSS(Mem{Base: delta}, y[12])
		for j := range vectors {
			s, p, ds, mask := y[0], y[1], y[2], y[3]
			VMULPS(Mem{Base: scores, Disp: 32 * j}, y[14], s)
			VSUBPS(y[13], s, s)
			exp(s, p, y[4], y[5])
			maskBelow(y[15], 8*j, mask)
			VANDPS(mask, p, p)
			VMOVUPS(p, Mem{Base: scores, Disp: 32 * j})
			VMOVUPS(Mem{Base: dp, Disp: 32 * j}, ds)
			VSUBPS(y[12], ds, ds)
			VMULPS(p, ds, ds)
			VMULPS(y[14], ds, ds)
			VANDPS(mask, ds, ds)
			VMOVUPS(ds, Mem{Base: dp, Disp: 32 * j})
		}
		advance(scores, 4*pageRows)
		advance(dp, 4*pageRows)
		advance(lse, 4)
		advance(delta, 4)
	})
}

// rowDots emits the scalar products of rows.
func rowDots() {
	TEXT("rowDotsAVX2", NOSPLIT, "func(dst *float32, rows, n int, a *float32, aRow int, b *float32, bRow int)")
	Pragma("noescape")
	Doc("rowDotsAVX2 is rowDotsPortable. rows is not 0.")
	dst, rows := Load(Param("dst"), GP64()), Load(Param("rows"), GP64())
	a, aRow := Load(Param("a"), GP64()), Load(Param("aRow"), GP64())
	b, bRow := Load(Param("b"), GP64()), Load(Param("bRow"), GP64())
	ap, bp, n := GP64(), GP64(), GP64()
	SHLQ(Imm(2), aRow)
	SHLQ(Imm(2), bRow)
	Label("dots_row")
	MOVQ(a, ap)
	MOVQ(b, bp)
	Load(Param("n"), n)
	VXORPS(y[0], y[0], y[0])
	Label("dots_cols")
	CMPQ(n, Imm(8))
	JLT(LabelRef("dots_tail"))
	VMOVUPS(Mem{Base: ap}, y[1])
	VFMADD231PS(Mem{Base: bp}, y[1], y[0])
	ADDQ(Imm(32), ap)
	ADDQ(Imm(32), bp)
	SUBQ(Imm(8), n)
	JMP(LabelRef("dots_cols"))
	Label("dots_tail")
	TESTQ(n, n)
	JZ(LabelRef("dots_sum"))
	broadcastInt(n.(reg.GPVirtual), y[15])
	maskBelow(y[15], 0, y[14])
	VMASKMOVPS(Mem{Base: ap}, y[14], y[1])
	VMASKMOVPS(Mem{Base: bp}, y[14], y[2])
	VFMADD231PS(y[2], y[1], y[0])
	Label("dots_sum")
	horizontal(addPS, y[0], y[1])
	VMOVSS(low(y[0]), Mem{Base: dst})
	ADDQ(aRow, a)
	ADDQ(bRow, b)
	ADDQ(Imm(4), dst)
	DECQ(rows)
	JNZ(LabelRef("dots_row"))
	done()
}

package kernel

// The forms of attention's steps for amd64. What memory a step may touch is checked here, before the assembly does.

func multiply(simd bool, t *tile) {
	if !simd {
		multiplyPortable(t)
		return
	}
	if t.m == 0 || t.n == 0 {
		return
	}
	_ = t.c[(t.m-1)*t.cRow+t.n-1]
	var a, b, scale *float32
	if k := t.k + (t.m-1)*t.kStep; k > 0 {
		_ = t.a[(t.m-1)*t.aRow+(k-1)*t.aCol]
		_ = t.b[(k-1)*t.bRow+t.n-1]
		a, b = &t.a[0], &t.b[0]
	}
	if t.start == scaleC {
		scale = &t.scale[:t.m][0]
	}
	if Active() >= AVX512 {
		multiplyAVX512(t.m, t.n, t.k, t.kStep, a, t.aRow, t.aCol, b, t.bRow, &t.c[0], t.cRow, int(t.start), scale)
		return
	}
	multiplyAVX2(t.m, t.n, t.k, t.kStep, a, t.aRow, t.aCol, b, t.bRow, &t.c[0], t.cRow, int(t.start), scale)
}

// transpose also writes, behind the last row, up to a whole group of 8: dst has the room, and nobody reads it.
func transpose(simd bool, rows, cols int, src []float32, srcRow int, dst []float32, dstRow int) {
	whole := cols &^ 7
	if !simd || rows == 0 {
		whole = 0
	}
	if whole > 0 {
		_ = src[(rows-1)*srcRow+whole-1]
		_ = dst[(whole-1)*dstRow+lanes(rows)-1]
		transposeAVX2(rows, whole, &src[0], srcRow, &dst[0], dstRow)
	}
	if whole < cols {
		transposePortable(rows, cols-whole, src[whole:], srcRow, dst[whole*dstRow:], dstRow)
	}
}

func softmaxBlock(simd bool, rows, n, lim, step int, scale float32, scores, top, sum, rescale []float32) {
	if !simd {
		softmaxBlockPortable(rows, n, lim, step, scale, scores, top, sum, rescale)
		return
	}
	_, _, _, _ = scores[rows*PageRows-1], top[rows-1], sum[rows*8-1], rescale[rows-1]
	softmaxBlockAVX2(rows, n, lim, step, scale, &scores[0], &top[0], &sum[0], &rescale[0])
}

func gradientBlock(simd bool, rows, n, lim, step int, scale float32, scores, dp, lse, delta []float32) {
	if !simd {
		gradientBlockPortable(rows, n, lim, step, scale, scores, dp, lse, delta)
		return
	}
	_, _, _, _ = scores[rows*PageRows-1], dp[rows*PageRows-1], lse[rows-1], delta[rows-1]
	gradientBlockAVX2(rows, n, lim, step, scale, &scores[0], &dp[0], &lse[0], &delta[0])
}

func rowDots(simd bool, dst []float32, rows, n int, a []float32, aRow int, b []float32, bRow int) {
	if !simd {
		rowDotsPortable(dst, rows, n, a, aRow, b, bRow)
		return
	}
	_, _, _ = dst[rows-1], a[(rows-1)*aRow+n-1], b[(rows-1)*bRow+n-1]
	rowDotsAVX2(&dst[0], rows, n, &a[0], aRow, &b[0], bRow)
}

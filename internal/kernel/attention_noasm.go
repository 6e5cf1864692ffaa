//go:build !amd64

package kernel

func multiply(_ bool, t *tile) { multiplyPortable(t) }

func transpose(_ bool, rows, cols int, src []float32, srcRow int, dst []float32, dstRow int) {
	transposePortable(rows, cols, src, srcRow, dst, dstRow)
}

func softmaxBlock(_ bool, rows, n, lim, step int, scale float32, scores, top, sum, rescale []float32) {
	softmaxBlockPortable(rows, n, lim, step, scale, scores, top, sum, rescale)
}

func gradientBlock(_ bool, rows, n, lim, step int, scale float32, scores, dp, lse, delta []float32) {
	gradientBlockPortable(rows, n, lim, step, scale, scores, dp, lse, delta)
}

func rowDots(_ bool, dst []float32, rows, n int, a []float32, aRow int, b []float32, bRow int) {
	rowDotsPortable(dst, rows, n, a, aRow, b, bRow)
}

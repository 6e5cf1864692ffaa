package kernel

import "math"

// The steps that attention is made of, in portable form. Each works on a block of at most PageRows keys, with scores in
// rows of PageRows. Generic, so that float64 gives the truth to test against.

// start says what an element of a product begins with.
type start uint8

const (
	zeroC  start = iota // 0
	addC                // what C holds
	scaleC              // what C holds, times the row's scale
)

// tileOf is a small product C[m,n] = start + A[m,k]·B[k,n]: A at any two strides, so that it may be transposed; B and C
// in rows. Each element is one chain of multiply-adds over k in rising order. Row i uses the first k+i*kStep of A's row
// and of B's rows; kStep is 0 or 1.
type tileOf[T float] struct {
	m, n, k, kStep int
	a              []T
	aRow, aCol     int
	b              []T
	bRow           int
	c              []T
	cRow           int
	start          start
	scale          []T
}

type tile = tileOf[float32]

func multiplyPortable[T float](t *tileOf[T]) {
	for i := range t.m {
		c := t.c[i*t.cRow:][:t.n:t.n]
		switch t.start {
		case zeroC:
			clear(c)
		case scaleC:
			for j := range c {
				c[j] *= t.scale[i]
			}
		}
		for k := range t.k + i*t.kStep {
			a := t.a[i*t.aRow+k*t.aCol]
			b := t.b[k*t.bRow:][:len(c)]
			for j := range c {
				c[j] += a * b[j]
			}
		}
	}
}

// transposePortable writes src, [rows, cols] with rows at distance srcRow, as columns of dst.
func transposePortable[T float](rows, cols int, src []T, srcRow int, dst []T, dstRow int) {
	for i := range rows {
		for j, x := range src[i*srcRow:][:cols] {
			dst[j*dstRow+i] = x
		}
	}
}

// softmaxBlockPortable turns the scores q·k of a block of n keys into exponentials and brings each row's running maximum
// and sum (8 lanes a row) up to date. Row r sees min(n, lim+r*step) of the keys; the others get 0. rescale[r] is the
// factor that applies to what the row has summed before.
func softmaxBlockPortable[T float](rows, n, lim, step int, scale T, scores, top, sum, rescale []T) {
	for r := range rows {
		row := scores[r*PageRows:][:PageRows]
		seen := row[:min(n, lim+r*step)]
		m := top[r]
		for j := range seen {
			seen[j] *= scale
			m = max(m, seen[j])
		}
		var block [8]T
		for j := range seen {
			seen[j] = T(math.Exp(float64(seen[j] - m)))
			block[j%8] += seen[j]
		}
		clear(row[len(seen):])
		c := T(math.Exp(float64(top[r] - m)))
		for j := range block {
			sum[r*8+j] = sum[r*8+j]*c + block[j]
		}
		top[r], rescale[r] = m, c
	}
}

// gradientBlockPortable turns the scores q·k of a block of n keys into probabilities, and the gradients dp of the
// probabilities into those of the scores: ds = scale·p·(dp-delta). Rows and keys as in softmaxBlockPortable.
func gradientBlockPortable[T float](rows, n, lim, step int, scale T, scores, dp, lse, delta []T) {
	for r := range rows {
		row, drow := scores[r*PageRows:][:PageRows], dp[r*PageRows:][:PageRows]
		seen := min(n, lim+r*step)
		for j := range seen {
			row[j] = T(math.Exp(float64(row[j]*scale - lse[r])))
			drow[j] = row[j] * (drow[j] - delta[r]) * scale
		}
		clear(row[seen:])
		clear(drow[seen:])
	}
}

// rowDotsPortable is dst[i] = a_i·b_i over n columns, summed in 8 lanes.
func rowDotsPortable[T float](dst []T, rows, n int, a []T, aRow int, b []T, bRow int) {
	for i := range rows {
		var l [8]T
		x, y := a[i*aRow:][:n], b[i*bRow:][:n]
		for j := range x {
			l[j%8] += x[j] * y[j]
		}
		dst[i] = ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]))
	}
}

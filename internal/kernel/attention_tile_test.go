package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// The steps of attention against their float64 forms, on random shapes; what they must not write is compared as well.

func widen(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

func normals(r *rand.Rand, n int) []float32 { return randomMat(r, 1, n, 0).Data }

// sameAsTruth compares all elements; those for which skip is true must be as before instead.
func sameAsTruth(t *testing.T, what string, got, before []float32, want []float64, tol float64, untouched func(i int) bool) {
	t.Helper()
	for i := range got {
		if untouched(i) {
			if math.Float32bits(got[i]) != math.Float32bits(before[i]) {
				t.Fatalf("%s: element %d was written", what, i)
			}
			continue
		}
		if math.Abs(float64(got[i])-want[i]) > tol*(1+math.Abs(want[i])) || got[i] != got[i] && want[i] == want[i] {
			t.Fatalf("%s: element %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

func TestMultiplyMatchesFloat64(t *testing.T) {
	onEveryISA(t, func(t *testing.T) {
		simd := Active() >= AVX2
		r := rand.New(rand.NewPCG(1, 3))
		for range 2000 {
			m, n, k, kStep := r.IntN(9), r.IntN(75), r.IntN(20), r.IntN(2)
			depth := k + max(0, m-1)*kStep
			aRow, aCol := depth+r.IntN(3), 1
			if r.IntN(2) == 0 {
				aRow, aCol = 1, m+r.IntN(3)
			}
			bRow, cRow := n+r.IntN(5), n+r.IntN(5)
			x := &tile{m: m, n: n, k: k, kStep: kStep, a: normals(r, m*max(1, aRow)+depth*max(1, aCol)+1), aRow: aRow, aCol: aCol,
				b: normals(r, depth*bRow+1), bRow: bRow, c: normals(r, m*cRow+9), cRow: cRow, start: start(r.IntN(3)), scale: normals(r, m+1)}
			y := &tileOf[float64]{m: m, n: n, k: k, kStep: kStep, a: widen(x.a), aRow: aRow, aCol: aCol,
				b: widen(x.b), bRow: bRow, c: widen(x.c), cRow: cRow, start: x.start, scale: widen(x.scale)}
			before := slices.Clone(x.c)
			if x.start == zeroC { // what was there may be anything
				for i := range m {
					for j := range n {
						x.c[i*cRow+j] = float32(math.NaN())
					}
				}
			}
			multiply(simd, x)
			multiplyPortable(y)
			what := fmt.Sprintf("m=%d n=%d k=%d+%d start=%d strides %d %d %d %d", m, n, k, kStep, x.start, aRow, aCol, bRow, cRow)
			sameAsTruth(t, what, x.c, before, y.c, 1e-5, func(i int) bool { return cRow == 0 || i >= m*cRow || i%cRow >= n })
		}
	})
}

func TestSoftmaxBlockMatchesFloat64(t *testing.T) {
	onEveryISA(t, func(t *testing.T) {
		simd := Active() >= AVX2
		r := rand.New(rand.NewPCG(1, 4))
		for range 1000 {
			rows, n, step := 1+r.IntN(7), 1+r.IntN(PageRows), r.IntN(2)
			lim := 1 + r.IntN(PageRows)
			scores, top, sum := normals(r, (rows+1)*PageRows), normals(r, rows+1), normals(r, (rows+1)*8)
			for i := range rows {
				switch r.IntN(4) {
				case 0:
					top[i] = -math.MaxFloat32
				case 1:
					top[i] = 50
				case 2:
					scores[i*PageRows] = float32(math.Inf(-1))
				}
				for j := min(n, lim+i*step); j < PageRows; j++ {
					scores[i*PageRows+j] = float32(math.NaN()) // what is not seen may be anything
				}
			}
			for i := range sum {
				sum[i] = max(sum[i], 0)
			}
			rescale := make([]float32, rows)
			s64, top64, sum64, rescale64 := widen(scores), widen(top), widen(sum), make([]float64, rows)
			beforeTop, beforeSum, beforeScores := slices.Clone(top), slices.Clone(sum), slices.Clone(scores)
			softmaxBlock(simd, rows, n, lim, step, 0.7, scores, top, sum, rescale)
			softmaxBlockPortable(rows, n, lim, step, float64(float32(0.7)), s64, top64, sum64, rescale64)
			what := fmt.Sprintf("rows=%d n=%d lim=%d+%d", rows, n, lim, step)
			sameAsTruth(t, what+": maximum", top, beforeTop, top64, 1e-6, func(i int) bool { return i >= rows })
			sameAsTruth(t, what+": sum", sum, beforeSum, sum64, 2e-6, func(i int) bool { return i >= rows*8 })
			sameAsTruth(t, what+": factor", rescale, nil, rescale64, 2e-6, func(i int) bool { return false })
			sameAsTruth(t, what+": scores", scores[:rows*PageRows], nil, keepUnused(scores, s64, rows, n), 2e-6, func(i int) bool { return false })
			sameBits(t, what+": scores of no row", scores[rows*PageRows:], beforeScores[rows*PageRows:])
		}
	})
}

// keepUnused makes the truth of scores behind the last vector in use what they are: nobody reads them.
func keepUnused(got []float32, want []float64, rows, n int) []float64 {
	for i := range rows * PageRows {
		if i%PageRows >= n {
			want[i] = float64(got[i])
		}
	}
	return want
}

func TestGradientBlockMatchesFloat64(t *testing.T) {
	onEveryISA(t, func(t *testing.T) {
		simd := Active() >= AVX2
		r := rand.New(rand.NewPCG(1, 5))
		for range 1000 {
			rows, n, step := 1+r.IntN(7), 1+r.IntN(PageRows), r.IntN(2)
			lim := 1 + r.IntN(PageRows)
			scores, dp, lse, delta := normals(r, (rows+1)*PageRows), normals(r, (rows+1)*PageRows), normals(r, rows), normals(r, rows)
			for i := range lse {
				lse[i] += 3
				for j := min(n, lim+i*step); j < PageRows; j++ {
					scores[i*PageRows+j], dp[i*PageRows+j] = float32(math.NaN()), float32(math.NaN())
				}
			}
			s64, dp64 := widen(scores), widen(dp)
			beforeScores, beforeDP := slices.Clone(scores), slices.Clone(dp)
			gradientBlock(simd, rows, n, lim, step, 0.7, scores, dp, lse, delta)
			gradientBlockPortable(rows, n, lim, step, float64(float32(0.7)), s64, dp64, widen(lse), widen(delta))
			what := fmt.Sprintf("rows=%d n=%d lim=%d+%d", rows, n, lim, step)
			used := rows * PageRows
			sameAsTruth(t, what+": probabilities", scores[:used], nil, keepUnused(scores, s64, rows, n), 2e-6, func(i int) bool { return false })
			sameAsTruth(t, what+": gradients", dp[:used], nil, keepUnused(dp, dp64, rows, n), 2e-6, func(i int) bool { return false })
			sameBits(t, what+": scores of no row", scores[used:], beforeScores[used:])
			sameBits(t, what+": gradients of no row", dp[used:], beforeDP[used:])
		}
	})
}

func TestTransposeAndRowDotsMatchFloat64(t *testing.T) {
	onEveryISA(t, func(t *testing.T) {
		simd := Active() >= AVX2
		r := rand.New(rand.NewPCG(1, 6))
		for range 500 {
			rows, cols := 1+r.IntN(PageRows), 1+r.IntN(40)
			stride := cols + r.IntN(4)
			a, b := normals(r, (rows-1)*stride+cols), normals(r, (rows-1)*stride+cols)
			what := fmt.Sprintf("%d×%d stride %d", rows, cols, stride)
			turned := normals(r, (cols+1)*PageRows)
			before := slices.Clone(turned)
			transpose(simd, rows, cols, a, stride, turned, PageRows)
			for i := range rows {
				for j := range cols {
					if turned[j*PageRows+i] != a[i*stride+j] {
						t.Fatalf("%s: element (%d, %d) lost in transposition", what, i, j)
					}
				}
			}
			sameBits(t, what+": behind the last column", turned[cols*PageRows:], before[cols*PageRows:])

			dots, want := normals(r, rows+1), make([]float64, rows+1)
			beforeDots := slices.Clone(dots)
			rowDots(simd, dots, rows, cols, a, stride, b, stride)
			rowDotsPortable(want, rows, cols, widen(a), stride, widen(b), stride)
			sameAsTruth(t, what, dots, beforeDots, want, 1e-5, func(i int) bool { return i == rows })
		}
	})
}

func TestLogarithm(t *testing.T) {
	for _, x := range []float32{1, 1.0000001, 1.3, math.Sqrt2, 1.4142137, 2, 3, 1e3, 1e20, math.MaxFloat32, 0.5, 1e-40} {
		nearTruth(t, fmt.Sprintf("log(%v)", x), logarithm(x), math.Log(float64(x)))
	}
	r := rand.New(rand.NewPCG(1, 7))
	for range 10000 {
		x := float32(math.Exp(88 * r.Float64()))
		if got, want := float64(logarithm(x)), math.Log(float64(x)); math.Abs(got-want) > 1.5e-7*want+6e-8 {
			t.Fatalf("log(%v) = %v, want %v", x, got, want)
		}
	}
	if inf := float32(math.Inf(1)); logarithm(inf) != inf || !math.IsInf(float64(logarithm(0)), -1) || logarithm(float32(math.NaN())) == logarithm(float32(math.NaN())) {
		t.Error("the logarithm of an infinity, zero or no number")
	}
}

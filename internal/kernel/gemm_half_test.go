package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// roundedOperand is a random matrix of bfloat16 values, and the same widened.
func roundedOperand(rng *rand.Rand, rows, cols int) (Half, Mat) {
	h, wide := NewHalf(rows, cols), NewMat(make([]float32, rows*cols), rows, cols)
	for i := range rows {
		for j := range cols {
			wide.Row(i)[j] = float32(rng.NormFloat64())
		}
		h.SetRow(i, wide.Row(i))
		widenRow(wide.Row(i), h.Row(i))
	}
	return h, wide
}

// All shapes of tiles, with what stands behind the last k of A being no number; law 1 and law 2 follow from those of Gemm.
func TestGemmWithHalfWeightsHasTheBitsOfTheirWidenedValues(t *testing.T) {
	onEveryISA(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(3, 4))
		for _, threads := range []int{1, 3} {
			pool := NewPool(threads)
			defer pool.Close()
			check := func(m, k, n int) {
				t.Helper()
				h, wide := roundedOperand(rng, n, k)
				a := randomOperand(rng, m, k, false, 1)
				for i := range m {
					a.Data[i*a.Stride+k] = float32(math.NaN())
				}
				ep := fullEpilogue(rng, m, n, GELU)
				ep.Pre, ep.Drop = Mat{}, Dropout{}
				want, got := NewMat(make([]float32, m*n), m, n), NewMat(make([]float32, m*n), m, n)
				pool.Gemm(want, a, false, wide, true, GemmOpt{Ep: ep})
				pool.GemmPacked(got, a, pool.PackHalf(h), GemmOpt{Ep: ep})
				if err := sameMatBits(want, got); err != nil {
					t.Fatalf("%d×%d×%d: %v", m, k, n, err)
				}
			}
			for _, m := range testRows {
				for _, k := range []int{1, 2, 3, 4, 5, 7, 8, 9, 50} {
					check(m, k, 130)
				}
			}
			for _, n := range testCols {
				for _, k := range testDepth {
					check(3, k, n)
					check(14, k, n)
				}
			}
			check(150, 600, 200)
			check(400, 131, 64)
		}
	})
}

// Packed as the products go, in both directions, in one round of packing and in several.
func TestGemmHalfHasTheBitsOfTheWidenedValues(t *testing.T) {
	onEveryISA(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(13, 14))
		pool := NewPool(2)
		defer pool.Close()
		for _, shape := range [][3]int{{1, 1, 1}, {3, 7, 33}, {14, 300, 70}, {9, 33, 301}, {2, 1500, 1700}} {
			m, k, n := shape[0], shape[1], shape[2]
			for _, trans := range []bool{true, false} {
				h, wide := roundedOperand(rng, n, k)
				if !trans {
					h, wide = roundedOperand(rng, k, n)
				}
				a, start := randomMat(rng, m, k, 0), randomMat(rng, m, n, 0)
				want, got := NewMat(make([]float32, m*n), m, n), NewMat(make([]float32, m*n), m, n)
				copyMat(want, start)
				copyMat(got, start)
				for _, rounded := range []bool{true, false} {
					copyMat(want, start)
					copyMat(got, start)
					pool.Gemm(want, a, false, wide, trans, GemmOpt{Acc: true, BF16: rounded})
					pool.GemmHalf(got, a, false, h, trans, GemmOpt{Acc: true, BF16: rounded})
					if err := sameMatBits(want, got); err != nil {
						t.Fatalf("%v, transposed %v, in bfloat16 %v: %v", shape, trans, rounded, err)
					}
					packed := pool.PackHalfAcross
					if trans {
						packed = pool.PackHalf
					}
					if rounded {
						copyMat(got, start)
						pool.GemmPacked(got, a, packed(h).InBF16(), GemmOpt{Acc: true})
						if err := sameMatBits(want, got); err != nil {
							t.Fatalf("%v, packed, transposed %v: %v", shape, trans, err)
						}
					}
				}
				if !trans {
					copyMat(got, start)
					pool.GemmPacked(got, a, pool.PackHalfAcross(h), GemmOpt{Acc: true})
					if err := sameMatBits(want, got); err != nil {
						t.Fatalf("%v, packed across: %v", shape, err)
					}
				}
			}
		}
	})
}

func copyMat(to, from Mat) {
	for i := range to.Rows {
		copy(to.Row(i), from.Row(i))
	}
}

func TestGatherFromHalfTableHasTheBitsOfItsWidenedValues(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, cols := range []int{1, 7, 64} {
		h, wide := roundedOperand(rng, 9, cols)
		pos := randomMat(rng, 4, cols, 0)
		ids, at := []int32{3, 0, 8, 3, 5}, []int32{0, 1, 2, 3, 0}
		for _, p := range []Mat{{}, pos} {
			want, got := NewMat(make([]float32, 5*cols), 5, cols), NewMat(make([]float32, 5*cols), 5, cols)
			(*Pool)(nil).Gather(want, wide, ids, 1.5, p, at, Dropout{})
			(*Pool)(nil).GatherHalf(got, h, ids, 1.5, p, at, Dropout{})
			if err := sameMatBits(want, got); err != nil {
				t.Errorf("%d columns: %v", cols, err)
			}
		}
	}
}

func TestLossWithPackedWeightsHasTheSameBits(t *testing.T) {
	onEveryISA(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(7, 8))
		const n, d, classes = 250, 24, 77
		x := randomMat(rng, n, d, 0)
		half, wide := roundedOperand(rng, classes, d)
		o := CrossEntropy{Targets: make([]int32, n), Smoothing: 0.1, Scale: 0.5}
		for i := range o.Targets {
			o.Targets[i] = int32(rng.IntN(classes+10)) - 10
		}
		want, got := make([]float32, n), make([]float32, n)
		a := (*Pool)(nil).LinearCrossEntropy(x, wide, nil, o, nil, want, Mat{}, Mat{}, nil)
		for _, packed := range []*Packed{(*Pool)(nil).Pack(wide, true, false), (*Pool)(nil).PackHalf(half)} {
			clear(got)
			b := (*Pool)(nil).LinearCrossEntropyPacked(x, packed, nil, nil, o, nil, got, Mat{})
			sameBits(t, "−log p", got, want)
			if a != b {
				t.Errorf("the loss is %v, not %v", b, a)
			}
		}
		dx, dw := NewMat(make([]float32, n*d), n, d), NewMat(make([]float32, classes*d), classes, d)
		(*Pool)(nil).LinearCrossEntropy(x, wide, nil, o, nil, want, dx, dw, nil)
		for _, across := range []*Packed{(*Pool)(nil).Pack(wide, false, false), (*Pool)(nil).PackHalfAcross(half)} {
			clear(got)
			dh := NewMat(make([]float32, n*d), n, d)
			b := (*Pool)(nil).LinearCrossEntropyPacked(x, (*Pool)(nil).PackHalf(half), across, nil, o, nil, got, dh)
			sameBits(t, "−log p", got, want)
			if err := sameMatBits(dx, dh); err != nil || a != b {
				t.Errorf("the loss is %v, not %v; the gradient: %v", b, a, err)
			}
		}
	})
}

package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// selectionRows are rows with ties, NaNs and infinities, of every remainder.
func selectionRows() [][]float32 {
	rng := rand.New(rand.NewPCG(9, 9))
	rows := [][]float32{{}, {float32(math.NaN())}, {float32(math.NaN()), float32(math.Inf(-1))}, {float32(math.Inf(-1)), float32(math.Inf(-1))}}
	for n := 1; n < 90; n++ {
		for _, kind := range []int{0, 1, 2} {
			x := make([]float32, n)
			for i := range x {
				switch x[i] = float32(rng.NormFloat64()); {
				case kind == 1:
					x[i] = float32(rng.IntN(4))
				case kind == 2 && rng.IntN(3) == 0:
					x[i] = []float32{float32(math.NaN()), float32(math.Inf(-1)), -1e30, 3e38}[rng.IntN(4)]
				}
			}
			rows = append(rows, x)
		}
	}
	rising := make([]float32, 5000)
	for i := range rising {
		rising[i] = float32(i / 2)
	}
	return append(rows, rising)
}

// order is the indices of x from the best on, without NaNs.
func order(x []float32) []int32 {
	var idx []int32
	for i, v := range x {
		if v == v {
			idx = append(idx, int32(i))
		}
	}
	slices.SortStableFunc(idx, func(a, b int32) int {
		switch {
		case x[a] > x[b]:
			return -1
		case x[a] < x[b]:
			return 1
		}
		return 0
	})
	return idx
}

func TestMaxIndexAndTopKMatchSorting(t *testing.T) {
	for _, isa := range Available() {
		t.Run(isa.String(), func(t *testing.T) {
			defer SetISA(isa)()
			for _, x := range selectionRows() {
				want := order(x)
				switch i, v := MaxIndex(x); {
				case len(x) == 0:
					if i != -1 || !math.IsInf(float64(v), -1) {
						t.Errorf("MaxIndex of nothing is %d, %g", i, v)
					}
				case len(want) == 0:
					if i != 0 || v == v {
						t.Errorf("MaxIndex(%g) = %d, %g", x, i, v)
					}
				case int32(i) != want[0] || v != x[i]:
					t.Fatalf("MaxIndex(%g) = %d, %g, want index %d", x, i, v, want[0])
				}
				for _, k := range []int{0, 1, 2, 3, 8, 50, len(x), len(x) + 2} {
					idx, val := make([]int32, k), make([]float32, k)
					TopK(x, idx, val)
					for r := range k {
						wantIdx, wantVal := int32(-1), float32(math.Inf(-1))
						if r < len(want) {
							wantIdx, wantVal = want[r], x[want[r]]
						}
						if idx[r] != wantIdx || val[r] != wantVal {
							t.Fatalf("TopK(%g, %d): place %d is %d (%g), want %d (%g)", x, k, r, idx[r], val[r], wantIdx, wantVal)
						}
					}
				}
			}
		})
	}
}

func TestLogSumExpMatchesFloat64(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, isa := range Available() {
		t.Run(isa.String(), func(t *testing.T) {
			defer SetISA(isa)()
			for _, x := range selectionRows() {
				var sum float64
				m := float64(maxRowPortable(x))
				want := -inf
				for _, v := range x {
					sum += math.Exp(float64(v) - m)
				}
				if sum != sum || sum > 0 {
					want = m + math.Log(sum)
				}
				if slices.ContainsFunc(x, func(v float32) bool { return v != v }) {
					want = nan
				} else if math.IsInf(m, -1) {
					want = m
				}
				if got := LogSumExp(x); !near(got, float32(want), 3e-7) {
					t.Errorf("LogSumExp(%g) = %g, want %g", x, got, want)
				}
			}
			if got := LogSumExp([]float32{1, float32(inf)}); !math.IsInf(float64(got), 1) {
				t.Errorf("LogSumExp with +Inf = %g", got)
			}
		})
	}
}

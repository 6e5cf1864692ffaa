package kernel

import (
	"math/rand/v2"
	"testing"
)

// An element is, bit for bit, the chain of sums that amxTiles promises. The product of two bfloat16 values is a float32.
func TestTilesOfAMXAddInTheOrderStated(t *testing.T) {
	if Available()[len(Available())-1] < AMX {
		t.Skip("this processor has no AMX")
	}
	defer SetISA(AMX)()
	rng := rand.New(rand.NewPCG(19, 20))
	for _, s := range [][3]int{{1, 1, 1}, {3, 2, 5}, {16, 32, 16}, {17, 33, 33}, {40, 67, 50}, {33, 600, 70}, {300, 100, 200}} {
		m, k, n := s[0], s[1], s[2]
		_, a := roundedOperand(rng, m, k)
		_, b := roundedOperand(rng, n, k)
		got, want := NewMat(make([]float32, m*n), m, n), NewMat(make([]float32, m*n), m, n)
		(*Pool)(nil).Gemm(got, a, false, b, true, GemmOpt{BF16: true})
		for i := range m {
			for j := range n {
				want.Row(i)[j] = chainOfGroups(a.Row(i), b.Row(j))
			}
		}
		if err := sameMatBits(want, got); err != nil {
			t.Errorf("%v: %v", s, err)
		}
	}
}

// chainOfGroups is Σ x[k]·y[k] in groups of 16 pairs.
func chainOfGroups(x, y []float32) float32 {
	var sum float32
	for ; len(x) > 0; x, y = x[min(32, len(x)):], y[min(32, len(y)):] {
		var earlier, later float32
		for k := range min(32, len(x)) {
			product := x[k] * y[k]
			if k%2 == 0 {
				earlier += product
			} else {
				later += product
			}
		}
		sum += earlier + later
	}
	return sum
}

package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestRotaryTurnsPairsAndBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, c := range []struct{ rows, heads, headDim int }{{0, 2, 4}, {1, 1, 2}, {5, 3, 6}, {40, 4, 24}, {300, 9, 64}} {
		const positions = 50
		table := NewMat(make([]float32, positions*c.headDim), positions, c.headDim)
		half := c.headDim / 2
		for p := range positions {
			for j := range half {
				angle := float64(p) / float64(j+1)
				table.Row(p)[j], table.Row(p)[half+j] = float32(math.Cos(angle)), float32(math.Sin(angle))
			}
		}
		at := make([]int32, c.rows)
		for i := range at {
			at[i] = int32(r.IntN(positions))
		}
		x := randomMat(r, c.rows, c.heads*c.headDim, 7)
		before := cloneMat(x)
		(*Pool)(nil).Rotary(x, table, at, c.headDim, false)
		want := cloneMat(before)
		for i := range c.rows {
			for h := range c.heads {
				for j := range half {
					was := before.Row(i)[h*c.headDim:]
					sin, cos := math.Sincos(float64(at[i]) / float64(j+1))
					a, b := float64(was[j]), float64(was[half+j])
					want.Row(i)[h*c.headDim+j], want.Row(i)[h*c.headDim+half+j] = float32(a*cos-b*sin), float32(b*cos+a*sin)
				}
			}
		}
		sameNumbers(t, "turned", x.Data, want.Data)
		turned := cloneMat(x)
		for _, threads := range []int{1, 2, 3, 8} {
			p, again := NewPool(threads), cloneMat(before)
			p.Rotary(again, table, at, c.headDim, false)
			p.Close()
			sameBits(t, "another number of threads", again.Data, turned.Data)
		}
		for i := range c.rows {
			alone := cloneMat(before)
			(*Pool)(nil).Rotary(alone.Slice(i, i+1), table, at[i:i+1], c.headDim, false)
			sameBits(t, "a row alone", alone.Row(i), turned.Row(i))
		}
		(*Pool)(nil).Rotary(x, table, at, c.headDim, true)
		sameNumbers(t, "turned back", x.Data, before.Data)
	}
}

func sameNumbers(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if i := slices.IndexFunc(got, func(v float32) bool { return v != v }); i >= 0 {
		t.Fatalf("%s: element %d is not a number", what, i)
	}
	for i := range want {
		if math.Abs(float64(got[i]-want[i])) > 2e-6*(1+math.Abs(float64(want[i]))) {
			t.Fatalf("%s: element %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestRotaryTurnsPairsAndBack(t *testing.T) {
	for _, isa := range Available() {
		t.Run(isa.String(), func(t *testing.T) {
			defer SetISA(isa)()
			turnPairsAndBack(t)
		})
	}
}

func turnPairsAndBack(t *testing.T) {
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

// The same bits as the portable form, whatever the length of a head and the values, and nothing beside the row changes.
func TestRotaryHasTheSameBitsOnEveryInstructionSet(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 3))
	finite := specialValues[3:]
	for headDim := 2; headDim <= 150; headDim += 2 {
		angles := randomRows(r, 1, headDim, 0).Row(0)
		for heads := range 4 {
			before := randomRows(r, 1, heads*headDim+20, 0).Data
			for range heads {
				before[r.IntN(len(before))] = finite[r.IntN(len(finite))]
			}
			for _, sign := range []float32{1, -1} {
				rotate := func(isa ISA) []float32 {
					defer SetISA(isa)()
					x := slices.Clone(before)
					rotaryRow(x[9:][:heads*headDim], angles[:headDim/2], angles[headDim/2:], sign)
					return x
				}
				want := rotate(Portable)
				for _, isa := range Available() {
					sameBits(t, isa.String(), rotate(isa), want)
				}
			}
		}
	}
}

func TestRotaryDoesNotAllocate(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	x, table, at := NewMat(make([]float32, 300*96), 300, 96), NewMat(make([]float32, 9*24), 9, 24), make([]int32, 300)
	if n := testing.AllocsPerRun(20, func() { p.Rotary(x, table, at, 24, true) }); n != 0 {
		t.Errorf("allocates %v times", n)
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

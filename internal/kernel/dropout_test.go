package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The vectors that the authors of Philox publish with their implementation (Random123, kat_vectors).
func TestPhiloxKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		counter [4]uint32
		key     [2]uint32
		want    [4]uint32
	}{
		{want: [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[4]uint32{math.MaxUint32, math.MaxUint32, math.MaxUint32, math.MaxUint32}, [2]uint32{math.MaxUint32, math.MaxUint32},
			[4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0},
			[4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		if got := Philox(c.counter, c.key); got != c.want {
			t.Errorf("Philox(%x, %x) = %x, want %x", c.counter, c.key, got, c.want)
		}
	}
}

// droppedByDefinition is the choice as the documentation of Dropout states it.
func droppedByDefinition(d Dropout, row, col, cols int) bool {
	e := row*((cols+31)/32*32) + col
	words := Philox([4]uint32{uint32((e/32)*8 + e%8), d.Ctr[0], d.Ctr[1], d.Ctr[2]}, d.Key)
	return float64(words[(e/8)%4]) < float64(d.Rate)*(1<<32)
}

// dropoutRow is y = dropout(x) for a whole row of a matrix of cols columns. y may be x.
func dropoutRow(y, x []float32, d Dropout, row, cols int) {
	t := d.prepare(cols)
	t.apply(y, x, row, 0)
}

func TestDropoutFollowsItsDefinition(t *testing.T) {
	for _, isa := range Available() {
		t.Run(isa.String(), func(t *testing.T) {
			defer SetISA(isa)()
			rng := rand.New(rand.NewPCG(7, 8))
			for cols := range 140 {
				for _, gap := range []int{0, 3} {
					d := Dropout{Rate: rng.Float32(), Key: [2]uint32{rng.Uint32(), rng.Uint32()}, Ctr: [3]uint32{rng.Uint32(), rng.Uint32(), rng.Uint32()}}
					x := randomRows(rng, 5, cols, gap)
					y := randomRows(rng, 5, cols, gap)
					(*Pool)(nil).Dropout(y, x, d)
					for i := range x.Rows {
						row := make([]float32, cols)
						dropoutRow(row, x.Row(i), d, i, cols)
						for j, v := range x.Row(i) {
							var want float32
							if !droppedByDefinition(d, i, j, cols) {
								want = v / (1 - d.Rate)
							}
							if got := y.Row(i)[j]; !near(got, want, 1e-6) || row[j] != got {
								t.Fatalf("element (%d, %d) of %d columns: %g, by row %g, want %g", i, j, cols, got, row[j], want)
							}
						}
					}
				}
			}
		})
	}
}

// Numbers of elements beyond 32 bits wrap in the counter, everywhere alike.
func TestDropoutOfFarRows(t *testing.T) {
	const cols, row = 96, 1<<32/12 - 1
	d := testDropout
	x := []float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35}
	for _, isa := range Available() {
		restore := SetISA(isa)
		drop := d.prepare(cols)
		y := make([]float32, len(x))
		drop.apply(y, x, row, 60)
		for j := range y {
			if dropped := droppedByDefinition(d, row, 60+j, cols); dropped != (y[j] == 0) {
				t.Errorf("%v: column %d is %g", isa, 60+j, y[j])
			}
		}
		restore()
	}
}

func TestDropoutRates(t *testing.T) {
	const n = 1 << 18
	x, y := NewMat(make([]float32, n), 1, n), NewMat(make([]float32, n), 1, n)
	for i := range x.Data {
		x.Data[i] = 1
	}
	p := (*Pool)(nil)
	for _, rate := range []float32{0, 0.1, 0.3, 0.5, 0.9, 1} {
		p.Dropout(y, x, Dropout{Rate: rate, Key: [2]uint32{1, 2}})
		dropped := 0
		for _, v := range y.Data {
			if v == 0 {
				dropped++
			} else if !near(v, 1/(1-rate), 1e-6) {
				t.Fatalf("rate %g: a kept 1 became %g", rate, v)
			}
		}
		sd := math.Sqrt(n * float64(rate) * (1 - float64(rate)))
		if got, want := float64(dropped), n*float64(rate); math.Abs(got-want) > 5*sd {
			t.Errorf("rate %g: %d of %d dropped", rate, dropped, n)
		}
	}
}

package grad

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/tensor"
)

// The operations of decoder-only models, checked as those in grad_test.go are.

func TestEmbedWithLearnedPositions(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 16))
	table, pos, c := random(rng, 6, 5), random(rng, 4, 5), random(rng, 5, 5)
	ids, at := []int32{2, 5, 2, 0, 2}, []int32{0, 1, 2, 3, 0}
	mask := kept(5, 5, 0.3, 0)
	formula := func() matrix {
		y := zero(5, 5)
		for i, id := range ids {
			for j := range 5 {
				y.v[i*5+j] = mask.at(i, j) * (table.at(int(id), j) + pos.at(int(at[i]), j))
			}
		}
		return y
	}
	tape := &Tape{Pool: kernel.NewPool(2)}
	tape.Begin(recording)
	tp, pp := table.param(), pos.param()
	y := tape.Embed(Embedding{Table: tp, Scale: 1, Learned: pp, Rate: 0.3, Skip: -1}, ids, at)
	sameValues(t, y.Value(), formula())
	seed(tape, y, c)
	tape.Backward()
	scalar := func() float64 { return dot(formula(), c) }
	check(t, "table", table, tp.Grad, scalar)
	check(t, "positions", pos, pp.Grad, scalar)
}

func TestSelect(t *testing.T) {
	rng := rand.New(rand.NewPCG(17, 18))
	x, c := random(rng, 5, 4), random(rng, 3, 4)
	rows := []int32{4, 1, 4}
	formula := func() matrix {
		y := zero(3, 4)
		for i, r := range rows {
			copy(y.v[i*4:][:4], x.v[r*4:])
		}
		return y
	}
	for _, twice := range []bool{false, true} { // x has a gradient already
		tape := &Tape{Pool: kernel.NewPool(2)}
		tape.Begin(recording)
		in, weight := tape.Input(x.float32()), c
		y := tape.Select(in, rows)
		sameValues(t, y.Value(), formula())
		if twice {
			y = tape.Add(y, tape.Select(in, rows))
			weight = plus(c, c)
		}
		seed(tape, y, c)
		tape.Backward()
		check(t, "x", x, gradientOf(in), func() float64 { return dot(formula(), weight) })
	}
}

func TestSumRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(19, 20))
	x, c := random(rng, 6, 3), random(rng, 3, 3)
	starts := tensor.Starts{0, 1, 4, 6}
	formula := func() matrix {
		y := zero(3, 3)
		for i := range 3 {
			for row := starts[i]; row < starts[i+1]; row++ {
				for j := range 3 {
					y.v[i*3+j] += x.at(int(row), j) / math.Sqrt(float64(starts[i+1]-starts[i]))
				}
			}
		}
		return y
	}
	for _, twice := range []bool{false, true} { // x has a gradient already
		tape := &Tape{Pool: kernel.NewPool(2)}
		tape.Begin(recording)
		in, weight := tape.Input(x.float32()), c
		y := tape.SumRows(in, starts)
		sameValues(t, y.Value(), formula())
		if twice {
			y = tape.Add(y, tape.SumRows(in, starts))
			weight = plus(c, c)
		}
		seed(tape, y, c)
		tape.Backward()
		check(t, "x", x, gradientOf(in), func() float64 { return dot(formula(), weight) })
	}
}

// turned is rotary position embedding: coordinates j and j+half of every head of the first columns, by at·angle(j).
func turned(x matrix, columns, headDim int, at []int32) matrix {
	y := matrix{x.rows, x.cols, slices.Clone(x.v)}
	for i := range x.rows {
		for h := 0; h < columns; h += headDim {
			for j := range headDim / 2 {
				sin, cos := math.Sincos(float64(at[i]) / float64(j+1))
				a, b := x.at(i, h+j), x.at(i, h+j+headDim/2)
				y.v[i*x.cols+h+j], y.v[i*x.cols+h+j+headDim/2] = a*cos-b*sin, b*cos+a*sin
			}
		}
	}
	return y
}

// TestRotary turns what a linear layer gives, as attention does: the layer's own derivative must not need its result.
func TestRotary(t *testing.T) {
	rng := rand.New(rand.NewPCG(19, 20))
	const headDim, columns = 6, 12
	table := zero(10, headDim)
	for p := range table.rows {
		for j := range headDim / 2 {
			table.v[p*headDim+j+headDim/2], table.v[p*headDim+j] = math.Sincos(float64(p) / float64(j+1))
		}
	}
	x, w, c := random(rng, 4, 5), random(rng, 18, 5), random(rng, 4, 18)
	at := []int32{3, 0, 9, 3}
	formula := func() matrix { return turned(linear(x, w, matrix{}, kernel.None), columns, headDim, at) }
	tape := &Tape{Pool: kernel.NewPool(2)}
	tape.Begin(recording)
	xv, wp := tape.Input(x.float32()), w.param()
	y := tape.Rotary(tape.Linear(xv, wp, nil, kernel.None), columns, table.float32(), at)
	sameValues(t, y.Value(), formula())
	seed(tape, y, c)
	tape.Backward()
	scalar := func() float64 { return dot(formula(), c) }
	check(t, "x", x, gradientOf(xv), scalar)
	check(t, "w", w, wp.Grad, scalar)
}

func TestHeadNorm(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	s := kernel.AttnShape{Heads: 4, KVHeads: 2, HeadDim: 5}
	x, gq, gk, c := random(rng, 3, 40), random(rng, 1, 5), random(rng, 1, 5), random(rng, 3, 40)
	formula := func() matrix {
		y := matrix{3, 40, slices.Clone(x.v)}
		for h := range s.Heads + s.KVHeads {
			gamma := gq
			if h >= s.Heads {
				gamma = gk
			}
			head := norm(columns(x, 5*h, 5), gamma, matrix{}, 1e-6)
			for i := range 3 {
				copy(y.v[i*40+5*h:][:5], head.v[i*5:])
			}
		}
		return y
	}
	tape := &Tape{Pool: kernel.NewPool(2)}
	tape.Begin(recording)
	in, q, k := tape.Input(x.float32()), gq.param(), gk.param()
	y := tape.HeadNorm(in, q, k, 1e-6, s)
	sameValues(t, y.Value(), formula())
	seed(tape, y, c)
	tape.Backward()
	scalar := func() float64 { return dot(formula(), c) }
	check(t, "qkv", x, gradientOf(in), scalar)
	check(t, "gamma of queries", gq, q.Grad, scalar)
	check(t, "gamma of keys", gk, k.Grad, scalar)
}

func TestGated(t *testing.T) {
	rng := rand.New(rand.NewPCG(23, 24))
	for _, act := range []kernel.Activation{kernel.None, kernel.ReLU, kernel.GELU, kernel.GELUTanh, kernel.SiLU, kernel.Tanh} {
		x, c := random(rng, 3, 14), random(rng, 3, 7)
		formula := func() matrix {
			y := zero(3, 7)
			for i := range 3 {
				for j := range 7 {
					y.v[i*7+j] = activate(x.at(i, j), act) * x.at(i, 7+j)
				}
			}
			return y
		}
		tape := &Tape{Pool: kernel.NewPool(2)}
		tape.Begin(recording)
		in := tape.Input(x.float32())
		y := tape.Gated(in, act)
		sameValues(t, y.Value(), formula())
		seed(tape, y, c)
		tape.Backward()
		check(t, "x", x, gradientOf(in), func() float64 { return dot(formula(), c) })
	}
}

func TestParametersHeldInHalfGiveTheBitsOfTheirWidenedValues(t *testing.T) {
	rng := rand.New(rand.NewPCG(25, 26))
	x, w := random(rng, 3, 8), random(rng, 6, 8)
	held := kernel.NewHalf(6, 8)
	wide := zero(6, 8).param()
	for i := range 6 {
		held.SetRow(i, w.float32().Row(i))
		for j, v := range held.Row(i) {
			wide.Value.Row(i)[j] = math.Float32frombits(uint32(v) << 16)
		}
	}
	var half Param
	half.HoldHalf(nil, held, true, true)
	tape := &Tape{Pool: kernel.NewPool(2)}
	tape.Begin(Mode{})
	o := kernel.CrossEntropy{Targets: []int32{1, 5, 0}, Scale: 1}
	var results [2][]float32
	for i, p := range []*Param{wide, &half} {
		results[i] = append(results[i], tape.Linear(tape.Input(x.float32()), p, nil, kernel.GELU).Value().Data...)
		results[i] = append(results[i], tape.Embed(Embedding{Table: p, Scale: 2, Skip: -1}, []int32{4, 0, 4}, nil).Value().Data...)
		results[i] = append(results[i], float32(tape.CrossEntropy(tape.Input(x.float32()), p, nil, o, nil, nil)))
	}
	if !slices.Equal(results[0], results[1]) {
		t.Errorf("%v, held in bfloat16 %v", results[0], results[1])
	}
	var used Param
	used.HoldHalf(nil, held, true, false)
	defer func() {
		if recover() == nil {
			t.Error("what is held for use only can be recorded")
		}
	}()
	tape.Begin(Mode{Record: true})
	tape.Linear(tape.Input(x.float32()), &used, nil, kernel.None)
}

package nn

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/internal/kernel"
)

func TestStackedParametersAreOneMatrixAndSeveralNames(t *testing.T) {
	var s Store
	whole := s.Stacked([]string{"q", "k"}, []int{3, 2}, 5, Ones)
	table := s.Table("embedding", 7, 5, LookedUp, Zeros)
	s.Vector("bias", 5, Zeros)
	s.Allocate()
	s.Trainable()
	s.Initialize(1)
	if whole.Value.Rows != 5 || whole.Value.Cols != 5 || table.Grad.Rows != 7 {
		t.Errorf("the stack is [%d, %d]", whole.Value.Rows, whole.Value.Cols)
	}
	k := s.Params()[1]
	k.Data[0], k.Grad[1] = 42, 43
	if k.Name != "k" || !slices.Equal(k.Shape, []int{2, 5}) || whole.Value.Row(3)[0] != 42 || whole.Grad.Row(3)[1] != 43 {
		t.Errorf("%s %v is not rows 3 and 4 of the stack", k.Name, k.Shape)
	}
	if s.Count() != 25+35+5 || !s.Params()[2].Lookup || k.Lookup || s.Params()[3].Decays() || !k.Decays() {
		t.Error("parameters are not counted or described as they are")
	}
	for _, p := range s.Params() {
		if &s.Values()[s.Offset(p)] != &p.Data[0] || &s.Grads()[s.Offset(p)] != &p.Grad[0] {
			t.Errorf("%s does not begin at its offset", p.Name)
		}
	}
}

func TestInitialValuesDependOnSeedAndPlaceAlone(t *testing.T) {
	build := func(seed uint64, extra bool) []float32 {
		var s Store
		s.Matrix("a", 40, 30, Xavier(1))
		s.Matrix("b", 40, 30, Normal(0.5))
		if extra {
			s.Matrix("c", 2, 2, Ones)
		}
		s.Allocate()
		s.Initialize(seed)
		return s.Values()[:2400]
	}
	if !slices.Equal(build(1, false), build(1, true)) {
		t.Error("a further parameter changes the others")
	}
	if slices.Equal(build(1, false), build(2, false)) {
		t.Error("two seeds give the same values")
	}
	bound, square := math.Sqrt(6.0/70), 0.0
	for i, v := range build(1, false) {
		if i < 1200 && math.Abs(float64(v)) > bound {
			t.Fatalf("Xavier draws %g beyond %g", v, bound)
		}
		if i >= 1200 {
			square += float64(v) * float64(v) / 1200
		}
	}
	if math.Abs(math.Sqrt(square)-0.5) > 0.05 {
		t.Errorf("the normal distribution has deviation %g, want 0.5", math.Sqrt(square))
	}
}

func TestSinusoidsHaveSinesThenCosines(t *testing.T) {
	m := Sinusoids(50, 6)
	for pos := range 50 {
		for j := range 3 {
			angle := float64(pos) / math.Pow(10000, float64(2*j)/6)
			if d := math.Abs(float64(m.Row(pos)[j]) - math.Sin(angle)); d > 1e-6 {
				t.Errorf("sine %d at %d is off by %g", j, pos, d)
			}
			if d := math.Abs(float64(m.Row(pos)[3+j]) - math.Cos(angle)); d > 1e-6 {
				t.Errorf("cosine %d at %d is off by %g", j, pos, d)
			}
		}
	}
}

func TestRotaryAnglesDoNotDependOnHowTheTableGrew(t *testing.T) {
	frequencies := []float32{1, 0.1, 0.003}
	r := NewRotary(frequencies, 1.5)
	var group sync.WaitGroup
	for i := range 8 { // growing it at once
		group.Go(func() {
			for _, last := range []int32{3, int32(700 * i), 5000, int32(9 * i)} {
				if table := r.Angles([]int32{0, last, 1}); table.Rows <= int(last) {
					t.Errorf("a table of %d rows for position %d", table.Rows, last)
				}
			}
		})
	}
	group.Wait()
	table := r.Angles(nil)
	fresh := NewRotary(frequencies, 1.5).Angles([]int32{int32(table.Rows - 1)})
	if !slices.Equal(table.Data, fresh.Data[:len(table.Data)]) {
		t.Error("a table that grew has other angles than one made at once")
	}
	for p := range table.Rows {
		for j, f := range frequencies {
			sin, cos := math.Sincos(float64(float32(p) * f))
			if row := table.Row(p); math.Abs(float64(row[j])-1.5*cos) > 1e-6 || math.Abs(float64(row[3+j])-1.5*sin) > 1e-6 {
				t.Fatalf("position %d, pair %d: %v and %v", p, j, row[j], row[3+j])
			}
		}
	}
}

func TestMatricesHeldInHalfAreFilledPartByPart(t *testing.T) {
	var s Store
	s.Stacked([]string{"q", "k"}, []int{3, 2}, 5, Ones)
	s.Vector("bias", 5, Zeros)
	s.Table("embedding", 7, 4, LookedUp|Multiplied, Zeros)
	s.Table("positions", 6, 4, Added, Zeros)
	var filled []string
	err := s.AllocateHalf(nil, func(p *Param, to kernel.Half) error {
		if to.Rows != p.Shape[0] || to.Cols != p.Shape[1] {
			t.Errorf("%s of shape %v is to fill %d×%d", p.Name, p.Shape, to.Rows, to.Cols)
		}
		filled = append(filled, p.Name)
		return nil
	})
	if err != nil || !slices.Equal(filled, []string{"q", "k", "embedding"}) || !s.Half() {
		t.Errorf("filled are %v: %v", filled, err)
	}
	if p := s.Params(); p[0].Data != nil || p[3].Data != nil || len(p[2].Data) != 5 || len(p[4].Data) != 24 {
		t.Error("vectors and positions have memory, the others have not")
	}
	refused := errors.New("no")
	if err := new(Store).AllocateHalf(nil, nil); err != nil {
		t.Errorf("nothing to hold: %v", err)
	}
	var again Store
	again.Matrix("a", 2, 2, Zeros)
	if err := again.AllocateHalf(nil, func(*Param, kernel.Half) error { return refused }); err != refused {
		t.Errorf("an error of fill becomes %v", err)
	}
}

// TestForkedSequencesDoNotSeeEachOther stores random rows in sequences that are forked, extended and dropped at random,
// and compares every page with a plain copy of what each sequence should hold.
func TestForkedSequencesDoNotSeeEachOther(t *testing.T) {
	shape := kernel.AttnShape{Heads: 2, KVHeads: 2, HeadDim: 4}
	const layers, width = 2, 8
	c := NewCache(layers, shape)
	rng := rand.New(rand.NewPCG(1, 2))
	held := map[*Sequence][][]float32{} // rows of k and v, the same in both layers but for the sign
	var all []*Sequence
	add := func(s *Sequence, rows [][]float32) {
		held[s] = rows
		all = append(all, s)
	}
	add(c.New(), nil)
	for range 600 {
		i := rng.IntN(len(all))
		s := all[i]
		switch {
		case rng.IntN(10) == 0 && len(all) < 12:
			add(c.Fork(s), slices.Clone(held[s]))
		case rng.IntN(12) == 0 && len(all) > 1:
			c.Drop(s)
			delete(held, s)
			all = slices.Delete(all, i, i+1)
		default:
			n := 1 + rng.IntN(5)
			kv, seqs := kernel.NewMat(make([]float32, n*2*width), n, 2*width), slices.Repeat([]*Sequence{s}, n)
			for j := range kv.Data {
				kv.Data[j] = rng.Float32()
			}
			for r := range n {
				held[s] = append(held[s], kv.Row(r))
			}
			c.Extend(s, n)
			for l := range layers {
				layer := kernel.NewMat(slices.Clone(kv.Data), n, 2*width)
				if l == 1 {
					(*kernel.Pool)(nil).Scale(layer, -1)
				}
				c.store(l, seqs, layer)
			}
		}
	}
	want := make([]float32, c.page)
	for _, s := range all {
		rows := held[s]
		if s.Len() != len(rows) {
			t.Fatalf("a sequence of %d rows says that it has %d", len(rows), s.Len())
		}
		for l := range layers {
			for p, page := range s.pages {
				got := c.layers[l][int(page)*c.page:][:c.page]
				copy(want, got) // beyond the last row anything may stand
				for slot := range min(kernel.PageRows, len(rows)-p*kernel.PageRows) {
					row := slices.Clone(rows[p*kernel.PageRows+slot])
					for j := range row {
						if l == 1 {
							row[j] = -row[j]
						}
					}
					kernel.StoreKV(want, slot, row[:width], row[width:], shape)
				}
				if !slices.Equal(got, want) {
					t.Fatalf("page %d of a sequence holds another's rows", p)
				}
			}
		}
	}
	for _, s := range all {
		c.Drop(s)
	}
	if len(c.free) != len(c.refs) {
		t.Errorf("%d of %d pages are free after everything was dropped", len(c.free), len(c.refs))
	}
}

func TestClearedGradientsAreWrittenByOnePassAndAddedToByTheNext(t *testing.T) {
	x := kernel.NewMat([]float32{1, 2, 3, -1, 0.5, 4}, 2, 3)
	passes := func(n int, before float32) []float32 {
		var s Store
		l := NewLinear(&s, "l", 3, 4, Normal(1))
		unused := s.Matrix("unused", 2, 2, Ones)
		table := s.Table("table", 5, 4, LookedUp|Multiplied, Normal(1))
		s.Allocate()
		s.Initialize(1)
		s.Trainable()
		for _, m := range []kernel.Mat{l.weight.Grad, l.bias.Grad, unused.Grad, table.Grad} {
			for i := range m.Data {
				m.Data[i] = before
			}
		}
		if before != 0 {
			s.ClearGrads()
		}
		for range n {
			var tape grad.Tape
			tape.Begin(grad.Mode{Record: true})
			h := l.Forward(&tape, tape.Input(x), kernel.None)
			tape.CrossEntropy(h, table, nil, kernel.CrossEntropy{Targets: []int32{1, 3}, Scale: 1}, nil, nil)
			tape.Backward()
		}
		return s.Grads()
	}
	for n := range 3 {
		if want, got := passes(n, 0), passes(n, 7); !slices.Equal(want, got) {
			t.Errorf("after %d passes: %v, want %v", n, got, want)
		}
	}
}

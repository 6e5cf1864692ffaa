package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// rowOperands are the arguments of any row-wise kernel and the places for its results.
type rowOperands struct {
	x, dy, a, b          Mat
	y, z                 Mat // results
	gamma, beta          []float32
	mean, rstd           []float32
	dgamma, dbeta, total []float32 // results
	table, pos           Mat
	ids, positions       []int32
	dtable               Mat // result
	moments              [2][]float32
	sum                  float64 // result
}

func newRowOperands(rows, cols, gap int) *rowOperands {
	rng := rand.New(rand.NewPCG(uint64(rows), uint64(cols)))
	m := func(rows int) Mat { return randomRows(rng, rows, cols, gap) }
	v := func(n int) []float32 { return randomRows(rng, 1, n, 0).Data[:n] }
	o := &rowOperands{x: m(rows), dy: m(rows), a: m(rows), b: m(rows), y: m(rows), z: m(rows), gamma: v(cols), beta: v(cols), mean: v(rows), rstd: v(rows),
		dgamma: v(cols), dbeta: v(cols), total: v(cols), table: m(11), pos: m(13), dtable: m(11)}
	for range rows {
		o.ids = append(o.ids, rng.Int32N(11))
		o.positions = append(o.positions, rng.Int32N(13))
	}
	for i := range o.moments {
		o.moments[i] = v(len(o.y.Data))
		for j, m := range o.moments[i] {
			o.moments[i][j] = m * m
		}
	}
	return o
}

// fresh is o with results of its own.
func (o rowOperands) fresh() *rowOperands {
	for _, m := range []*Mat{&o.y, &o.z, &o.dtable} {
		m.Data = slices.Clone(m.Data)
	}
	for _, v := range []*[]float32{&o.mean, &o.rstd, &o.dgamma, &o.dbeta, &o.total, &o.moments[0], &o.moments[1]} {
		*v = slices.Clone(*v)
	}
	return &o
}

// rows is o with only rows [r0, r1), sharing its memory.
func (o rowOperands) rows(r0, r1 int) *rowOperands {
	for _, m := range []*Mat{&o.x, &o.dy, &o.a, &o.b, &o.y, &o.z} {
		*m = m.Slice(r0, r1)
	}
	o.mean, o.rstd, o.ids, o.positions = o.mean[r0:r1], o.rstd[r0:r1], o.ids[r0:r1], o.positions[r0:r1]
	return &o
}

func (o *rowOperands) results() map[string][]float32 {
	return map[string][]float32{"y": o.y.Data, "z": o.z.Data, "dgamma": o.dgamma, "dbeta": o.dbeta, "total": o.total, "dtable": o.dtable.Data,
		"mean": o.mean, "rstd": o.rstd, "m": o.moments[0], "v": o.moments[1], "sum": {math.Float32frombits(uint32(math.Float64bits(o.sum))), float32(o.sum)}}
}

var testDropout = Dropout{Rate: 0.3, Key: [2]uint32{11, 12}, Ctr: [3]uint32{13, 14, 15}}

// rowKernels lists the kernels. Those that sum over rows, or number them for dropout, do not give rows that can be
// compared one by one.
var rowKernels = []struct {
	name     string
	together bool
	run      func(p *Pool, o *rowOperands)
}{
	{"LayerNorm", false, func(p *Pool, o *rowOperands) { p.LayerNorm(o.y, o.x, o.gamma, o.beta, o.mean, o.rstd, 1e-5) }},
	{"LayerNormBackward by x", false, func(p *Pool, o *rowOperands) {
		p.LayerNormBackward(o.y, nil, nil, o.dy, o.x, o.gamma, o.mean, o.rstd, true)
	}},
	{"LayerNormBackward", true, func(p *Pool, o *rowOperands) {
		p.LayerNormBackward(o.y, o.dgamma, o.dbeta, o.dy, o.x, o.gamma, o.mean, o.rstd, false)
	}},
	{"RMSNorm", false, func(p *Pool, o *rowOperands) { p.RMSNorm(o.y, o.x, o.gamma, o.rstd, 1e-5) }},
	{"RMSNormBackward", true, func(p *Pool, o *rowOperands) {
		p.RMSNormBackward(o.y, o.dgamma, o.dy, o.x, o.gamma, o.rstd, true)
	}},
	{"Activate", false, func(p *Pool, o *rowOperands) { p.Activate(o.y, o.x, GELU) }},
	{"ActivateBackward", false, func(p *Pool, o *rowOperands) { p.ActivateBackward(o.y, o.dy, o.x, SiLU, true) }},
	{"Gated", false, func(p *Pool, o *rowOperands) { p.Gated(o.y, o.a, o.b, SiLU) }},
	{"GatedBackward", false, func(p *Pool, o *rowOperands) { p.GatedBackward(o.y, o.z, o.dy, o.a, o.b, GELUTanh) }},
	{"Dropout", true, func(p *Pool, o *rowOperands) { p.Dropout(o.y, o.x, testDropout) }},
	{"Softmax", false, func(p *Pool, o *rowOperands) { p.Softmax(o.y, o.x) }},
	{"Add", false, func(p *Pool, o *rowOperands) { p.Add(o.y, o.a, o.b) }},
	{"AddTo", false, func(p *Pool, o *rowOperands) { p.AddTo(o.y, o.a) }},
	{"WeightedSum", false, func(p *Pool, o *rowOperands) { p.WeightedSum(o.y, o.a, 0.7, o.b, -0.3) }},
	{"Scale", false, func(p *Pool, o *rowOperands) { p.Scale(o.y, 0.7) }},
	{"Fill", false, func(p *Pool, o *rowOperands) { p.Fill(o.y, 7) }},
	{"Copy", false, func(p *Pool, o *rowOperands) { p.Copy(o.y, o.x) }},
	{"ColumnSum", true, func(p *Pool, o *rowOperands) { p.ColumnSum(o.total, o.x) }},
	{"SumSquares", true, func(p *Pool, o *rowOperands) { o.sum = p.SumSquares(o.x.Data) }},
	{"AnyNonFinite", true, func(p *Pool, o *rowOperands) {
		if p.AnyNonFinite(o.x.Data) {
			o.sum = 1
		}
	}},
	{"Gather", false, func(p *Pool, o *rowOperands) {
		p.Gather(o.y, o.table, o.ids, 1.5, o.pos, o.positions, Dropout{})
	}},
	{"Gather with dropout", true, func(p *Pool, o *rowOperands) { p.Gather(o.y, o.table, o.ids, 1.5, Mat{}, nil, testDropout) }},
	{"ScatterAdd", true, func(p *Pool, o *rowOperands) { p.ScatterAdd(o.dtable, o.dy, o.ids, 1.5, testDropout, 3) }},
	{"Adam", true, func(p *Pool, o *rowOperands) {
		p.Adam(o.y.Data, o.x.Data, o.moments[0], o.moments[1], AdamParams{LR: 0.1, Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, GradScale: 1, Step: 2})
	}},
}

func sameResults(t *testing.T, what string, got, want *rowOperands) {
	t.Helper()
	w := want.results()
	for name, g := range got.results() {
		for i := range g {
			if math.Float32bits(g[i]) != math.Float32bits(w[name][i]) {
				t.Fatalf("%s: %s[%d] is %g, not %g", what, name, i, g[i], w[name][i])
			}
		}
	}
}

// Law 1.
func TestRowsDoNotDependOnOtherRows(t *testing.T) {
	for _, isa := range Available() {
		t.Run(isa.String(), func(t *testing.T) {
			defer SetISA(isa)()
			p := NewPool(2)
			defer p.Close()
			for _, k := range rowKernels {
				if k.together {
					continue
				}
				for _, gap := range []int{0, 5} {
					for _, cols := range []int{1, 31, 128, 300} {
						whole, parts := newRowOperands(77, cols, gap), newRowOperands(77, cols, gap)
						k.run(p, whole)
						for _, cut := range [][2]int{{0, 1}, {1, 8}, {8, 45}, {45, 46}, {46, 77}} {
							k.run(p, parts.rows(cut[0], cut[1]))
						}
						sameResults(t, fmt.Sprintf("%s of %d columns", k.name, cols), parts, whole)
					}
				}
			}
		})
	}
}

// Law 2; a nil Pool included.
func TestRowsDoNotDependOnThreads(t *testing.T) {
	for _, isa := range Available() {
		t.Run(isa.String(), func(t *testing.T) {
			defer SetISA(isa)()
			pools := []*Pool{NewPool(1), NewPool(2), NewPool(3), NewPool(8)}
			for _, shape := range [][3]int{{0, 16, 0}, {1, 1, 0}, {400, 64, 0}, {131, 130, 6}, {2100, 17, 0}} {
				start := newRowOperands(shape[0], shape[1], shape[2])
				for _, k := range rowKernels {
					want := start.fresh()
					k.run(nil, want)
					for _, p := range pools {
						got := start.fresh()
						k.run(p, got)
						sameResults(t, fmt.Sprintf("%s of %v, %d threads", k.name, shape, p.Threads()), got, want)
					}
				}
			}
			for _, p := range pools {
				p.Close()
			}
		})
	}
}

func TestRowKernelsDoNotAllocate(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	o := newRowOperands(300, 130, 2)
	for _, k := range rowKernels {
		if n := testing.AllocsPerRun(20, func() { k.run(p, o) }); n != 0 {
			t.Errorf("%s allocates %v times", k.name, n)
		}
	}
	x, idx, val := o.x.Row(0), make([]int32, 7), make([]float32, 7)
	if n := testing.AllocsPerRun(20, func() { MaxIndex(x); LogSumExp(x); TopK(x, idx, val) }); n != 0 {
		t.Errorf("the selections allocate %v times", n)
	}
}

// Results may take the place of an operand where the documentation says so.
func TestRowKernelsInPlace(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	for _, gap := range []int{0, 3} {
		for name, run := range map[string]func(o *rowOperands, y Mat){
			"LayerNorm": func(o *rowOperands, y Mat) { p.LayerNorm(y, o.x, o.gamma, o.beta, nil, nil, 1e-5) },
			"RMSNorm":   func(o *rowOperands, y Mat) { p.RMSNorm(y, o.x, o.gamma, nil, 1e-5) },
			"LayerNormBackward": func(o *rowOperands, y Mat) {
				p.LayerNormBackward(y, o.dgamma, o.dbeta, o.x, o.a, o.gamma, o.mean, o.rstd, false)
			},
			"RMSNormBackward": func(o *rowOperands, y Mat) {
				p.RMSNormBackward(y, o.dgamma, o.x, o.a, o.gamma, o.rstd, false)
			},
			"Activate":         func(o *rowOperands, y Mat) { p.Activate(y, o.x, GELU) },
			"ActivateBackward": func(o *rowOperands, y Mat) { p.ActivateBackward(y, o.x, o.a, GELU, false) },
			"Dropout":          func(o *rowOperands, y Mat) { p.Dropout(y, o.x, testDropout) },
			"Softmax":          func(o *rowOperands, y Mat) { p.Softmax(y, o.x) },
			"Add":              func(o *rowOperands, y Mat) { p.Add(y, o.x, o.b) },
			"WeightedSum":      func(o *rowOperands, y Mat) { p.WeightedSum(y, o.b, 2, o.x, 3) },
			"Gated":            func(o *rowOperands, y Mat) { p.Gated(y, o.x, o.b, SiLU) },
			"GatedBackward":    func(o *rowOperands, y Mat) { p.GatedBackward(y, o.a, o.dy, o.x, o.a, SiLU) },
		} {
			apart, inPlace := newRowOperands(90, 70, gap), newRowOperands(90, 70, gap)
			run(apart, apart.y)
			run(inPlace, inPlace.x)
			for i := range 90 {
				if !slices.Equal(apart.y.Row(i), inPlace.x.Row(i)) {
					t.Fatalf("%s in place differs in row %d", name, i)
				}
			}
			sameResults(t, name, &rowOperands{dgamma: apart.dgamma, dbeta: apart.dbeta}, &rowOperands{dgamma: inPlace.dgamma, dbeta: inPlace.dbeta})
		}
	}
}

// A matrix inside a wider one: what lies between its rows stays.
func TestRowKernelsKeepTheGapsBetweenRows(t *testing.T) {
	for _, k := range rowKernels {
		if k.name == "Adam" {
			continue
		}
		o, before := newRowOperands(40, 33, 4), newRowOperands(40, 33, 4)
		k.run(nil, o)
		for _, pair := range [][2]Mat{{o.y, before.y}, {o.z, before.z}, {o.dtable, before.dtable}} {
			for i := range pair[0].Data {
				if i%37 >= 33 && pair[0].Data[i] != pair[1].Data[i] {
					t.Fatalf("%s wrote between rows, at %d", k.name, i)
				}
			}
		}
	}
}

func TestGatherAndScatterAdd(t *testing.T) {
	o := newRowOperands(50, 45, 2)
	before := slices.Clone(o.dtable.Data)
	var p *Pool
	p.Gather(o.y, o.table, o.ids, 2, o.pos, o.positions, testDropout)
	p.ScatterAdd(o.dtable, o.dy, o.ids, 2, testDropout, 3)
	kept := func(i, j int) bool { return !droppedByDefinition(testDropout, i, j, 45) }
	for i, id := range o.ids {
		for j := range 45 {
			var want float32
			if kept(i, j) {
				want = (o.table.Row(int(id))[j]*2 + o.pos.Row(int(o.positions[i]))[j]) / 0.7
			}
			if got := o.y.Row(i)[j]; !near(got, want, 1e-6) {
				t.Fatalf("Gather: y[%d,%d] = %g, want %g", i, j, got, want)
			}
		}
	}
	for r := range 11 {
		for j := range 45 {
			want := before[r*47+j]
			for i, id := range o.ids {
				if int(id) == r && r != 3 && kept(i, j) {
					want += 2 * o.dy.Row(i)[j] / 0.7
				}
			}
			if got := o.dtable.Row(r)[j]; !near(got, want, 1e-5) {
				t.Fatalf("ScatterAdd: dtable[%d,%d] = %g, want %g", r, j, got, want)
			}
		}
	}
}

func TestEpilogueRowIsItsParts(t *testing.T) {
	for _, isa := range Available() {
		t.Run(isa.String(), func(t *testing.T) {
			defer SetISA(isa)()
			const cols, row = 150, 4
			drop := testDropout.prepare(cols)
			for _, piece := range []int{150, 16, 48, 7} {
				o := newRowOperands(5, cols, 0)
				pre := make([]float32, cols)
				for c := 0; c < cols; c += piece {
					end := min(c+piece, cols)
					y := o.y.Row(row)[c:end]
					copy(y, o.x.Row(row)[c:end])
					epilogueRow(y, o.gamma[c:end], pre[c:end], o.a.Row(row)[c:end], GELU, &drop, row, c)
				}
				want := make([]float32, cols)
				addRow(want, o.x.Row(row), o.gamma)
				if !slices.Equal(want, pre) {
					t.Fatal("pre is not x + bias")
				}
				activateRow(want, want, GELU)
				dropoutRow(want, want, testDropout, row, cols)
				addRow(want, want, o.a.Row(row))
				if !slices.Equal(want, o.y.Row(row)) {
					t.Errorf("in pieces of %d the epilogue differs", piece)
				}
			}
		})
	}
}

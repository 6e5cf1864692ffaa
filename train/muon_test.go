package train

import (
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/nn"
)

const optimFixture = "../../shared/fixtures/optim/optim.safetensors"

// TestMuonEqualsTorch compares with torch.optim.Muon, whose iterations ran in float64.
func TestMuonEqualsTorch(t *testing.T) {
	if _, err := os.Stat(optimFixture); err != nil {
		t.Skipf("%s is missing: Muon is not compared with torch", optimFixture)
	}
	f, err := hub.Open(optimFixture)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	read := func(name string) ([]float32, []int) {
		t.Helper()
		values, shape, err := f.Float32(name)
		if err != nil {
			t.Fatal(err)
		}
		return values, shape
	}
	var s nn.Store
	names := []string{"A", "B", "C"} // tall, wide and square
	for _, n := range names {
		_, shape := read("W/" + n)
		s.Matrix(n, shape[0], shape[1], nn.Zeros)
	}
	s.Allocate()
	for _, p := range s.Params() {
		w, _ := read("W/" + p.Name)
		copy(p.Data, w)
	}
	pool := kernel.NewPool(2)
	defer pool.Close()
	o := newOptimizer(OptimizerRecipe{Kind: "muon", Momentum: 0.9, WeightDecay: 0.05}, &s)
	if len(o.runs) != 0 {
		t.Errorf("Adam moves %v as well", o.runs)
	}
	for step := 1; step <= 5; step++ {
		for _, p := range s.Params() {
			g, _ := read(fmt.Sprintf("grad%d/%s", step, p.Name))
			copy(p.Grad, g)
		}
		o.step(pool, step, 0.02, 1)
		for _, p := range s.Params() {
			// The file holds float64; bfloat16 iterations, which torch prints, are only good to a thousandth.
			want, _ := read(fmt.Sprintf("muon_match_rms_adamw/step%d/%s", step, p.Name))
			for i, w := range want {
				if math.Abs(float64(w-p.Data[i])) > 1e-3 {
					t.Fatalf("step %d, %s[%d] is %g, want %g", step, p.Name, i, p.Data[i], w)
				}
			}
		}
	}
}

// TestOrthogonalizeBringsSingularValuesNearOne: Y·Yᵀ of the result has a diagonal near 1 and is near 0 elsewhere.
func TestOrthogonalizeBringsSingularValuesNearOne(t *testing.T) {
	for _, shape := range [][2]int{{8, 24}, {24, 8}, {16, 16}, {1, 5}} {
		for _, bf16 := range []bool{false, true} {
			rows, cols := shape[0], shape[1]
			x, norm := kernel.NewMat(make([]float32, rows*cols), rows, cols), 0.0
			for i := range x.Data {
				x.Data[i] = float32(math.Sin(float64(i*i + 1)))
				norm += float64(x.Data[i] * x.Data[i])
			}
			(*kernel.Pool)(nil).Scale(x, float32(1/math.Sqrt(norm)))
			n := min(rows, cols)
			y := orthogonalize(x, make([]float32, rows*cols+2*n*n), bf16)
			square := kernel.NewMat(make([]float32, n*n), n, n)
			(*kernel.Pool)(nil).Gemm(square, y, rows > cols, y, rows <= cols, kernel.GemmOpt{})
			for i := range n {
				for j := range n {
					want := 0.0
					if i == j {
						want = 1
					}
					if d := math.Abs(float64(square.Row(i)[j]) - want); d > 0.6 {
						t.Errorf("%v, bf16 %v: element [%d, %d] of the square is %g", shape, bf16, i, j, square.Row(i)[j])
					}
				}
			}
		}
	}
}

func TestMuonIsTheSameOnAnyNumberOfThreads(t *testing.T) {
	run := func(threads int) []float32 {
		var s nn.Store
		for i := range 5 {
			s.Matrix(fmt.Sprint("m", i), 24+8*i, 40-4*i, nn.Normal(1))
			s.Vector(fmt.Sprint("v", i), 7, nn.Ones)
		}
		s.Table("embedding", 30, 8, nn.LookedUp, nn.Normal(1))
		s.Allocate()
		s.Initialize(1)
		pool := kernel.NewPool(threads)
		defer pool.Close()
		o := newOptimizer(OptimizerRecipe{Kind: "muon", Momentum: 0.95, Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, WeightDecay: 0.1}, &s)
		for step := range 3 {
			for i := range s.Grads() {
				s.Grads()[i] = float32(math.Cos(float64(i * (step + 2))))
			}
			o.step(pool, step+1, 0.01, 0.5)
		}
		return s.Values()
	}
	want := run(1)
	for _, threads := range []int{2, 3, 8} {
		if !slices.Equal(run(threads), want) {
			t.Errorf("%d threads give other bits than one", threads)
		}
	}
}

// TestAdamRateIsOfWhatMuonLeavesToAdam moves a matrix, an embedding and a vector, at the full rate and at a tenth.
func TestAdamRateIsOfWhatMuonLeavesToAdam(t *testing.T) {
	pool := kernel.NewPool(1)
	defer pool.Close()
	moved := func(rate float64) map[string]float32 {
		var s nn.Store
		s.Matrix("matrix", 4, 4, nn.Ones)
		s.Table("embedding", 4, 4, nn.LookedUp, nn.Ones)
		s.Vector("vector", 4, nn.Ones)
		s.Allocate()
		s.Initialize(1)
		o := newOptimizer(OptimizerRecipe{Kind: "muon", Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Momentum: 0.9, AdamRate: rate}, &s)
		for _, p := range s.Params() {
			for i := range p.Grad {
				p.Grad[i] = 1
			}
		}
		o.step(pool, 1, 0.1, 1)
		by := map[string]float32{}
		for _, p := range s.Params() {
			by[p.Name] = 1 - p.Data[0]
		}
		return by
	}
	full, tenth := moved(0), moved(0.1)
	if full["matrix"] != tenth["matrix"] || full["matrix"] == 0 {
		t.Errorf("the matrix moves by %v, and at a tenth of Adam's rate by %v", full["matrix"], tenth["matrix"])
	}
	for _, name := range []string{"embedding", "vector"} {
		if r := tenth[name] / full[name]; math.Abs(float64(r)-0.1) > 1e-4 {
			t.Errorf("%s moves by %v, and at a tenth of the rate by %v", name, full[name], tenth[name])
		}
	}
}

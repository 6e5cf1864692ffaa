package train

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
)

// The golden steps are those of MarianMTModel under torch.optim.AdamW, with clipping and label smoothing.
func TestFiveStepsEqualTransformers(t *testing.T) {
	const dir = "../model/testdata/marian-train"
	e, err := hub.LoadEncDecModel(dir)
	if err != nil {
		t.Fatal(err)
	}
	golden, err := hub.Open(filepath.Join(dir, "train.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer golden.Close()
	text, err := os.ReadFile(filepath.Join(dir, "train.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Losses []float64 `json:"losses_before_steps_1_to_5_and_after_5"`
		Norms  []float64 `json:"grad_norm_before_clipping"`
		Loose  []string  `json:"params_loosely_determined"`
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	r := &run{store: e.Model.Store(), pool: kernel.NewPool(2)}
	defer r.pool.Close()
	r.tape.Pool = r.pool
	r.optimizer = newOptimizer(OptimizerRecipe{Kind: "adamw", Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, WeightDecay: 0.1, Clip: 1}, r.store)
	batch := goldenBatch(t, golden, e.Model)
	for step := 1; step <= 6; step++ {
		r.tape.Begin(grad.Mode{Record: true, Dropout: 1, Seed: 1, Step: uint32(step)})
		loss := e.Model.Loss(&r.tape, batch, 0.1, 1/float32(len(batch.Target)), nil)
		r.tape.Backward()
		if math.Abs(loss-want.Losses[step-1]) > 1e-5 {
			t.Errorf("loss before step %d: %.7f, want %.7f", step, loss, want.Losses[step-1])
		}
		if step == 6 {
			break
		}
		norm := math.Sqrt(r.pool.SumSquares(r.store.Grads()))
		if math.Abs(norm-want.Norms[step-1]) > 1e-4 {
			t.Errorf("gradient norm at step %d: %.6f, want %.6f", step, norm, want.Norms[step-1])
		}
		r.optimizer.step(r.pool, step, 1e-3, clipScale(norm, 1))
		clear(r.store.Grads())
		if step == 1 || step == 5 {
			compareParams(t, golden, r, fmt.Sprintf("step%d/", step), want.Loose)
		}
	}
}

func goldenBatch(t *testing.T, golden *hub.File, m *model.EncDec) *model.PairBatch {
	t.Helper()
	var b model.PairBatch
	for i := range 2 {
		var sides [2][]int32
		for j, side := range []string{"src", "tgt"} {
			ids, _, err := golden.Int64(fmt.Sprintf("batch/%s%d", side, i))
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range ids {
				sides[j] = append(sides[j], int32(id))
			}
		}
		b.Add(sides[0], sides[1], m.Config.DecoderStartID)
	}
	return &b
}

func compareParams(t *testing.T, golden *hub.File, r *run, prefix string, loose []string) {
	t.Helper()
	for _, p := range r.store.Params() {
		want, _, err := golden.Float32(prefix + p.Name)
		if err != nil {
			t.Fatal(err)
		}
		tolerance := 3e-5
		if slices.Contains(loose, p.Name) {
			tolerance = 5e-3
		}
		for i, w := range want {
			if d := math.Abs(float64(p.Data[i] - w)); !(d <= tolerance) {
				t.Errorf("%s%s[%d]: %g, want %g", prefix, p.Name, i, p.Data[i], w)
				break
			}
		}
	}
}

func TestMovingAverageForgetsTheStart(t *testing.T) {
	average, weights := []float32{5}, []float32{1}
	for step := 1; step <= 200; step++ {
		moveAverage(average, weights, 0.99, step)
	}
	if d := average[0] - 1; d < 0 || d > 0.01 {
		t.Errorf("after 200 steps: %g, want nearly 1", average[0])
	}
}

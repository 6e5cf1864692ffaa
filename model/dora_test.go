package model_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/nn"
)

// TestDoRAComputesAsThePaperSays compares with matrices that a formula in float64 gives: the rows of W + s·B·A, made as long as the
// magnitudes say. At first DoRA changes nothing.
func TestDoRAComputesAsThePaperSays(t *testing.T) {
	for _, name := range []string{"llama", "gpt2", "qwen3"} {
		t.Run(name, func(t *testing.T) {
			m := loadDecoder(t, fixture(t, name))
			tape := &grad.Tape{Pool: kernel.NewPool(2)}
			defer tape.Pool.Close()
			plain := longLogits(tape, m)
			l, err := m.NewLoRA(model.LoRAConfig{Rank: 3, Alpha: 6, Decomposed: true, Targets: model.Modules{Names: []string{model.AllLinear}}})
			if err != nil {
				t.Fatal(err)
			}
			l.Params.Allocate()
			l.Params.Initialize(5)
			l.Attach(1)
			if d := farthest(plain, longLogits(tape, m)); d > 1e-5 {
				t.Errorf("a new DoRA changes logits by %g", d)
			}
			l.Detach()
			disturb(l)
			l.Attach(1)
			got := longLogits(tape, m)
			l.Pack(tape.Pool)
			if !slices.Equal(got, longLogits(tape, m)) {
				t.Error("packed, the DoRA gives other bits")
			}
			l.Unpack()
			l.Detach()
			before := slices.Clone(m.Store().Values())
			l.Merge(tape.Pool, 1)
			merged := longLogits(tape, m)
			copy(m.Store().Values(), before)
			of, own := byName(m.Params()), byName(l.Params.Params())
			for _, module := range l.Modules {
				nameA, nameB := nn.LoRANames(module.Name)
				magnitude := own[strings.TrimSuffix(nameA, ".lora_A.weight")+".lora_magnitude_vector"]
				decompose(of[module.Name+".weight"], own[nameA], own[nameB], magnitude, module)
			}
			want := longLogits(tape, m)
			if d := farthest(got, want); d > 2e-4 || farthest(got, plain) < 1e-2 {
				t.Errorf("logits differ by %g", d)
			}
			if d := farthest(merged, want); d > 2e-4 {
				t.Errorf("logits of the merged model differ by %g", d)
			}
		})
	}
}

// decompose makes of a matrix what DoRA computes with.
func decompose(w, a, b, magnitude *nn.Param, module nn.LoRAModule) {
	out, in := w.Shape[0], w.Shape[1]
	for i := range out {
		row, square := make([]float64, in), 0.0
		for j := range in {
			row[j] = float64(w.Data[i*in+j])
			for k := range module.Rank {
				row[j] += module.Scale * float64(b.Data[i*module.Rank+k]) * float64(a.Data[k*in+j])
			}
			square += row[j] * row[j]
		}
		for j := range in {
			w.Data[i*in+j] = float32(float64(magnitude.Data[i]) * row[j] / math.Sqrt(square))
		}
	}
}

package model_test

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/nn"
)

// mustHaveGradientsOfPEFT compares each gradient with that in the file.
func mustHaveGradientsOfPEFT(t *testing.T, l *nn.LoRA, golden *hub.File) {
	t.Helper()
	for _, p := range l.Params.Params() {
		want := floats(t, golden, "grad/"+p.Name)
		largest := farthest(want, make([]float32, len(want)))
		if d := farthest(p.Grad, want); d > 2e-5 || largest == 0 {
			t.Errorf("gradient of %s differs by %g, the largest is %g", p.Name, d, largest)
		}
	}
	for _, name := range golden.Tensors() {
		if name, ok := strings.CutPrefix(name, "grad/"); ok && byName(l.Params.Params())[name] == nil {
			t.Errorf("PEFT trains %s, too", name)
		}
	}
}

// TestAdaptersOfEveryKindAreThoseOfPEFT is of DoRA, biases, and modules that are trained whole: what they compute, attached and merged, and the
// gradients of what can be trained.
func TestAdaptersOfEveryKindAreThoseOfPEFT(t *testing.T) {
	for _, name := range []string{"llama-dora", "gpt2-dora", "gpt2-biases", "gpt2-all-biases", "llama-output"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join("testdata", "adapters", name)
			base, err := hub.AdapterBase(dir)
			if err != nil {
				t.Fatal(err)
			}
			m, golden := loadDecoder(t, base), open(t, filepath.Join(dir, "golden.safetensors"))
			l := loadAdapter(t, dir, m).LoRA
			l.Attach(1)
			want := floats(t, golden, "logits")
			if d := farthest(logitsOf(t, m, golden, grad.Mode{}), want); d > 1e-4 {
				t.Errorf("logits differ by %g", d)
			}
			tape := &grad.Tape{Pool: kernel.NewPool(2)}
			defer tape.Pool.Close()
			m.Freeze(tape.Pool)
			l.Params.Trainable()
			var b model.TokenBatch
			for _, s := range goldenRows(t, golden) {
				b.AddText(s)
			}
			tape.Begin(grad.Mode{Record: true})
			loss := m.Loss(tape, &b, 1/float32(len(b.Input)), nil)
			if want := float64(floats(t, golden, "loss")[0]); math.Abs(loss-want) > 2e-5 {
				t.Errorf("the loss is %.6f, want %.6f", loss, want)
			}
			tape.Backward()
			if !l.ForUse() { // as one with biases of its own is
				mustHaveGradientsOfPEFT(t, l, golden)
			}
			l.Detach()

			m = loadDecoder(t, base)
			loadAdapter(t, dir, m).LoRA.Merge(nil, 1)
			if d := farthest(logitsOf(t, m, golden, grad.Mode{}), want); d > 1e-4 {
				t.Errorf("merged, logits differ by %g", d)
			}
		})
	}
}

// TestAClassifiersAdapterIsThatOfPEFT is of one that is trained beside a head.
func TestAClassifiersAdapterIsThatOfPEFT(t *testing.T) {
	dir := filepath.Join("testdata", "adapters", "llama-labels")
	m, _ := loadClassifier(t, "llama-3labels")
	golden := open(t, filepath.Join(dir, "golden.safetensors"))
	a, err := hub.LoadClassifierAdapter(dir, m)
	if err != nil {
		t.Fatal(err)
	}
	a.LoRA.Attach(1)
	tape := &grad.Tape{Pool: kernel.NewPool(2)}
	defer tape.Pool.Close()
	a.LoRA.Params.Trainable()
	rows, labels := goldenRows(t, golden), []int{1, 2}
	var b model.TokenBatch
	for _, s := range rows {
		b.AddInput(s)
	}
	tape.Begin(grad.Mode{Record: true})
	x, _ := m.TextScores(tape, &b, nil)
	want := floats(t, golden, "logits")
	if d := farthest(contents(x.Value()), want); d > 5e-5 {
		t.Errorf("scores differ by %g", d)
	}
	// The gradient of the mean cross-entropy: probabilities less what is right.
	seed := kernel.NewMat(make([]float32, len(want)), len(rows), len(m.Labels))
	for i, label := range labels {
		sum := 0.0
		for _, score := range x.Value().Row(i) {
			sum += math.Exp(float64(score))
		}
		for k, score := range x.Value().Row(i) {
			seed.Row(i)[k] = float32(math.Exp(float64(score)) / sum / float64(len(rows)))
		}
		seed.Row(i)[label] -= 1 / float32(len(rows))
	}
	tape.Seed(x, seed)
	tape.Backward()
	mustHaveGradientsOfPEFT(t, a.LoRA, golden)
	a.LoRA.Detach()
	a.LoRA.Merge(nil, 1)
	if d := farthest(floats(t, golden, "logits_merged"), slices.Concat(scores(m, tape, rows...)...)); d > 5e-5 {
		t.Errorf("merged, scores differ by %g", d)
	}
}

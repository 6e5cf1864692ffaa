package model_test

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
	"github.com/parley-lm/parley/nn"
)

// loadFixture reads a model that `transformers` saved. The names must match one to one.
func loadFixture(t *testing.T, name string) *model.EncDec { return loadWithDropout(t, name, 0) }

func loadWithDropout(t *testing.T, name string, rate float32) *model.EncDec {
	t.Helper()
	dir := filepath.Join("testdata", name)
	text, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	c := model.DefaultEncDecConfig()
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	c.Dropout = rate
	m, err := model.NewEncDec(c)
	if err != nil {
		t.Fatal(err)
	}
	f := open(t, filepath.Join(dir, "model.safetensors"))
	for _, p := range m.Params() {
		copy(p.Data, floats(t, f, p.Name))
	}
	copy(m.LogitsBias(), floats(t, f, "final_logits_bias"))
	return m
}

func open(t testing.TB, path string) *hub.File {
	t.Helper()
	f, err := hub.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func floats(t testing.TB, f *hub.File, name string) []float32 {
	t.Helper()
	v, _, err := f.Float32(name)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func ids(t testing.TB, f *hub.File, name string) []int32 {
	t.Helper()
	v, _, err := f.Int64(name)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]int32, len(v))
	for i, x := range v {
		out[i] = int32(x)
	}
	return out
}

func farthest(a, b []float32) float64 {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	d := 0.0
	for i := range a {
		e := math.Abs(float64(a[i]) - float64(b[i]))
		if math.IsNaN(e) {
			return math.Inf(1)
		}
		d = max(d, e)
	}
	return d
}

func contents(m kernel.Mat) []float32 {
	var out []float32
	for i := range m.Rows {
		out = append(out, m.Row(i)...)
	}
	return out
}

func TestLogitsEqualTransformers(t *testing.T) {
	m := loadFixture(t, "marian")
	golden := open(t, "testdata/marian/golden.safetensors")
	tape := &grad.Tape{Pool: kernel.NewPool(2)}
	var all model.PairBatch
	var want []float32
	for i := range 5 {
		src, dec := ids(t, golden, fmt.Sprintf("src%d", i)), ids(t, golden, fmt.Sprintf("dec%d", i))
		target := append(slices.Clone(dec[1:]), 0) // the decoder's input is start + target without its last
		var b model.PairBatch
		b.Add(src, target, dec[0])
		all.Add(src, target, dec[0])
		for _, record := range []bool{false, true} {
			tape.Begin(grad.Mode{Record: record})
			memory, _ := m.Hidden(tape, &b)
			if !record { // Compact may have moved it: read it from a pass of its own
				if d := farthest(contents(memory.Value()), floats(t, golden, fmt.Sprintf("enc%d", i))); d > 5e-4 {
					t.Errorf("encoder output %d differs by %g", i, d)
				}
			}
			tape.Begin(grad.Mode{Record: record})
			logits := contents(m.Logits(tape, &b).Value())
			if d := farthest(logits, floats(t, golden, fmt.Sprintf("logits%d", i))); d > 5e-4 {
				t.Errorf("logits %d (recording: %v) differ by %g", i, record, d)
			}
		}
		want = append(want, floats(t, golden, fmt.Sprintf("logits%d", i))...)
	}
	tape.Begin(grad.Mode{})
	if d := farthest(contents(m.Logits(tape, &all).Value()), want); d > 5e-4 {
		t.Errorf("logits of the batch differ by %g", d)
	}
}

// TestDecodingFromTheCacheIsTheSamePass holds the first law of bits: what a token gets does not depend on whether its
// predecessors were computed with it, before it, or in whose company.
func TestDecodingFromTheCacheIsTheSamePass(t *testing.T) {
	m := loadFixture(t, "marian")
	golden := open(t, "testdata/marian/golden.safetensors")
	for _, packed := range []bool{false, true} {
		tape := &grad.Tape{Pool: kernel.NewPool(2)}
		var b model.PairBatch
		var sources, inputs [][]int32
		for i := range 5 {
			src, dec := ids(t, golden, fmt.Sprintf("src%d", i)), ids(t, golden, fmt.Sprintf("dec%d", i))
			b.Add(src, append(slices.Clone(dec[1:]), 0), dec[0])
			sources, inputs = append(sources, src), append(inputs, dec)
		}
		tape.Begin(grad.Mode{})
		whole := m.Logits(tape, &b).Value()
		want := kernel.NewMat(contents(whole), whole.Rows, whole.Cols)
		if packed {
			m.Store().Pack(tape.Pool)
			defer m.Store().Unpack()
		}
		cache := m.NewCache()
		read := m.Read(tape, cache, sources, nil)
		targets := make([]*nn.Sequence, len(read))
		for i := range targets {
			targets[i] = cache.Targets.New()
		}
		for step := range 20 {
			var rows []model.Row
			var which []int
			for i, in := range inputs {
				if step < len(in) {
					rows = append(rows, model.Row{Token: in[step], Target: targets[i], Source: read[i]})
					which = append(which, i)
				}
			}
			logits := m.Step(tape, cache, rows)
			for r, i := range which {
				if !slices.Equal(logits.Row(r), want.Row(int(b.TargetStarts[i])+step)) {
					t.Fatalf("packed %v, step %d of sentence %d: logits differ from those of the whole pass by %g", packed,
						step, i, farthest(logits.Row(r), want.Row(int(b.TargetStarts[i])+step)))
				}
			}
		}
	}
}

func TestGradientsEqualTransformers(t *testing.T) {
	m := loadFixture(t, "marian-train")
	m.Store().Trainable()
	golden := open(t, "testdata/marian-train/train.safetensors")
	var info struct {
		Losses []float64 `json:"losses_before_steps_1_to_5_and_after_5"`
	}
	text, err := os.ReadFile("testdata/marian-train/train.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &info); err != nil {
		t.Fatal(err)
	}
	var b model.PairBatch
	for i := range 2 {
		b.Add(ids(t, golden, fmt.Sprintf("batch/src%d", i)), ids(t, golden, fmt.Sprintf("batch/tgt%d", i)), m.Config.DecoderStartID)
	}
	tape := &grad.Tape{Pool: kernel.NewPool(2)}
	tape.Begin(grad.Mode{Record: true})
	loss := m.Loss(tape, &b, 0.1, 1/float32(len(b.Target)), nil)
	if math.Abs(loss-info.Losses[0]) > 1e-5 {
		t.Errorf("loss is %.8f, want %.8f", loss, info.Losses[0])
	}
	tape.Backward()
	for _, p := range m.Params() {
		if d := farthest(p.Grad, floats(t, golden, "grad/"+p.Name)); d > 2e-5 {
			t.Errorf("gradient of %s differs by %g", p.Name, d)
		}
	}
}

// TestTrainingPassIsTheSameOnAnyNumberOfThreads holds the second law of bits, dropout included.
func TestTrainingPassIsTheSameOnAnyNumberOfThreads(t *testing.T) {
	golden := open(t, "testdata/marian-train/train.safetensors")
	var want []float32
	for _, threads := range []int{1, 2, 3, 8} {
		m := loadWithDropout(t, "marian-train", 0.3)
		m.Store().Trainable()
		tape := &grad.Tape{Pool: kernel.NewPool(threads)}
		var b model.PairBatch
		for range 20 {
			for i := range 2 {
				b.Add(ids(t, golden, fmt.Sprintf("batch/src%d", i)), ids(t, golden, fmt.Sprintf("batch/tgt%d", i)), m.Config.DecoderStartID)
			}
		}
		tape.Begin(grad.Mode{Record: true, Dropout: 1, Seed: 7, Step: 3})
		m.Loss(tape, &b, 0.1, 1, nil)
		tape.Backward()
		if want == nil {
			want = slices.Clone(m.Store().Grads())
		} else if !slices.Equal(want, m.Store().Grads()) {
			t.Errorf("%d threads: gradients have other bits than with one", threads)
		}
	}
}

func TestTrainingPassAllocatesNothingOnceWarm(t *testing.T) {
	m := loadWithDropout(t, "marian-train", 0.1)
	m.Store().Trainable()
	golden := open(t, "testdata/marian-train/train.safetensors")
	src, tgt := ids(t, golden, "batch/src0"), ids(t, golden, "batch/tgt0")
	tape := &grad.Tape{Pool: kernel.NewPool(2)}
	var b model.PairBatch
	if n := fewestAllocs(10, func() {
		b.Reset()
		for range 30 {
			b.Add(src, tgt, m.Config.DecoderStartID)
		}
		tape.Begin(grad.Mode{Record: true, Dropout: 1})
		m.Loss(tape, &b, 0.1, 1, nil)
		tape.Backward()
		m.FreezePadding()
	}); n != 0 {
		t.Errorf("%v allocations in a training pass", n)
	}
}

func TestConfigErrorsNameTheKey(t *testing.T) {
	for key, change := range map[string]func(*model.EncDecConfig){
		"encoder_attention_heads": func(c *model.EncDecConfig) { c.EncoderHeads = 7 },
		"d_model":                 func(c *model.EncDecConfig) { c.DModel = 0 },
		"activation_function":     func(c *model.EncDecConfig) { c.Activation = "tanhh" },
		"normalize_before":        func(c *model.EncDecConfig) { c.NormalizeBefore = true },
		"pad_token_id":            func(c *model.EncDecConfig) { c.PadID = 1 << 30 },
		"dropout":                 func(c *model.EncDecConfig) { c.Dropout = float32(math.NaN()) },
		"decoder_vocab_size":      func(c *model.EncDecConfig) { c.DecoderVocabSize = 5 },
		"model_type":              func(c *model.EncDecConfig) { c.ModelType = "bert" },
	} {
		c := model.DefaultEncDecConfig()
		change(&c)
		if err := c.Validate(); err == nil || !containsWord(err.Error(), key) {
			t.Errorf("%s out of range: error is %v", key, err)
		}
	}
}

func containsWord(s, word string) bool { return len(s) >= len(word) && s[:len(word)] == word }

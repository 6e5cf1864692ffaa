package model_test

import (
	"fmt"
	"math"
	"os"
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

// adapterFixture returns the directories of an adapter that PEFT saved and of its base model.
func adapterFixture(t testing.TB, name string) (adapter, base string) {
	t.Helper()
	adapter = filepath.Join("..", "..", "shared", "fixtures", "adapters", name)
	if _, err := os.Stat(adapter); err != nil {
		t.Skipf("../shared/fixtures/adapters/%s is not there", name)
	}
	base, err := hub.AdapterBase(adapter)
	if err != nil {
		t.Fatal(err)
	}
	return adapter, base
}

func loadAdapter(t testing.TB, dir string, m *model.Decoder) *hub.Adapter {
	t.Helper()
	a, err := hub.LoadAdapter(dir, m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// logitsOf are the logits of equally long sequences, end to end.
func logitsOf(t testing.TB, m *model.Decoder, golden *hub.File, mode grad.Mode) []float32 {
	t.Helper()
	var b model.TokenBatch
	for _, s := range goldenRows(t, golden) {
		b.Add(s, nothing(len(s)))
	}
	tape := &grad.Tape{Pool: kernel.NewPool(2)}
	defer tape.Pool.Close()
	tape.Begin(mode)
	return contents(m.Logits(tape, &b).Value())
}

func TestAdaptersComputeAsPEFTDoes(t *testing.T) {
	for _, name := range []string{"llama-qv", "llama-all-rslora", "gpt2-conv1d"} {
		t.Run(name, func(t *testing.T) {
			dir, base := adapterFixture(t, name)
			m, golden := loadDecoder(t, base), open(t, filepath.Join(dir, "golden.safetensors"))
			a := loadAdapter(t, dir, m)
			near := func(what, key string, got []float32) {
				t.Helper()
				if d := farthest(got, floats(t, golden, key)); !(d < 2e-4) {
					t.Errorf("%s: logits differ by %g", what, d)
				}
			}
			near("before", "logits_base", logitsOf(t, m, golden, grad.Mode{}))
			plain := logitsOf(t, m, golden, grad.Mode{})
			a.LoRA.Attach(1)
			near("attached", "logits", logitsOf(t, m, golden, grad.Mode{}))
			if !slices.Equal(plain, logitsOf(t, m, golden, grad.Mode{Plain: true})) {
				t.Error("without its update the model computes other bits than before")
			}
			a.LoRA.Detach()
			if !slices.Equal(plain, logitsOf(t, m, golden, grad.Mode{})) {
				t.Error("detached, the model computes other bits than before")
			}
			// Half of it twice is the whole.
			second := loadAdapter(t, dir, m)
			a.LoRA.Attach(0.5)
			second.LoRA.Attach(0.5)
			near("in two halves", "logits", logitsOf(t, m, golden, grad.Mode{}))
			a.LoRA.Detach()
			second.LoRA.Detach()

			a.LoRA.Merge(nil, 1)
			near("merged", "logits_merged", logitsOf(t, m, golden, grad.Mode{}))
			for _, p := range m.Params() {
				if _, ok := golden.Info("merged/" + p.Name); ok {
					if d := farthest(stored(p, p.Data), floats(t, golden, "merged/"+p.Name)); d > 1e-5 {
						t.Errorf("%s, merged, differs by %g", p.Name, d)
					}
				}
			}
		})
	}
}

func TestLoRATrainsAsPEFTDoes(t *testing.T) {
	dir, base := adapterFixture(t, "llama-train-lora")
	m, golden := loadDecoder(t, base), open(t, filepath.Join(dir, "train.safetensors"))
	untouched := slices.Clone(m.Store().Values())
	a := loadAdapter(t, dir, m)
	a.LoRA.Attach(1)
	tape := &grad.Tape{Pool: kernel.NewPool(2)}
	m.Freeze(tape.Pool)
	s := &a.LoRA.Params
	s.Trainable()
	var info trainingGolden
	readJSON(t, filepath.Join(dir, "train.json"), &info)
	b, scale := trainingBatch(t, open(t, filepath.Join(base, "train.safetensors")))
	mean, square := make([]float32, len(s.Values())), make([]float32, len(s.Values()))
	for step := 1; step <= 6; step++ {
		clear(s.Grads())
		tape.Begin(grad.Mode{Record: true, Dropout: 1})
		loss := m.Loss(tape, b, scale, nil)
		if math.Abs(loss-info.Losses[step-1]) > 2e-5 {
			t.Errorf("loss before step %d is %.7f, want %.7f", step, loss, info.Losses[step-1])
		}
		tape.Backward()
		for _, p := range s.Params() {
			if step == 1 {
				if d := farthest(p.Grad, floats(t, golden, "grad/"+p.Name)); d > 2e-5 {
					t.Errorf("gradient of %s differs by %g", p.Name, d)
				}
			}
		}
		norm := math.Sqrt(tape.Pool.SumSquares(s.Grads()))
		tape.Pool.Adam(s.Values(), s.Grads(), mean, square, kernel.AdamParams{
			LR: 1e-2, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, GradScale: min(1, 1/(norm+1e-6)), Step: step, Decoupled: true, WeightDecay: 0.1,
		})
		for _, p := range s.Params() {
			if step != 1 && step != 5 {
				continue
			}
			if d := farthest(p.Data, floats(t, golden, fmt.Sprintf("step%d/%s", step, p.Name))); d > 3e-5 {
				t.Errorf("%s after step %d differs by %g", p.Name, step, d)
			}
		}
	}
	if !slices.Equal(untouched, m.Store().Values()) || m.Store().Grads() != nil {
		t.Error("the base model was changed, or has gradients")
	}
}

// TestLoRAOnAFrozenModelInHalf compares a base in bfloat16 with one in float32 that has the same numbers: loss and gradients
// have the same bits, on any number of threads and with dropout, and nothing is allocated once warm.
func TestLoRAOnAFrozenModelInHalf(t *testing.T) {
	for _, name := range []string{"llama-train", "gpt2-train", "qwen3", "llama-train decomposed", "gpt2-train decomposed"} {
		t.Run(name, func(t *testing.T) {
			name, decomposed := strings.CutSuffix(name, " decomposed")
			dir := fixture(t, name)
			rounded := filepath.Join(t.TempDir(), "rounded")
			d, err := hub.LoadDecoder(dir)
			if err != nil {
				t.Fatal(err)
			}
			d.DType = hub.BF16
			if err := hub.SaveDecoder(rounded, d); err != nil {
				t.Fatal(err)
			}
			var want []float32
			for _, threads := range []int{1, 2, 3} {
				for _, half := range []bool{false, true} {
					load := hub.LoadDecoder
					if half {
						load = hub.LoadDecoderFrozenHalf
					}
					d, err := load(rounded)
					if err != nil {
						t.Fatal(err)
					}
					m, tape := d.Model, &grad.Tape{Pool: kernel.NewPool(threads)}
					m.SetDropout(0.1, 0.1)
					m.Freeze(tape.Pool)
					l, err := m.NewLoRA(model.LoRAConfig{Rank: 3, Alpha: 6, Dropout: 0.2, Decomposed: decomposed, Targets: model.Modules{Names: []string{model.AllLinear}}})
					if err != nil {
						t.Fatal(err)
					}
					l.Params.Allocate()
					l.Params.Initialize(5)
					for _, p := range l.Params.Params() {
						for i := range p.Data {
							p.Data[i] += float32(i%7-3) * 0.02
						}
					}
					l.Attach(1)
					l.Params.Trainable()
					b := longBatch(m)
					checkpoint := false
					pass := func() float64 {
						tape.Begin(grad.Mode{Record: true, Checkpoint: checkpoint, Dropout: 1, Seed: 7, Step: 3})
						loss := m.Loss(tape, b, 1, nil)
						tape.Backward()
						return loss
					}
					got := append([]float32{float32(pass())}, l.Params.Grads()...)
					clear(l.Params.Grads())
					checkpoint = true
					if twice := append([]float32{float32(pass())}, l.Params.Grads()...); !slices.Equal(got, twice) {
						t.Errorf("%d threads, in bfloat16 %v: computing blocks twice gives other bits", threads, half)
					}
					if want == nil {
						want = got
					} else if !slices.Equal(want, got) {
						t.Errorf("%d threads, in bfloat16 %v: loss or gradients have other bits", threads, half)
					}
					if threads == 2 {
						if n := fewestAllocs(3, func() { pass() }); n > 0 {
							t.Errorf("%v allocations a pass", n)
						}
					}
					tape.Pool.Close()
				}
			}
		})
	}
}

func TestTargetsAreMatchedAsPEFTMatchesThem(t *testing.T) {
	llama, gpt2 := loadDecoder(t, fixture(t, "llama")), loadDecoder(t, fixture(t, "gpt2"))
	for _, c := range []struct {
		what string
		m    *model.Decoder
		c    model.LoRAConfig
		want string // modules and ranks, or the error
	}{
		{"PEFT's default", llama, model.LoRAConfig{}, "0.self_attn.q_proj 4, 0.self_attn.v_proj 4, 1.self_attn.q_proj 4, 1.self_attn.v_proj 4"},
		{"PEFT's default of GPT-2", gpt2, model.LoRAConfig{Layers: []int{1}}, "1.attn.c_attn 4"},
		{"an end of a name", gpt2, model.LoRAConfig{Targets: model.Modules{Names: []string{"attn.c_proj"}}}, "0.attn.c_proj 4, 1.attn.c_proj 4"},
		{"a pattern", llama, model.LoRAConfig{Targets: model.Modules{Pattern: `.*\.0\..*(up|down)_proj`}}, "0.mlp.up_proj 4, 0.mlp.down_proj 4"},
		{"a pattern for a part", llama, model.LoRAConfig{Targets: model.Modules{Pattern: `q_proj`}}, "error: no linear layer of the model is among the targets"},
		{"layers", llama, model.LoRAConfig{Layers: []int{1}, LayersPattern: []string{"layers"}}, "1.self_attn.q_proj 4, 1.self_attn.v_proj 4"},
		{"other layers", llama, model.LoRAConfig{Layers: []int{1}, LayersPattern: []string{"blocks"}}, "error: no linear layer"},
		{"exclusions", llama, model.LoRAConfig{Exclude: model.Modules{Names: []string{"layers.0.self_attn.q_proj", "v_proj"}}}, "1.self_attn.q_proj 4"},
		{"ranks", llama, model.LoRAConfig{Layers: []int{0}, RankPattern: []model.Pattern[int]{{"0.self_attn.q_proj", 2}, {"[qv]_proj", 9}}},
			"0.self_attn.q_proj 2, 0.self_attn.v_proj 9"},
		{"no such target", llama, model.LoRAConfig{Targets: model.Modules{Names: []string{"q_proj", "c_attn"}}}, `error: target "c_attn" is not a linear layer of the model; it has q_proj`},
		{"the output layer", llama, model.LoRAConfig{Targets: model.Modules{Names: []string{"lm_head"}}}, "lm_head 4"},
		{"an embedding", gpt2, model.LoRAConfig{Targets: model.Modules{Names: []string{"wte", "c_attn"}}}, "0.attn.c_attn 4, 1.attn.c_attn 4, transformer.wte 4"},
		{"an embedding decomposed", gpt2, model.LoRAConfig{Decomposed: true, Targets: model.Modules{Names: []string{"wte"}}}, "error: use_dora: the embedding"},
		{"an embedding twice", gpt2, model.LoRAConfig{Save: []string{"wte"}, Targets: model.Modules{Names: []string{"wte"}}}, "error: modules_to_save and target_modules both"},
		{"a broken pattern", llama, model.LoRAConfig{Targets: model.Modules{Pattern: `(`}}, "error: target_modules: error parsing regexp"},
		{"a rank of its own", llama, model.LoRAConfig{RankPattern: []model.Pattern[int]{{"q_proj", 1 << 20}}}, "error: rank_pattern: a rank of 1048576"},
		{"dropout", llama, model.LoRAConfig{Dropout: 1}, "error: a dropout of 1"},
	} {
		t.Run(c.what, func(t *testing.T) {
			c.c.Rank, c.c.Alpha = 4, 8
			l, err := c.m.NewLoRA(c.c)
			var got []string
			if err != nil {
				got = []string{"error: " + err.Error()}
			} else {
				for _, x := range l.Modules {
					got = append(got, fmt.Sprintf("%s %d", strings.TrimPrefix(strings.TrimPrefix(x.Name, "model.layers."), "transformer.h."), x.Rank))
				}
			}
			if text := strings.Join(got, ", "); text != c.want && (err == nil || !strings.HasPrefix(text, c.want)) {
				t.Errorf("%s; want %s", text, c.want)
			}
		})
	}
	all, err := llama.NewLoRA(model.LoRAConfig{Rank: 4, Targets: model.Modules{Pattern: "all-linear"}})
	if err != nil || len(all.Modules) != 7*llama.Config.Layers {
		t.Errorf("all-linear: %d modules, %v", len(all.Modules), err)
	}
	if _, err := nn.NewLoRA(llama.Store(), []nn.LoRAModule{{Name: "model.embed_tokens", Rank: 1}}, 0); err == nil {
		t.Error("an embedding can be updated")
	}
}

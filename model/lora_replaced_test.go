package model_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/nn"
)

// TestUpdatesOfEmbeddingAndOutputAreThoseOfPEFT compares with matrices that its formulas give: W + s·(B·A)ᵀ of the embedding, W + s·B·A of
// the output layer.
func TestUpdatesOfEmbeddingAndOutputAreThoseOfPEFT(t *testing.T) {
	for name, embedding := range map[string]string{"llama": "model.embed_tokens", "gpt2": "transformer.wte"} {
		t.Run(name, func(t *testing.T) {
			m := loadDecoder(t, fixture(t, name))
			c := model.LoRAConfig{Rank: 3, Alpha: 6, Targets: model.Modules{Names: []string{embedding, "lm_head"}}}
			l, err := m.NewLoRA(c)
			if err != nil {
				t.Fatal(err)
			}
			disturbed(l)
			tape := &grad.Tape{Pool: kernel.NewPool(2)}
			defer tape.Pool.Close()
			plain, got := logitsBeside(t, tape, m, l)
			untied := func() *model.Decoder {
				u, err := m.Untied()
				if err != nil {
					t.Fatal(err)
				}
				return u
			}
			merged, want := untied(), untied()
			copiedFor(t, merged, c, l).Merge(tape.Pool, 1)
			of := byName(append(l.Params.Params(), want.Params()...))
			const prefix = "base_model.model."
			a, b := of[prefix+embedding+".lora_embedding_A"], of[prefix+embedding+".lora_embedding_B"] // [r, V], [D, r]
			addProduct(of[embedding+".weight"], func(i, j, k int) float64 { return float64(b.Data[j*3+k]) * float64(a.Data[k*a.Shape[1]+i]) })
			a2, b2 := of[prefix+"lm_head.lora_A.weight"], of[prefix+"lm_head.lora_B.weight"] // [r, D], [V, r]
			addProduct(of["lm_head.weight"], func(i, j, k int) float64 { return float64(b2.Data[i*3+k]) * float64(a2.Data[k*a2.Shape[1]+j]) })
			if d := farthest(got, longLogits(tape, want)); d > 1e-4 || farthest(got, plain) < 1e-2 {
				t.Errorf("logits differ by %g", d)
			}
			if d := farthest(longLogits(tape, merged), longLogits(tape, want)); d > 1e-4 {
				t.Errorf("logits of the merged model differ by %g", d)
			}
		})
	}
}

// addProduct adds twice the sum over k below 3 of a term to each element of a matrix.
func addProduct(w *nn.Param, term func(i, j, k int) float64) {
	for i := range w.Shape[0] {
		for j := range w.Shape[1] {
			sum := float64(w.Data[i*w.Shape[1]+j])
			for k := range 3 {
				sum += 2 * term(i, j, k)
			}
			w.Data[i*w.Shape[1]+j] = float32(sum)
		}
	}
}

// TestEmbeddingAndOutputAreTrainedBesideALoRA compares the logits with those of the merged model, in which they part if they were one.
func TestEmbeddingAndOutputAreTrainedBesideALoRA(t *testing.T) {
	for _, c := range []struct {
		name string
		save []string
	}{
		{"llama", []string{"embed_tokens"}}, {"llama", []string{"lm_head"}}, {"gpt2", []string{"wte", "lm_head"}}, {"gpt2", []string{"wte"}}, {"llama-train", []string{"lm_head", "model.embed_tokens"}},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			m := loadDecoder(t, fixture(t, c.name))
			config := model.LoRAConfig{Rank: 2, Alpha: 4, Save: c.save}
			l, err := m.NewLoRA(config)
			if err != nil {
				t.Fatal(err)
			}
			disturbed(l)
			tape := &grad.Tape{Pool: kernel.NewPool(2)}
			defer tape.Pool.Close()
			plain, got := logitsBeside(t, tape, m, l)
			l.Attach(1) // while it is, another can be made, and take its place
			other, err := m.NewLoRA(config)
			if err != nil {
				t.Fatal(err)
			}
			other.Params.Allocate()
			other.Params.Initialize(1)
			l.Detach()
			other.Attach(1)
			if farthest(plain, longLogits(tape, m)) > 1e-6 {
				t.Error("a new one changes something")
			}
			other.Detach()
			if m.Config.TieEmbeddings {
				if m, err = m.Untied(); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(plain, longLogits(tape, m)) {
					t.Error("untied, the model computes something else")
				}
			}
			copiedFor(t, m, config, l).Merge(tape.Pool, 1)
			if d := farthest(got, longLogits(tape, m)); d > 1e-4 || farthest(got, plain) < 1e-2 {
				t.Errorf("logits differ by %g from those of the merged model", d)
			}
		})
	}
	m := loadDecoder(t, fixture(t, "llama"))
	if _, err := m.NewLoRA(model.LoRAConfig{Rank: 2, Save: []string{"input_layernorm"}}); err == nil {
		t.Error("a norm can be trained beside a LoRA")
	}
}

// TestBiasesOfAnAdapterTakeThePlacesOfTheModels is of GPT-2, which has one in every layer.
func TestBiasesOfAnAdapterTakeThePlacesOfTheModels(t *testing.T) {
	for which, count := range map[string]int{"none": 0, "lora_only": 2, "all": 2*6 + 1} {
		m := loadDecoder(t, fixture(t, "gpt2"))
		before := slices.Clone(m.Store().Values())
		l, err := m.NewLoRA(model.LoRAConfig{Rank: 2, Alpha: 4, Bias: which})
		if err != nil {
			t.Fatal(err)
		}
		l.Params.Allocate()
		l.Params.Initialize(1) // B is zero: only biases have an effect
		biases := 0
		of := byName(m.Params())
		for _, p := range l.Params.Params() {
			if !strings.HasSuffix(p.Name, ".bias") {
				continue
			}
			biases++
			base := of[strings.Replace(strings.TrimPrefix(p.Name, "base_model.model."), ".base_layer", "", 1)]
			for i := range p.Data {
				if p.Data[i] != base.Data[i] {
					t.Fatalf("%s begins otherwise than the model's", p.Name)
				}
				p.Data[i] += float32(i%5) / 10
			}
		}
		if biases != count {
			t.Errorf("bias = %s: %d biases, want %d", which, biases, count)
		}
		tape := &grad.Tape{Pool: kernel.NewPool(2)}
		plain, got := logitsBeside(t, tape, m, l)
		if !slices.Equal(before, m.Store().Values()) || slices.Equal(got, plain) != (count == 0) {
			t.Errorf("bias = %s: something is left behind, or nothing has an effect", which)
		}
		l.Merge(tape.Pool, 1)
		if d := farthest(got, longLogits(tape, m)); d > 1e-6 {
			t.Errorf("bias = %s: logits differ by %g from those of the merged model", which, d)
		}
		tape.Pool.Close()
	}
}

package model_test

import (
	"fmt"
	"math"
	"math/rand/v2"
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

// disturbed fills a LoRA with numbers at which everything that it holds has an effect.
func disturbed(l *nn.LoRA) *nn.LoRA {
	l.Params.Allocate()
	l.Params.Initialize(5)
	rng := rand.New(rand.NewPCG(3, 4))
	for _, p := range l.Params.Params() {
		for i := range p.Data {
			p.Data[i] += 0.1 * float32(rng.NormFloat64())
		}
	}
	return l
}

// headGradients are scores of some sequences, and the gradients of the head by a seed.
func headGradients(m *model.Classifier, s *nn.Store, head string) (scores, gradient []float32) {
	tape := &grad.Tape{Pool: kernel.NewPool(2)}
	defer tape.Pool.Close()
	s.Trainable()
	var b model.TokenBatch
	for i := range 3 {
		var ids []int32
		for j := range 5 + 3*i {
			ids = append(ids, int32((7*i+11*j)%m.Config.VocabSize))
		}
		b.AddInput(ids)
	}
	tape.Begin(grad.Mode{Record: true})
	x, _ := m.TextScores(tape, &b, nil)
	scores = contents(x.Value())
	seed := kernel.NewMat(make([]float32, len(scores)), x.Value().Rows, x.Value().Cols)
	for i := range seed.Data {
		seed.Data[i] = float32(i%5) - 1.5
	}
	tape.Seed(x, seed)
	tape.Backward()
	s.Grads()
	for _, p := range s.Params() {
		for _, prefix := range []string{"", "base_model.model."} {
			if p.Name == prefix+head+".weight" || p.Name == prefix+head+".bias" {
				gradient = append(gradient, p.Grad...)
			}
		}
	}
	return scores, gradient
}

// TestAClassifiersHeadIsTrainedBesideALoRA compares with a model of which the updated matrices and the head are its own.
func TestAClassifiersHeadIsTrainedBesideALoRA(t *testing.T) {
	for _, name := range append([]string{"gpt2-sum", "llama-sum"}, classifierFixtures...) {
		t.Run(name, func(t *testing.T) {
			m, _ := loadClassifier(t, name)
			head, before := "score", slices.Clone(m.Store().Values())
			if name == "gpt2-sum" {
				head = "classifier"
			}
			m.SetHeadRate(5)
			l, err := m.NewLoRA(model.LoRAConfig{Rank: 3, Alpha: 6, Targets: model.Modules{Names: []string{model.AllLinear}}})
			if err != nil {
				t.Fatal(err)
			}
			disturbed(l)
			plain := scoresOf(m)
			l.Attach(1)
			got, gradient := headGradients(m, &l.Params, head)
			if m.Store().Grads() != nil {
				t.Error("the base has gradients")
			}
			for _, p := range l.Params.Params() {
				if isHead := p.Rate == 5; isHead != (p.Name == "base_model.model."+head+".weight" || p.Name == "base_model.model."+head+".bias") {
					t.Errorf("%s learns at %g times the rate", p.Name, p.Rate)
				}
			}
			l.Detach()
			if !slices.Equal(plain, scoresOf(m)) || !slices.Equal(before, m.Store().Values()) {
				t.Error("taken off, the LoRA leaves something behind")
			}
			pool := kernel.NewPool(2)
			defer pool.Close()
			l.Merge(pool, 1)
			want, wantGradient := headGradients(m, m.Store(), head)
			if d := farthest(got, want); d > 5e-5 || farthest(got, plain) < 1e-2 {
				t.Errorf("scores differ by %g from those of the merged model: %v", d, got)
			}
			if d := farthest(gradient, wantGradient); len(gradient) == 0 || d > 1e-3 {
				t.Errorf("the head's gradient differs by %g", d)
			}
		})
	}
}

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
			logits := func(m *model.Decoder) []float32 {
				tape.Begin(grad.Mode{})
				return contents(m.Logits(tape, longBatch(m)).Value())
			}
			plain := logits(m)
			l.Attach(1)
			got := logits(m)
			l.Detach()
			if !slices.Equal(plain, logits(m)) {
				t.Error("taken off, the LoRA leaves something behind")
			}
			untied := func() *model.Decoder {
				u, err := m.Untied()
				if err != nil {
					t.Fatal(err)
				}
				return u
			}
			merged, want := untied(), untied()
			again, err := merged.NewLoRA(c)
			if err != nil {
				t.Fatal(err)
			}
			again.Params.Allocate()
			copy(again.Params.Values(), l.Params.Values())
			again.Merge(tape.Pool, 1)
			of := map[string]*nn.Param{}
			for _, p := range append(l.Params.Params(), want.Params()...) {
				of[p.Name] = p
			}
			const prefix = "base_model.model."
			a, b := of[prefix+embedding+".lora_embedding_A"], of[prefix+embedding+".lora_embedding_B"] // [r, V], [D, r]
			addProduct(of[embedding+".weight"], func(i, j, k int) float64 { return float64(b.Data[j*3+k]) * float64(a.Data[k*a.Shape[1]+i]) })
			a2, b2 := of[prefix+"lm_head.lora_A.weight"], of[prefix+"lm_head.lora_B.weight"] // [r, D], [V, r]
			addProduct(of["lm_head.weight"], func(i, j, k int) float64 { return float64(b2.Data[i*3+k]) * float64(a2.Data[k*a2.Shape[1]+j]) })
			if d := farthest(got, logits(want)); d > 1e-4 || farthest(got, plain) < 1e-2 {
				t.Errorf("logits differ by %g", d)
			}
			if d := farthest(logits(merged), logits(want)); d > 1e-4 {
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
		of := map[string]*nn.Param{}
		for _, p := range m.Params() {
			of[p.Name] = p
		}
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
		logits := func() []float32 {
			tape.Begin(grad.Mode{})
			return contents(m.Logits(tape, longBatch(m)).Value())
		}
		plain := logits()
		l.Attach(1)
		got := logits()
		l.Detach()
		if !slices.Equal(before, m.Store().Values()) || slices.Equal(got, plain) != (count == 0) {
			t.Errorf("bias = %s: something is left behind, or nothing has an effect", which)
		}
		l.Merge(tape.Pool, 1)
		if d := farthest(got, logits()); d > 1e-6 {
			t.Errorf("bias = %s: logits differ by %g from those of the merged model", which, d)
		}
		tape.Pool.Close()
	}
}

// TestDoRAComputesAsThePaperSays compares with matrices that a formula in float64 gives: the rows of W + s·B·A, made as long as the
// magnitudes say. At first DoRA changes nothing.
func TestDoRAComputesAsThePaperSays(t *testing.T) {
	for _, name := range []string{"llama", "gpt2", "qwen3"} {
		t.Run(name, func(t *testing.T) {
			m := loadDecoder(t, fixture(t, name))
			tape := &grad.Tape{Pool: kernel.NewPool(2)}
			defer tape.Pool.Close()
			logits := func() []float32 {
				tape.Begin(grad.Mode{})
				return contents(m.Logits(tape, longBatch(m)).Value())
			}
			plain := logits()
			l, err := m.NewLoRA(model.LoRAConfig{Rank: 3, Alpha: 6, Decomposed: true, Targets: model.Modules{Names: []string{model.AllLinear}}})
			if err != nil {
				t.Fatal(err)
			}
			l.Params.Allocate()
			l.Params.Initialize(5)
			l.Attach(1)
			if d := farthest(plain, logits()); d > 1e-5 {
				t.Errorf("a new DoRA changes logits by %g", d)
			}
			l.Detach()
			disturbed := map[string]*nn.Param{}
			rng := rand.New(rand.NewPCG(3, 4))
			for _, p := range l.Params.Params() {
				disturbed[p.Name] = p
				for i := range p.Data {
					p.Data[i] += 0.1 * float32(rng.NormFloat64())
				}
			}
			l.Attach(1)
			got := logits()
			l.Pack(tape.Pool)
			if !slices.Equal(got, logits()) {
				t.Error("packed, the DoRA gives other bits")
			}
			l.Unpack()
			l.Detach()
			before := slices.Clone(m.Store().Values())
			l.Merge(tape.Pool, 1)
			merged := logits()
			copy(m.Store().Values(), before)
			of := map[string]*nn.Param{}
			for _, p := range m.Params() {
				of[p.Name] = p
			}
			for _, module := range l.Modules {
				nameA, nameB := nn.LoRANames(module.Name)
				magnitude := disturbed[strings.TrimSuffix(nameA, ".lora_A.weight")+".lora_magnitude_vector"]
				decompose(of[module.Name+".weight"], disturbed[nameA], disturbed[nameB], magnitude, module)
			}
			want := logits()
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

func scoresOf(m *model.Classifier) []float32 {
	tape := &grad.Tape{Pool: kernel.NewPool(1)}
	defer tape.Pool.Close()
	return slices.Concat(scores(m, tape, []int32{1, 2, 3, 4, 5}, []int32{9, 8, 7, 6, 5, 4, 3, 2}, []int32{3})...)
}

// TestAClassifiersLoRAOnAFrozenModelInHalf compares with a base in float32 that has the same numbers, a language model and a classifier.
func TestAClassifiersLoRAOnAFrozenModelInHalf(t *testing.T) {
	rounded := filepath.Join(t.TempDir(), "rounded")
	d, err := hub.LoadDecoder(fixture(t, "llama"))
	if err != nil {
		t.Fatal(err)
	}
	d.DType = hub.BF16
	if err := hub.SaveDecoder(rounded, d); err != nil {
		t.Fatal(err)
	}
	judge, err := hub.LoadClassifier(filepath.Join("testdata", "reward", "gpt2-3labels"))
	if err != nil {
		t.Fatal(err)
	}
	judging := filepath.Join(t.TempDir(), "judging")
	judge.DType = hub.BF16
	if err := hub.SaveClassifier(judging, judge); err != nil {
		t.Fatal(err)
	}
	for dir, labels := range map[string][]string{rounded: {"neg", "pos"}, judging: judge.Model.Labels} {
		wide, err := hub.LoadClassifierOn(dir, labels, model.LastToken)
		if err != nil {
			t.Fatal(err)
		}
		half, err := hub.LoadClassifierFrozenHalf(dir, labels, model.LastToken, 3)
		if err != nil {
			t.Fatal(err)
		}
		var scores, gradients [2][]float32
		for i, m := range []*model.Classifier{wide.Model, half} {
			l, err := m.NewLoRA(model.LoRAConfig{Rank: 3, Alpha: 6})
			if err != nil {
				t.Fatal(err)
			}
			disturbed(l)
			for _, p := range l.Params.Params() {
				if dir == rounded && strings.HasSuffix(p.Name, "score.weight") { // drawn anew in the one, zeros in the other
					for j := range p.Data {
						p.Data[j] = float32(j%7-3) / 8
					}
				}
			}
			l.Attach(1)
			scores[i], gradients[i] = headGradients(m, &l.Params, "score")
			gradients[i] = slices.Clone(l.Params.Grads())
		}
		if !slices.Equal(scores[0], scores[1]) || !slices.Equal(gradients[0], gradients[1]) {
			t.Errorf("%s: in bfloat16 the base gives other bits", dir)
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
			l, err := m.NewLoRA(model.LoRAConfig{Rank: 2, Alpha: 4, Save: c.save})
			if err != nil {
				t.Fatal(err)
			}
			disturbed(l)
			tape := &grad.Tape{Pool: kernel.NewPool(2)}
			defer tape.Pool.Close()
			logits := func(m *model.Decoder) []float32 {
				tape.Begin(grad.Mode{})
				return contents(m.Logits(tape, longBatch(m)).Value())
			}
			plain := logits(m)
			l.Attach(1)
			got := logits(m)
			l.Detach()
			if !slices.Equal(plain, logits(m)) {
				t.Error("taken off, the LoRA leaves something behind")
			}
			l.Attach(1) // while it is, another can be made, and take its place
			other, err := m.NewLoRA(model.LoRAConfig{Rank: 2, Alpha: 4, Save: c.save})
			if err != nil {
				t.Fatal(err)
			}
			other.Params.Allocate()
			other.Params.Initialize(1)
			l.Detach()
			other.Attach(1)
			if farthest(plain, logits(m)) > 1e-6 {
				t.Error("a new one changes something")
			}
			other.Detach()
			if m.Config.TieEmbeddings {
				if m, err = m.Untied(); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(plain, logits(m)) {
					t.Error("untied, the model computes something else")
				}
			}
			again, err := m.NewLoRA(model.LoRAConfig{Rank: 2, Alpha: 4, Save: c.save})
			if err != nil {
				t.Fatal(err)
			}
			again.Params.Allocate()
			copy(again.Params.Values(), l.Params.Values())
			again.Merge(tape.Pool, 1)
			if d := farthest(got, logits(m)); d > 1e-4 || farthest(got, plain) < 1e-2 {
				t.Errorf("logits differ by %g from those of the merged model", d)
			}
		})
	}
	m := loadDecoder(t, fixture(t, "llama"))
	if _, err := m.NewLoRA(model.LoRAConfig{Rank: 2, Save: []string{"input_layernorm"}}); err == nil {
		t.Error("a norm can be trained beside a LoRA")
	}
}

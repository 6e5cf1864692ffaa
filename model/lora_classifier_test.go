package model_test

import (
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

package model_test

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/loss"
	"github.com/parley-lm/parley/model"
)

// classifierFixtures are models that `transformers` saved, with the scores that it computes.
var classifierFixtures = []string{"gpt2-reward", "gpt2-3labels", "llama-reward", "llama-3labels"}

func loadClassifier(t testing.TB, name string) (*model.Classifier, string) {
	t.Helper()
	dir := filepath.Join("testdata", "reward", name)
	c, err := hub.LoadClassifier(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c.Model, dir
}

// scores judges sequences, all of them as one batch.
func scores(m *model.Classifier, tape *grad.Tape, sequences ...[]int32) [][]float32 {
	var b model.TokenBatch
	for _, s := range sequences {
		b.Add(s, nothing(len(s)))
	}
	tape.Begin(grad.Mode{})
	scored, _ := m.TextScores(tape, &b, nil)
	x := scored.Value()
	out := make([][]float32, x.Rows)
	for i := range out {
		out[i] = slices.Clone(x.Row(i))
	}
	return out
}

func TestScoresEqualTransformers(t *testing.T) {
	for _, name := range classifierFixtures {
		t.Run(name, func(t *testing.T) {
			m, dir := loadClassifier(t, name)
			golden := open(t, filepath.Join(dir, "golden.safetensors"))
			want := floats(t, golden, "scores")
			sequences := goldenRows(t, golden)
			for i := range len(sequences) {
				name := fmt.Sprintf("seq%d", i)
				sequences = append(sequences, ids(t, golden, name))
				want = append(want, floats(t, golden, name+".scores")...)
			}
			tape := &grad.Tape{Pool: kernel.NewPool(2)}
			if got := slices.Concat(scores(m, tape, sequences...)...); farthest(got, want) > 5e-5 {
				t.Errorf("scores differ by %g", farthest(got, want))
			}
			for i, s := range sequences {
				if alone := scores(m, tape, s); farthest(alone[0], want[i*len(m.Labels):][:len(m.Labels)]) > 5e-5 {
					t.Errorf("scores of sequence %d alone are %v", i, alone)
				}
			}
		})
	}
}

// TestSumOfTokensEqualsTransformers compares with what the …ForTokenClassification says of the tokens of a text.
func TestSumOfTokensEqualsTransformers(t *testing.T) {
	for _, name := range []string{"gpt2-sum", "llama-sum"} {
		t.Run(name, func(t *testing.T) {
			m, dir := loadClassifier(t, name)
			golden := open(t, filepath.Join(dir, "golden.safetensors"))
			var sequences [][]int32
			var want []float32
			for i := range 5 {
				seq := fmt.Sprintf("seq%d", i)
				sequences = append(sequences, ids(t, golden, seq))
				want = append(want, floats(t, golden, seq+".scores")...)
			}
			if m.Pooling != model.SumOfTokens || len(m.Labels) != 1 {
				t.Fatalf("pooling %d, labels %q", m.Pooling, m.Labels)
			}
			tape := &grad.Tape{Pool: kernel.NewPool(2)}
			if got := slices.Concat(scores(m, tape, sequences...)...); farthest(got, want) > 5e-5 {
				t.Errorf("scores differ by %g", farthest(got, want))
			}
		})
	}
}

func TestTheHeadAloneLearnsAtItsRate(t *testing.T) {
	for _, c := range []struct{ name, head string }{{"gpt2-sum", "classifier."}, {"llama-sum", "score."}, {"llama-reward", "score."}} {
		m, _ := loadClassifier(t, c.name)
		m.SetHeadRate(5)
		for _, p := range m.Params() {
			if of := strings.HasPrefix(p.Name, c.head); of != (p.LearningRate() == 5) {
				t.Errorf("%s: %s learns at %g times the rate", c.name, p.Name, p.LearningRate())
			}
		}
	}
}

func TestScoresDoNotDependOnCompanyOrThreads(t *testing.T) {
	for _, name := range []string{"gpt2-reward", "llama-3labels", "gpt2-sum"} {
		m, _ := loadClassifier(t, name)
		var sequences [][]int32
		for i := range 12 {
			s := make([]int32, 1+i*5%30)
			for j := range s {
				s[j] = int32((7*i+j*j+3)%(m.Config.VocabSize-3) + 3)
			}
			sequences = append(sequences, s)
		}
		want := scores(m, &grad.Tape{Pool: kernel.NewPool(1)}, sequences...)
		for _, threads := range []int{2, 3, 8} {
			if got := scores(m, &grad.Tape{Pool: kernel.NewPool(threads)}, sequences...); !slices.EqualFunc(got, want, slices.Equal) {
				t.Errorf("%s: %d threads give other bits", name, threads)
			}
		}
		for i, s := range sequences {
			if got := scores(m, &grad.Tape{Pool: kernel.NewPool(2)}, s); !slices.Equal(got[0], want[i]) {
				t.Errorf("%s: sequence %d alone has other bits", name, i)
			}
		}
	}
}

// TestRewardModelTrainsAsTransformersDoes compares loss, gradients and one step of AdamW on three pairs.
func TestRewardModelTrainsAsTransformersDoes(t *testing.T) {
	for _, name := range []string{"gpt2-reward", "llama-reward"} {
		t.Run(name, func(t *testing.T) {
			m, dir := loadClassifier(t, name)
			golden := open(t, filepath.Join(dir, "train.safetensors"))
			var info struct {
				Before float64  `json:"loss_before"`
				After  float64  `json:"loss_after_1_step"`
				Loose  []string `json:"params_loosely_determined"`
			}
			readJSON(t, filepath.Join(dir, "train.json"), &info)
			var b model.TokenBatch
			for i := range 3 {
				for _, side := range []string{"chosen", "rejected"} {
					s := ids(t, golden, fmt.Sprintf("%s%d", side, i))
					b.Add(s, nothing(len(s)))
				}
			}
			s := m.Store()
			s.Trainable()
			tape := &grad.Tape{Pool: kernel.NewPool(2)}
			pass := func() float64 { return rewardLoss(m, tape, &b) }
			if loss := pass(); math.Abs(loss-info.Before) > 2e-5 {
				t.Errorf("the loss is %.7f, want %.7f", loss, info.Before)
			}
			norm := math.Sqrt(tape.Pool.SumSquares(s.Grads()))
			for _, p := range m.Params() {
				if d := farthest(stored(p, p.Grad), floats(t, golden, "grad/"+p.Name)); d > 2e-5 {
					t.Errorf("gradient of %s differs by %g", p.Name, d)
				}
				o := kernel.AdamParams{LR: 1e-3, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, GradScale: min(1, 1/(norm+1e-6)), Step: 1, Decoupled: true}
				if p.Decays() {
					o.WeightDecay = 0.1
				}
				tape.Pool.Adam(p.Data, p.Grad, make([]float32, p.Size()), make([]float32, p.Size()), o)
				tolerance := 3e-5
				if slices.Contains(info.Loose, p.Name) {
					tolerance = 5e-3
				}
				if d := farthest(stored(p, p.Data), floats(t, golden, "step1/"+p.Name)); d > tolerance {
					t.Errorf("%s after a step differs by %g", p.Name, d)
				}
			}
			if loss := pass(); math.Abs(loss-info.After) > 1e-4 {
				t.Errorf("the loss after a step is %.7f, want %.7f", loss, info.After)
			}
		})
	}
}

// rewardLoss leaves the gradient of the mean pairwise loss of a batch of pairs, chosen before rejected.
func rewardLoss(m *model.Classifier, tape *grad.Tape, b *model.TokenBatch) float64 {
	clear(m.Store().Grads())
	tape.Begin(grad.Mode{Record: true})
	x := m.Scores(tape, b, m.LastRows(nil, b))
	n := x.Rows() / 2
	total, seed := 0.0, kernel.NewMat(make([]float32, 2*n), 2*n, 1)
	for i := range n {
		rewards, gradient := []float64{float64(x.Value().Row(2 * i)[0]), float64(x.Value().Row(2*i + 1)[0])}, make([]float64, 2)
		total += loss.Ranking{}.Of(rewards, []loss.Comparison{{Better: 0, Worse: 1}}, 1/float64(n), gradient) / float64(n)
		seed.Data[2*i], seed.Data[2*i+1] = float32(gradient[0]), float32(gradient[1])
	}
	tape.Seed(x, seed)
	tape.Backward()
	return total
}

func TestValuesOfAllRowsHaveTheBitsOfLastRows(t *testing.T) {
	m, dir := loadClassifier(t, "llama-reward")
	text := ids(t, open(t, filepath.Join(dir, "golden.safetensors")), "seq4")
	var b model.TokenBatch
	b.Add(text, nothing(len(text)))
	rows := make([]int32, len(text))
	for i := range rows {
		rows[i] = int32(i)
	}
	tape := &grad.Tape{Pool: kernel.NewPool(2)}
	tape.Begin(grad.Mode{})
	values := m.Scores(tape, &b, rows).Value()
	for i := range text {
		if alone := scores(m, &grad.Tape{Pool: kernel.NewPool(1)}, text[:i+1]); alone[0][0] != values.Row(i)[0] {
			t.Errorf("the value after %d tokens is %v, of a text that ends there %v", i+1, values.Row(i)[0], alone[0][0])
		}
	}
}

func TestClassifierFromALanguageModelKeepsItsLayers(t *testing.T) {
	d := loadDecoder(t, fixture(t, "gpt2-train"))
	m, err := model.NewClassifierFrom(d, []string{"bad", "good"}, 3)
	if err != nil {
		t.Fatal(err)
	}
	of := map[string][]float32{}
	for _, p := range d.Params() {
		of[p.Name] = p.Data
	}
	for _, p := range m.Params() {
		if p.Name == "score.weight" {
			if slices.Max(p.Data) == 0 || len(p.Data) != 2*d.Config.Hidden {
				t.Error("the head was not drawn")
			}
		} else if !slices.Equal(p.Data, of[p.Name]) {
			t.Errorf("%s is another one", p.Name)
		}
	}
}

func TestLabelsAreReadAsTransformersReadsThem(t *testing.T) {
	for _, c := range []struct{ config, labels, problem string }{
		{`{"model_type": "gpt2", "architectures": ["GPT2ForSequenceClassification"]}`, "LABEL_0,LABEL_1", ""},
		{`{"model_type": "qwen2", "architectures": ["Qwen2ForTokenClassification"], "num_labels": 1}`, "LABEL_0", ""},
		{`{"model_type": "qwen2", "architectures": ["Qwen2ForTokenClassification"]}`, "", "labels tokens"},
		{`{"model_type": "qwen2", "architectures": ["Qwen2ForTokenClassification"], "parley_pooling": "mean"}`, "", `parley_pooling = "sum"`},
		{`{"model_type": "qwen2", "architectures": ["Qwen2ForTokenClassification"], "parley_pooling": "sum"}`, "LABEL_0,LABEL_1", ""},
		{`{"model_type": "gpt2", "num_labels": 3}`, "LABEL_0,LABEL_1,LABEL_2", ""},
		{`{"model_type": "llama", "id2label": {"1": "pos", "0": "neg"}, "num_labels": 7}`, "neg,pos", ""},
		{`{"model_type": "llama", "id2label": {"0": "neg", "2": "pos"}}`, "", "number 1"},
		{`{"model_type": "llama", "id2label": {}}`, "", "no labels"},
		{`{"model_type": "llama", "id2label": {"x": "neg"}}`, "", "id2label"},
		{`{"model_type": "llama", "num_labels": 0}`, "", "num_labels"},
		{`{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}`, "", "LlamaForSequenceClassification"},
	} {
		_, labels, pooling, err := model.ParseClassifierConfig([]byte(c.config))
		if c.problem != "" {
			if err == nil || !strings.Contains(err.Error(), c.problem) {
				t.Errorf("%s: %v, want an error with %q", c.config, err, c.problem)
			}
		} else if got := strings.Join(labels, ","); err != nil || got != c.labels {
			t.Errorf("%s: %s, %v", c.config, got, err)
		} else if sums := strings.Contains(c.config, "ForTokenClassification"); sums != (pooling == model.SumOfTokens) {
			t.Errorf("%s: pooling %d", c.config, pooling)
		}
	}
}

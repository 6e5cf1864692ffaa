package model_test

import (
	"encoding/json"
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

// decoderFixtures are models that `transformers` saved, with what it computes with them.
var decoderFixtures = []string{
	"gpt2", "llama", "llama3", "llama-256", "llama-linear", "llama-sharded", "llama-yarn", "mistral", "qwen2", "qwen3",
}

// fixture returns the directory of a fixture: a small one beside the tests, a larger one outside of the repository. It
// skips the test where that is not there.
func fixture(t testing.TB, name string) string {
	t.Helper()
	for _, dir := range []string{filepath.Join("testdata", name), filepath.Join("..", "..", "shared", "fixtures", "models", name)} {
		if _, err := os.Stat(dir); err == nil {
			return dir
		}
	}
	t.Skipf("../shared/fixtures/models/%s is not there", name)
	return ""
}

func loadDecoder(t testing.TB, dir string) *model.Decoder {
	t.Helper()
	d, err := hub.LoadDecoder(dir)
	if err != nil {
		t.Fatal(err)
	}
	return d.Model
}

func readJSON(t testing.TB, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

// decoderGolden is golden.json of a decoder.
type decoderGolden struct {
	Batch, Seqs struct {
		SumLogLik []float64 `json:"sum_loglik"`
	}
	Greedy struct {
		Cases []struct{ Prompt, Continuation []int32 }
	}
}

// goldenSequences returns the token sequences of a golden.safetensors and their logits.
func goldenSequences(t testing.TB, golden *hub.File) (sequences [][]int32, logits [][]float32) {
	t.Helper()
	sequences = goldenRows(t, golden)
	values := floats(t, golden, "logits")
	n := len(values) / len(sequences)
	for i := range sequences {
		logits = append(logits, values[i*n:(i+1)*n])
	}
	for i := 0; ; i++ {
		name := fmt.Sprintf("seq%d", i)
		if _, ok := golden.Info(name); !ok {
			return sequences, logits
		}
		sequences, logits = append(sequences, ids(t, golden, name)), append(logits, floats(t, golden, name+".logits"))
	}
}

// nothing is as many targets that do not matter.
func nothing(n int) []int32 { return slices.Repeat([]int32{-1}, n) }

func TestDecoderLogitsEqualTransformers(t *testing.T) {
	for _, name := range decoderFixtures {
		t.Run(name, func(t *testing.T) {
			dir := fixture(t, name)
			m, golden := loadDecoder(t, dir), open(t, filepath.Join(dir, "golden.safetensors"))
			sequences, want := goldenSequences(t, golden)
			tape := &grad.Tape{Pool: kernel.NewPool(2)}
			var all model.TokenBatch
			var wantAll []float32
			for i, s := range sequences {
				var b model.TokenBatch
				b.Add(s, nothing(len(s)))
				all.Add(s, nothing(len(s)))
				wantAll = append(wantAll, want[i]...)
				for _, record := range []bool{false, true} {
					tape.Begin(grad.Mode{Record: record})
					if d := farthest(contents(m.Logits(tape, &b).Value()), want[i]); d > 5e-4 {
						t.Errorf("logits of sequence %d (recording: %v) differ by %g", i, record, d)
					}
				}
			}
			tape.Begin(grad.Mode{})
			if d := farthest(contents(m.Logits(tape, &all).Value()), wantAll); d > 5e-4 {
				t.Errorf("logits of the batch differ by %g", d)
			}
		})
	}
}

func TestDecoderLogLikelihoodsEqualTransformers(t *testing.T) {
	for _, name := range decoderFixtures {
		t.Run(name, func(t *testing.T) {
			dir := fixture(t, name)
			m := loadDecoder(t, dir)
			sequences, _ := goldenSequences(t, open(t, filepath.Join(dir, "golden.safetensors")))
			var golden decoderGolden
			readJSON(t, filepath.Join(dir, "golden.json"), &golden)
			want := slices.Concat(golden.Batch.SumLogLik, golden.Seqs.SumLogLik)
			tape := &grad.Tape{Pool: kernel.NewPool(2)}
			var b model.TokenBatch
			for _, s := range sequences {
				b.AddText(s)
			}
			nll := make([]float32, len(b.Input))
			tape.Begin(grad.Mode{})
			loss := m.Loss(tape, &b, 1, nll)
			total, at := 0.0, 0
			for i, s := range sequences {
				got := 0.0
				for range len(s) - 1 {
					got -= float64(nll[at])
					at++
				}
				if math.Abs(got-want[i]) > 1e-3 {
					t.Errorf("log-likelihood of sequence %d is %.6f, want %.6f", i, got, want[i])
				}
				total -= want[i]
			}
			if math.Abs(loss-total) > 1e-2 {
				t.Errorf("the loss is %.6f, want %.6f", loss, total)
			}
		})
	}
}

func TestDecoderGreedyContinuationsEqualTransformers(t *testing.T) {
	for _, name := range decoderFixtures {
		t.Run(name, func(t *testing.T) {
			dir := fixture(t, name)
			m := loadDecoder(t, dir)
			var golden decoderGolden
			readJSON(t, filepath.Join(dir, "golden.json"), &golden)
			tape := &grad.Tape{Pool: kernel.NewPool(2)}
			m.Store().Pack(tape.Pool)
			var prompts [][]int32
			for _, c := range golden.Greedy.Cases {
				prompts = append(prompts, c.Prompt)
			}
			for i, got := range greedy(m, tape, prompts, 32) { // together, from prompts of unequal length
				if want := golden.Greedy.Cases[i].Continuation; !slices.Equal(got, want) {
					t.Errorf("prompt %d: %v, want %v", i, got, want)
				}
			}
		})
	}
}

// greedy continues prompts, all of them together, by n tokens each.
func greedy(m *model.Decoder, tape *grad.Tape, prompts [][]int32, n int) [][]int32 {
	cache := m.NewCache()
	pieces, out := make([]model.Piece, len(prompts)), make([][]int32, len(prompts))
	for i, p := range prompts {
		pieces[i] = model.Piece{Sequence: cache.Sequences.New(), Tokens: p, Logits: 1}
	}
	for range n {
		logits := m.Step(tape, cache, pieces)
		for i := range pieces {
			best, _ := kernel.MaxIndex(logits.Row(i))
			out[i] = append(out[i], int32(best))
			pieces[i].Tokens = out[i][len(out[i])-1:]
		}
	}
	return out
}

func TestStories260KComesOutTokenForToken(t *testing.T) {
	dir := fixture(t, "stories260K")
	m := loadDecoder(t, dir)
	var golden struct {
		Greedy struct {
			Prompt       []int32
			Continuation []int32
		}
	}
	readJSON(t, filepath.Join(dir, "golden.json"), &golden)
	tape := &grad.Tape{Pool: kernel.NewPool(2)}
	got := greedy(m, tape, [][]int32{golden.Greedy.Prompt}, len(golden.Greedy.Continuation))[0]
	if len(got) < 100 || !slices.Equal(got, golden.Greedy.Continuation) {
		t.Errorf("the story is %v, want %v", got, golden.Greedy.Continuation)
	}
	file := open(t, filepath.Join(dir, "golden.safetensors"))
	var b model.TokenBatch
	story := ids(t, file, "input_ids")
	b.AddText(story)
	nll := make([]float32, len(b.Input))
	tape.Begin(grad.Mode{})
	m.Loss(tape, &b, 1, nll)
	if d := farthest(nll, floats(t, file, "nll")); d > 5e-4 {
		t.Errorf("−log p of the story's tokens differ by %g", d)
	}
}

// TestDecoderTokensDoNotDependOnPiecesOrCompany holds the first law of bits: the whole sequence at once, prompts in pieces of
// any length, token by token, alone and with others, with packed weights and without.
func TestDecoderTokensDoNotDependOnPiecesOrCompany(t *testing.T) {
	for _, name := range []string{"gpt2", "llama3", "llama-train", "llama-yarn", "mistral", "qwen3", "gpt2 in bf16", "llama3 in bf16"} {
		t.Run(name, func(t *testing.T) {
			name, bf16 := strings.CutSuffix(name, " in bf16")
			m := loadDecoder(t, fixture(t, name))
			if bf16 {
				m.Store().UseBF16()
			}
			tape := &grad.Tape{Pool: kernel.NewPool(2)}
			vocab := int32(m.Config.VocabSize)
			var sequences [][]int32
			for i, n := range []int{45, 1, 33, 64, 20} {
				s := make([]int32, min(n, m.Config.MaxPositions))
				for j := range s {
					s[j] = int32(j*j*7+i*31+j) % vocab
				}
				sequences = append(sequences, s)
			}
			var want []kernel.Mat
			for _, s := range sequences {
				var b model.TokenBatch
				b.Add(s, nothing(len(s)))
				tape.Begin(grad.Mode{Record: true})
				logits := m.Logits(tape, &b).Value()
				want = append(want, kernel.NewMat(contents(logits), logits.Rows, logits.Cols))
			}
			same := func(what string, got kernel.Mat, from int, sequence, position int) {
				t.Helper()
				if !slices.Equal(got.Row(from), want[sequence].Row(position)) {
					t.Fatalf("%s: position %d of sequence %d differs by %g", what, position, sequence,
						farthest(got.Row(from), want[sequence].Row(position)))
				}
			}
			var all model.TokenBatch
			for _, s := range sequences {
				all.Add(s, nothing(len(s)))
			}
			tape.Begin(grad.Mode{})
			together := m.Logits(tape, &all).Value()
			for i, s := range sequences {
				for p := range s {
					same("all sequences in one pass", together, int(all.Starts[i])+p, i, p)
				}
			}
			for _, packed := range []bool{false, true} {
				if packed {
					m.Store().Pack(tape.Pool)
				}
				for _, piece := range []int{1, 3, 7, 32, 33, 100} {
					what := fmt.Sprintf("pieces of %d, packed: %v", piece, packed)
					cache := m.NewCache()
					held := make([]*nn.Sequence, len(sequences))
					for i := range held {
						held[i] = cache.Sequences.New()
					}
					for begin := 0; begin < 64; begin += piece {
						var pieces []model.Piece
						for i, s := range sequences {
							if begin >= len(s) {
								continue
							}
							tokens := s[begin:min(begin+piece, len(s))]
							asked := []int{len(tokens), 1, 0, len(tokens) / 2, 1}[i] // logits
							pieces = append(pieces, model.Piece{Sequence: held[i], Tokens: tokens, Logits: asked})
						}
						logits, row := m.Step(tape, cache, pieces), 0
						for _, p := range pieces {
							i := slices.Index(held, p.Sequence)
							for j := range p.Logits {
								same(what, logits, row, i, p.Sequence.Len()-p.Logits+j)
								row++
							}
						}
						if row != logits.Rows {
							t.Fatalf("%s: %d rows of logits, want %d", what, logits.Rows, row)
						}
					}
				}
			}
		})
	}
}

// trainingBatch is the batch of a training golden, and scale what makes its loss a mean.
func trainingBatch(t testing.TB, golden *hub.File) (b *model.TokenBatch, scale float32) {
	t.Helper()
	b = new(model.TokenBatch)
	for i := 0; ; i++ {
		name := fmt.Sprintf("batch/seq%d", i)
		if _, ok := golden.Info(name); !ok {
			return b, 1 / float32(len(b.Input))
		}
		b.AddText(ids(t, golden, name))
	}
}

type trainingGolden struct {
	Losses []float64 `json:"losses_before_steps_1_to_5_and_after_5"`
	Loose  []string  `json:"params_loosely_determined"`
}

// stored is a parameter's numbers in the order of a checkpoint.
func stored(p *nn.Param, x []float32) []float32 {
	if !p.Transposed {
		return x
	}
	var out []float32
	for i := range p.Shape[1] {
		for o := range p.Shape[0] {
			out = append(out, x[o*p.Shape[1]+i])
		}
	}
	return out
}

func TestDecoderTrainsAsTransformersDoes(t *testing.T) {
	for _, name := range []string{"gpt2-train", "llama-train"} {
		t.Run(name, func(t *testing.T) {
			dir := fixture(t, name)
			m, golden := loadDecoder(t, dir), open(t, filepath.Join(dir, "train.safetensors"))
			m.Store().Trainable()
			var info trainingGolden
			readJSON(t, filepath.Join(dir, "train.json"), &info)
			b, scale := trainingBatch(t, golden)
			tape := &grad.Tape{Pool: kernel.NewPool(2)}
			s := m.Store()
			mean, square := make([]float32, len(s.Values())), make([]float32, len(s.Values()))
			for step := 1; step <= 6; step++ {
				clear(s.Grads())
				tape.Begin(grad.Mode{Record: true})
				loss := m.Loss(tape, b, scale, nil)
				if math.Abs(loss-info.Losses[step-1]) > 2e-5 {
					t.Errorf("loss before step %d is %.7f, want %.7f", step, loss, info.Losses[step-1])
				}
				tape.Backward()
				for _, p := range m.Params() {
					if d := 0.0; step == 1 {
						if d = farthest(stored(p, p.Grad), floats(t, golden, "grad/"+p.Name)); d > 2e-5 {
							t.Errorf("gradient of %s differs by %g", p.Name, d)
						}
					}
				}
				norm := math.Sqrt(tape.Pool.SumSquares(s.Grads()))
				for _, p := range m.Params() {
					o := kernel.AdamParams{LR: 1e-3, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, GradScale: min(1, 1/(norm+1e-6)), Step: step, Decoupled: true}
					if p.Decays() {
						o.WeightDecay = 0.1
					}
					at := s.Offset(p)
					tape.Pool.Adam(p.Data, p.Grad, mean[at:at+p.Size()], square[at:at+p.Size()], o)
					if step != 1 && step != 5 {
						continue
					}
					tolerance := 3e-5
					if slices.Contains(info.Loose, p.Name) {
						tolerance = 5e-3
					}
					if d := farthest(stored(p, p.Data), floats(t, golden, fmt.Sprintf("step%d/%s", step, p.Name))); d > tolerance {
						t.Errorf("%s after step %d differs by %g", p.Name, step, d)
					}
				}
			}
		})
	}
}

// TestDecoderTrainingIsTheSameOnAnyNumberOfThreads holds the second law of bits, dropout included.
func TestDecoderTrainingIsTheSameOnAnyNumberOfThreads(t *testing.T) {
	for _, name := range []string{"gpt2-train", "llama-train", "mistral", "qwen3"} {
		t.Run(name, func(t *testing.T) {
			dir := fixture(t, name)
			var want []float32
			for _, threads := range []int{1, 2, 3, 8} {
				m := withDropout(t, loadDecoder(t, dir), 0.2)
				m.Store().Trainable()
				tape := &grad.Tape{Pool: kernel.NewPool(threads)}
				b := longBatch(m)
				tape.Begin(grad.Mode{Record: true, Dropout: 1, Seed: 7, Step: 3})
				m.Loss(tape, b, 1, nil)
				tape.Backward()
				if want == nil {
					want = slices.Clone(m.Store().Grads())
				} else if !slices.Equal(want, m.Store().Grads()) {
					t.Errorf("%d threads: gradients have other bits than with one", threads)
				}
			}
		})
	}
}

// withDropout is a model with the same weights that drops.
func withDropout(t testing.TB, m *model.Decoder, rate float32) *model.Decoder {
	t.Helper()
	c := m.Config
	c.Dropout, c.EmbeddingDropout = rate, rate
	dropping, err := model.NewDecoder(c)
	if err != nil {
		t.Fatal(err)
	}
	copy(dropping.Store().Values(), m.Store().Values())
	return dropping
}

// longBatch is sequences of several lengths.
func longBatch(m *model.Decoder) *model.TokenBatch {
	b := new(model.TokenBatch)
	for i := range 20 {
		s := make([]int32, 2+i*17%(m.Config.MaxPositions-1))
		for j := range s {
			s[j] = int32(j*j*7+i*31+j) % int32(m.Config.VocabSize)
		}
		b.AddText(s)
	}
	return b
}

// fewestAllocs is AllocsPerRun, tried again where it is not 0: Go's runtime now and then makes records of goroutines that wait.
func fewestAllocs(runs int, f func()) float64 {
	fewest := testing.AllocsPerRun(runs, f)
	for try := 0; try < 3 && fewest > 0; try++ {
		fewest = min(fewest, testing.AllocsPerRun(runs, f))
	}
	return fewest
}

func TestDecoderAllocatesNothingOnceWarm(t *testing.T) {
	for _, name := range []string{"gpt2-train", "llama-train", "qwen3"} {
		t.Run(name, func(t *testing.T) {
			m := withDropout(t, loadDecoder(t, fixture(t, name)), 0.1)
			m.Store().Trainable()
			tape := &grad.Tape{Pool: kernel.NewPool(2)}
			filled := longBatch(m)
			b := new(model.TokenBatch)
			if n := fewestAllocs(5, func() {
				b.Reset()
				for i := range filled.Starts.Len() {
					b.Add(filled.Input[filled.Starts[i]:filled.Starts[i+1]], filled.Target[filled.Starts[i]:filled.Starts[i+1]])
				}
				tape.Begin(grad.Mode{Record: true, Dropout: 1})
				m.Loss(tape, b, 1, nil)
				tape.Backward()
			}); n != 0 {
				t.Errorf("%v allocations in a training pass", n)
			}
			cache := m.NewCache()
			pieces := []model.Piece{{Tokens: []int32{1, 2, 3}, Logits: 1}, {Tokens: []int32{4}, Logits: 1}}
			if n := fewestAllocs(5, func() {
				for i := range pieces {
					pieces[i].Sequence = cache.Sequences.New()
				}
				for range 8 {
					m.Step(tape, cache, pieces)
				}
				for _, p := range pieces {
					cache.Sequences.Drop(p.Sequence)
				}
			}); n != 0 {
				t.Errorf("%v allocations in decoding", n)
			}
		})
	}
}

// TestDecoderHeldInHalfHasTheBitsOfItsWidenedValues compares models whose matrices are held in bfloat16 with the same in
// float32, their numbers rounded: decoding in pieces, and the loss.
func TestDecoderHeldInHalfHasTheBitsOfItsWidenedValues(t *testing.T) {
	for _, name := range []string{"llama3", "gpt2-train", "llama-train", "llama-sharded", "qwen3"} {
		t.Run(name, func(t *testing.T) {
			dir := fixture(t, name)
			tape := &grad.Tape{Pool: kernel.NewPool(2)}
			wide := loadDecoder(t, dir)
			held, err := hub.LoadDecoderHalf(dir, tape.Pool, false)
			if err != nil {
				t.Fatal(err)
			}
			for i, p := range held.Model.Params() {
				row := kernel.NewHalf(1, p.Size())
				if p.Data != nil {
					if p.Decays() && p.Name != "transformer.wpe.weight" {
						t.Errorf("%s is held in float32", p.Name)
					}
					if !slices.Equal(p.Data, wide.Params()[i].Data) {
						t.Errorf("%s is another one", p.Name)
					}
					continue
				}
				data := wide.Params()[i].Data
				row.SetRow(0, data)
				for j, v := range row.Row(0) {
					data[j] = math.Float32frombits(uint32(v) << 16)
				}
			}
			text := make([]int32, 30)
			for i := range text {
				text[i] = int32(i * i % wide.Config.VocabSize)
			}
			var results [2][]float32
			for i, m := range []*model.Decoder{wide, held.Model} {
				cache := m.NewCache()
				s := cache.Sequences.New()
				for _, piece := range [][]int32{text[:17], text[17:18], text[18:]} {
					logits := m.Step(tape, cache, []model.Piece{{Sequence: s, Tokens: piece, Logits: len(piece)}})
					results[i] = append(results[i], contents(logits)...)
				}
				var b model.TokenBatch
				b.AddText(text)
				tape.Begin(grad.Mode{})
				results[i] = append(results[i], float32(m.Loss(tape, &b, 1, nil)))
			}
			if !slices.Equal(results[0], results[1]) {
				t.Errorf("the two differ by %g", farthest(results[0], results[1]))
			}
		})
	}
}

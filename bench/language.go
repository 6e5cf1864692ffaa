package bench

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/internal/memory"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/nn"
)

// preset is a language model whose training is measured, with the batch that is usual for it.
type preset struct {
	layers, width, heads, vocabulary int
	batch, context                   int

	kvHeads, feedForward int // of a model in Llama's architecture; 0: it is in GPT-2's
	passes               int // in which the gradient of a LoRA is computed
}

// presets are GPT-2 with llm.c's batch for processors, nanoGPT's example for processors, one between them, and the shape of
// SmolLM2-135M for fine-tuning.
var presets = map[string]preset{
	"gpt2":    {layers: 12, width: 768, heads: 12, vocabulary: 50257, batch: 4, context: 64},
	"small":   {layers: 6, width: 384, heads: 6, vocabulary: 8192, batch: 8, context: 256},
	"char":    {layers: 4, width: 128, heads: 4, vocabulary: 65, batch: 12, context: 64},
	"smollm2": {layers: 30, width: 576, heads: 9, vocabulary: 49152, batch: 4, context: 256, kvHeads: 3, feedForward: 1536, passes: 2},
}

// config describes the model as config.json would.
func (s preset) config() model.DecoderConfig {
	c := model.DecoderConfig{
		ModelType: "gpt2", VocabSize: s.vocabulary, Hidden: s.width, Layers: s.layers, Heads: s.heads, KVHeads: s.heads,
		HeadDim: s.width / s.heads, FeedForward: 4 * s.width, MaxPositions: 1024, Activation: "gelu_new", NormEps: 1e-5,
		TieEmbeddings: true, InBias: true, OutBias: true, MLPBias: true, ScaleAttention: true, InitStd: 0.02,
	}
	if s.kvHeads > 0 {
		c.ModelType, c.KVHeads, c.FeedForward, c.Activation = "llama", s.kvHeads, s.feedForward, "silu"
		c.InBias, c.OutBias, c.MLPBias = false, false, false
		c.Rotary = model.RotaryConfig{Type: "default", Theta: 10000, Factor: 1, Magnitude: 1}
	}
	return c
}

// Presets returns the names that Options.Preset may have, sorted.
func Presets() []string {
	var names []string
	for name := range presets {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// trainPreset measures updates of a language model on random tokens: forward, backward, clipping and AdamW. A new batch is
// drawn for each.
func (b *Bench) trainPreset(ctx context.Context) error {
	shape, ok := presets[b.Preset]
	if !ok {
		return fmt.Errorf("bench: there is no preset %q; there are %s", b.Preset, strings.Join(Presets(), ", "))
	}
	if b.Batch > 0 {
		shape.batch = b.Batch
	}
	if b.Context > 0 {
		shape.context = b.Context
	}
	if shape.context > 1024 {
		return fmt.Errorf("bench: a context of %d; these models have 1024 positions", shape.context)
	}
	if b.Small {
		shape = preset{layers: 1, width: 16, heads: 2, vocabulary: 50, batch: 2, context: 8, kvHeads: shape.kvHeads / 3, feedForward: 24, passes: shape.passes}
	}
	if err := b.checkArithmetic(); err != nil {
		return err
	}
	return b.trainShape(ctx, b.pools[len(b.pools)-1], shape)
}

func (b *Bench) trainShape(ctx context.Context, p *kernel.Pool, shape preset) error {
	before := held()
	u, err := newLanguageUpdates(p, shape, b.LoRA, b.BF16)
	if err != nil {
		return err
	}
	for range 2 {
		u.update()
	}
	fillRuntimeCaches()
	var s series
	var allocations []float64
	threads, tokens := p.Threads(), shape.batch*shape.context
	for repeat := range b.Repeats {
		if err := ctx.Err(); err != nil {
			return err
		}
		b.say("training %s on %d threads, %d of %d", b.Preset, threads, repeat+1, b.Repeats)
		peak := b.peak(p)
		from, start := mallocs(), time.Now()
		u.update()
		took := time.Since(start)
		allocations = append(allocations, float64(mallocs()-from))
		s.add(1/took.Seconds(), u.ops(), peak, b.peak(p))
	}
	name := fmt.Sprintf("%s, %d × %d tokens", b.Preset, shape.batch, shape.context)
	if b.LoRA > 0 {
		name = fmt.Sprintf("LoRA of rank %d for %s", b.LoRA, name)
	}
	if b.BF16 {
		name += ", bf16 arithmetic"
	}
	b.add(s.ofPeak(s.figure("train", name, threads, "GFLOP/s", u.ops()*1e-9)))
	b.add(s.figure("train", "", threads, "tokens/s", float64(tokens)))
	b.add(Figure{Bench: "train", Threads: threads, Unit: "allocations/update", Value: spread(allocations)})
	b.add(constant("", threads, "MB of activations and gradients", float64(u.tape.Bytes())/1e6))
	b.add(constant("", threads, "MB in all", float64(held()-before)/1e6))
	runtime.KeepAlive(u)
	return nil
}

// languageUpdates trains a language model, or a LoRA beside one, on random tokens.
type languageUpdates struct {
	shape        preset
	model        *model.Decoder
	store        *nn.Store // what is trained
	frozen       bool
	tape         grad.Tape
	batch        model.TokenBatch
	row          []int32
	rng          *rand.Rand
	mean, square []float32 // AdamW's moments
	step         int
}

// newLanguageUpdates makes the model, which with bf16 multiplies in bfloat16; with a rank its matrices are in bfloat16 and a LoRA of PEFT's default targets is trained.
func newLanguageUpdates(p *kernel.Pool, shape preset, rank int, bf16 bool) (*languageUpdates, error) {
	u := &languageUpdates{
		shape: shape, frozen: rank > 0, tape: grad.Tape{Pool: p}, row: make([]int32, shape.context+1), rng: rand.New(rand.NewPCG(1, 2)),
	}
	var err error
	if u.frozen {
		err = u.makeLoRA(rank, bf16)
	} else if u.model, err = model.NewDecoder(shape.config()); err == nil {
		u.model.Initialize(1)
		u.store = u.model.Store()
		if bf16 {
			u.store.UseBF16()
		}
	}
	if err != nil {
		return nil, err
	}
	u.store.Trainable()
	u.mean, u.square = memory.Floats(len(u.store.Values())), memory.Floats(len(u.store.Values()))
	return u, nil
}

func (u *languageUpdates) makeLoRA(rank int, bf16 bool) (err error) {
	if u.model, err = model.DescribeDecoder(u.shape.config()); err != nil {
		return err
	}
	if bf16 {
		u.model.Store().UseBF16()
	}
	row := make([]float32, 4*u.shape.width)
	err = u.model.Store().AllocateFrozenHalf(func(p *nn.Param, to kernel.Half) error {
		for i := range to.Rows {
			for j := range row[:to.Cols] {
				row[j] = float32(0.02 * u.rng.NormFloat64())
			}
			to.SetRow(i, row[:to.Cols])
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, p := range u.model.Params() { // norms, which stay in float32
		for i := range p.Data {
			p.Data[i] = 1
		}
	}
	lora, err := u.model.NewLoRA(model.LoRAConfig{Rank: rank, Alpha: 2 * float64(rank)})
	if err != nil {
		return err
	}
	u.store = &lora.Params
	u.store.Allocate()
	u.store.Initialize(1)
	lora.Attach(1)
	u.model.Freeze(u.tape.Pool)
	return nil
}

// update does all that an update of a training does.
func (u *languageUpdates) update() {
	u.step++
	passes := 1
	if u.frozen {
		passes = u.shape.passes
	}
	for pass := range passes {
		u.batch.Reset()
		for range u.shape.batch / passes {
			for i := range u.row {
				u.row[i] = u.rng.Int32N(int32(u.shape.vocabulary))
			}
			u.batch.AddText(u.row)
		}
		u.tape.Begin(grad.Mode{Record: true, Dropout: 1, Seed: 1, Step: uint32(u.step), Micro: uint32(pass)})
		u.model.Loss(&u.tape, &u.batch, 1/float32(u.shape.batch*u.shape.context), nil)
		u.tape.Backward()
	}
	store, pool := u.store, u.tape.Pool
	norm := math.Sqrt(pool.SumSquares(store.Grads()))
	pool.Adam(store.Values(), store.Grads(), u.mean, u.square, kernel.AdamParams{
		LR: 1e-4, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, WeightDecay: 0.1, Decoupled: true, GradScale: min(1, 1/norm), Step: u.step,
	})
	store.ClearGrads()
}

// ops returns the floating-point operations of an update's matrix products, attention's included: three times those of the
// forward pass, or twice where matrices are frozen.
func (u *languageUpdates) ops() float64 {
	c := u.shape.config()
	d, ff, kv := float64(c.Hidden), float64(c.FeedForward), float64(c.KVHeads*c.HeadDim)
	matrices := 2.0
	if c.ModelType != "gpt2" {
		matrices = 3
	}
	passes := 3.0
	if u.frozen {
		passes = 2
	}
	token := float64(c.Layers)*(2*d*d+2*d*kv+matrices*d*ff+d*float64(u.shape.context)) + d*float64(c.VocabSize)
	return passes * 2 * token * float64(u.shape.batch*u.shape.context)
}

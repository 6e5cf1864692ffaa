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
	"github.com/parley-lm/parley/model"
)

// preset is a language model in GPT-2's architecture whose training is measured, with the batch that is usual for it.
type preset struct {
	layers, width, heads, vocabulary int
	batch, context                   int
}

// presets are GPT-2 with llm.c's batch for processors, nanoGPT's example for processors, and one between them.
var presets = map[string]preset{
	"gpt2":  {12, 768, 12, 50257, 4, 64},
	"small": {6, 384, 6, 8192, 8, 256},
	"char":  {4, 128, 4, 65, 12, 64},
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
		shape = preset{1, 16, 2, 50, 2, 8}
	}
	for _, p := range b.pools {
		if err := b.trainShape(ctx, p, shape); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bench) trainShape(ctx context.Context, p *kernel.Pool, shape preset) error {
	before := held()
	u, err := newLanguageUpdates(p, shape)
	if err != nil {
		return err
	}
	for range 2 {
		u.update()
	}
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
	b.add(s.ofPeak(s.figure("train", name, threads, "GFLOP/s", u.ops()*1e-9)))
	b.add(s.figure("train", "", threads, "tokens/s", float64(tokens)))
	b.add(Figure{Bench: "train", Threads: threads, Unit: "allocations/update", Value: spread(allocations)})
	b.add(constant("", threads, "MB of activations and gradients", float64(u.tape.Bytes())/1e6))
	b.add(constant("", threads, "MB in all", float64(held()-before)/1e6))
	runtime.KeepAlive(u)
	return nil
}

// languageUpdates trains a language model on random tokens.
type languageUpdates struct {
	shape        preset
	model        *model.Decoder
	tape         grad.Tape
	batch        model.TokenBatch
	row          []int32
	rng          *rand.Rand
	mean, square []float32 // AdamW's moments
	step         int
}

func newLanguageUpdates(p *kernel.Pool, shape preset) (*languageUpdates, error) {
	m, err := model.NewDecoder(model.DecoderConfig{
		ModelType: "gpt2", VocabSize: shape.vocabulary, Hidden: shape.width, Layers: shape.layers, Heads: shape.heads, KVHeads: shape.heads,
		HeadDim: shape.width / shape.heads, FeedForward: 4 * shape.width, MaxPositions: 1024, Activation: "gelu_new", NormEps: 1e-5,
		TieEmbeddings: true, InBias: true, OutBias: true, MLPBias: true, ScaleAttention: true, InitStd: 0.02,
	})
	if err != nil {
		return nil, err
	}
	m.Initialize(1)
	m.Store().Trainable()
	n := len(m.Store().Values())
	return &languageUpdates{
		shape: shape, model: m, tape: grad.Tape{Pool: p}, row: make([]int32, shape.context+1), rng: rand.New(rand.NewPCG(1, 2)),
		mean: make([]float32, n), square: make([]float32, n),
	}, nil
}

// update does all that an update of a training does.
func (u *languageUpdates) update() {
	u.step++
	u.batch.Reset()
	for range u.shape.batch {
		for i := range u.row {
			u.row[i] = u.rng.Int32N(int32(u.shape.vocabulary))
		}
		u.batch.AddText(u.row)
	}
	u.tape.Begin(grad.Mode{Record: true, Dropout: 1, Seed: 1, Step: uint32(u.step)})
	u.model.Loss(&u.tape, &u.batch, 1/float32(len(u.batch.Target)), nil)
	u.tape.Backward()
	store, pool := u.model.Store(), u.tape.Pool
	norm := math.Sqrt(pool.SumSquares(store.Grads()))
	pool.Adam(store.Values(), store.Grads(), u.mean, u.square, kernel.AdamParams{
		LR: 1e-4, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, WeightDecay: 0.1, Decoupled: true, GradScale: min(1, 1/norm), Step: u.step,
	})
	clear(store.Grads())
}

// ops returns the floating-point operations of an update's matrix products, attention's included: three times those of the
// forward pass.
func (u *languageUpdates) ops() float64 {
	d, layers := float64(u.shape.width), float64(u.shape.layers)
	token := layers*(12*d*d+d*float64(u.shape.context)) + d*float64(u.shape.vocabulary)
	return 3 * 2 * token * float64(u.shape.batch*u.shape.context)
}

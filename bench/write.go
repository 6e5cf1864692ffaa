package bench

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/parley-lm/parley/decode"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/nn"
)

// shapes are the shapes of published language models, whose decoding is measured with random weights.
var shapes = map[string]model.DecoderConfig{
	"smollm2-135m": llamaShape(30, 576, 9, 3, 1536, 49152),
	"stories-15m":  llamaShape(6, 288, 6, 6, 768, 32000),
	"tiny":         llamaShape(2, 32, 4, 2, 64, 100),
}

func llamaShape(layers, hidden, heads, kvHeads, feedForward, vocabulary int) model.DecoderConfig {
	return model.DecoderConfig{
		ModelType: "llama", VocabSize: vocabulary, Hidden: hidden, Layers: layers, Heads: heads, KVHeads: kvHeads, HeadDim: hidden / heads,
		FeedForward: feedForward, MaxPositions: 2048, Activation: "silu", NormEps: 1e-5, TieEmbeddings: true, ScaleAttention: true,
		Rotary: model.RotaryConfig{Type: "default", Theta: 10000, Factor: 1, Magnitude: 1}, InitStd: 0.05,
	}
}

// Shapes returns the names that Options.Shape may have, sorted.
func Shapes() []string { return slices.Sorted(maps.Keys(shapes)) }

// What is measured of a language model: how fast a prompt of 512 tokens, or half the context, is read; how fast one answer is
// written after it; and eight together, each after a prompt of 64.
const (
	promptTokens     = 512
	writtenTokens    = 48
	streams          = 8
	streamPrompt     = 64
	writtenByStreams = 16
)

// write measures the greedy decoding of a language model by a [decode.Generator]: ids to ids, the choice included.
func (b *Bench) write(ctx context.Context) error {
	if err := b.checkArithmetic(); err != nil {
		return err
	}
	p := b.pools[len(b.pools)-1]
	m, err := b.languageModel(p)
	if err != nil {
		return err
	}
	w := &writing{model: m, generator: decode.NewGenerator(m, p, decode.GeneratorOptions{Prompt: promptTokens})}
	long := min(promptTokens, m.Config.MaxPositions/2)
	most := m.Config.MaxPositions - long - 1
	one, short := min(writtenTokens, most), min(streamPrompt, long)
	if err := w.measure(ctx, 1, long, one); err != nil { // once, to be warm
		return err
	}
	var reading, writing, together, allocations []float64
	for repeat := range b.Repeats {
		b.say("writing on %d threads, %d of %d", p.Threads(), repeat+1, b.Repeats)
		if err := w.measure(ctx, 1, long, one); err != nil {
			return err
		}
		reading, writing = append(reading, float64(long)/w.read.Seconds()), append(writing, float64(one)/w.written.Seconds())
		allocations = append(allocations, float64(w.allocations)/float64(one))
		if err := w.measure(ctx, streams, short, min(writtenByStreams, most)); err != nil {
			return err
		}
		together = append(together, float64(streams*min(writtenByStreams, most))/w.written.Seconds())
	}
	name := b.Shape
	if name == "" {
		name = m.Config.ModelType
	}
	if m.Store().Half() {
		name += ", bf16"
	}
	if b.BF16 {
		name += ", bf16 arithmetic"
	}
	for _, f := range []struct {
		name, unit string
		values     []float64
	}{
		{fmt.Sprintf("%s: prompt of %d", name, long), "tokens/s", reading},
		{"one stream", "tokens/s", writing},
		{"", "allocations/token", allocations},
		{fmt.Sprintf("%d streams", streams), "tokens/s", together},
	} {
		b.add(Figure{Bench: "decode", Name: f.name, Threads: p.Threads(), Unit: f.unit, Value: spread(f.values)})
	}
	return nil
}

// languageModel returns the model of Options, ready for decoding on p.
func (b *Bench) languageModel(p *kernel.Pool) (*model.Decoder, error) {
	if b.Shape == "" {
		load := hub.LoadDecoder
		if b.Half {
			load = func(dir string) (*hub.Decoder, error) { return hub.LoadDecoderHalf(dir, p, b.BF16) }
		}
		d, err := load(b.Model)
		if err != nil {
			return nil, err
		}
		if b.BF16 {
			d.Model.Store().UseBF16()
		}
		d.Model.Store().Pack(p)
		return d.Model, nil
	}
	shape, ok := shapes[b.Shape]
	if !ok {
		return nil, fmt.Errorf("bench: there is no shape %q; there are %s", b.Shape, strings.Join(Shapes(), ", "))
	}
	m, err := model.DescribeDecoder(shape)
	if err != nil {
		return nil, err
	}
	if b.BF16 {
		m.Store().UseBF16()
	}
	if !b.Half {
		m.Store().Allocate()
		m.Initialize(1)
		m.Store().Pack(p)
		return m, nil
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var row []float32
	err = m.Store().AllocateHalf(p, func(_ *nn.Param, to kernel.Half) error {
		row = slices.Grow(row[:0], to.Cols)[:to.Cols]
		for i := range to.Rows {
			for j := range row {
				row[j] = float32(rng.NormFloat64() * shape.InitStd)
			}
			to.SetRow(i, row)
		}
		return nil
	})
	for _, param := range m.Params() {
		for i := range param.Data { // norms
			param.Data[i] = 1
		}
	}
	return m, err
}

// writing is the decoding of some answers at a time, and what it took.
type writing struct {
	model     *model.Decoder
	generator *decode.Generator

	read, written time.Duration
	allocations   uint64 // after the first token
}

// measure writes n tokens after the first one of each answer to prompts of the given length.
func (w *writing) measure(ctx context.Context, answers, prompt, n int) error {
	emitted, failed := 0, error(nil)
	for a := range answers {
		ids := make([]int32, prompt)
		for i := range ids {
			ids[i] = int32((i + a) % min(500, w.model.Config.VocabSize))
		}
		sampling := decode.DefaultSampling()
		sampling.Temperature = 0
		if err := w.generator.Add(&decode.Request{
			Context: ctx, Prompt: ids, Sampling: sampling, MaxTokens: n + 1,
			Emit: func(int, decode.Token) bool { emitted++; return true },
			Fail: func(err error) { failed = err },
		}); err != nil {
			return err
		}
	}
	start := time.Now()
	for emitted < answers && failed == nil {
		w.generator.Step()
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	before, first := memory.Mallocs, time.Now()
	for w.generator.Step() {
	}
	w.read, w.written = first.Sub(start), time.Since(first)
	runtime.ReadMemStats(&memory)
	w.allocations = memory.Mallocs - before
	return failed
}

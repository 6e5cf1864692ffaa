package bench

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/parley-lm/parley/decode"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
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
	dir, remove, err := b.writingModel()
	if err != nil {
		return err
	}
	defer remove()
	w, loading, err := b.loadToWrite(ctx, dir, p)
	if err != nil {
		return err
	}
	m := w.model
	long := min(promptTokens, m.Config.MaxPositions/2)
	most := m.Config.MaxPositions - long - 1
	one, short := min(writtenTokens, most), min(streamPrompt, long)
	bandwidth := b.bandwidth(p)
	if err := w.measure(ctx, 1, long, one); err != nil { // once, to be warm
		return err
	}
	fillRuntimeCaches()
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
	memory := series{rates: []float64{bandwidth, b.bandwidth(p)}}
	var streamed series
	for _, rate := range writing {
		streamed.add(rate, readByToken(m, long+one/2), memory.rates[0], memory.rates[1])
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
	threads := p.Threads()
	figure := func(name, unit string, values []float64) {
		b.add(Figure{Bench: "decode", Name: name, Threads: threads, Unit: unit, Value: spread(values)})
	}
	figure(fmt.Sprintf("%s: prompt of %d", name, long), "tokens/s", reading)
	figure("one stream", "tokens/s", writing)
	b.add(streamed.ofPeak(streamed.figure("decode", "read by it: weights, keys, values", threads, "GB/s", readByToken(m, long+one/2)*1e-9)))
	b.add(memory.figure("decode", "reading from memory at most", threads, "GB/s", 1e-9))
	figure("", "allocations/token", allocations)
	figure(fmt.Sprintf("%d streams", streams), "tokens/s", together)
	figure("from files in cache to the first token", "ms", loading)
	return nil
}

// bandwidth measures how many bytes a second the threads read from memory at most.
func (b *Bench) bandwidth(p *kernel.Pool) float64 {
	bytes := 256 << 20
	if b.Small {
		bytes = 1 << 16
	}
	return p.ReadBandwidth(b.Window, bytes)
}

// readByToken is how many bytes must be read to write a token when there are so many before it: every matrix that is multiplied
// with, and the keys and values.
func readByToken(m *model.Decoder, before int) float64 {
	c := m.Config
	numbers := c.VocabSize * c.Hidden
	for _, p := range m.Params() {
		if len(p.Shape) == 2 && !p.Lookup {
			numbers += p.Size()
		}
	}
	size := 4
	if m.Store().Half() {
		size = 2
	}
	return float64(size*numbers + 4*c.Layers*2*c.KVHeads*c.HeadDim*before)
}

// writingModel returns the directory of the model of Options, which with Shape is made for the purpose, and what removes it then.
func (b *Bench) writingModel() (dir string, remove func(), err error) {
	if b.Shape == "" {
		return b.Model, func() {}, nil
	}
	shape, ok := shapes[b.Shape]
	if !ok {
		return "", nil, fmt.Errorf("bench: there is no shape %q; there are %s", b.Shape, strings.Join(Shapes(), ", "))
	}
	b.say("making a model in the shape of %s", b.Shape)
	m, err := model.NewDecoder(shape)
	if err != nil {
		return "", nil, err
	}
	m.Initialize(1)
	parent, err := os.MkdirTemp("", "parley-bench-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { os.RemoveAll(parent) }
	d := hub.Decoder{Model: m, DType: hub.F32}
	if b.Half {
		d.DType = hub.BF16
	}
	dir = filepath.Join(parent, "model")
	if err := hub.SaveDecoder(dir, &d); err != nil {
		remove()
		return "", nil, err
	}
	return dir, remove, nil
}

// loadToWrite loads the model several times, and also returns how many milliseconds passed each time until it had written a token.
func (b *Bench) loadToWrite(ctx context.Context, dir string, p *kernel.Pool) (w *writing, milliseconds []float64, err error) {
	for repeat := range b.Repeats {
		b.say("loading on %d threads, %d of %d", p.Threads(), repeat+1, b.Repeats)
		w = nil
		debug.FreeOSMemory() // as in a new process
		start := time.Now()
		m, err := b.languageModel(dir, p)
		if err != nil {
			return nil, nil, err
		}
		w = &writing{model: m, generator: decode.NewGenerator(m, p, decode.GeneratorOptions{Prompt: promptTokens})}
		if err := w.measure(ctx, 1, 1, 0); err != nil {
			return nil, nil, err
		}
		milliseconds = append(milliseconds, time.Since(start).Seconds()*1e3)
	}
	return w, milliseconds, nil
}

// languageModel returns the model in a directory, ready for decoding on p.
func (b *Bench) languageModel(dir string, p *kernel.Pool) (*model.Decoder, error) {
	load := hub.LoadDecoder
	if b.Half {
		load = func(dir string) (*hub.Decoder, error) { return hub.LoadDecoderHalf(dir, p, b.BF16) }
	}
	d, err := load(dir)
	if err != nil {
		return nil, err
	}
	if b.BF16 {
		d.Model.Store().UseBF16()
	}
	d.Model.Store().Pack(p)
	return d.Model, nil
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
	before, first := mallocs(), time.Now()
	for w.generator.Step() {
	}
	w.read, w.written = first.Sub(start), time.Since(first)
	w.allocations = mallocs() - before
	return failed
}

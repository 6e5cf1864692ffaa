package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/internal/memory"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/train"
)

// Train measures updates of Transformer-Tiny (Wu et al. 2021) on a made-up batch of 4,096 tokens or, with Data, in a real
// training on Multi30K; or, with Preset, updates of a language model.
func (b *Bench) Train(ctx context.Context) error {
	if b.Preset != "" {
		return b.trainPreset(ctx)
	}
	if b.Data != "" {
		return b.trainOnData(ctx)
	}
	measured := make([]series, len(b.pools))
	var sentences, tokens int
	var ops float64
	for i, p := range b.pools {
		before := held()
		u, err := newUpdates(p, b.Small)
		if err != nil {
			return err
		}
		sentences, tokens, ops = len(u.sources), u.tokens(), u.ops()
		for range 2 {
			u.update()
		}
		fillRuntimeCaches()
		var allocations []float64
		for repeat := range b.Repeats {
			if err := ctx.Err(); err != nil {
				return err
			}
			b.say("training on %d threads, %d of %d", p.Threads(), repeat+1, b.Repeats)
			peak := b.peak(p)
			from, start := mallocs(), time.Now()
			u.update()
			took := time.Since(start)
			allocations = append(allocations, float64(mallocs()-from))
			measured[i].add(1/took.Seconds(), ops, peak, b.peak(p))
		}
		s, threads := &measured[i], p.Threads()
		b.add(s.ofPeak(s.figure("train", "Transformer-Tiny", threads, "GFLOP/s", ops*1e-9)))
		b.add(s.figure("train", "", threads, "sentences/s", float64(sentences)))
		b.add(s.figure("train", "", threads, "target tokens/s", float64(tokens)))
		b.add(Figure{Bench: "train", Threads: threads, Unit: "allocations/update", Value: spread(allocations)})
		b.add(constant("", threads, "MB of activations and gradients", float64(u.tape.Bytes())/1e6))
		b.add(constant("", threads, "MB in all", float64(held()-before)/1e6))
		runtime.KeepAlive(u)
	}
	return nil
}

func constant(name string, threads int, unit string, x float64) Figure {
	return Figure{Bench: "train", Name: name, Threads: threads, Unit: unit, Value: Spread{x, x, x}}
}

// held returns the bytes that the program has from the system, what it no longer uses given back first.
func held() int {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.Sys - m.HeapReleased)
}

// updates trains Transformer-Tiny on the same sentences over and over.
type updates struct {
	model            *model.EncDec
	tape             grad.Tape
	sources, targets [][]int32
	batch            model.PairBatch
	mean, square     []float32 // Adam's moments
	step             int
}

func newUpdates(p *kernel.Pool, small bool) (*updates, error) {
	vocabulary, budget := 10000, 4096
	if small {
		vocabulary, budget = 50, 64
	}
	m, err := transformerTiny(vocabulary)
	if err != nil {
		return nil, err
	}
	m.Store().Trainable()
	u := &updates{model: m, tape: grad.Tape{Pool: p}, mean: memory.Floats(len(m.Store().Values())), square: memory.Floats(len(m.Store().Values()))}
	u.sources, u.targets = sentencePairs(vocabulary, budget)
	return u, nil
}

// transformerTiny returns the model of Wu et al. with random weights.
func transformerTiny(vocabulary int) (*model.EncDec, error) {
	c := model.DefaultEncDecConfig()
	c.VocabSize, c.DModel, c.EncoderLayers, c.DecoderLayers = vocabulary, 128, 4, 4
	c.EncoderHeads, c.DecoderHeads, c.EncoderFFN, c.DecoderFFN = 4, 4, 256, 256
	c.MaxPositions, c.Activation, c.ScaleEmbedding, c.Dropout = 512, "relu", true, 0.3
	c.PadID, c.DecoderStartID = int32(vocabulary-1), int32(vocabulary-1)
	m, err := model.NewEncDec(c)
	if err == nil {
		m.Initialize(1)
	}
	return m, err
}

// sentencePairs makes up pairs as long as captions are, the target a token longer than the source, until the target side
// fills a batch.
func sentencePairs(vocabulary, budget int) (sources, targets [][]int32) {
	rng := rand.New(rand.NewPCG(1, 2))
	sentence := func(n int) []int32 {
		ids := make([]int32, n)
		for i := range n - 1 {
			ids[i] = int32(1 + rng.IntN(vocabulary-2))
		}
		return ids // ends with 0, the end of a sentence
	}
	for total := 0; ; {
		n := 8 + rng.IntN(16)
		if total += n; total > budget {
			return sources, targets
		}
		sources, targets = append(sources, sentence(n-1)), append(targets, sentence(n))
	}
}

// update does all that an update of a training does.
func (u *updates) update() {
	u.step++
	u.batch.Reset()
	for i, s := range u.sources {
		u.batch.Add(s, u.targets[i], u.model.Config.DecoderStartID)
	}
	u.tape.Begin(grad.Mode{Record: true, Dropout: 1, Seed: 1, Step: uint32(u.step)})
	u.model.Loss(&u.tape, &u.batch, 0.1, 1/float32(len(u.batch.Target)), nil)
	u.tape.Backward()
	u.model.FreezePadding()
	store, pool := u.model.Store(), u.tape.Pool
	norm := math.Sqrt(pool.SumSquares(store.Grads()))
	pool.Adam(store.Values(), store.Grads(), u.mean, u.square, kernel.AdamParams{
		LR: 1e-4, Beta1: 0.9, Beta2: 0.98, Eps: 1e-9, GradScale: min(1, 1/norm), Step: u.step,
	})
	store.ClearGrads()
}

func (u *updates) tokens() (n int) {
	for _, t := range u.targets {
		n += len(t)
	}
	return n
}

// ops returns the floating-point operations of an update's matrix products, attention's included: three times those of
// the forward pass.
func (u *updates) ops() float64 {
	sum := 0.0
	for i := range u.sources {
		encoder, decoder := forwardOps(u.model.Config, float64(len(u.sources[i])), float64(len(u.targets[i])))
		sum += 3 * (encoder + decoder)
	}
	return sum
}

// forwardOps returns the operations of the matrix products for a sentence of s tokens and its translation of t.
func forwardOps(c model.EncDecConfig, s, t float64) (encoder, decoder float64) {
	d := float64(c.DModel)
	encoder = float64(c.EncoderLayers) * s * (4*d*d + 2*d*float64(c.EncoderFFN) + 2*d*s)
	decoder = float64(c.DecoderLayers)*(t*(6*d*d+2*d*float64(c.DecoderFFN)+d*t+2*d*s)+s*2*d*d) + t*d*float64(c.DecoderVocabSize)
	return 2 * encoder, 2 * decoder
}

// warmUp is the number of updates that are not measured.
const warmUp = 5

// trainOnData runs a real training on Multi30K for a while, in a directory that is removed afterwards.
func (b *Bench) trainOnData(ctx context.Context) error {
	if b.Updates < 1 {
		return fmt.Errorf("bench: %d updates; at least 1 must be measured", b.Updates)
	}
	dir, err := os.MkdirTemp("", "parley-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r := train.DefaultRecipe()
	r.Name = "bench"
	r.Data.Dir = b.Data
	r.Data.Train = []string{"train.lc.norm.tok.en", "train.lc.norm.tok.fr"}
	r.Data.HeldOut = 100
	r.Validation.Beam = 1
	r.Optimizer.Clip = 1
	r.Train.Updates = warmUp + b.Updates + 1 // the last one, which a validation follows, is never reached
	r.Train.CheckpointEvery, r.Validation.Every = r.Train.Updates, r.Train.Updates
	if b.Small {
		r.Train.BatchTokens, r.Model.Context, r.Tokenizer.Vocab, r.Data.HeldOut = 64, 32, 300, 2
	}
	pool := b.pools[len(b.pools)-1]
	inner, stop := context.WithCancel(ctx)
	defer stop()
	w := &watch{b: b, pool: pool, stop: stop}
	_, err = train.Start(inner, r, train.Options{Out: filepath.Join(dir, "run"), Threads: pool.Threads(), Progress: w})
	if ctx.Err() != nil { // not stopped by watch; the state that err tells of is removed
		return ctx.Err()
	}
	var interrupted *train.Interrupted
	if !errors.As(err, &interrupted) {
		return err
	}
	threads, u := pool.Threads(), &w.updates
	b.add(u.ofPeak(u.figure("train", "Transformer-Tiny on Multi30K", threads, "GFLOP/s", w.ops*1e-9)))
	b.add(w.sentences.figure("train", "", threads, "sentences/s", 1))
	b.add(constant("mean of all updates", threads, "sentences/s", w.allSentences/w.seconds))
	b.add(w.tokens.figure("train", "", threads, "target tokens/s", 1))
	b.add(Figure{Bench: "train", Threads: threads, Unit: "allocations/update", Value: spread(w.allocations)})
	b.add(constant("", threads, "MB in all", w.memory/1e6))
	return nil
}

// watch measures the updates of a training from one call of Step to the next, its own doings left out.
type watch struct {
	b    *Bench
	pool *kernel.Pool
	stop func()

	ops         float64 // of an update, on average
	peak        float64 // before the present update
	from        time.Time
	fromMallocs uint64

	updates, sentences, tokens series
	allocations                []float64
	allSentences, seconds      float64
	memory                     float64
}

// Begin, Step, Validation and Note make watch a [train.Progress].
func (w *watch) Begin(p train.Plan) { w.ops = p.FLOPsPerUpdate }

// Step ends the measurement of one update and begins that of the next.
func (w *watch) Step(s train.StepReport) {
	took, count := time.Since(w.from), mallocs()
	peak := w.b.peak(w.pool)
	if s.Step > warmUp {
		w.updates.add(1/took.Seconds(), w.ops, w.peak, peak)
		w.sentences.rates = append(w.sentences.rates, float64(s.Sentences)/took.Seconds())
		w.tokens.rates = append(w.tokens.rates, float64(s.TargetTokens)/took.Seconds())
		w.allocations = append(w.allocations, float64(count-w.fromMallocs))
		w.allSentences += float64(s.Sentences)
		w.seconds += took.Seconds()
	}
	if s.Step%10 == 0 {
		w.b.say("training on Multi30K, %d of %d", s.Step-warmUp, w.b.Updates)
	}
	if s.Step == warmUp+w.b.Updates {
		w.memory = float64(held())
		w.stop()
	}
	w.peak = peak
	w.fromMallocs = mallocs()
	w.from = time.Now()
}

// Validation does not happen.
func (w *watch) Validation(train.ValidationReport) {}

// Note is not shown.
func (w *watch) Note(string) {}

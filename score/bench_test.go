package score_test

import (
	"testing"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/score"
)

// BenchmarkScore scores windows of 512 tokens with the small preset of `parley bench train`; BenchmarkLoss is what the loss of
// training takes for the same rows, without a cache.
func BenchmarkScore(b *testing.B) {
	m, pool := small(b)
	s, r := score.New(m, pool, 0), text(make([]int32, 512))
	left := 0
	next := func() (*score.Request, error) {
		if left == 0 {
			return nil, nil
		}
		left--
		return r, nil
	}
	done := func(*score.Request) error { return nil }
	run := func(n int) {
		left = n
		if err := s.Run(b.Context(), next, done); err != nil {
			b.Fatal(err)
		}
	}
	run(1)
	b.ResetTimer()
	run(b.N)
	b.ReportMetric(511*float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
}

func BenchmarkLoss(b *testing.B) {
	m, pool := small(b)
	var batch model.TokenBatch
	batch.AddText(make([]int32, 512))
	tape, nll := grad.Tape{Pool: pool}, make([]float32, 511)
	for b.Loop() {
		tape.Begin(grad.Mode{})
		m.Loss(&tape, &batch, 1, nll)
	}
	b.ReportMetric(511*float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
}

func small(b *testing.B) (*model.Decoder, *kernel.Pool) {
	m, err := model.NewDecoder(model.DecoderConfig{
		ModelType: "gpt2", VocabSize: 8192, Hidden: 384, Layers: 6, Heads: 6, KVHeads: 6, HeadDim: 64, FeedForward: 4 * 384, MaxPositions: 512,
		Activation: "gelu_new", NormEps: 1e-5, TieEmbeddings: true, InBias: true, OutBias: true, MLPBias: true, ScaleAttention: true, InitStd: 0.02,
	})
	if err != nil {
		b.Fatal(err)
	}
	m.Initialize(1)
	pool := kernel.NewPool(0)
	b.Cleanup(pool.Close)
	m.Store().Pack(pool)
	return m, pool
}

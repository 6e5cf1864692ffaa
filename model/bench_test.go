package model_test

import (
	"math/rand/v2"
	"testing"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
)

// tiny is Transformer-Tiny (Wu et al. 2021) with the vocabulary of the multi30k recipe.
func tiny(b testing.TB) *model.EncDec {
	c := model.DefaultEncDecConfig()
	c.VocabSize, c.DModel, c.EncoderLayers, c.DecoderLayers = 10000, 128, 4, 4
	c.EncoderHeads, c.DecoderHeads, c.EncoderFFN, c.DecoderFFN = 4, 4, 256, 256
	c.MaxPositions, c.Activation, c.ScaleEmbedding, c.Dropout = 256, "relu", true, 0.3
	c.PadID, c.DecoderStartID = 9999, 9999
	m, err := model.NewEncDec(c)
	if err != nil {
		b.Fatal(err)
	}
	m.Initialize(1)
	return m
}

// BenchmarkTrainingPass runs forward and backward over a batch as long as those of the multi30k recipe.
func BenchmarkTrainingPass(b *testing.B) {
	m := tiny(b)
	m.Store().Trainable()
	rng := rand.New(rand.NewPCG(1, 2))
	sentence := func(n int) []int32 {
		s := make([]int32, n)
		for i := range s {
			s[i] = int32(1 + rng.IntN(9998))
		}
		s[n-1] = 0
		return s
	}
	var batch model.PairBatch
	for len(batch.Target) < 4096-25 {
		n := 10 + rng.IntN(12)
		batch.Add(sentence(n-1), sentence(n), m.Config.DecoderStartID)
	}
	tape := &grad.Tape{Pool: kernel.NewPool(0)}
	step := uint32(0)
	b.ReportAllocs()
	for b.Loop() {
		tape.Begin(grad.Mode{Record: true, Dropout: 1, Seed: 1, Step: step})
		m.Loss(tape, &batch, 0.1, 1/float32(len(batch.Target)), nil)
		tape.Backward()
		step++
	}
	b.ReportMetric(float64(len(batch.Target)*b.N)/b.Elapsed().Seconds(), "target-tokens/s")
	b.ReportMetric(float64(tape.Bytes())/1e6, "tape-MB")
}

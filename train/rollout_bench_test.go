package train

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/parley-lm/parley/decode"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/model"
)

// BenchmarkRollouts draws the answers of a PPO epoch, and has the same requests answered by a generator of its own over a model
// that is packed once: what share of the decoder's speed the training gets. The model has 3 million parameters.
func BenchmarkRollouts(b *testing.B) {
	dir := b.TempDir()
	d, err := hub.LoadDecoder(storyteller)
	if err != nil {
		b.Fatal(err)
	}
	c := d.Model.Config
	c.Hidden, c.Heads, c.KVHeads, c.HeadDim, c.FeedForward, c.Layers = 256, 4, 4, 64, 704, 4
	m, err := model.NewDecoder(c)
	if err != nil {
		b.Fatal(err)
	}
	m.Initialize(1)
	files, err := hub.TokenizerFiles(storyteller)
	if err != nil {
		b.Fatal(err)
	}
	from := filepath.Join(dir, "model")
	if err := hub.SaveDecoder(from, &hub.Decoder{Model: m, Files: files}); err != nil {
		b.Fatal(err)
	}
	recipe := toyPolicy(b, dir, ppoKind, "model.from="+from, "rollout.answers=256", "rollout.max_tokens=64")
	if err := recipe.Resolve(); err != nil {
		b.Fatal(err)
	}
	r, err := build(b.Context(), "", recipe, Options{Threads: 2})
	if err != nil {
		b.Fatal(err)
	}
	defer r.close()
	task := r.task.(*reinforcement)
	asked := make([]int32, 256)
	for i := range asked {
		asked[i] = int32(i % len(task.prompts))
	}
	alone, err := hub.LoadDecoder(from)
	if err != nil {
		b.Fatal(err)
	}
	alone.Model.Store().Pack(r.pool)
	writer := decode.NewGenerator(alone.Model, r.pool, decode.GeneratorOptions{Rows: 128, Prompt: 1024})
	var inside, outside rollouts
	once := func() (in, out float64) {
		if err := task.draw(b.Context(), &inside, task.prompts, asked, 1, 1); err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		if err := task.write(b.Context(), writer, &outside, task.prompts, asked, 1, 1); err != nil {
			b.Fatal(err)
		}
		out = float64(len(outside.tokens)) / time.Since(start).Seconds()
		return float64(len(inside.tokens)) / inside.seconds, out
	}
	once()
	var in, out float64
	for b.Loop() {
		x, y := once()
		in, out = in+x, out+y
	}
	b.ReportMetric(in/float64(b.N), "rollout-tokens/s")
	b.ReportMetric(out/float64(b.N), "decoder-tokens/s")
	b.ReportMetric(100*in/out, "%")
}

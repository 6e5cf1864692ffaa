package train

import (
	"fmt"
	"math"
)

// deriveFromDepth fills in what a language model's recipe leaves 0, from one number, its layers. The rule is nanochat's dial
// (Karpathy 2025) with sizes for processors instead of accelerators:
//
//	width             64 · depth
//	heads             depth, each 64 wide
//	feed-forward      8/3 · width, up to a multiple of 64: as many parameters in three matrices as 4 · width in two (Shazeer 2020)
//	vocabulary        1024 · depth, 2,048 to 32,768: larger models deserve larger ones (Tao et al. 2024)
//	context           256 to depth 4, 512 to depth 8, then 1024
//	tokens an update  1024 · depth, at least 2048
//	learning rate     0.006 · √(128/width), for Muon with updates of AdamW's size (Liu et al. 2025); nanochat too has 1/√width
//
// A model that goes on from another keeps its sizes. followData does the rest when the size of the text is known.
func (r *Recipe) deriveFromDepth() {
	m, t := &r.Model, &r.Train
	d := m.Depth
	width := m.Width
	if width == 0 {
		width = 64 * d
	}
	context := 1024
	switch {
	case d <= 4:
		context = 256
	case d <= 8:
		context = 512
	}
	type derived struct {
		field *int
		value int
	}
	sizes := []derived{{&t.BatchTokens, max(2048, 1024*d)}}
	if m.From == "" {
		sizes = append(sizes, derived{&m.Width, width}, derived{&m.Layers, d}, derived{&m.Heads, d}, derived{&m.FeedForward, (width*8/3 + 63) / 64 * 64},
			derived{&m.Context, context}, derived{&r.Tokenizer.Vocab, min(32768, max(2048, 1024*d))})
	}
	for _, s := range sizes {
		if *s.field == 0 {
			*s.field = s.value
		}
	}
	if t.LR == 0 {
		t.LR = math.Round(1e5*0.006*math.Sqrt(128/float64(width))) / 1e5
	}
}

// Bounds of how long a training is that follows from the data.
const (
	tokensPerParameter = 20 // Hoffmann et al. (2022): what a given number of operations is best spent on
	mostEpochs         = 8  // Muennighoff et al. (2023): four are as good as new text, after sixteen nothing is gained
)

// followData fills in what a language model's recipe leaves 0 and depends on the text: updates for train.epochs, or where
// that is 0 for 20 tokens a parameter, but at most 8 times the text; with a schedule of warm-up, stable, decay a fiftieth of them to warm up, at most 200, and the
// last fifth to decay (Hägele et al. 2024); twenty validations.
func (r *Recipe) followData(parameters int, tokens int64, batches int) error {
	t, s := &r.Train, &r.Schedule
	if t.Updates == 0 {
		wanted := min(tokensPerParameter*float64(parameters), mostEpochs*float64(tokens))
		t.Updates = int(min(math.MaxInt32, max(20, wanted/float64(t.BatchTokens))))
		if t.Epochs > 0 {
			t.Updates = min(math.MaxInt32/t.Epochs, batches) * t.Epochs
		}
		if s.Warmup == 0 && s.Kind != "constant" {
			s.Warmup = min(200, t.Updates/50)
		}
	}
	if s.Kind == "wsd" && s.Decay == 0 {
		s.Decay = max(1, t.Updates/5)
	}
	if r.Validation.Every == 0 {
		r.Validation.Every = max(1, t.Updates/20)
	}
	if err := r.Validate(); err != nil {
		return fmt.Errorf("with what follows from %d parameters and %d tokens: %w", parameters, tokens, err)
	}
	return nil
}

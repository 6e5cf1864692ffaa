package train

import (
	"fmt"
	"path/filepath"

	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/model"
)

// saveBest writes the model directory with the given weights. result is nil while the training goes on.
func (r *run) saveBest(weights []float32, chosen string, score Score, result *Result) error {
	g := hub.DefaultGeneration(r.model.Config)
	g.NumBeams, g.LengthPenalty = r.recipe.Decode.Beam, r.recipe.Decode.LengthPenalty
	return r.with(weights, func() error {
		return hub.SaveEncDec(filepath.Join(r.dir, modelDir), &hub.EncDec{
			Model: r.model, Tokenizer: r.tok, Generation: g,
			Files: map[string][]byte{"README.md": r.card(chosen, score, result)},
		})
	})
}

// loadModel takes model and tokenizer from a model directory, or from a run's, with the dropout of the recipe, and notes
// their shape in the recipe.
func (r *run) loadModel(dir string) error {
	dir = hub.ModelDir(dir)
	e, err := hub.LoadEncDec(dir)
	if err != nil {
		return fmt.Errorf("model.from: %w", err)
	}
	if e.TargetTokenizer != nil {
		return fmt.Errorf("model.from: %s: a model with two SentencePiece tokenizers cannot be trained further; it needs one tokenizer.json", dir)
	}
	m, c := &r.recipe.Model, e.Model.Config
	c.Dropout, c.ActivationDropout = float32(m.Dropout), float32(m.ActivationDropout)
	if r.model, err = model.NewEncDec(c); err != nil {
		return fmt.Errorf("model.from: %s: %w", dir, err)
	}
	copy(r.model.Store().Values(), e.Model.Store().Values())
	copy(r.model.LogitsBias(), e.Model.LogitsBias())
	r.tok = e.Tokenizer
	m.Width, m.Layers, m.DecoderLayers, m.Heads = c.DModel, c.EncoderLayers, c.DecoderLayers, c.EncoderHeads
	m.FeedForward, m.Activation, m.Context, m.TieOutput = c.EncoderFFN, c.Activation, c.MaxPositions, c.TieEmbeddings
	r.recipe.Tokenizer.Vocab = e.Tokenizer.Size()
	return nil
}

package train

import (
	"fmt"
	"path/filepath"
	"slices"
	"text/template"

	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/nn"
	"github.com/parley-lm/parley/tokenizer"
)

// Special tokens of a translation vocabulary. </s> is the first id and <pad> the last, as converters of Marian models
// expect; <pad> starts the decoder.
const (
	eosToken     = "</s>"
	unknownToken = "<unk>"
	padToken     = "<pad>"
)

// translation is the objective of sequence-to-sequence learning: the cross-entropy of each target token given the source
// and the target so far, with label smoothing, averaged over the target tokens of an update.
type translation struct {
	workplace
	supervised
	sets    *pairSets
	tok     *tokenizer.Tokenizer
	model   *model.EncDec
	train   *encodedPairs
	valid   *encodedPairs
	shuffle *corpus.Batches // of train
	batch   model.PairBatch
	nll     []float32
}

func newTranslation(w workplace) (objective, error) {
	t := &translation{workplace: w}
	var err error
	if t.sets, err = w.recipe.Data.load(w.options.Generate); err != nil {
		return nil, err
	}
	for _, n := range t.sets.notes {
		w.progress.Note(n)
	}
	if err := t.makeModel(); err != nil {
		return nil, err
	}
	eos, longest := t.model.Config.EOSID, t.model.Config.MaxPositions
	t.train = newEncodedPairs(t.tok, eos, t.sets.train, longest, w.pool)
	t.valid = newEncodedPairs(t.tok, eos, t.sets.validation, longest, w.pool)
	if t.shuffle, err = corpus.NewBatches(t.train.sourceLen, t.train.targetLen, w.recipe.Train.BatchTokens, longest, uint64(w.recipe.Train.Seed)); err != nil {
		return nil, fmt.Errorf("training data: %w (model.context, train.batch_tokens)", err)
	}
	if n := len(t.shuffle.Skipped()); n > 0 {
		w.progress.Note(fmt.Sprintf("%d of %d training pairs are longer than model.context = %d tokens and left out", n, t.sets.train.Len(), longest))
	}
	return t, nil
}

// makeModel makes tokenizer and model: new, or those of model.from.
func (t *translation) makeModel() error {
	if from := t.recipe.Model.From; from != "" {
		return t.loadModel(from)
	}
	saved := filepath.Join(t.dir, vocabularyFile)
	var err error
	switch {
	case t.dir != "" && exists(saved):
		t.tok, err = tokenizer.Load(saved)
	case t.recipe.Tokenizer.File != "":
		t.tok, err = tokenizer.Load(t.recipe.Tokenizer.File)
	default:
		t.progress.Note(fmt.Sprintf("learning a vocabulary of %d from %d sentence pairs", t.recipe.Tokenizer.Vocab, t.sets.train.Len()))
		t.tok, err = trainVocabulary(t.recipe.Tokenizer, t.sets.train, t.options.Threads)
	}
	if err != nil {
		return err
	}
	eos, ok := t.tok.ID(eosToken)
	if pad, found := t.tok.ID(padToken); !ok || !found || int(pad) != t.tok.Size()-1 {
		return fmt.Errorf("%s: the vocabulary must have %s, and %s as its last token", t.recipe.Tokenizer.File, eosToken, padToken)
	}
	if t.model, err = model.NewEncDec(t.recipe.Model.config(t.tok.Size(), eos)); err != nil {
		return fmt.Errorf("recipe: model: %w", err)
	}
	t.model.Initialize(uint64(t.recipe.Train.Seed))
	return nil
}

// loadModel takes model and tokenizer from a model directory, or from a run's, with the dropout of the recipe, and notes
// their shape in the recipe.
func (t *translation) loadModel(dir string) error {
	dir = hub.ModelDir(dir)
	e, err := hub.LoadEncDec(dir)
	if err != nil {
		return fmt.Errorf("model.from: %w", err)
	}
	if e.TargetTokenizer != nil {
		return fmt.Errorf("model.from: %s: a model with two SentencePiece tokenizers cannot be trained further; it needs one tokenizer.json", dir)
	}
	m, c := &t.recipe.Model, e.Model.Config
	c.Dropout, c.AttentionDropout, c.ActivationDropout = float32(m.Dropout), float32(m.AttentionDropout), float32(m.ActivationDropout)
	if t.model, err = model.NewEncDec(c); err != nil {
		return fmt.Errorf("model.from: %s: %w", dir, err)
	}
	copy(t.model.Store().Values(), e.Model.Store().Values())
	copy(t.model.LogitsBias(), e.Model.LogitsBias())
	t.tok = e.Tokenizer
	m.Width, m.Layers, m.DecoderLayers, m.Heads = c.DModel, c.EncoderLayers, c.DecoderLayers, c.EncoderHeads
	m.FeedForward, m.Activation, m.Context, m.TieOutput = c.EncoderFFN, c.Activation, c.MaxPositions, c.TieEmbeddings
	t.recipe.Tokenizer.Vocab = e.Tokenizer.Size()
	return nil
}

// trainVocabulary learns one vocabulary for both languages.
func trainVocabulary(o TokenizerRecipe, pairs *corpus.Pairs, threads int) (*tokenizer.Tokenizer, error) {
	pattern := tokenizer.Spaces
	if o.Pattern == "gpt2" {
		pattern = tokenizer.GPT2
	}
	texts := func(yield func(string) bool) {
		for _, side := range [][]string{pairs.Source, pairs.Target} {
			for _, s := range side {
				if !yield(s) {
					return
				}
			}
		}
	}
	return tokenizer.Train(texts, tokenizer.TrainOptions{
		VocabSize: o.Vocab, MinFrequency: o.MinFrequency, Pattern: pattern, InitialAlphabet: true, Threads: threads,
		SpecialTokens: []string{eosToken, unknownToken}, LastTokens: []string{padToken}, Suffix: []string{eosToken},
	})
}

// beginEpoch prepares the batches of an epoch; with dropout, every sentence is cut into tokens anew, by random numbers
// that depend on seed, epoch and sentence alone.
func (t *translation) beginEpoch(epoch int) {
	if dropout := t.recipe.Tokenizer.Dropout; dropout > 0 {
		t.train.encode(t.pool, dropout, uint64(t.recipe.Train.Seed), epoch)
	}
	t.shuffle.Epoch(epoch)
}

func (t *translation) tokenizer() *tokenizer.Tokenizer { return t.tok }
func (t *translation) store() *nn.Store                { return t.model.Store() }
func (t *translation) batches() int                    { return t.shuffle.Len() }
func (t *translation) close() error                    { return nil }
func (t *translation) fingerprint() string             { return t.sets.fingerprint() }

func (t *translation) changed(string) error {
	return fmt.Errorf("the sentences are not those that this run began with (data.dir = %s): a resumed run needs the same data", t.recipe.Data.Dir)
}

func (t *translation) size(batch int) (sentences, tokens, passes int) {
	pairs, micro := t.shuffle.Batch(batch), t.recipe.Train.MicroTokens
	source := 0
	for _, i := range pairs {
		source += int(t.train.sourceLen[i])
		tokens += int(t.train.targetLen[i])
	}
	return len(pairs), tokens, (max(source, tokens) + micro - 1) / micro
}

func (t *translation) forward(tape *grad.Tape, batch, pass, passes int, scale float64) (float64, error) {
	pairs := t.shuffle.Batch(batch)
	t.fill(t.train, pairs[border(pairs, t.train.pairTokens, pass, passes):border(pairs, t.train.pairTokens, pass+1, passes)])
	if t.batch.TargetStarts.Len() == 0 {
		return 0, nil
	}
	return t.model.Loss(tape, &t.batch, float32(t.recipe.Objective.LabelSmoothing), float32(scale), nil), nil
}

func (t *translation) finishGradient() Measures {
	if t.recipe.Objective.FreezePad {
		t.model.FreezePadding()
	}
	return nil
}

func (t *translation) fill(e *encodedPairs, pairs []int32) {
	t.batch.Reset()
	for _, i := range pairs {
		source, target := e.pair(int(i))
		t.batch.Add(source, target, t.model.Config.DecoderStartID)
	}
}

// validationLoss returns the mean of −log p over the target tokens of the validation pairs, sentences beyond the
// model's context left out.
func (t *translation) validationLoss(tape *grad.Tape, budget int) float64 {
	sum, tokens := 0.0, 0
	e := t.valid
	for from := 0; from < e.len(); {
		t.batch.Reset()
		for from < e.len() {
			source, target := e.pair(from)
			if full := len(t.batch.Target) > 0 && max(len(t.batch.Source)+len(source), len(t.batch.Target)+len(target)) > budget; full {
				break
			}
			from++
			if max(len(source), len(target)) <= e.longest {
				t.batch.Add(source, target, t.model.Config.DecoderStartID)
			}
		}
		rows := len(t.batch.Target)
		if rows == 0 {
			continue
		}
		t.nll = slices.Grow(t.nll[:0], rows)[:rows]
		tape.Begin(grad.Mode{})
		t.model.Loss(tape, &t.batch, 0, 1, t.nll)
		for _, x := range t.nll {
			sum += float64(x)
		}
		tokens += rows
	}
	return sum / float64(max(1, tokens))
}

// save writes the model directory, with how the model is to be searched.
func (t *translation) save(dir string, card []byte) error {
	g := hub.DefaultGeneration(t.model.Config)
	g.NumBeams, g.LengthPenalty = t.recipe.Decode.Beam, t.recipe.Decode.LengthPenalty
	return hub.SaveEncDec(dir, &hub.EncDec{
		Model: t.model, Tokenizer: t.tok, Generation: g, Files: map[string][]byte{"README.md": card},
	})
}

func (t *translation) card() *template.Template { return translationCard }

func (t *translation) describe(p *Plan) {
	source, target := t.train.tokens()
	p.TrainPairs, p.ValidPairs = t.sets.train.Len(), t.sets.validation.Len()
	for _, one := range t.sets.tests {
		p.TestPairs += one.pairs.Len()
	}
	p.StepTokens = target / p.Batches
	p.FLOPsPerUpdate = t.flops(source, target) / float64(p.Batches)
}

// flops returns the operations of training on so many tokens: three times those of the forward pass, whose matrix
// products are counted, attention's included for sentences of average length.
func (t *translation) flops(source, target int) float64 {
	c := t.model.Config
	d, s, n := float64(c.DModel), float64(source), float64(target)
	pairs := float64(max(1, t.sets.train.Len()))
	encoder := float64(c.EncoderLayers) * s * (4*d*d + 2*d*float64(c.EncoderFFN) + 2*d*s/pairs)
	decoder := float64(c.DecoderLayers) * (n*(6*d*d+2*d*float64(c.DecoderFFN)+d*n/pairs+2*d*s/pairs) + s*2*d*d)
	return 3 * 2 * (encoder + decoder + n*d*float64(c.DecoderVocabSize))
}

package train

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/nn"
	"github.com/parley-lm/parley/tokenizer"
)

// languageModel is the objective of a decoder-only model: the cross-entropy of each token given those before it in its
// document. Documents are packed into rows of model.context tokens, and none sees another.
type languageModel struct {
	workplace
	supervised
	vocabulary
	model     *model.Decoder
	start     *startingModel // of model.from; nil for a new model
	base      string         // fingerprint of a model that stays as it is, "" of one that is trained
	scratch   string         // directory of a dry run
	stores    []*corpus.Store
	documents int64

	train, valid corpus.Rows
	order        corpus.Order
	rowsOfBatch  int64
	tokenBytes   []int32 // of the text of each id
	row          []int32
	batch        model.TokenBatch
	nll          []float32
}

func newLanguageModel(ctx context.Context, w workplace) (objective, error) {
	l := &languageModel{workplace: w}
	if err := l.make(ctx); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

// make reads the text, makes vocabulary and model, and fills in what the recipe leaves to follow from them.
func (l *languageModel) make(ctx context.Context) error {
	texts, split, err := l.texts("data.train", l.recipe.Data.Train)
	if err != nil {
		return err
	}
	if l.recipe.Model.From != "" {
		if l.start, err = l.recipe.startModel(l.pool); err != nil {
			return err
		}
		if l.base, err = l.start.fingerprint(); err != nil {
			return err
		}
	}
	l.vocabulary, err = l.makeVocabulary(ctx,
		func() iter.Seq2[string, error] { return texts.Training(corpus.Split{}) },
		func() iter.Seq2[string, error] { return texts.Training(split) })
	if err != nil {
		return err
	}
	if err := l.tokenize(ctx, texts, split); err != nil {
		return err
	}
	if err := l.makeModel(); err != nil {
		return err
	}
	context := l.recipe.Model.Context
	l.train, l.valid = corpus.NewRows(l.stores[0].Train, context), corpus.NewRows(l.validationStream(), context)
	l.rowsOfBatch = int64(max(1, l.recipe.Train.BatchTokens/context))
	if l.valid.Tokens() == 0 {
		return fmt.Errorf("no document of %d was held out for validation; raise data.held_out_share = %g, or give data.validation", l.documents, l.recipe.Data.HeldOutShare)
	}
	l.tokenBytes = make([]int32, l.model.Config.VocabSize)
	for id := range l.tokenBytes {
		l.tokenBytes[id] = int32(len(l.tok.Decode([]int32{int32(id)}, true)))
	}
	return l.recipe.followData(l.store().Count(), l.train.Tokens(), l.batches())
}

// texts finds the files of a key, and what of them is held out.
func (l *languageModel) texts(key string, names []string) (*corpus.Texts, corpus.Split, error) {
	t, err := l.documentFiles(key, names)
	if err != nil || key != "data.train" || len(l.recipe.Data.Validation) > 0 {
		return t, corpus.Split{}, err
	}
	split, err := t.NewSplit(SplitSeed, l.recipe.Data.HeldOutShare)
	if split.AtEnd && err == nil && !l.resumed {
		l.progress.Note(fmt.Sprintf("there are few documents: the last %.3g %% of the text are held out for validation", 100*split.Share))
	}
	return t, split, err
}

// tokenize opens the tokens of the texts, or makes them. What a run began with must not have changed.
func (l *languageModel) tokenize(ctx context.Context, texts *corpus.Texts, split corpus.Split) error {
	dir, err := l.tokensDir()
	if err != nil {
		return err
	}
	if err := l.open(ctx, filepath.Join(dir, "train"), texts, split); err != nil {
		return err
	}
	if len(l.recipe.Data.Validation) == 0 {
		return nil
	}
	held, _, err := l.texts("data.validation", l.recipe.Data.Validation)
	if err != nil {
		return err
	}
	return l.open(ctx, filepath.Join(dir, "validation"), held, corpus.Split{})
}

// tokensDir returns where tokens are kept: where the recipe says, or in the run's directory, or for a dry run in one that
// is removed again.
func (l *languageModel) tokensDir() (string, error) {
	switch {
	case l.recipe.Data.Tokens != "":
		return l.recipe.Data.Tokens, nil
	case l.dir != "":
		return filepath.Join(l.dir, tokensDir), nil
	}
	var err error
	l.scratch, err = os.MkdirTemp("", "parley-tokens-")
	return l.scratch, err
}

func (l *languageModel) open(ctx context.Context, dir string, texts *corpus.Texts, split corpus.Split) error {
	e := corpus.Encoding{Checksum: l.sum, Size: l.tok.Size(), Begin: l.begin, Append: l.tok.Append, Threads: l.options.Threads}
	if l.resumed {
		why, err := texts.Changed(dir, e, split)
		if err != nil {
			return err
		}
		if why != "" {
			return fmt.Errorf("%s since this run began: a resumed run needs the same text and tokenizer", why)
		}
	}
	store, err := texts.Tokenize(ctx, dir, e, split)
	if err != nil {
		return err
	}
	l.stores = append(l.stores, store)
	l.documents += store.Documents
	if store.Rebuilt != "" {
		l.progress.Note(fmt.Sprintf("%d documents in %d files are %d tokens, kept in %s", store.Documents, len(texts.Files), store.Train.Len()+store.Validation.Len(), dir))
	}
	return nil
}

// validationStream is what was held out, or all of the validation text.
func (l *languageModel) validationStream() *corpus.Stream {
	if len(l.stores) > 1 {
		return l.stores[1].Train
	}
	return l.stores[0].Validation
}

// makeModel makes a new model, or takes that of model.from.
func (l *languageModel) makeModel() (err error) {
	m := &l.recipe.Model
	if l.start == nil {
		if l.model, err = model.NewDecoder(m.decoderConfig(l.tok.Size(), l.begin)); err != nil {
			return fmt.Errorf("recipe: model: %w", err)
		}
		l.model.Initialize(uint64(l.recipe.Train.Seed))
		if m.HeadNorm != 0 {
			l.model.FillHeadNorms(float32(m.HeadNorm))
		}
		return nil
	}
	l.model = l.start.model
	if v := l.model.Config.VocabSize; v < l.tok.Size() {
		return fmt.Errorf("model.from: %s has embeddings for %d tokens, but its tokenizer has %d", l.start.base, v, l.tok.Size())
	}
	if most := l.model.Config.MaxPositions; m.Context == 0 || m.Context > most {
		m.Context = most
	}
	return nil
}

// decoderConfig returns the config.json of a new model.
func (m ModelRecipe) decoderConfig(vocab int, begin int32) model.DecoderConfig {
	c := model.DecoderConfig{
		ModelType: m.Architecture, VocabSize: vocab, Hidden: m.Width, Layers: m.Layers, Heads: m.Heads, KVHeads: m.KVHeads,
		HeadDim: m.Width / m.Heads, FeedForward: m.FeedForward, MaxPositions: m.Context, Activation: m.Activation, NormEps: 1e-5,
		TieEmbeddings: m.TieOutput, ScaleAttention: true, InitStd: 0.02,
		Dropout: float32(m.Dropout), EmbeddingDropout: float32(m.Dropout), AttentionDropout: float32(m.AttentionDropout), BOSID: &begin, EOSIDs: []int32{begin},
	}
	if m.Architecture == "gpt2" {
		c.InBias, c.OutBias, c.MLPBias = true, true, true
	} else {
		c.HeadNorms = m.Architecture == "qwen3"
		c.Rotary = model.RotaryConfig{Type: "default", Theta: 10000, Factor: 1, Magnitude: 1}
	}
	return c
}

func (l *languageModel) store() *nn.Store {
	if l.start != nil {
		return l.start.store()
	}
	return l.model.Store()
}

func (l *languageModel) fingerprint() string {
	sum := l.stores[0].Checksum()
	if len(l.stores) > 1 {
		sum += "+" + l.stores[1].Checksum()
	}
	sum = "text " + sum + ", tokenizer " + l.sum
	if l.base != "" {
		sum += ", base model " + l.base
	}
	return sum
}

func (l *languageModel) changed(began string) error {
	what := "text"
	switch {
	case !strings.Contains(began, ", tokenizer "+l.sum):
		what = "tokenizer"
	case !strings.HasSuffix(began, l.base):
		what = "base model"
	}
	return fmt.Errorf("the %s is not that with which this run began (%s; now %s): a resumed run needs the same", what, began, l.fingerprint())
}

func (l *languageModel) beginEpoch(epoch int) {
	l.order = corpus.NewOrder(l.train.Len(), uint64(l.recipe.Train.Seed), epoch)
}

func (l *languageModel) batches() int {
	return int((l.train.Len() + l.rowsOfBatch - 1) / l.rowsOfBatch)
}

// rows returns the places in the order of the epoch that a batch takes up.
func (l *languageModel) rows(batch int) (from, to int64) {
	from = int64(batch) * l.rowsOfBatch
	return from, min(from+l.rowsOfBatch, l.train.Len())
}

func (l *languageModel) size(batch int) (rows, tokens, passes int) {
	context, last := int64(l.recipe.Model.Context), l.train.Len()-1
	from, to := l.rows(batch)
	sum := (to - from) * context
	for at := from; at < to; at++ {
		if l.order.At(at) == last { // which may be short
			sum -= l.train.Len()*context - l.train.Tokens()
		}
	}
	micro := int64(l.recipe.Train.MicroTokens)
	return int(to - from), int(sum), int(min(to-from, (sum+micro-1)/micro))
}

func (l *languageModel) forward(tape *grad.Tape, batch, pass, passes int, scale float64) (float64, error) {
	from, to := l.rows(batch)
	rows := to - from
	l.batch.Reset()
	for at := from + rows*int64(pass)/int64(passes); at < from+rows*int64(pass+1)/int64(passes); at++ {
		if err := l.add(l.train, l.order.At(at)); err != nil {
			return 0, err
		}
	}
	return l.model.Loss(tape, &l.batch, float32(scale), nil), nil
}

// add appends a row to the batch, the documents in it as sequences of their own.
func (l *languageModel) add(rows corpus.Rows, i int64) (err error) {
	if l.row, err = rows.Read(l.row[:0], i); err != nil {
		return err
	}
	for from := 0; from < len(l.row)-1; {
		to := corpus.NextBegin(l.row, l.begin, from)
		l.batch.Add(l.row[from:to], l.row[from+1:to+1])
		from = to
	}
	return nil
}

func (l *languageModel) finishGradient() Measures { return nil }

func (l *languageModel) describe(p *Plan) {
	p.Documents, p.TrainTokens, p.ValidTokens = l.documents, l.train.Tokens(), l.valid.Tokens()
	p.StepTokens = int(p.TrainTokens / int64(p.Batches))
	frozen := 0
	if l.start != nil {
		frozen = l.start.frozen()
	}
	p.Frozen = frozen
	p.FLOPsPerUpdate = decoderFLOPs(l.model, l.recipe.Model.Context, frozen > 0) * float64(p.StepTokens)
}

// decoderFLOPs returns the operations of training on a token: three times those of the forward pass, twice where the matrices
// are frozen. Matrix products are counted, attention's included for sequences of so many tokens.
func decoderFLOPs(m *model.Decoder, context int, frozen bool) float64 {
	c := m.Config
	multiplied := 0
	for _, p := range m.Params() {
		if len(p.Shape) == 2 && !p.Lookup {
			multiplied += p.Size()
		}
	}
	if c.TieEmbeddings { // looked up, and multiplied too
		multiplied += c.VocabSize * c.Hidden
	}
	attention := c.Layers * c.Heads * c.HeadDim * context // scores and sums, half of them masked
	passes := 3.0
	if frozen { // no gradients of matrices
		passes = 2
	}
	return passes * 2 * float64(multiplied+attention)
}

//go:embed language.md.tmpl
var languageCardText string

var languageCard = template.Must(template.New("card").Parse(languageCardText))

//go:embed lora.md.tmpl
var loraCardText string

var loraCard = template.Must(template.New("card").Parse(loraCardText))

func (l *languageModel) card() *template.Template {
	if l.recipe.wantsLoRA() {
		return loraCard
	}
	return languageCard
}

// save writes the model directory, or that of an adapter.
func (l *languageModel) save(dir string, card []byte) error {
	if l.start != nil {
		files, err := hub.TokenizerFiles(l.start.base)
		if err != nil {
			return err
		}
		files["README.md"] = card
		return l.start.save(dir, files)
	}
	text, err := l.tok.JSON()
	if err != nil {
		return err
	}
	name, _ := l.tok.Token(l.begin)
	config, err := l.tok.Config(tokenizer.Roles{BOS: name, EOS: name}, l.model.Config.MaxPositions)
	if err != nil {
		return err
	}
	files := map[string][]byte{vocabularyFile: text, "tokenizer_config.json": config, "README.md": card}
	return hub.SaveDecoder(dir, &hub.Decoder{Model: l.model, Files: files})
}

func (l *languageModel) close() error {
	var errs []error
	for _, s := range l.stores {
		errs = append(errs, s.Close())
	}
	if l.scratch != "" {
		errs = append(errs, os.RemoveAll(l.scratch))
	}
	return errors.Join(errs...)
}

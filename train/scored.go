package train

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/parley-lm/parley/chat"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/judge"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/nn"
	"github.com/parley-lm/parley/tokenizer"
)

// scored is what the objectives share whose model gives scores to texts.
type scored struct {
	workplace
	supervised
	vocabulary
	reader   judge.Reader
	model    *model.Classifier
	loaded   *hub.Classifier // of model.from, where that is such a model
	base     string          // directory of the model that an adapter is for
	adapter  *hub.Adapter    // what is trained, the head included; nil: the model itself
	baseSum  string          // of the base's weights
	scorer   judge.Scorer
	batch    model.TokenBatch
	rows     []int32   // of the batch, at which scores are read
	gradient []float32 // of the loss by these scores
	text     string    // fingerprint of the data

	dialogues bool // are judged: the chat template is saved with the model
}

// makeModel makes the model: new, on the layers of a language model, or that of model.from. It completes the vocabulary.
func (s *scored) makeModel(labels []string) error {
	m := &s.recipe.Model
	name, _ := s.tok.Token(s.begin)
	var err error
	if s.tok, err = s.tok.WithPrefix(name); err != nil {
		return err
	}
	if err := s.identify(); err != nil {
		return err
	}
	if m.From == "" {
		c := m.decoderConfig(s.tok.Size(), s.begin)
		c.PadID = &s.begin
		if s.model, err = model.NewClassifier(c, labels, m.pooling()); err != nil {
			return fmt.Errorf("recipe: model: %w", err)
		}
		s.model.Initialize(uint64(s.recipe.Train.Seed))
	} else if err := s.loadModel(hub.ModelDir(m.From), labels); err != nil {
		return fmt.Errorf("model.from: %w", err)
	}
	s.model.SetHeadRate(s.recipe.Train.HeadRate)
	if s.recipe.wantsLoRA() {
		if err := s.adapt(hub.ModelDir(m.From)); err != nil {
			return err
		}
	}
	c := s.model.Config
	if m.Context = min(m.Context, c.MaxPositions); m.Context == 0 {
		m.Context = c.MaxPositions
	}
	s.reader = judge.Reader{Tokenizer: s.tok, Template: chat.ChatML(), Context: m.Context, KeepEnd: s.recipe.Data.Long == "end"}
	if m.From != "" {
		s.reader.Template, err = judge.TemplateOf(hub.TokenizerDir(hub.ModelDir(m.From)))
	}
	return err
}

// adapt has a LoRA with a copy of the head trained instead of the model: a new one or, if that is what model.from holds, the one
// there.
func (s *scored) adapt(from string) (err error) {
	if s.base = from; hub.IsAdapter(from) {
		if s.base, err = hub.AdapterBase(from); err != nil {
			return fmt.Errorf("model.from: %w", err)
		}
		s.adapter, err = hub.LoadClassifierAdapter(from, s.model)
	} else {
		s.adapter, err = s.recipe.newAdapter(s.base, s.model)
	}
	if err == nil {
		err = mayTrain(s.adapter)
	}
	if err != nil {
		return err
	}
	s.adapter.LoRA.Attach(1)
	s.baseSum, err = weightsSum(s.base)
	return err
}

// loadBeside opens a classifier or, of the directory of an adapter that makes one, its base alone.
func loadBeside(dir string) (*hub.Classifier, error) {
	if !hub.IsAdapter(dir) {
		return hub.LoadClassifier(dir)
	}
	base, err := hub.AdapterBase(dir)
	if err != nil {
		return nil, err
	}
	c, _, err := hub.LoadClassifierWithAdapter(base, dir)
	return c, err
}

// checkStart says why a directory is nothing to go on from.
func (s *scored) checkStart(dir string, judges bool) error {
	switch adapter := hub.IsAdapter(dir); {
	case adapter && !judges:
		return fmt.Errorf("%s is the adapter of a language model; merge it first (parley convert merge)", dir)
	case adapter && !s.recipe.wantsLoRA():
		return fmt.Errorf("%s is an adapter, and the recipe trains a whole model; merge it first (parley convert merge), or set lora.rank", dir)
	}
	return nil
}

// loadModel takes a model from a directory, with the dropout of the recipe.
func (s *scored) loadModel(dir string, labels []string) error {
	judges, err := hub.IsClassifier(dir)
	if err == nil {
		err = s.checkStart(dir, judges)
	}
	if err == nil && judges {
		err = s.loadJudge(dir, labels)
	}
	if err != nil {
		return err
	}
	if s.recipe.wantsLoRA() && s.recipe.LoRA.Base == "bf16" {
		err = s.loadFrozenHalf(dir, labels)
	} else {
		err = s.loadWhole(dir, labels)
	}
	if err != nil {
		return err
	}
	s.model.SetDropout(float32(s.recipe.Model.Dropout), float32(s.recipe.Model.AttentionDropout))
	return nil
}

// loadJudge reads a model that gives scores already, and has the recipe read them as it does.
func (s *scored) loadJudge(dir string, labels []string) (err error) {
	if s.loaded, err = loadBeside(dir); err != nil {
		return err
	}
	m, o := s.loaded.Model, &s.recipe.Model
	switch {
	case !slices.Equal(m.Labels, labels):
		return fmt.Errorf("%s: its labels are %q, the data's %q", dir, m.Labels, labels)
	case o.Pooling != "" && o.pooling() != m.Pooling:
		return fmt.Errorf("%s reads its scores otherwise than model.pooling = %q says; leave that out", dir, o.Pooling)
	case m.Pooling == model.SumOfTokens:
		o.Pooling = "sum"
	}
	return nil
}

// loadWhole makes a model of its own of the layers of a language model, with a new head, or of the one that loadJudge has read.
func (s *scored) loadWhole(dir string, labels []string) error {
	var c model.DecoderConfig
	var layers []*nn.Param
	if s.loaded != nil {
		c, layers = s.loaded.Model.Config, s.loaded.Model.Params()
	} else {
		d, err := hub.LoadDecoder(dir)
		if err != nil {
			return err
		}
		c, layers = d.Model.Config, d.Model.Params()
	}
	err := s.fitTokenizer(dir, &c)
	if err != nil {
		return err
	}
	if s.model, err = model.NewClassifier(c, labels, s.recipe.Model.pooling()); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	s.model.Initialize(uint64(s.recipe.Train.Seed))
	s.model.CopyLayers(layers)
	if s.loaded != nil {
		copy(s.model.Store().Values(), s.loaded.Model.Store().Values())
	}
	return nil
}

// loadFrozenHalf is loadWhole for a model that stays as it is beside an adapter, with its matrices in bfloat16.
func (s *scored) loadFrozenHalf(dir string, labels []string) (err error) {
	if hub.IsAdapter(dir) {
		if dir, err = hub.AdapterBase(dir); err != nil {
			return err
		}
	}
	if s.model, err = hub.LoadClassifierFrozenHalf(dir, labels, s.recipe.Model.pooling(), uint64(s.recipe.Train.Seed)); err != nil {
		return err
	}
	if s.loaded != nil { // of an adapter that says which token it takes for padding
		s.model.Config.PadID = s.loaded.Model.Config.PadID
	}
	if s.recipe.LoRA.Arithmetic == "bf16" {
		s.model.Store().UseBF16()
	}
	return s.fitTokenizer(dir, &s.model.Config)
}

// fitTokenizer has the configuration of a model in a directory fit the tokenizer: with a token for padding, and no fewer tokens.
func (s *scored) fitTokenizer(dir string, c *model.DecoderConfig) error {
	if c.VocabSize < s.tok.Size() {
		return fmt.Errorf("%s has embeddings for %d tokens, but its tokenizer has %d", dir, c.VocabSize, s.tok.Size())
	}
	if c.PadID == nil {
		c.PadID = &s.begin
	}
	return nil
}

// store returns the parameters that are trained.
func (s *scored) store() *nn.Store {
	if s.adapter != nil {
		return &s.adapter.LoRA.Params
	}
	return s.model.Store()
}

// frozen returns how many parameters are not trained.
func (s *scored) frozen() int {
	if s.adapter != nil {
		return s.model.Store().Count()
	}
	return 0
}

func (s *scored) close() error { return nil }

// fingerprint is of the data and, where an adapter is trained, of the model that it is for.
func (s *scored) fingerprint() string {
	model := ""
	if s.adapter != nil {
		model = ", model " + s.baseSum
	}
	return "text " + s.text + model + ", tokenizer " + s.sum
}

func (s *scored) changed(began string) error {
	what := "data"
	switch {
	case !strings.HasSuffix(began, s.sum):
		what = "tokenizer"
	case strings.HasPrefix(began, "text "+s.text+","):
		what = "model"
	}
	return fmt.Errorf("the %s is not that with which this run began (%s; now %s): a resumed run needs the same", what, began, s.fingerprint())
}

// zeroGradient returns that of so many rows of scores, to be filled in.
func (s *scored) zeroGradient(rows int) kernel.Mat {
	n := rows * len(s.model.Labels)
	s.gradient = slices.Grow(s.gradient[:0], n)[:n]
	clear(s.gradient)
	return kernel.NewMat(s.gradient, rows, len(s.model.Labels))
}

// save writes the model directory.
func (s *scored) save(dir string, card []byte) error {
	text, err := s.tok.JSON()
	if err != nil {
		return err
	}
	begin, _ := s.tok.Token(s.begin)
	roles := tokenizer.Roles{BOS: begin, TruncationSide: "right"}
	if s.reader.KeepEnd {
		roles.TruncationSide = "left"
	}
	if pad := s.model.Config.PadID; pad != nil {
		roles.Pad, _ = s.tok.Token(*pad)
	}
	config, err := s.tok.Config(roles, s.reader.Context)
	if err != nil {
		return err
	}
	files := map[string][]byte{vocabularyFile: text, "tokenizer_config.json": config, "README.md": card}
	if source := s.reader.Template.Source(); s.dialogues {
		files["chat_template.jinja"] = []byte(source)
	}
	if s.adapter != nil {
		a := *s.adapter
		a.Files = files
		return hub.SaveClassifierAdapter(dir, &a, s.model)
	}
	d := hub.Classifier{}
	if s.loaded != nil { // with the keys of its configuration that Parley does not know
		d = *s.loaded
	}
	d.Model, d.Files = s.model, files
	return hub.SaveClassifier(dir, &d)
}

// pooling is what model.pooling says.
func (m *ModelRecipe) pooling() model.Pooling {
	if m.Pooling == "sum" {
		return model.SumOfTokens
	}
	return model.LastToken
}

// flops returns the operations of training on a token: three times those of the forward pass, twice where the matrices are frozen.
func (s *scored) flops(context float64) float64 {
	multiplied := 0
	for _, p := range s.model.Params() {
		if len(p.Shape) == 2 && !p.Lookup {
			multiplied += p.Size()
		}
	}
	c, passes := s.model.Config, 3.0
	if s.adapter != nil {
		passes = 2
	}
	return passes * 2 * (float64(multiplied) + float64(c.Layers*c.Heads*c.HeadDim)*context)
}

// Rates of learning of models that give scores, for a width of 128, and how many updates warm up.
const (
	freshRate   = 0.003
	trainedRate = 0.0008
	adapterRate = 0.004 // of a LoRA
	warmupShare = 16

	preferenceRate = 0.00003 // of AdamW
)

// followBatches fills in what the recipe leaves 0 and depends on the number of batches: as many updates as the epochs have, of
// which a sixteenth warm up, a validation after each half epoch, and a learning rate that falls with the root of the width,
// lower where the model is trained already.
func (r *Recipe) followBatches(batches, width int) error {
	rate := freshRate
	switch {
	case r.wantsLoRA():
		rate = adapterRate
	case r.Model.From != "":
		rate = trainedRate
	}
	return r.followEpochs(batches, rate*math.Sqrt(128/float64(width)))
}

// followPreference is followBatches for direct preference optimisation, which needs rates far lower than those at which models
// learn to write; updates of low rank bear higher ones.
func (r *Recipe) followPreference(batches, width int) error {
	rate := preferenceRate
	if r.wantsLoRA() {
		rate *= 10
	}
	return r.followEpochs(batches, rate*math.Sqrt(128/float64(width)))
}

func (r *Recipe) followEpochs(batches int, rate float64) error {
	t := &r.Train
	if t.Updates == 0 {
		t.Updates = max(1, batches*max(1, t.Epochs))
		if r.Schedule.Warmup == 0 && r.Schedule.Kind != "constant" {
			r.Schedule.Warmup = t.Updates / warmupShare
		}
	}
	if r.Schedule.Kind == "wsd" && r.Schedule.Decay == 0 {
		r.Schedule.Decay = max(1, t.Updates/5)
	}
	if r.Validation.Every == 0 {
		r.Validation.Every = max(1, batches/2)
	}
	if t.LR == 0 {
		t.LR = math.Round(1e7*rate) / 1e7
	}
	if err := r.Validate(); err != nil {
		return fmt.Errorf("with what follows from %d batches an epoch: %w", batches, err)
	}
	return nil
}

package parley

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"sync"

	"github.com/parley-lm/parley/decode"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/nn"
	"github.com/parley-lm/parley/tokenizer"
)

// Model is an opened model. It is safe for use by many goroutines at once.
type Model struct {
	translator *hub.EncDec    // nil in a decoder-only model
	decoder    *languageModel // nil in an encoder–decoder
	threads    int
	precision  Precision
	arithmetic Precision
	adapters   []adapter

	mu      sync.Mutex
	engines map[decode.Options]*engine // by what searches ask for
	writer  *writer                    // nil until something is generated
	scorers []*scorer                  // that nobody uses at the moment
}

// languageModel is a decoder-only model with what it takes to write text.
type languageModel struct {
	*hub.Decoder
	tokenizer *tokenizer.Tokenizer
	sampling  decode.Sampling // as generation_config.json has it
	talk      func() (talk, error)
}

// Architecture says what a model is, and so what can be done with it.
type Architecture string

const (
	// EncoderDecoder models translate.
	EncoderDecoder Architecture = "encoder–decoder"
	// DecoderOnly models generate text.
	DecoderOnly Architecture = "decoder-only"
)

// An Option changes how Open sets up a model.
type Option func(*Model)

// Threads sets how many processors a model computes on; 0, the default, means all. Results do not depend on it.
func Threads(n int) Option { return func(m *Model) { m.threads = n } }

// Precision says as what matrices are held in memory. Sums are computed in float32 either way.
type Precision string

const (
	// Float32 is the default.
	Float32 Precision = "f32"
	// BFloat16 takes half the memory of it, and so half the time of whatever waits for memory, as writing one text does. Weights
	// that are published in bfloat16 give the same bits; others are rounded. It is for decoder-only models.
	BFloat16 Precision = "bf16"
)

// WithPrecision sets as what matrices are held.
func WithPrecision(p Precision) Option { return func(m *Model) { m.precision = p } }

// WithArithmetic sets to what the numbers are rounded that a decoder-only model multiplies with its matrices: nothing with
// Float32, the default. BFloat16 is faster where several tokens are computed together, as those of a prompt are, and is an
// error on processors without products of it (AVX-512 BF16 or AMX). Sums are float32 either way.
func WithArithmetic(p Precision) Option { return func(m *Model) { m.arithmetic = p } }

// adapter is a LoRA adapter to be used with a model.
type adapter struct {
	dir    string
	weight float64
}

// WithAdapter makes a decoder-only model compute with a LoRA adapter: a directory as PEFT saves it, or a run of
// `parley train lora`. Its effect is multiplied by weight, usually 1. Several adapters add up. The model itself stays in
// memory as it is, in either precision.
func WithAdapter(dir string, weight float64) Option {
	return func(m *Model) { m.adapters = append(m.adapters, adapter{hub.ModelDir(dir), weight}) }
}

// Open reads the model in a directory as `transformers` saves it, encoder–decoder or decoder-only, the best model of a run of
// `parley train`, or a GGUF file that is not quantised. Of a LoRA adapter's directory it opens the base model that the adapter names, with the adapter.
// The error names the file, and the key or tensor in it that does not fit.
func Open(dir string, options ...Option) (*Model, error) {
	m := &Model{engines: make(map[decode.Options]*engine), precision: Float32, arithmetic: Float32}
	dir = hub.ModelDir(dir)
	if hub.IsAdapter(dir) {
		m.adapters = append(m.adapters, adapter{dir, 1})
		var err error
		if dir, err = hub.AdapterBase(dir); err != nil {
			return nil, err
		}
	}
	decoderOnly, err := hub.IsDecoder(dir)
	if err != nil {
		return nil, err
	}
	for _, o := range options {
		o(m)
	}
	half := m.precision == BFloat16
	if !half && m.precision != Float32 {
		return nil, fmt.Errorf("a precision of %q; there are %s and %s", m.precision, Float32, BFloat16)
	}
	switch {
	case m.arithmetic != BFloat16 && m.arithmetic != Float32:
		return nil, fmt.Errorf("an arithmetic of %q; there are %s and %s", m.arithmetic, Float32, BFloat16)
	case m.arithmetic == BFloat16 && !kernel.HasBF16():
		return nil, fmt.Errorf("this processor has no products of %s (AVX-512 BF16 or AMX), or PARLEY_ISA hides them; compute with %s", BFloat16, Float32)
	}
	pool := kernel.NewPool(m.threads)
	defer pool.Close()
	switch {
	case decoderOnly:
		if m.decoder, err = openLanguageModel(dir, half, m.arithmetic == BFloat16, pool); err == nil {
			err = m.decoder.attach(m.adapters, pool)
			m.decoder.talk = sync.OnceValues(func() (talk, error) { return m.decoder.openTalk(m.dirs(dir)) })
		}
	case len(m.adapters) > 0:
		err = fmt.Errorf("%s: adapters are for decoder-only models, and this is an encoder–decoder", dir)
	case half || m.arithmetic == BFloat16:
		err = fmt.Errorf("%s: an encoder–decoder computes with %s; %s is for decoder-only models", dir, Float32, BFloat16)
	default:
		m.translator, err = hub.LoadEncDec(dir)
	}
	if err != nil {
		return nil, err
	}
	m.store().Pack(pool)
	return m, nil
}

func openLanguageModel(dir string, half, bf16 bool, pool *kernel.Pool) (*languageModel, error) {
	load := hub.LoadDecoder
	if half {
		load = func(dir string) (*hub.Decoder, error) { return hub.LoadDecoderHalf(dir, pool, bf16) }
	}
	var tok *tokenizer.Tokenizer
	var tokErr error
	var reading sync.WaitGroup
	reading.Go(func() { tok, _, tokErr = hub.LoadTokenizers(dir) }) // which takes as long as the weights of a small model
	content, err := load(dir)
	reading.Wait()
	if err != nil {
		return nil, err
	}
	if bf16 {
		content.Model.Store().UseBF16()
	}
	if tokErr != nil {
		return nil, tokErr
	}
	vocabulary := content.Model.Config.VocabSize
	if tok.Size() > vocabulary {
		return nil, fmt.Errorf("%s: has %d tokens, the model's vocab_size is %d", fileOf(dir, "tokenizer.json"), tok.Size(), vocabulary)
	}
	l := &languageModel{Decoder: content, tokenizer: tok, sampling: samplingOf(content.Generation)}
	if err := l.sampling.Check(vocabulary); err != nil {
		return nil, fmt.Errorf("%s: %w", fileOf(dir, "generation_config.json"), err)
	}
	return l, nil
}

// dirs lists the directories of adapters, the last one first, and that of the model.
func (m *Model) dirs(base string) []string {
	var dirs []string
	for _, a := range m.adapters {
		dirs = slices.Insert(dirs, 0, a.dir)
	}
	return append(dirs, base)
}

// fileOf is where a model's file is: in its directory, or in its GGUF file.
func fileOf(model, name string) string {
	if hub.IsGGUF(model) {
		return model
	}
	return filepath.Join(model, name)
}

// attach reads adapters and makes the model compute with them.
func (l *languageModel) attach(adapters []adapter, pool *kernel.Pool) error {
	var first *hub.Adapter
	for _, a := range adapters {
		if !(math.Abs(a.weight) > 0 && math.Abs(a.weight) <= math.MaxFloat32) {
			return fmt.Errorf("adapter %s: a weight of %g; it must be a number other than 0", a.dir, a.weight)
		}
		content, err := hub.LoadAdapter(a.dir, l.Model)
		if err != nil {
			return err
		}
		if err := content.CheckUse(a.dir, a.weight, first); err != nil {
			return err
		}
		if !content.LoRA.Fits() {
			return fmt.Errorf("adapter %s: a DoRA (use_dora), or an update of the output layer, needs its base model in %s; open it so, or merge them (parley convert merge)", a.dir, Float32)
		}
		if first == nil {
			first = content
		}
		content.LoRA.Attach(a.weight)
		content.LoRA.Pack(pool)
	}
	return nil
}

// Architecture returns what the model is.
func (m *Model) Architecture() Architecture {
	if m.decoder != nil {
		return DecoderOnly
	}
	return EncoderDecoder
}

// Parameters returns the number of trained numbers.
func (m *Model) Parameters() int { return m.store().Count() }

func (m *Model) store() *nn.Store {
	if m.decoder != nil {
		return m.decoder.Model.Store()
	}
	return m.translator.Model.Store()
}

var (
	errNotTranslator = errors.New("this is a decoder-only model, which continues text (Generate) and does not translate; translation takes an encoder–decoder")
	errNotGenerator  = errors.New("this is an encoder–decoder, which translates (Translate) and does not continue text; generation takes a decoder-only model")
)

// Close gives back the goroutines and the memory of past calls. Calls in progress end first; later ones work as before.
func (m *Model) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for o, e := range m.engines {
		e.close()
		delete(m.engines, o)
	}
	if m.writer != nil {
		m.writer.close()
		m.writer = nil
	}
	for _, s := range m.scorers {
		s.pool.Close()
	}
	m.scorers = nil
}

package train

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/nn"
)

// startingModel is the decoder-only model of model.from, on which an objective goes on: all of it is trained or, with a
// [lora] in the recipe, a LoRA while the model itself stays as it is.
type startingModel struct {
	model   *model.Decoder
	content *hub.Decoder
	adapter *hub.Adapter // what is trained; nil: the model itself
	base    string       // directory of the model
	from    string       // and of the adapter with which it begins; "": none
}

// wantsLoRA says whether a recipe trains a LoRA.
func (r *Recipe) wantsLoRA() bool { return r.LoRA.Rank > 0 }

// startModel opens model.from and, if the recipe has a [lora], attaches a new one. If model.from is an adapter's directory,
// the model is the adapter's base, and training goes on with the adapter.
func (r *Recipe) startModel(pool *kernel.Pool) (*startingModel, error) {
	from := hub.ModelDir(r.Model.From)
	s := &startingModel{base: from}
	adapter := ""
	if hub.IsAdapter(from) {
		if !r.wantsLoRA() {
			return nil, fmt.Errorf("model.from: %s is an adapter, and the recipe trains a whole model; merge it first (parley convert merge), or set lora.rank", from)
		}
		var err error
		if adapter, s.base, err = r.adapterAndBase(from); err != nil {
			return nil, err
		}
	}
	load := hub.LoadDecoder
	if r.wantsLoRA() && r.LoRA.Base == "bf16" {
		load = hub.LoadDecoderFrozenHalf
	}
	var err error
	if s.content, err = load(s.base); err != nil {
		return nil, fmt.Errorf("model.from: %w", err)
	}
	s.model = s.content.Model
	s.model.SetDropout(float32(r.Model.Dropout), float32(r.Model.AttentionDropout))
	if r.Train.Arithmetic == "bf16" { // whatever is computed before the first update too, such as a reference's log-probabilities
		s.model.Store().UseBF16()
	}
	if !r.wantsLoRA() {
		return s, nil
	}
	if s.from = adapter; adapter != "" {
		s.adapter, err = hub.LoadAdapter(adapter, s.model)
	} else {
		s.adapter, err = r.newAdapter(s.base, s.model)
	}
	if err == nil {
		err = mayTrain(s.adapter)
	}
	if err != nil {
		return nil, err
	}
	if r.LoRA.Arithmetic == "bf16" {
		s.model.Store().UseBF16()
	}
	s.model.Freeze(pool)
	s.adapter.LoRA.Attach(1)
	return s, nil
}

func (r *Recipe) adapterAndBase(from string) (adapter, base string, err error) {
	if base, err = hub.AdapterBase(from); err != nil {
		return "", "", fmt.Errorf("model.from: %w", err)
	}
	return from, base, nil
}

// mayTrain says why an adapter cannot be trained.
func mayTrain(a *hub.Adapter) error {
	if a.LoRA.ForUse() {
		return errors.New("the adapter holds low-rank updates of the embedding or the output layer, or biases; these can be used but not trained")
	}
	return nil
}

// adaptable is a model that a LoRA can be made for.
type adaptable interface {
	NewLoRA(model.LoRAConfig) (*nn.LoRA, error)
}

// newAdapter makes an adapter for the model of a directory as the recipe describes it, which does not change anything yet.
func (r *Recipe) newAdapter(base string, m adaptable) (*hub.Adapter, error) {
	o := &r.LoRA
	a := &hub.Adapter{Base: base, Config: model.LoRAConfig{
		Rank: o.Rank, Alpha: o.Alpha, RankStabilized: o.RankStabilized, Dropout: float32(o.Dropout), Decomposed: o.DoRA, Targets: model.Modules{Names: o.Targets},
	}}
	var err error
	if a.LoRA, err = m.NewLoRA(a.Config); err != nil {
		return nil, fmt.Errorf("recipe: lora: %w", err)
	}
	a.LoRA.Params.Allocate()
	a.LoRA.Params.Initialize(uint64(r.Train.Seed))
	return a, nil
}

// store returns the parameters that are to be trained.
func (s *startingModel) store() *nn.Store {
	if s.adapter != nil {
		return &s.adapter.LoRA.Params
	}
	return s.model.Store()
}

// settle prepares an adapter for many small passes between two updates, as writing takes them, until what it returns is called.
func (s *startingModel) settle(pool *kernel.Pool) (unsettle func()) {
	if s == nil || s.adapter == nil {
		return func() {}
	}
	s.adapter.LoRA.Pack(pool)
	return s.adapter.LoRA.Unpack
}

// frozen returns how many parameters are not trained.
func (s *startingModel) frozen() int {
	if s.adapter != nil {
		return s.model.Store().Count()
	}
	return 0
}

// fingerprint is a hash of the model where that must be the same when a run is resumed: a checkpoint holds what is trained
// alone. Of a model that is trained as a whole it is "".
func (s *startingModel) fingerprint() (string, error) {
	if s.adapter == nil {
		return "", nil
	}
	return weightsSum(s.base)
}

// weightsSum is a hash of the weights of a directory.
func weightsSum(dir string) (string, error) {
	names, err := filepath.Glob(filepath.Join(hub.ResolveDir(dir), "*.safetensors"))
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return "", err
		}
		_, err = io.Copy(sum, f)
		f.Close()
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:16]), nil
}

// save writes a model directory, with the keys of its configuration that Parley does not know, or an adapter's.
func (s *startingModel) save(dir string, files map[string][]byte) error {
	if s.adapter != nil {
		a := *s.adapter
		a.Files = files
		return hub.SaveAdapter(dir, &a, s.model)
	}
	d := *s.content
	d.Files = files
	return hub.SaveDecoder(dir, &d)
}

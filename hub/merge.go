package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"github.com/parley-lm/parley/internal/kernel"
)

// WeightedAdapter is the directory of an adapter, or of a run that trained one, and what its effect is multiplied by.
type WeightedAdapter struct {
	Dir    string
	Weight float64
}

// Merged says what [Merge] has done.
type Merged struct {
	Base       string `json:"base"`
	Out        string `json:"out"`
	Modules    int    `json:"modules"` // linear layers that were changed, counted for every adapter
	Parameters int    `json:"parameters"`
	DType      DType  `json:"dtype"`
}

// tokenizerFiles are what a model directory may hold for its tokenizer.
var tokenizerFiles = []string{
	"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja", "vocab.json", "merges.txt", "tokenizer.model",
}

// TokenizerFiles reads what a model directory holds for its tokenizer, for another model that keeps it.
func TokenizerFiles(dir string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, name := range tokenizerFiles {
		text, err := readBounded(filepath.Join(ResolveDir(dir), name), 1<<28)
		switch {
		case err == nil:
			files[name] = text
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	return files, nil
}

// Merge writes a base model with adapters merged into it as a model directory of its own, with the weights in the given type
// or, if that is "", in the base's. The base may be "": then the first adapter names it.
func Merge(pool *kernel.Pool, base string, adapters []WeightedAdapter, out string, as DType) (*Merged, error) {
	if base == "" {
		var err error
		if base, err = AdapterBase(ModelDir(adapters[0].Dir)); err != nil {
			return nil, err
		}
	}
	if base = ModelDir(base); IsAdapter(base) {
		return nil, fmt.Errorf("%s is an adapter; give its base model, and the adapter by --adapter", base)
	}
	for _, a := range append(adapters[:len(adapters):len(adapters)], WeightedAdapter{Dir: base}) {
		if sameFile(out, ModelDir(a.Dir)) {
			return nil, fmt.Errorf("%s is read for what is to be written there; name another directory", out)
		}
	}
	d, err := LoadDecoder(base)
	if err != nil {
		return nil, err
	}
	merged := &Merged{Base: base, Out: out, Parameters: d.Model.Store().Count(), DType: as}
	if as == "" {
		if merged.DType, err = weightsDType(base, d.Model.Params()[0].Name); err != nil {
			return nil, err
		}
	}
	for _, a := range adapters {
		if math.IsNaN(a.Weight) || math.IsInf(a.Weight, 0) {
			return nil, fmt.Errorf("adapter %s: a weight of %g; it must be a number", a.Dir, a.Weight)
		}
		content, err := LoadAdapter(ModelDir(a.Dir), d.Model)
		if err != nil {
			return nil, err
		}
		content.LoRA.Merge(pool, a.Weight)
		merged.Modules += len(content.LoRA.Modules)
	}
	d.DType = merged.DType
	if d.Files, err = TokenizerFiles(base); err != nil {
		return nil, err
	}
	return merged, SaveDecoder(out, d)
}

// sameFile says whether two names stand for one file.
func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	y, err2 := os.Stat(b)
	return err == nil && err2 == nil && os.SameFile(x, y)
}

// weightsDType returns as what a parameter of a decoder is stored.
func weightsDType(dir, name string) (DType, error) {
	w, err := OpenWeights(ResolveDir(dir))
	if err != nil {
		return "", err
	}
	stored, _ := findDecoder(w, name, true)
	info, _ := w.Info(stored)
	return info.DType, w.Close()
}

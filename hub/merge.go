package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/nn"
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

// TokenizerDir is where the tokenizer of a model directory is: there or, if it holds an adapter without one, with the adapter's base.
func TokenizerDir(dir string) string {
	if IsAdapter(dir) && !isFile(filepath.Join(ResolveDir(dir), "tokenizer.json")) {
		if base, err := AdapterBase(dir); err == nil {
			return base
		}
	}
	return dir
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
	m := &Merged{Base: base, Out: out, DType: as}
	judges, err := IsClassifier(ModelDir(adapters[0].Dir))
	if err != nil {
		return nil, err
	}
	if judges {
		return m, m.mergeClassifier(pool, adapters)
	}
	return m, m.mergeDecoder(pool, adapters)
}

func (m *Merged) mergeDecoder(pool *kernel.Pool, adapters []WeightedAdapter) error {
	d, err := LoadDecoder(m.Base)
	if err != nil {
		return err
	}
	if err := m.describe(d.Model.Params()); err != nil {
		return err
	}
	var first *Adapter
	for i, a := range adapters {
		content, err := LoadAdapter(ModelDir(a.Dir), d.Model)
		if err != nil {
			return err
		}
		if d.Model.Config.TieEmbeddings && content.LoRA.ReplacesTables() { // embedding and output layer part
			if d.Model, err = d.Model.Untied(); err != nil {
				return err
			}
			if content, err = LoadAdapter(ModelDir(a.Dir), d.Model); err != nil {
				return err
			}
			m.Parameters = d.Model.Store().Count()
		}
		if err := m.add(pool, content, a, first); err != nil {
			return err
		}
		if i == 0 {
			first = content
		}
	}
	d.DType = m.DType
	if d.Files, err = TokenizerFiles(m.Base); err != nil {
		return err
	}
	return SaveDecoder(m.Out, d)
}

// mergeClassifier merges the adapter of a classifier, which there can be only one of: it brings the head along.
func (m *Merged) mergeClassifier(pool *kernel.Pool, adapters []WeightedAdapter) error {
	dir := ModelDir(adapters[0].Dir)
	c, a, err := LoadClassifierWithAdapter(m.Base, dir)
	if err != nil {
		return err
	}
	if len(adapters) > 1 {
		return fmt.Errorf("%s is the adapter of a classifier, with its head; it cannot be merged with others", dir)
	}
	if err := m.describe(c.Model.Params()); err != nil {
		return err
	}
	if err := m.add(pool, a, adapters[0], nil); err != nil {
		return err
	}
	c.DType = m.DType
	if c.Files, err = TokenizerFiles(TokenizerDir(dir)); err != nil {
		return err
	}
	return SaveClassifier(m.Out, c)
}

// describe says what comes out, of a model with such parameters.
func (m *Merged) describe(params []*nn.Param) (err error) {
	for _, p := range params {
		m.Parameters += p.Size()
	}
	if m.DType == "" {
		m.DType, err = weightsDType(m.Base, params[0].Name)
	}
	return err
}

// add merges one of the adapters, the first of which is given unless it is that.
func (m *Merged) add(pool *kernel.Pool, a *Adapter, one WeightedAdapter, first *Adapter) error {
	if err := a.CheckUse(one.Dir, one.Weight, first); err != nil {
		return err
	}
	a.LoRA.Merge(pool, one.Weight)
	m.Modules += len(a.LoRA.Modules)
	return nil
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

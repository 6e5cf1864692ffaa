package hub

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/nn"
)

// Adapter is the contents of the directory of a LoRA adapter, as PEFT saves it: adapter_config.json and
// adapter_model.safetensors.
type Adapter struct {
	Config model.LoRAConfig
	LoRA   *nn.LoRA // for a base model; nothing is attached by reading it
	Base   string   // base_model_name_or_path: where the base model is, as whoever trained it called it
	// Files holds further files to save in the directory by name. Loading leaves it empty.
	Files map[string][]byte

	config *Config // as read, with keys that Parley does not know; nil for a new adapter
}

// adapted is a model that a LoRA can be made for.
type adapted interface {
	NewLoRA(model.LoRAConfig) (*nn.LoRA, error)
	ResolveTargets(*model.LoRAConfig)
}

// IsAdapter says whether a directory holds an adapter and no model.
func IsAdapter(dir string) bool {
	dir = ResolveDir(dir)
	return isFile(filepath.Join(dir, adapterConfigFile)) && !isFile(filepath.Join(dir, "config.json"))
}

// AdapterBase returns the directory of an adapter's base model as its adapter_config.json names it, absolute or relative to
// the adapter or to the working directory. Where there is none, the error says what was looked for.
func AdapterBase(dir string) (string, error) {
	dir = ResolveDir(dir)
	config, err := ReadConfig(filepath.Join(dir, adapterConfigFile))
	if err != nil {
		return "", err
	}
	name, err := config.StringOr("base_model_name_or_path", "")
	if err != nil {
		return "", err
	}
	if name == "" {
		return "", fmt.Errorf("%s: base_model_name_or_path does not say what the adapter belongs to; give the base model by -m and the adapter by --adapter", config.Path())
	}
	candidates := []string{name}
	if !filepath.IsAbs(name) {
		candidates = []string{filepath.Join(dir, name), name}
	}
	for _, path := range candidates {
		if path = ModelDir(path); isFile(filepath.Join(ResolveDir(path), "config.json")) {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: the base model %q is not on this machine; give its directory by -m and the adapter by --adapter", config.Path(), name)
}

// LoadAdapter opens the directory of an adapter, for a language model. Everything is compared before memory is asked for: a target
// that the model lacks, a tensor that is missing, misshapen or has no place is an error that names it.
func LoadAdapter(dir string, m *model.Decoder) (*Adapter, error) {
	return loadAdapter(dir, m, causalTask)
}

// LoadClassifierAdapter is [LoadAdapter] for the adapter of a classifier or reward model, which brings a head along.
func LoadClassifierAdapter(dir string, m *model.Classifier) (*Adapter, error) {
	return loadAdapter(dir, m, classifierTask(m.Pooling))
}

func loadAdapter(dir string, m adapted, task string) (*Adapter, error) {
	if dir = ResolveDir(dir); !isDir(dir) {
		return nil, fmt.Errorf("%s: no such adapter directory", dir)
	}
	config, err := ReadConfig(filepath.Join(dir, adapterConfigFile))
	if err != nil {
		return nil, err
	}
	a := &Adapter{config: config}
	if a.Config, err = parseLoRA(config); err != nil {
		return nil, err
	}
	switch its, err := adapterTask(config); {
	case err != nil:
		return nil, err
	case its != task && task == causalTask:
		return nil, fmt.Errorf("%w: it makes a classifier or a reward model of its base, which parley eval reward and parley eval classify open", config.errorf("task_type", fmt.Sprintf("%q", task)))
	case its != task:
		return nil, config.errorf("task_type", fmt.Sprintf("%q", task))
	}
	if a.Base, err = config.StringOr("base_model_name_or_path", ""); err != nil {
		return nil, err
	}
	if a.LoRA, err = m.NewLoRA(a.Config); err != nil {
		return nil, fmt.Errorf("%s: %w", config.Path(), err)
	}
	f, err := Open(filepath.Join(dir, adapterWeightsFile))
	if err != nil {
		return nil, err
	}
	return a, errors.Join(a.read(f), f.Close())
}

// read fills the adapter from its file.
func (a *Adapter) read(f *File) error {
	known := map[string]bool{}
	for _, p := range a.LoRA.Params.Params() {
		name := adapterTensor(f, p.Name)
		known[name] = true
		info, ok := f.Info(name)
		if !ok {
			return fmt.Errorf("%s: there is no tensor %q of shape %v, which %s asks for", f.Path(), p.Name, p.Shape, adapterConfigFile)
		}
		if !slices.Equal(info.Shape, p.Shape) {
			return fmt.Errorf("%s: tensor %q has shape %v; %s and the model ask for %v", f.Path(), p.Name, info.Shape, adapterConfigFile, p.Shape)
		}
	}
	for _, name := range f.Tensors() {
		if p := a.LoRA.TableCopy(name); p != nil {
			if err := sameNumbers(f, name, p); err != nil {
				return err
			}
		} else if !known[name] {
			info, _ := f.Info(name)
			return fmt.Errorf("%s: tensor %q of shape %v has no place: %s", f.Path(), name, info.Shape, a.misplaced(name))
		}
	}
	a.LoRA.Params.Allocate()
	for _, p := range a.LoRA.Params.Params() {
		if err := f.ReadFloat32(adapterTensor(f, p.Name), p.Data); err != nil {
			return err
		}
	}
	return nil
}

// adapterTensor is the name under which a parameter is stored: older versions of PEFT wrap no layers, whose biases have plain names.
func adapterTensor(f *File, name string) string {
	if plain := strings.Replace(name, ".base_layer.", ".", 1); plain != name {
		if _, ok := f.Info(plain); ok {
			return plain
		}
	}
	return name
}

// sameNumbers compares a tensor, which PEFT writes beside the update of an embedding, with the base model's parameter.
func sameNumbers(f *File, name string, p *nn.Param) error {
	values, shape, err := f.Float32(name)
	if err == nil && (!slices.Equal(shape, p.Shape) || p.Data != nil && !slices.Equal(values, p.Data)) {
		err = fmt.Errorf("%s: tensor %q is another than the base model's %s: the adapter belongs to a model of another vocabulary", f.Path(), name, p.Name)
	}
	return err
}

// CheckUse reports what keeps an adapter from being used with a weight, or beside others: whole modules that were trained beside the
// updates replace the model's, and decomposed updates (DoRA) are no sum to which something can be added. before is the first of
// the others, nil if there are none.
func (a *Adapter) CheckUse(dir string, weight float64, before *Adapter) error {
	why := ""
	switch {
	case a.LoRA.Decomposed():
		why = "it is a DoRA (use_dora)"
	case a.LoRA.Replaces():
		why = "it holds whole modules (modules_to_save), updates of the embedding or the output layer, or biases"
	}
	switch {
	case math.IsNaN(weight) || math.IsInf(weight, 0):
		return fmt.Errorf("adapter %s: a weight of %g; it must be a number", dir, weight)
	case why != "" && weight != 1:
		return fmt.Errorf("adapter %s: a weight of %g; %s, so that its weight can only be 1", dir, weight, why)
	case before != nil && before.LoRA.Decomposed():
		return fmt.Errorf("adapter %s: the one before it is a DoRA (use_dora), beside which there can be no other", dir)
	case before != nil && why != "":
		return fmt.Errorf("adapter %s: %s, so that it must be the first of the adapters and the only one such", dir, why)
	}
	return nil
}

// misplaced says why a tensor cannot belong to the adapter.
func (a *Adapter) misplaced(name string) string {
	switch {
	case strings.Contains(name, ".lora_embedding_"):
		return "the model has no such embedding, or target_modules does not name it"
	case strings.Contains(name, ".lora_magnitude_vector"):
		return "the model has no such linear layer, or use_dora is not true"
	case strings.HasSuffix(name, ".bias"):
		return "the model has no such bias, or bias does not name it"
	case strings.Contains(name, ".base_layer."):
		return "embeddings of another size than the base model's are not supported"
	case strings.HasSuffix(name, ".lora_A.weight") || strings.HasSuffix(name, ".lora_B.weight"):
		return "the model has no such linear layer, or target_modules does not name it"
	}
	return "it is no part of a LoRA, and modules_to_save does not name it"
}

// SaveAdapter writes the directory of an adapter, atomically, as PEFT does; PEFT opens it. Of one that was loaded, keys of its
// configuration that Parley does not know are kept. A directory that holds something else is not replaced.
func SaveAdapter(dir string, a *Adapter, m *model.Decoder) error {
	return a.save(dir, m, causalTask, m.Config.ModelType == "gpt2", nil)
}

func (a *Adapter) save(dir string, m adapted, task string, conv1D bool, metadata map[string]string) error {
	if err := mayReplace(dir); err != nil {
		return err
	}
	files, err := furtherFiles(a.Files)
	if err != nil {
		return fmt.Errorf("cannot save %s: %w", dir, err)
	}
	config := NewConfig(adapterConfigFile)
	if a.config != nil {
		if err := config.Merge(a.config.fields); err != nil {
			return err
		}
	} else {
		full := a.Config
		m.ResolveTargets(&full)
		if err := config.Merge(loraFields(full, task, a.Base, conv1D)); err != nil {
			return err
		}
	}
	files[adapterConfigFile] = config.Bytes()
	described := map[string]string{"format": "pt"}
	maps.Copy(described, metadata)
	return WriteDirAtomic(dir, func(tmp string) error {
		for name, data := range files {
			if err := os.WriteFile(filepath.Join(tmp, name), data, 0o666); err != nil {
				return err
			}
		}
		return SaveSafetensors(filepath.Join(tmp, adapterWeightsFile), tensorsOf(a.LoRA.Params.Params(), F32), described)
	})
}

package hub

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/nn"
)

// Classifier is the contents of the directory of a text classifier or a reward model.
type Classifier struct {
	Model *model.Classifier
	// DType is the type in which the weights are saved: F32, F16 or BF16; empty means F32.
	DType DType
	// Files holds further files to save in the directory by name, a tokenizer.json for instance. Loading leaves it empty.
	Files map[string][]byte

	config *Config // as read, with keys that Parley does not know; nil for a new model
}

// LoadClassifier opens a directory as the …ForSequenceClassification and …ForTokenClassification of GPT-2, Llama, Mistral, Qwen2
// and Qwen3 save it, with one label or several, or the directory of an adapter that makes one of its base. Errors name file and key,
// or tensor.
func LoadClassifier(dir string) (*Classifier, error) {
	if IsAdapter(dir) {
		return loadAdaptedClassifier(dir)
	}
	dir = ResolveDir(dir)
	if !isDir(dir) {
		return nil, fmt.Errorf("%s: no such model directory", dir)
	}
	var c model.DecoderConfig
	var labels []string
	var pooling model.Pooling
	config, err := readModelConfig(dir, func(data []byte) (err error) {
		c, labels, pooling, err = model.ParseClassifierConfig(data)
		return err
	})
	if err != nil {
		return nil, err
	}
	w, err := OpenWeights(dir)
	if err != nil {
		return nil, err
	}
	m, err := classifierFrom(w, c, labels, pooling, config.Path())
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return &Classifier{Model: m, config: config}, w.Close()
}

// classifierFrom builds the model and fills it, once everything is known to fit.
func classifierFrom(w *Weights, c model.DecoderConfig, labels []string, pooling model.Pooling, configPath string) (*model.Classifier, error) {
	if err := checkDecoder(w, c, configPath); err != nil {
		return nil, err
	}
	m, err := model.DescribeClassifier(c, labels, pooling)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", configPath, err)
	}
	sources, err := decoderSources(w, c, m.Params())
	if err != nil {
		return nil, err
	}
	m.Store().Allocate()
	return m, readSources(sources)
}

// LoadClassifierFrozenHalf opens a classifier, or the layers of a language model with a new head that is drawn by seed, to stay as it is
// while a LoRA learns: matrices are held in bfloat16, as [LoadDecoderFrozenHalf] does.
func LoadClassifierFrozenHalf(dir string, labels []string, pooling model.Pooling, seed uint64) (*model.Classifier, error) {
	judges, err := IsClassifier(dir)
	if err != nil {
		return nil, err
	}
	dir = ResolveDir(dir)
	var c model.DecoderConfig
	config, err := readModelConfig(dir, func(data []byte) (err error) {
		if judges {
			c, _, _, err = model.ParseClassifierConfig(data)
		} else {
			c, err = model.ParseDecoderConfig(data)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	w, err := OpenWeights(dir)
	if err != nil {
		return nil, err
	}
	m, err := frozenClassifier(w, c, labels, pooling, judges, config.Path(), seed)
	return m, errors.Join(err, w.Close())
}

// frozenClassifier builds the model and fills it.
func frozenClassifier(w *Weights, c model.DecoderConfig, labels []string, pooling model.Pooling, judges bool, configPath string, seed uint64) (*model.Classifier, error) {
	m, err := model.DescribeClassifier(c, labels, pooling)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", configPath, err)
	}
	var sources []source
	if judges {
		if err := checkDecoder(w, c, configPath); err != nil {
			return nil, err
		}
		sources, err = decoderSources(w, c, m.Params())
	} else {
		_, sources, err = planDecoder(w, c, configPath)
	}
	if err != nil {
		return nil, err
	}
	of := map[string]source{}
	for _, s := range sources {
		of[s.param.Name] = s
	}
	if err := m.Store().AllocateFrozenHalf(func(p *nn.Param, to kernel.Half) error { return of[p.Name].readHalf(to) }); err != nil {
		return nil, err
	}
	m.Initialize(seed)
	sources = sources[:0]
	for _, p := range m.Params() {
		if s, stored := of[p.Name]; stored && p.Data != nil {
			s.param = p
			sources = append(sources, s)
		}
	}
	return m, readSources(sources)
}

// IsClassifier reports whether a directory holds a model for [LoadClassifier], by the architectures of its config.json or the
// task_type of its adapter_config.json.
func IsClassifier(dir string) (bool, error) {
	if IsAdapter(dir) {
		config, err := ReadConfig(filepath.Join(ResolveDir(dir), adapterConfigFile))
		if err != nil {
			return false, err
		}
		task, err := adapterTask(config)
		return task != causalTask, err
	}
	config, err := ReadConfig(filepath.Join(ResolveDir(dir), "config.json"))
	if err != nil {
		return false, err
	}
	var content struct {
		Architectures []string `json:"architectures"`
	}
	err = config.Decode(&content)
	return len(content.Architectures) > 0 && model.IsClassifierClass(content.Architectures[0]), err
}

// SaveClassifier writes a model directory, atomically, that opens in transformers as AutoModelForSequenceClassification, or with
// [model.SumOfTokens] as AutoModelForTokenClassification.
// Keys of a configuration that was read are kept as in [SaveDecoder].
func SaveClassifier(dir string, d *Classifier) error {
	if d.Model.Store().Half() {
		return fmt.Errorf("cannot save %s: the model is held in bfloat16, for use only; load it with its numbers in float32", dir)
	}
	if err := mayReplace(dir); err != nil {
		return err
	}
	as := d.DType
	if as == "" {
		as = F32
	}
	files, err := furtherFiles(d.Files)
	if err != nil {
		return fmt.Errorf("cannot save %s: %w", dir, err)
	}
	config, err := modelConfig(d.config, d.Model.Fields(), []string{"architectures", "id2label", "label2id", "pad_token_id", model.PoolingKey}, as)
	if err != nil {
		return fmt.Errorf("cannot save %s: %w", dir, err)
	}
	files["config.json"] = config.Bytes()
	return saveModel(dir, files, tensorsOf(d.Model.Params(), as), 0)
}

package hub

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/model"
)

// classifierMetadata is what the adapter of a classifier says of it in the metadata of its tensors, for which PEFT has no place: what
// its config.json would say beside the base model's.
type classifierMetadata struct {
	Labels []string `json:"labels"`
	PadID  *int32   `json:"pad_token_id"`
}

// classifierKey is where it stands among the metadata.
const classifierKey = "classifier"

// SaveClassifierAdapter is [SaveAdapter] for the adapter of a classifier or reward model, with its head.
func SaveClassifierAdapter(dir string, a *Adapter, m *model.Classifier) error {
	text, err := json.Marshal(classifierMetadata{m.Labels, m.Config.PadID})
	if err != nil {
		return err
	}
	metadata := map[string]string{classifierKey: string(text)}
	return a.save(dir, m, classifierTask(m.Pooling), m.Config.ModelType == "gpt2", metadata)
}

// loadAdaptedClassifier opens the directory of a classifier's adapter, merged into its base.
func loadAdaptedClassifier(dir string) (*Classifier, error) {
	base, err := AdapterBase(dir)
	if err != nil {
		return nil, err
	}
	c, a, err := LoadClassifierWithAdapter(base, dir)
	if err != nil {
		return nil, err
	}
	pool := kernel.NewPool(0)
	defer pool.Close()
	a.LoRA.Merge(pool, 1)
	return c, nil
}

// LoadClassifierWithAdapter opens the adapter of a classifier on a base, which is a classifier itself or a language model whose
// layers it takes. Nothing is attached.
func LoadClassifierWithAdapter(base, dir string) (*Classifier, *Adapter, error) {
	labels, pooling, described, err := adapterLabels(dir)
	if err != nil {
		return nil, nil, err
	}
	c, err := LoadClassifierOn(base, labels, pooling)
	if err != nil {
		return nil, nil, err
	}
	if described.PadID != nil {
		if id := int(*described.PadID); id < 0 || id >= c.Model.Config.VocabSize {
			return nil, nil, fmt.Errorf("%s: a padding token of id %d is not in the vocabulary of %d of %s", dir, id, c.Model.Config.VocabSize, base)
		}
		c.Model.Config.PadID = described.PadID
	}
	a, err := LoadClassifierAdapter(dir, c.Model)
	return c, a, err
}

// adapterLabels reads how many scores the head of a classifier's adapter gives and where they are read, and what else it says of
// the classifier. Labels without names have those that transformers gives them.
func adapterLabels(dir string) (labels []string, p model.Pooling, described classifierMetadata, err error) {
	config, err := ReadConfig(filepath.Join(ResolveDir(dir), adapterConfigFile))
	if err != nil {
		return nil, p, described, err
	}
	task, err := adapterTask(config)
	switch {
	case err != nil:
		return nil, p, described, err
	case task == causalTask:
		return nil, p, described, fmt.Errorf("%w: this adapter is for a language model", config.errorf("task_type", fmt.Sprintf("%q or %q", sequenceTask, tokenTask)))
	case task == tokenTask:
		p = model.SumOfTokens
	}
	f, err := Open(filepath.Join(ResolveDir(dir), adapterWeightsFile))
	if err != nil {
		return nil, p, described, err
	}
	defer f.Close()
	if text, ok := f.Metadata()[classifierKey]; ok {
		if err := json.Unmarshal([]byte(text), &described); err != nil {
			return nil, p, described, fmt.Errorf("%s: the metadata's %q: %w", f.Path(), classifierKey, err)
		}
	}
	for _, name := range []string{"score", "classifier"} {
		info, ok := f.Info("base_model.model." + name + ".weight")
		if !ok || len(info.Shape) != 2 || info.Shape[0] < 1 || info.Shape[0] > maxLabels {
			continue
		}
		if labels = described.Labels; len(labels) != info.Shape[0] {
			labels = model.NumberedLabels(info.Shape[0])
			if p == model.SumOfTokens && len(labels) > 1 {
				return nil, p, described, fmt.Errorf("%w: with %d labels that is for labels of tokens, and texts are to be labelled", config.errorf("task_type", fmt.Sprintf("%q", sequenceTask)), len(labels))
			}
		}
		return labels, p, described, nil
	}
	return nil, p, described, fmt.Errorf("%s: there is no tensor %q of shape [labels, width], the head of the classifier", f.Path(), "base_model.model.score.weight")
}

// maxLabels bounds what an adapter can ask memory for.
const maxLabels = 1 << 20

// LoadClassifierOn opens a classifier of the given labels, or the layers of a language model with a head of zeros.
func LoadClassifierOn(base string, labels []string, pooling model.Pooling) (*Classifier, error) {
	is, err := IsClassifier(base)
	if err != nil {
		return nil, err
	}
	if is {
		c, err := LoadClassifier(base)
		if err != nil {
			return nil, err
		}
		if c.Model.Pooling != pooling || len(c.Model.Labels) != len(labels) {
			return nil, fmt.Errorf("%s: a classifier of the labels %q; the adapter's head is of another kind, for %d labels", base, c.Model.Labels, len(labels))
		}
		if slices.Equal(labels, model.NumberedLabels(len(labels))) { // the adapter does not name them
			labels = c.Model.Labels
		}
		c.Model.Labels = labels
		return c, nil
	}
	d, err := LoadDecoder(base)
	if err != nil {
		return nil, err
	}
	m, err := model.NewClassifier(d.Model.Config, labels, pooling)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", base, err)
	}
	m.CopyLayers(d.Model.Params())
	return &Classifier{Model: m, config: d.config}, nil
}

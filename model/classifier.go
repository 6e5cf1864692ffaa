package model

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/nn"
)

// Classifier is a decoder-only Transformer with a linear layer without bias in the place of its output layer, as
// `transformers` computes it in the …ForSequenceClassification of GPT-2, Llama, Mistral, Qwen2 and Qwen3:
//
//   - with several labels its scores are their logits, read at the last token of a text: a text classifier
//   - with one label the score is a number: at the last token a reward, at every token of an answer its value
//
// Parameters may be read by many goroutines at once; training changes them.
type Classifier struct {
	Config DecoderConfig
	Labels []string // their names, in the order of the scores

	trunk *Decoder    // without an output layer
	score *grad.Param // [labels, D]
}

// NewClassifier builds a model with all parameters zero; read a checkpoint into Params or call Initialize.
func NewClassifier(c DecoderConfig, labels []string) (*Classifier, error) {
	m, err := DescribeClassifier(c, labels)
	if err != nil {
		return nil, err
	}
	m.Store().Allocate()
	return m, nil
}

// DescribeClassifier builds a model whose parameters have names and shapes, but no memory before Store().Allocate.
func DescribeClassifier(c DecoderConfig, labels []string) (*Classifier, error) {
	if len(labels) == 0 || len(labels) > mostSize {
		return nil, fmt.Errorf("id2label names %d labels, must be from 1 to %d", len(labels), mostSize)
	}
	layers := c
	layers.TieEmbeddings = false // with an output layer that is not there
	trunk, err := describeTrunk(layers)
	if err != nil {
		return nil, err
	}
	return &Classifier{
		Config: c, Labels: labels, trunk: trunk,
		score: trunk.params.Table("score.weight", len(labels), c.Hidden, nn.Multiplied, nn.Normal(c.InitStd)),
	}, nil
}

// NewClassifierFrom builds a classifier on a copy of a trained model's layers. The head is drawn anew, by seed.
func NewClassifierFrom(d *Decoder, labels []string, seed uint64) (*Classifier, error) {
	m, err := NewClassifier(d.Config, labels)
	if err != nil {
		return nil, err
	}
	m.Initialize(seed)
	m.CopyLayers(d.Params())
	return m, nil
}

// CopyLayers takes over every parameter of the same name and size, but for the head's.
func (m *Classifier) CopyLayers(from []*nn.Param) {
	of := map[string]*nn.Param{}
	for _, p := range from {
		of[p.Name] = p
	}
	for _, p := range m.Params() {
		if q := of[p.Name]; q != nil && p.Name != "score.weight" {
			copy(p.Data, q.Data)
		}
	}
}

// Initialize fills the parameters for training from nothing, as that of [Decoder] does.
func (m *Classifier) Initialize(seed uint64) { m.trunk.Initialize(seed) }

// Store returns the parameters, named as in a checkpoint.
func (m *Classifier) Store() *nn.Store { return m.trunk.Store() }

// Params returns the parameters, named as in a checkpoint.
func (m *Classifier) Params() []*nn.Param { return m.trunk.Params() }

// Scores returns the scores at the given rows of the batch, [len(rows), labels]. LastRows gives those at which a text is
// judged; a value head asks for every row of an answer. The targets of the batch do not matter. rows must live until
// Backward.
func (m *Classifier) Scores(t *grad.Tape, b *TokenBatch, rows []int32) grad.Var {
	x := m.trunk.Hidden(t, b)
	return t.Linear(m.trunk.norm.Forward(t, t.Select(x, rows)), m.score, nil, kernel.None)
}

// LastRows appends the row of each sequence at which `transformers` reads the score: the last one that is not the padding
// token, which may be the token that ends texts too, or the first one if there is no other. Without a padding token it
// is the last one.
func (m *Classifier) LastRows(rows []int32, b *TokenBatch) []int32 {
	for i := range b.Starts.Len() {
		first, last := b.Starts[i], b.Starts[i+1]-1
		for m.Config.PadID != nil && last > first && b.Input[last] == *m.Config.PadID {
			last--
		}
		if m.Config.PadID != nil && b.Input[last] == *m.Config.PadID {
			last = first
		}
		rows = append(rows, int32(last))
	}
	return rows
}

// classifierClasses names the class of transformers whose directories hold such a classifier, by model_type.
var classifierClasses = map[string]string{
	"gpt2": "GPT2ForSequenceClassification", "llama": "LlamaForSequenceClassification", "mistral": "MistralForSequenceClassification",
	"qwen2": "Qwen2ForSequenceClassification", "qwen3": "Qwen3ForSequenceClassification",
}

// IsClassifierClass says whether a class of transformers, as config.json names it under architectures, is one that
// [ParseClassifierConfig] accepts.
func IsClassifierClass(name string) bool {
	for _, class := range classifierClasses {
		if class == name {
			return true
		}
	}
	return false
}

// ParseClassifierConfig reads the config.json of a …ForSequenceClassification, as [ParseDecoderConfig] does, and the names
// of its labels: those of id2label, or where it is absent LABEL_0, LABEL_1 and so on, num_labels of them or two.
func ParseClassifierConfig(data []byte) (DecoderConfig, []string, error) {
	c, err := parseDecoder(data, func(modelType string) []string { return []string{classifierClasses[modelType]} })
	if err != nil {
		return c, nil, err
	}
	var keys struct {
		Names map[int]string `json:"id2label"`
		Count *int           `json:"num_labels"`
	}
	if err := json.Unmarshal(data, &keys); err != nil {
		return c, nil, fmt.Errorf("id2label must give each label's number a name, and num_labels be a number: %w", err)
	}
	if keys.Names == nil {
		count := 2
		if keys.Count != nil {
			count = *keys.Count
		}
		if count < 1 || count > mostSize {
			return c, nil, fmt.Errorf("num_labels is %d, must be from 1 to %d", count, mostSize)
		}
		return c, numberedLabels(count), nil
	}
	labels := make([]string, len(keys.Names))
	for i := range labels {
		name, ok := keys.Names[i]
		if !ok {
			return c, nil, fmt.Errorf("id2label names %d labels, but not number %d", len(labels), i)
		}
		labels[i] = name
	}
	if len(labels) == 0 {
		return c, nil, fmt.Errorf("id2label names no labels")
	}
	return c, labels, nil
}

// numberedLabels are the names that transformers gives to labels without any.
func numberedLabels(n int) []string {
	labels := make([]string, n)
	for i := range labels {
		labels[i] = fmt.Sprintf("LABEL_%d", i)
	}
	return labels
}

// Fields returns what config.json holds for the model, in a spelling that transformers 4 and 5 read.
func (m *Classifier) Fields() map[string]any {
	f := m.Config.Fields()
	f["architectures"] = []string{classifierClasses[m.Config.ModelType]}
	names, numbers := map[string]string{}, map[string]int{}
	for i, label := range slices.Backward(m.Labels) { // of equal names the first one counts
		names[fmt.Sprint(i)], numbers[label] = label, i
	}
	f["id2label"], f["label2id"] = names, numbers
	return f
}

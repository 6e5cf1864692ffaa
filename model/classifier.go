package model

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/nn"
)

// Classifier is a decoder-only Transformer with a linear layer in the place of its output layer, as `transformers` computes it in
// the …ForSequenceClassification of GPT-2, Llama, Mistral, Qwen2 and Qwen3, or in their …ForTokenClassification:
//
//   - with several labels its scores are their logits: a text classifier
//   - with one label the score is a number: of a text a reward, at every token of an answer its value
//   - the scores of a text are those at its last token, or those at all of its tokens together, as Pooling says
//
// Parameters may be read by many goroutines at once; training changes them.
type Classifier struct {
	Config DecoderConfig
	Labels []string // their names, in the order of the scores
	Pooling

	trunk *Decoder    // without an output layer
	score *grad.Param // [labels, D]
	bias  *grad.Param // [labels], of SumOfTokens; else nil
}

// Pooling says how the scores of a text come from those at its tokens.
type Pooling uint8

// LastToken is how the …ForSequenceClassification judge a text. SumOfTokens is for what a text is like all over, such as how it is
// written, which the last token of a small model knows little about: the scores of the tokens are those of a
// …ForTokenClassification, and the text's are their sum over the root of their number. A sum counts what is said again and again,
// a mean does not know how much is said; the root is between them.
const (
	LastToken Pooling = iota
	SumOfTokens
)

// NewClassifier builds a model with all parameters zero; read a checkpoint into Params or call Initialize.
func NewClassifier(c DecoderConfig, labels []string, pooling Pooling) (*Classifier, error) {
	m, err := DescribeClassifier(c, labels, pooling)
	if err != nil {
		return nil, err
	}
	m.Store().Allocate()
	return m, nil
}

// DescribeClassifier builds a model whose parameters have names and shapes, but no memory before Store().Allocate.
func DescribeClassifier(c DecoderConfig, labels []string, pooling Pooling) (*Classifier, error) {
	if len(labels) == 0 || len(labels) > mostSize {
		return nil, fmt.Errorf("id2label names %d labels, must be from 1 to %d", len(labels), mostSize)
	}
	layers := c
	layers.TieEmbeddings = false // with an output layer that is not there
	trunk, err := describeTrunk(layers)
	if err != nil {
		return nil, err
	}
	m := &Classifier{Config: c, Labels: labels, Pooling: pooling, trunk: trunk}
	m.score = trunk.params.Table(m.headName()+".weight", len(labels), c.Hidden, nn.Multiplied|nn.Small, nn.Normal(c.InitStd))
	if pooling == SumOfTokens {
		m.bias = trunk.params.Vector(m.headName()+".bias", len(labels), nn.Zeros)
	}
	return m, nil
}

// headName is what checkpoints call the linear layer.
func (m *Classifier) headName() string {
	if m.Pooling == SumOfTokens && m.Config.ModelType == "gpt2" {
		return "classifier"
	}
	return "score"
}

// SetHeadRate has the head learn at so many times the learning rate of the layers below it.
func (m *Classifier) SetHeadRate(rate float64) {
	for _, p := range m.Params() {
		if strings.HasPrefix(p.Name, m.headName()+".") {
			p.Rate = rate
		}
	}
}

// headModules are the modules that PEFT trains beside a LoRA for a classifier, which has one of them.
var headModules = []string{"classifier", "score"}

// NewLoRA describes a LoRA for the layers, as [Decoder.NewLoRA] does. A copy of the head is trained beside it.
func (m *Classifier) NewLoRA(c LoRAConfig) (*nn.LoRA, error) {
	c.Save = slices.DeleteFunc(slices.Clone(c.Save), func(name string) bool { return slices.Contains(headModules, name) })
	l, err := m.trunk.NewLoRA(c)
	if err != nil {
		return nil, err
	}
	weight, bias := m.headName()+".weight", m.headName()+".bias"
	l.Replace(m.Store(), weight, &m.score, weight)
	if m.bias != nil {
		l.Replace(m.Store(), bias, &m.bias, bias)
	}
	return l, nil
}

// ResolveTargets fills in what a LoRA's configuration leaves open, as [Decoder.ResolveTargets] does, and names the head.
func (m *Classifier) ResolveTargets(c *LoRAConfig) {
	m.trunk.ResolveTargets(c)
	for _, name := range headModules {
		if !slices.Contains(c.Save, name) {
			c.Save = append(c.Save, name)
		}
	}
}

// SetDropout sets the rates of dropout in training, as [Decoder.SetDropout] does.
func (m *Classifier) SetDropout(rate, attention float32) {
	m.trunk.SetDropout(rate, attention)
	c := m.trunk.Config
	m.Config.Dropout, m.Config.EmbeddingDropout, m.Config.AttentionDropout = c.Dropout, c.EmbeddingDropout, c.AttentionDropout
}

// NewClassifierFrom builds a classifier on a copy of a trained model's layers. The head is drawn anew, by seed.
func NewClassifierFrom(d *Decoder, labels []string, seed uint64) (*Classifier, error) {
	m, err := NewClassifier(d.Config, labels, LastToken)
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
		if q := of[p.Name]; q != nil && !strings.HasPrefix(p.Name, m.headName()+".") {
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

// AddAlike appends texts that begin alike to a batch for TextScores: what they begin with once, unless the score is of all tokens.
func (m *Classifier) AddAlike(b *TokenBatch, texts [][]int32) {
	if m.Pooling != SumOfTokens {
		b.addAlike(texts)
		return
	}
	for _, ids := range texts {
		b.AddInput(ids)
	}
}

// TextScores returns the scores of the batch's sequences, [sequences, labels]. The targets of the batch do not matter. It and the
// returned rows, which are appended to rows[:0], must live until Backward.
func (m *Classifier) TextScores(t *grad.Tape, b *TokenBatch, rows []int32) (grad.Var, []int32) {
	if m.Pooling == SumOfTokens {
		x := m.trunk.Hidden(t, b)
		return t.SumRows(t.Linear(m.trunk.norm.Forward(t, x), m.score, m.bias, kernel.None), b.Starts), rows
	}
	rows = m.LastRows(rows[:0], b)
	return m.Scores(t, b, rows), rows
}

// Scores returns the scores at the given rows of the batch, [len(rows), labels]. The targets of the batch do not matter. rows
// must live until Backward.
func (m *Classifier) Scores(t *grad.Tape, b *TokenBatch, rows []int32) grad.Var {
	return t.Linear(m.trunk.norm.Forward(t, m.trunk.HiddenOf(t, b, rows)), m.score, m.bias, kernel.None)
}

// LastRows appends the row of each sequence, stems left out, at which `transformers` reads the score: the last one that is not the padding
// token, which may be the token that ends texts too, or the first one if there is no other. Without a padding token it
// is the last one.
func (m *Classifier) LastRows(rows []int32, b *TokenBatch) []int32 {
	for i := range b.Starts.Len() {
		if b.isStem(i) {
			continue
		}
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

// families are what the classes of transformers are called after, by model_type.
var families = map[string]string{"gpt2": "GPT2", "llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3"}

// classifierClass names the class of transformers whose directories hold such a classifier.
func classifierClass(modelType string, p Pooling) string {
	if p == SumOfTokens {
		return families[modelType] + "ForTokenClassification"
	}
	return families[modelType] + "ForSequenceClassification"
}

// IsClassifierClass says whether a class of transformers, as config.json names it under architectures, is one that
// [ParseClassifierConfig] accepts.
func IsClassifierClass(name string) bool {
	for modelType := range families {
		if name == classifierClass(modelType, LastToken) || name == classifierClass(modelType, SumOfTokens) {
			return true
		}
	}
	return false
}

// ParseClassifierConfig reads the config.json of a …ForSequenceClassification, or of a …ForTokenClassification with one label or
// [PoolingKey], as [ParseDecoderConfig] does, and the names of its labels: those of id2label, or where it is absent LABEL_0, LABEL_1 and so on,
// num_labels of them or two.
func ParseClassifierConfig(data []byte) (c DecoderConfig, labels []string, p Pooling, err error) {
	c, err = parseDecoder(data, func(modelType string) []string {
		return []string{classifierClass(modelType, LastToken), classifierClass(modelType, SumOfTokens)}
	})
	if err != nil {
		return c, nil, p, err
	}
	var keys labelKeys
	if err := json.Unmarshal(data, &keys); err != nil {
		return c, nil, p, fmt.Errorf("id2label must give each label's number a name, and num_labels be a number: %w", err)
	}
	if labels, err = keys.labels(); err != nil {
		return c, nil, p, err
	}
	if len(keys.Classes) > 0 && keys.Classes[0] == classifierClass(c.ModelType, SumOfTokens) {
		if p = SumOfTokens; len(labels) != 1 && keys.Pooling != sumPooling {
			return c, nil, p, fmt.Errorf("architectures names %s, with %d labels: it labels tokens. A model that labels texts so has %s = %q, and one that gives them rewards has one label", keys.Classes[0], len(labels), PoolingKey, sumPooling)
		}
	}
	return c, labels, p, nil
}

// labelKeys are the keys of config.json that tell of labels.
type labelKeys struct {
	Classes []string       `json:"architectures"`
	Names   map[int]string `json:"id2label"`
	Count   *int           `json:"num_labels"`
	Pooling string         `json:"parley_pooling"`
}

// PoolingKey is the key of config.json that says of a …ForTokenClassification with several labels that they are those of texts, by
// [SumOfTokens]; transformers has none, and keeps it.
const PoolingKey = "parley_pooling"

const sumPooling = "sum"

func (k *labelKeys) labels() ([]string, error) {
	if k.Names == nil {
		count := 2
		if k.Count != nil {
			count = *k.Count
		}
		if count < 1 || count > mostSize {
			return nil, fmt.Errorf("num_labels is %d, must be from 1 to %d", count, mostSize)
		}
		return NumberedLabels(count), nil
	}
	labels := make([]string, len(k.Names))
	for i := range labels {
		name, ok := k.Names[i]
		if !ok {
			return nil, fmt.Errorf("id2label names %d labels, but not number %d", len(labels), i)
		}
		labels[i] = name
	}
	if len(labels) == 0 {
		return nil, fmt.Errorf("id2label names no labels")
	}
	return labels, nil
}

// NumberedLabels are the names that transformers gives to labels without any.
func NumberedLabels(n int) []string {
	labels := make([]string, n)
	for i := range labels {
		labels[i] = fmt.Sprintf("LABEL_%d", i)
	}
	return labels
}

// Fields returns what config.json holds for the model, in a spelling that transformers 4 and 5 read.
func (m *Classifier) Fields() map[string]any {
	f := m.Config.Fields()
	f["architectures"] = []string{classifierClass(m.Config.ModelType, m.Pooling)}
	names, numbers := map[string]string{}, map[string]int{}
	for i, label := range slices.Backward(m.Labels) { // of equal names the first one counts
		names[fmt.Sprint(i)], numbers[label] = label, i
	}
	f["id2label"], f["label2id"] = names, numbers
	if m.Pooling == SumOfTokens && len(m.Labels) > 1 {
		f[PoolingKey] = sumPooling
	}
	return f
}

package model

import (
	"fmt"
	"math"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/nn"
	"github.com/parley-lm/parley/tensor"
)

// EncDec is the encoder–decoder Transformer of Vaswani et al. (2017) as `transformers` computes it in MarianMTModel:
//
//   - post-norm: every sublayer is LayerNorm(x + dropout(sublayer(x)))
//   - fixed sinusoidal positions, sines in the first half of a row and cosines in the second
//   - embeddings shared by source, target and output, or separate ones
//   - a bias on the final logits that training leaves alone
//
// Parameters may be read by many goroutines at once; training changes them.
type EncDec struct {
	Config EncDecConfig

	params                   nn.Store
	source, target           *grad.Param // [V, D]; the same one where shared
	output                   *grad.Param // [V, D]; target where tied
	logitsBias               *grad.Param // [1, V]; without gradient
	scale                    float32
	sourcePositions          kernel.Mat
	targetPositions          kernel.Mat
	encoder                  []encoderBlock
	decoder                  []decoderBlock
	encoderName, decoderName []string // of the blocks' outputs, for an observer
}

const layerNormEps = 1e-5

// NewEncDec builds a model with all parameters zero; read a checkpoint into Params or call Initialize. The error names
// the key of the configuration that does not fit.
func NewEncDec(c EncDecConfig) (*EncDec, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	act, _ := ActivationByName(c.Activation)
	m := &EncDec{Config: c, scale: 1}
	m.logitsBias = &grad.Param{Value: kernel.NewMat(make([]float32, c.DecoderVocabSize), 1, c.DecoderVocabSize)}
	if c.ScaleEmbedding {
		m.scale = float32(math.Sqrt(float64(c.DModel)))
	}
	embedding := nn.Normal(1 / math.Sqrt(float64(c.DModel)))
	use := nn.LookedUp
	if c.TieEmbeddings {
		use |= nn.Multiplied
	}
	if c.ShareEmbeddings {
		m.source = m.params.Table("model.shared.weight", c.VocabSize, c.DModel, use, embedding)
		m.target = m.source
	} else {
		m.source = m.params.Table("model.encoder.embed_tokens.weight", c.VocabSize, c.DModel, nn.LookedUp, embedding)
		m.target = m.params.Table("model.decoder.embed_tokens.weight", c.DecoderVocabSize, c.DModel, use, embedding)
	}
	m.output = m.target
	if !c.TieEmbeddings {
		m.output = m.params.Table("lm_head.weight", c.DecoderVocabSize, c.DModel, nn.Multiplied, embedding)
	}
	for i := range c.EncoderLayers {
		name := fmt.Sprintf("model.encoder.layers.%d", i)
		m.encoder = append(m.encoder, newEncoderBlock(&m.params, name, c, act))
		m.encoderName = append(m.encoderName, name)
	}
	for i := range c.DecoderLayers {
		name := fmt.Sprintf("model.decoder.layers.%d", i)
		m.decoder = append(m.decoder, newDecoderBlock(&m.params, name, i, c, act))
		m.decoderName = append(m.decoderName, name)
	}
	m.params.Allocate()
	m.sourcePositions = nn.Sinusoids(c.MaxPositions, c.DModel)
	m.targetPositions = m.sourcePositions
	return m, nil
}

// Initialize fills the parameters for training from nothing: Xavier for matrices, a normal distribution of width D^−½
// for embeddings, zero for biases and for the row of the padding token.
func (m *EncDec) Initialize(seed uint64) {
	m.params.Initialize(seed)
	clear(m.source.Value.Row(int(m.Config.PadID)))
	clear(m.target.Value.Row(int(m.Config.PadID)))
	clear(m.output.Value.Row(int(m.Config.PadID)))
}

// Store returns the parameters, named as in a checkpoint.
func (m *EncDec) Store() *nn.Store { return &m.params }

// Params returns the parameters, named as in a checkpoint.
func (m *EncDec) Params() []*nn.Param { return m.params.Params() }

// LogitsBias returns the vector [V] that is added to the logits: a buffer of the checkpoint, which training leaves alone.
func (m *EncDec) LogitsBias() []float32 { return m.logitsBias.Value.Data }

// FreezePadding clears the gradient of the padding token's rows, so that they stay what they are.
func (m *EncDec) FreezePadding() {
	for _, p := range []*grad.Param{m.source, m.target, m.output} {
		clear(p.Grad.Row(int(m.Config.PadID)))
	}
}

// encoderBlock is self-attention and feed-forward, each with a residual connection and a norm after it.
type encoderBlock struct {
	attn         nn.SelfAttention
	mlp          nn.FeedForward
	norm1, norm2 nn.LayerNorm
	rate         float32
}

func newEncoderBlock(s *nn.Store, name string, c EncDecConfig, act kernel.Activation) encoderBlock {
	return encoderBlock{
		attn:  nn.NewSelfAttention(s, name+".self_attn", 0, c.DModel, c.EncoderHeads, false, c.AttentionDropout, nn.Xavier(1)),
		norm1: nn.NewLayerNorm(s, name+".self_attn_layer_norm", c.DModel, layerNormEps),
		mlp:   nn.NewFeedForward(s, name+".fc1", name+".fc2", c.DModel, c.EncoderFFN, act, c.ActivationDropout, nn.Xavier(1)),
		norm2: nn.NewLayerNorm(s, name+".final_layer_norm", c.DModel, layerNormEps),
		rate:  c.Dropout,
	}
}

func (b encoderBlock) forward(t *grad.Tape, x grad.Var, self nn.Keys) grad.Var {
	x = b.norm1.Forward(t, b.attn.ForwardAdd(t, x, self, b.rate, x))
	return b.norm2.Forward(t, b.mlp.ForwardAdd(t, x, b.rate, x))
}

// decoderBlock is causal self-attention, attention to the encoder's output, and feed-forward.
type decoderBlock struct {
	self                nn.SelfAttention
	cross               nn.CrossAttention
	mlp                 nn.FeedForward
	norm1, norm2, norm3 nn.LayerNorm
	rate                float32
}

func newDecoderBlock(s *nn.Store, name string, layer int, c EncDecConfig, act kernel.Activation) decoderBlock {
	return decoderBlock{
		self:  nn.NewSelfAttention(s, name+".self_attn", layer, c.DModel, c.DecoderHeads, true, c.AttentionDropout, nn.Xavier(1)),
		norm1: nn.NewLayerNorm(s, name+".self_attn_layer_norm", c.DModel, layerNormEps),
		cross: nn.NewCrossAttention(s, name+".encoder_attn", layer, c.DModel, c.DecoderHeads, c.AttentionDropout, nn.Xavier(1)),
		norm2: nn.NewLayerNorm(s, name+".encoder_attn_layer_norm", c.DModel, layerNormEps),
		mlp:   nn.NewFeedForward(s, name+".fc1", name+".fc2", c.DModel, c.DecoderFFN, act, c.ActivationDropout, nn.Xavier(1)),
		norm3: nn.NewLayerNorm(s, name+".final_layer_norm", c.DModel, layerNormEps),
		rate:  c.Dropout,
	}
}

func (b decoderBlock) forward(t *grad.Tape, x, memory grad.Var, self, cross nn.Keys) grad.Var {
	x = b.norm1.Forward(t, b.self.ForwardAdd(t, x, self, b.rate, x))
	x = b.norm2.Forward(t, b.cross.ForwardAdd(t, x, memory, cross, b.rate, x))
	return b.norm3.Forward(t, b.mlp.ForwardAdd(t, x, b.rate, x))
}

// encode returns the encoder's last hidden state, [N, D].
func (m *EncDec) encode(t *grad.Tape, ids, at []int32, self nn.Keys) grad.Var {
	mark := t.Mark()
	x := t.Embed(grad.Embedding{
		Table: m.source, Scale: m.scale, Positions: m.sourcePositions, Rate: m.Config.Dropout, Skip: m.Config.PadID,
	}, ids, at)
	for i, b := range m.encoder {
		x = t.Compact(mark, b.forward(t, x, self))
		t.Observe(m.encoderName[i], x)
	}
	return x
}

// decode returns the decoder's last hidden state, [N, D].
func (m *EncDec) decode(t *grad.Tape, ids, at []int32, memory grad.Var, self, cross nn.Keys) grad.Var {
	mark := t.Mark()
	x := t.Embed(grad.Embedding{
		Table: m.target, Scale: m.scale, Positions: m.targetPositions, Rate: m.Config.Dropout, Skip: m.Config.PadID,
	}, ids, at)
	for i, b := range m.decoder {
		x = t.Compact(mark, b.forward(t, x, memory, self, cross))
		t.Observe(m.decoderName[i], x)
	}
	return x
}

// PairBatch is a batch of source and target sentences as rows, with everything a pass needs to know of them. Fill it with
// Reset and Add; it is reused without allocation.
type PairBatch struct {
	Source        []int32 // all source ids, end to end
	Input, Target []int32 // decoder inputs, and what each should be followed by
	SourceStarts  tensor.Starts
	TargetStarts  tensor.Starts

	sourceAt, targetAt                   []int32
	encoderSelf, decoderSelf, crossSpans []kernel.AttnSpan
}

// Reset empties the batch.
func (b *PairBatch) Reset() {
	b.Source, b.Input, b.Target = b.Source[:0], b.Input[:0], b.Target[:0]
	b.SourceStarts, b.TargetStarts = b.SourceStarts[:0], b.TargetStarts[:0]
}

// Add appends a sentence pair, both sides ending in EOS. start is the decoder's first input.
func (b *PairBatch) Add(source, target []int32, start int32) {
	b.Source = append(b.Source, source...)
	b.SourceStarts = b.SourceStarts.Add(len(source))
	b.Input = append(append(b.Input, start), target[:len(target)-1]...)
	b.Target = append(b.Target, target...)
	b.TargetStarts = b.TargetStarts.Add(len(target))
}

func (b *PairBatch) prepare() {
	b.sourceAt = b.SourceStarts.Positions(b.sourceAt[:0])
	b.targetAt = b.TargetStarts.Positions(b.targetAt[:0])
	b.encoderSelf = tensor.SelfSpans(b.encoderSelf[:0], b.SourceStarts)
	b.decoderSelf = tensor.SelfSpans(b.decoderSelf[:0], b.TargetStarts)
	b.crossSpans = tensor.CrossSpans(b.crossSpans[:0], b.TargetStarts, b.SourceStarts)
}

// Hidden returns the encoder's output [source rows, D] and the decoder's [target rows, D], with the decoder given the true
// target so far at every position.
func (m *EncDec) Hidden(t *grad.Tape, b *PairBatch) (memory, h grad.Var) {
	b.prepare()
	memory = m.encode(t, b.Source, b.sourceAt, nn.Keys{Spans: b.encoderSelf})
	h = m.decode(t, b.Input, b.targetAt, memory, nn.Keys{Spans: b.decoderSelf}, nn.Keys{Spans: b.crossSpans})
	return memory, h
}

// Loss returns scale times the sum over all target tokens of the cross-entropy with label smoothing. rowNLL ([target
// rows] or nil) receives each token's −log p.
func (m *EncDec) Loss(t *grad.Tape, b *PairBatch, smoothing, scale float32, rowNLL []float32) float64 {
	_, h := m.Hidden(t, b)
	return t.CrossEntropy(h, m.output, m.LogitsBias(), kernel.CrossEntropy{Targets: b.Target, Smoothing: smoothing, Scale: scale}, nil, rowNLL)
}

// Logits returns the logits of every target position, [target rows, V].
func (m *EncDec) Logits(t *grad.Tape, b *PairBatch) grad.Var {
	_, h := m.Hidden(t, b)
	return m.logits(t, h)
}

func (m *EncDec) logits(t *grad.Tape, h grad.Var) grad.Var {
	return t.Linear(h, m.output, m.logitsBias, kernel.None)
}

// EmbeddingOf returns the vector of a token, unscaled: of the source side, or of the target side.
func (m *EncDec) EmbeddingOf(id int32, source bool) []float32 {
	if source {
		return m.source.Value.Row(int(id))
	}
	return m.target.Value.Row(int(id))
}

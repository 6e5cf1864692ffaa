package model

import (
	"fmt"
	"math"
	"slices"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/nn"
	"github.com/parley-lm/parley/tensor"
)

// Decoder is the decoder-only Transformer (Radford et al. 2018), as `transformers` computes it in GPT2LMHeadModel and in
// the …ForCausalLM of Llama, Mistral, Qwen2 and Qwen3:
//
//   - pre-norm: every sublayer is x + sublayer(norm(x)), and one more norm stands before the output layer
//   - GPT-2: learned positions, LayerNorm, biases everywhere, a feed-forward of two layers
//   - Llama and its family: rotary positions, RMSNorm, key/value heads that several heads share, a gated feed-forward
//   - Mistral, and Qwen's where they say so: attention to a window of positions
//   - Qwen3: RMSNorm of every query and key head
//
// Parameters may be read by many goroutines at once; training changes them.
type Decoder struct {
	Config DecoderConfig

	params    nn.Store
	tokens    *grad.Param // [V, D]
	positions *grad.Param // [context length, D]; nil where positions are rotary
	rotary    *nn.Rotary  // nil where positions are learned
	blocks    []causalBlock
	norm      layer
	output    *grad.Param // [V, D]; tokens where tied
	padID     int32       // whose embedding is not trained, or −1
	names     []string    // of the blocks' outputs, for an observer
}

// layer is a norm of one kind or the other: rows to rows.
type layer interface {
	Forward(t *grad.Tape, x grad.Var) grad.Var
}

// sublayer is a feed-forward of one kind or the other: residual + dropout(f(x)).
type sublayer interface {
	ForwardAdd(t *grad.Tape, x grad.Var, rate float32, residual grad.Var) grad.Var
}

// causalBlock is self-attention and feed-forward, each behind a norm and beside a residual connection.
type causalBlock struct {
	norm1, norm2 layer
	attn         nn.SelfAttention
	mlp          sublayer
	rate         float32
}

func (b *causalBlock) forward(t *grad.Tape, x grad.Var, self nn.Keys) grad.Var {
	x = b.attn.ForwardAdd(t, b.norm1.Forward(t, x), self, b.rate, x)
	return b.mlp.ForwardAdd(t, b.norm2.Forward(t, x), b.rate, x)
}

// NewDecoder builds a model with all parameters zero; read a checkpoint into Params or call Initialize. The error names
// the key of the configuration that does not fit.
func NewDecoder(c DecoderConfig) (*Decoder, error) {
	m, err := DescribeDecoder(c)
	if err != nil {
		return nil, err
	}
	m.params.Allocate()
	return m, nil
}

// DescribeDecoder builds a model whose parameters have names and shapes, but no memory before Store().Allocate: enough to
// compare a checkpoint with.
func DescribeDecoder(c DecoderConfig) (*Decoder, error) {
	m, err := describeTrunk(c)
	if err != nil {
		return nil, err
	}
	m.output = m.tokens
	if !c.TieEmbeddings {
		m.output = m.params.Table("lm_head.weight", c.VocabSize, c.Hidden, nn.Multiplied, nn.Normal(c.InitStd))
	}
	return m, nil
}

// describeTrunk builds all but the output layer.
func describeTrunk(c DecoderConfig) (*Decoder, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	act, _ := activationOf("", c.Activation)
	m := &Decoder{Config: c, padID: -1}
	if c.ModelType == "gpt2" {
		m.buildGPT2(act)
	} else {
		m.buildLlama(act)
	}
	return m, nil
}

func (m *Decoder) buildGPT2(act kernel.Activation) {
	c, s := m.Config, &m.params
	in, out := nn.Normal(c.InitStd), nn.Normal(c.InitStd/math.Sqrt(2*float64(c.Layers)))
	eps := float32(c.NormEps)
	m.tokens = s.Table("transformer.wte.weight", c.VocabSize, c.Hidden, c.embeddingUse(), in)
	m.positions = s.Table("transformer.wpe.weight", c.MaxPositions, c.Hidden, nn.Added, in)
	for i := range c.Layers {
		name := fmt.Sprintf("transformer.h.%d", i)
		m.names = append(m.names, name)
		m.blocks = append(m.blocks, causalBlock{
			norm1: nn.NewLayerNorm(s, name+".ln_1", c.Hidden, eps),
			attn:  nn.NewConv1DAttention(s, name+".attn", i, c.attention(i), in, out),
			norm2: nn.NewLayerNorm(s, name+".ln_2", c.Hidden, eps),
			mlp:   nn.NewConv1DFeedForward(s, name+".mlp.c_fc", name+".mlp.c_proj", c.Hidden, c.FeedForward, act, in, out),
			rate:  c.Dropout,
		})
	}
	m.norm = nn.NewLayerNorm(s, "transformer.ln_f", c.Hidden, eps)
}

func (m *Decoder) buildLlama(act kernel.Activation) {
	c, s := m.Config, &m.params
	init, eps := nn.Normal(c.InitStd), float32(c.NormEps)
	if c.PadID != nil {
		m.padID = (*c.PadID + int32(c.VocabSize)) % int32(c.VocabSize) // −1 is the last one, as in torch
	}
	m.rotary = c.Rotary.rotary(c.HeadDim)
	m.tokens = s.Table("model.embed_tokens.weight", c.VocabSize, c.Hidden, c.embeddingUse(), init)
	for i := range c.Layers {
		name := fmt.Sprintf("model.layers.%d", i)
		m.names = append(m.names, name)
		m.blocks = append(m.blocks, causalBlock{
			norm1: nn.NewRMSNorm(s, name+".input_layernorm", c.Hidden, eps),
			attn:  nn.NewCausalAttention(s, name+".self_attn", i, c.attention(i), c.InBias, c.OutBias, init, init),
			norm2: nn.NewRMSNorm(s, name+".post_attention_layernorm", c.Hidden, eps),
			mlp:   nn.NewGatedFeedForward(s, name+".mlp", c.Hidden, c.FeedForward, act, c.MLPBias, init, init),
			rate:  c.Dropout,
		})
	}
	m.norm = nn.NewRMSNorm(s, "model.norm", c.Hidden, eps)
}

// embeddingUse says what the embedding is for.
func (c *DecoderConfig) embeddingUse() nn.Use {
	if c.TieEmbeddings {
		return nn.LookedUp | nn.Multiplied
	}
	return nn.LookedUp
}

// attention describes the attention of one layer.
func (c *DecoderConfig) attention(layer int) nn.CausalAttention {
	scale := 1.0
	if c.ScaleAttention {
		scale = 1 / math.Sqrt(float64(c.HeadDim))
	}
	if c.ScaleByLayer {
		scale /= float64(layer + 1)
	}
	return nn.CausalAttention{
		Width: c.Hidden, Heads: c.Heads, KVHeads: c.KVHeads, HeadDim: c.HeadDim, Scale: float32(scale),
		Window: c.window(layer), HeadNorms: c.HeadNorms, NormEps: float32(c.NormEps), Dropout: c.AttentionDropout,
	}
}

// Initialize fills the parameters for training from nothing as `transformers` does: normal distributions of width InitStd
// (GPT-2: narrower by √(2·layers) at the end of each sublayer), zero for biases and the row of a padding token.
func (m *Decoder) Initialize(seed uint64) {
	m.params.Initialize(seed)
	if m.padID >= 0 && m.tokens.Value.Data != nil {
		clear(m.tokens.Value.Row(int(m.padID)))
	}
}

// FillHeadNorms sets the weights of the norms of queries and keys, where there are any. Logits of attention are at most √HeadDim times
// their square; Initialize leaves them at 1.
func (m *Decoder) FillHeadNorms(weight float32) {
	for i := range m.blocks {
		m.blocks[i].attn.FillHeadNorms(weight)
	}
}

// Store returns the parameters, named as in a checkpoint.
func (m *Decoder) Store() *nn.Store { return &m.params }

// Params returns the parameters, named as in a checkpoint.
func (m *Decoder) Params() []*nn.Param { return m.params.Params() }

// SetDropout sets the rates of dropout in training, as the configuration's: of the embedding and the sublayers, and of the
// probabilities of attention.
func (m *Decoder) SetDropout(rate, attention float32) {
	m.Config.Dropout, m.Config.EmbeddingDropout, m.Config.AttentionDropout = rate, rate, attention
	for i := range m.blocks {
		m.blocks[i].rate = rate
		m.blocks[i].attn.SetDropout(attention)
	}
}

// Freeze prepares a model whose own parameters do not change for the training of a LoRA. They may not be changed afterwards.
func (m *Decoder) Freeze(pool *kernel.Pool) { m.output.PackAcross(pool) }

// hidden returns the last block's output, [N, D], for rows of tokens at their positions, of those rows that self wants: of the others,
// that block computes no more than what these look at. batch keeps what is needed to compute a block once more; it may be nil where
// nothing is recorded.
func (m *Decoder) hidden(t *grad.Tape, ids, at []int32, self nn.Keys, batch *TokenBatch) grad.Var {
	if m.rotary != nil {
		self.Angles, self.At = m.rotary.Angles(at), at
	}
	wanted := self.Wanted
	self.Wanted = nil
	mark := t.Mark()
	x := t.Embed(grad.Embedding{
		Table: m.tokens, Scale: 1, Learned: m.positions, Rate: m.Config.EmbeddingDropout, Skip: m.padID,
	}, ids, at)
	t.Observe(EmbeddingOutput, x)
	for i := range m.blocks {
		if i == len(m.blocks)-1 {
			self.Wanted = wanted
		}
		if b := &m.blocks[i]; t.Checkpoints() {
			x = t.Checkpoint(x, batch.part(i, b, self))
		} else {
			x = t.Compact(mark, b.forward(t, x, self))
		}
		t.Observe(m.names[i], x)
	}
	return x
}

// logits returns those of rows of the last block's output, [N, V].
func (m *Decoder) logits(t *grad.Tape, x grad.Var) grad.Var {
	return t.Linear(m.norm.Forward(t, x), m.output, nil, kernel.None)
}

// TokenBatch is a batch of token sequences as rows, none of which sees another but a branch the stem from which it goes on. Fill it
// with Reset and Add; it is reused without allocation.
type TokenBatch struct {
	Input  []int32 // all tokens, end to end
	Target []int32 // what each should be followed by; below 0: no matter
	Starts tensor.Starts

	stems []int32 // of each sequence: the one from which it goes on; −1: none
	at    []int32
	spans []kernel.AttnSpan
	keys  []int32      // the rows that these keys are, where there are branches
	parts []*blockPart // by layer, of the last recorded pass

	// Of Loss, where not every row has a target:
	scored  []int32   // the rows that have one,
	targets []int32   // what it is,
	nll     []float32 // and −log p of it
}

// blockPart is a block in a pass over a batch, for a tape that computes it twice.
type blockPart struct {
	block *causalBlock
	self  nn.Keys
}

func (p *blockPart) Forward(t *grad.Tape, x grad.Var) grad.Var { return p.block.forward(t, x, p.self) }

// part returns that of a layer, until the next recorded pass over the batch.
func (b *TokenBatch) part(layer int, block *causalBlock, self nn.Keys) grad.Part {
	for layer >= len(b.parts) {
		b.parts = append(b.parts, new(blockPart))
	}
	*b.parts[layer] = blockPart{block, self}
	return b.parts[layer]
}

// Reset empties the batch.
func (b *TokenBatch) Reset() {
	b.Input, b.Target, b.Starts, b.stems = b.Input[:0], b.Target[:0], b.Starts[:0], b.stems[:0]
}

// Add appends a sequence: its tokens and, for each, what should follow; below 0 where that does not matter.
func (b *TokenBatch) Add(input, target []int32) {
	if len(input) != len(target) {
		panic(fmt.Sprintf("model: a sequence of %d tokens with %d targets", len(input), len(target)))
	}
	b.Input, b.Target, b.Starts, b.stems = append(b.Input, input...), append(b.Target, target...), b.Starts.Add(len(input)), append(b.stems, -1)
}

// AddInput appends a sequence without targets.
func (b *TokenBatch) AddInput(input []int32) {
	b.Input, b.Starts, b.stems = append(b.Input, input...), b.Starts.Add(len(input)), append(b.stems, -1)
	for range input {
		b.Target = append(b.Target, -1)
	}
}

// AddBranch appends a sequence without targets that goes on from the sequence of the given number, its stem (−1: from none): each of
// its rows has the bits that it would have if the stem stood before it in the same sequence, and the stem is computed once for all of
// its branches. They come right after it.
func (b *TokenBatch) AddBranch(stem int, input []int32) {
	b.AddInput(input)
	b.stems[len(b.stems)-1] = int32(stem)
}

// addAlike appends sequences without targets that begin alike, with what they all begin with as their stem.
func (b *TokenBatch) addAlike(sequences [][]int32) {
	n := commonBeginning(sequences)
	if n == 0 || len(sequences) == 1 {
		for _, s := range sequences {
			b.AddInput(s)
		}
		return
	}
	b.AddInput(sequences[0][:n])
	stem := b.Starts.Len() - 1
	for _, s := range sequences {
		b.AddBranch(stem, s[n:])
	}
}

// commonBeginning is how many tokens sequences begin with, all of them and none with all that it has.
func commonBeginning(sequences [][]int32) int {
	n := len(sequences[0]) - 1
	for _, s := range sequences[1:] {
		n = min(n, len(s)-1)
		for i := range n {
			if s[i] != sequences[0][i] {
				n = i
				break
			}
		}
	}
	return max(0, n)
}

// isStem reports whether others go on from a sequence.
func (b *TokenBatch) isStem(i int) bool { return i+1 < len(b.stems) && int(b.stems[i+1]) == i }

// look says what every row looks at: its position, and the keys of its sequence.
func (b *TokenBatch) look() nn.Keys {
	b.at, b.spans, b.keys = b.Starts.Positions(b.at[:0]), b.spans[:0], b.keys[:0]
	if !slices.ContainsFunc(b.stems, func(stem int32) bool { return stem >= 0 }) {
		b.spans = tensor.SelfSpans(b.spans, b.Starts)
		return nn.Keys{Spans: b.spans}
	}
	for i, stem := range b.stems {
		own, first := kernel.AttnSpan{Q0: b.Starts[i], Q1: b.Starts[i+1]}, len(b.keys)
		if stem >= 0 {
			b.keys = appendRange(b.keys, b.Starts[stem], b.Starts[stem+1])
			own.Pos = int32(len(b.keys) - first)
			for row := own.Q0; row < own.Q1; row++ {
				b.at[row] += own.Pos
			}
		}
		b.keys = appendRange(b.keys, own.Q0, own.Q1)
		own.K0, own.K1 = int32(first), int32(len(b.keys))
		b.spans = append(b.spans, own)
	}
	return nn.Keys{Spans: b.spans, Rows: b.keys}
}

// appendRange appends from, …, to−1.
func appendRange(list []int32, from, to int32) []int32 {
	for i := from; i < to; i++ {
		list = append(list, i)
	}
	return list
}

// AddText appends a sequence in which each token should be followed by the next one.
func (b *TokenBatch) AddText(ids []int32) {
	if n := len(ids) - 1; n > 0 {
		b.Add(ids[:n], ids[1:])
	}
}

// Hidden returns the last block's output, [rows, D], every position seeing those before it in its sequence. A sequence may
// have as many tokens as the model has learned positions.
func (m *Decoder) Hidden(t *grad.Tape, b *TokenBatch) grad.Var {
	keys := b.look()
	return m.hidden(t, b.Input, b.at, keys, b)
}

// HiddenOf returns the given rows of the last block's output, [len(rows), D], with the bits that Hidden gives them, in less time: of the
// others, the last block computes keys and values alone. rows must live until Backward.
func (m *Decoder) HiddenOf(t *grad.Tape, b *TokenBatch, rows []int32) grad.Var {
	keys := b.look()
	keys.Wanted = rows
	if rows == nil { // no rows, and not all of them
		keys.Wanted = []int32{}
	}
	return m.hidden(t, b.Input, b.at, keys, b)
}

// Loss returns scale times the sum over all targets of the cross-entropy. rowNLL ([rows] or nil) receives each row's
// −log p of its target, 0 where there is none.
func (m *Decoder) Loss(t *grad.Tape, b *TokenBatch, scale float32, rowNLL []float32) float64 {
	if b.findTargets(); len(b.scored) == 0 || 8*len(b.scored) > 7*len(b.Target) { // to select nearly all costs more than it saves
		h := m.norm.Forward(t, m.Hidden(t, b))
		return t.CrossEntropy(h, m.output, nil, kernel.CrossEntropy{Targets: b.Target, Scale: scale}, nil, rowNLL)
	}
	var nll []float32
	if rowNLL != nil {
		b.nll = slices.Grow(b.nll[:0], len(b.scored))[:len(b.scored)]
		nll = b.nll
	}
	h := m.norm.Forward(t, m.HiddenOf(t, b, b.scored))
	sum := t.CrossEntropy(h, m.output, nil, kernel.CrossEntropy{Targets: b.targets, Scale: scale}, nil, nll)
	clear(rowNLL)
	for i, one := range nll {
		rowNLL[b.scored[i]] = one
	}
	return sum
}

// findTargets fills in scored and targets.
func (b *TokenBatch) findTargets() {
	b.scored, b.targets = b.scored[:0], b.targets[:0]
	for row, target := range b.Target {
		if target >= 0 {
			b.scored, b.targets = append(b.scored, int32(row)), append(b.targets, target)
		}
	}
}

// EmbeddingOutput is what an observer is told of the first block's input as; of what the blocks hand on, it is told after that,
// in their order.
const EmbeddingOutput = "embedding"

// Lens returns what the output layer makes of rows of any block's output, or of the embedding, [N, D]: logits, [N, V]. Of the
// last block's output they are the model's own; of another, what it would say if it ended there (the logit lens,
// nostalgebraist 2020).
func (m *Decoder) Lens(t *grad.Tape, x grad.Var) grad.Var { return m.logits(t, x) }

// EmbeddingOf returns the vector of a token. The model must be held in float32.
func (m *Decoder) EmbeddingOf(id int32) []float32 { return m.tokens.Value.Row(int(id)) }

// Logits returns the logits of what follows every position, [rows, V].
func (m *Decoder) Logits(t *grad.Tape, b *TokenBatch) grad.Var {
	return m.logits(t, m.Hidden(t, b))
}

// LogProbs returns log p of the targets of the given rows of the batch and the entropy of what was predicted there,
// [len(rows), 2]; targets[i] is that of rows[i]. Both must live until Backward. The log-probabilities have the bits that
// a sampler is told of the same tokens.
func (m *Decoder) LogProbs(t *grad.Tape, b *TokenBatch, rows, targets []int32) grad.Var {
	h := m.norm.Forward(t, m.HiddenOf(t, b, rows))
	return t.LogProb(h, m.output, nil, targets, true)
}

// TargetLogProbs is LogProbs without the entropies, [len(rows), 1], in less time.
func (m *Decoder) TargetLogProbs(t *grad.Tape, b *TokenBatch, rows, targets []int32) grad.Var {
	h := m.norm.Forward(t, m.HiddenOf(t, b, rows))
	return t.LogProb(h, m.output, nil, targets, false)
}

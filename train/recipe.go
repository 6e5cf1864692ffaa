package train

import (
	"github.com/parley-lm/parley/loss"
	"github.com/parley-lm/parley/model"
	"math"
)

// Recipe says everything that decides what a run computes. Its fields are those of the TOML file, section by section;
// what a file leaves out is as in [DefaultRecipe], or for language models in [DefaultLanguageRecipe].
type Recipe struct {
	Name        string `toml:"name"`
	Description string `toml:"description"`

	Data       DataRecipe       `toml:"data"`
	Tokenizer  TokenizerRecipe  `toml:"tokenizer"`
	Model      ModelRecipe      `toml:"model"`
	Objective  ObjectiveRecipe  `toml:"objective"`
	Optimizer  OptimizerRecipe  `toml:"optimizer"`
	Schedule   ScheduleRecipe   `toml:"schedule"`
	Train      TrainRecipe      `toml:"train"`
	Validation ValidationRecipe `toml:"validation"`
	Rollout    RolloutRecipe    `toml:"rollout,omitempty"`
	Reward     RewardRecipe     `toml:"reward,omitempty"`
	Policy     PolicyRecipe     `toml:"policy,omitempty"`
	Decode     DecodeRecipe     `toml:"decode"`
	LoRA       LoRARecipe       `toml:"lora,omitempty"`
}

// DataRecipe names the texts. In file names, {source} and {target} stand for the two languages. A relative name is
// looked for under Dir. Any file may be gzipped; those of language models may be directories and patterns too.
type DataRecipe struct {
	Format     string   `toml:"format"`     // "pair": two files, line i with line i; "tsv"; "jsonl"; "sandbox": generated. Of documents "auto": by the names; "text", "jsonl", "csv", "parquet", "sandbox"
	Dir        string   `toml:"dir"`        // "": the working directory
	Source     string   `toml:"source"`     // language code
	Target     string   `toml:"target"`     // language code
	Train      []string `toml:"train"`      // source file and target file for "pair", otherwise one file
	Validation []string `toml:"validation"` // as Train; empty: HeldOut pairs are taken from Train
	Test       []string `toml:"test"`       // as Train; scored once, after the training; any number of such sets, one after the other
	HeldOut    int      `toml:"held_out"`   // pairs taken from Train for validation, and as many for test, where those are not given
	Reverse    bool     `toml:"reverse"`    // translate from the second side of what the files hold to the first
	Limit      int      `toml:"limit"`      // use only so many training pairs; 0: all
	Pairs      int      `toml:"pairs"`      // of "sandbox": how many training pairs, documents or dialogues to generate
	Licence    string   `toml:"licence"`    // terms of the data, for the model card
	Origin     string   `toml:"origin"`     // where the data comes from, for the model card

	Field        string   `toml:"field,omitempty"`         // of documents and labelled texts in JSONL, CSV and Parquet: key or column of the text; "": "text"
	Separator    string   `toml:"separator,omitempty"`     // of documents in plain text: what stands between them
	HeldOutShare float64  `toml:"held_out_share,omitzero"` // of the documents, for validation where none is given; of few documents, the end of the text
	LabelField   string   `toml:"label_field,omitempty"`   // of labelled texts: key or column of the label; "": "label"
	Labels       []string `toml:"labels,omitempty"`        // of labelled texts: those that are wanted, in the order of the scores; none given: all that occur
	Long         string   `toml:"long,omitempty"`          // what is read of a text of more than model.context tokens: its "begin" or its "end"

	ChatTemplate string `toml:"chat_template,omitempty"` // of dialogues: "chatml", "chatml-spaced", "plain", or a file; "": the model's own, or ChatML where it has none

	PromptField string   `toml:"prompt_field,omitempty"` // of preferences: key of the prompt; "": "prompt"
	AnswersOnly bool     `toml:"answers_only,omitempty"` // of preferences: the model reads the answers, not the prompts
	GroupField  string   `toml:"group_field,omitempty"`  // of preferences: key of what prompts are held out together by; "": each by itself
	GroupUntil  string   `toml:"group_until,omitempty"`  // a group's name ends before this
	TestGroups  []string `toml:"test_groups,omitempty"`  // these groups are the test set, and in no other

	// OpeningWords is of reinforcement learning: a least and a greatest number, where data.train holds documents, whose first so many
	// words are the prompts.
	OpeningWords []int `toml:"opening_words,omitempty"`

	Tokens string `toml:"tokens,omitempty"` // directory where the documents' tokens are kept, and found again by other runs; "": in the run's own
}

// TokenizerRecipe describes the vocabulary, which two languages share.
type TokenizerRecipe struct {
	Kind         string  `toml:"kind,omitempty"` // "characters" of the text; "": byte-pair encoding
	File         string  `toml:"file"`           // take this tokenizer.json instead of learning one
	Vocab        int     `toml:"vocab"`          // size, special tokens included
	Pattern      string  `toml:"pattern"`        // how text is cut into words: "spaces" or "gpt2"
	MinFrequency int     `toml:"min_frequency"`  // of a merge
	Dropout      float64 `toml:"dropout"`        // BPE-dropout (Provilkov et al. 2020) of training sentences, new in each epoch
}

// ModelRecipe describes an encoder–decoder Transformer, of which Size sets what is 0 or empty, or a language model, of which
// Depth does.
type ModelRecipe struct {
	From              string  `toml:"from"` // go on from this model directory; its shape and tokenizer are kept
	Size              string  `toml:"size"` // "micro", "tiny", "small" or "base"
	Width             int     `toml:"width"`
	Layers            int     `toml:"layers"` // of encoder and of decoder
	DecoderLayers     int     `toml:"decoder_layers"`
	Heads             int     `toml:"heads"`
	FeedForward       int     `toml:"feed_forward"`
	Activation        string  `toml:"activation"`
	Context           int     `toml:"context"` // longest sentence in tokens; longer ones are left out of training
	Dropout           float64 `toml:"dropout"`
	ActivationDropout float64 `toml:"activation_dropout"`
	TieOutput         bool    `toml:"tie_output"` // the output layer is the embedding matrix

	Depth            int     `toml:"depth,omitzero"`             // of a language model: its layers, from which follow all sizes and rates that are 0
	Architecture     string  `toml:"architecture,omitempty"`     // of a language model: "llama", "qwen3" (which norms queries and keys) or "gpt2"
	KVHeads          int     `toml:"kv_heads,omitzero"`          // of a language model: 0 means as many as heads
	Pooling          string  `toml:"pooling,omitempty"`          // of a reward model or a classifier: a text's scores are those at the "last" token, or the "sum" of those at all tokens over the root of their number; "": as model.from has it, or "last"
	AttentionDropout float64 `toml:"attention_dropout,omitzero"` // of the probabilities of attention
	HeadNorm         float64 `toml:"head_norm,omitzero"`         // of a new "qwen3": what the weights of the norms of queries and keys begin with; above 1, attention is sharper from the beginning; 0: 1
}

// LoRARecipe describes a low-rank update (Hu et al. 2021) that is trained in the place of model.from, which stays as it is.
type LoRARecipe struct {
	Rank           int      `toml:"rank"`           // 0: none; the model itself is trained
	Alpha          float64  `toml:"alpha"`          // the update is multiplied by alpha/rank; 0: such that this is 2
	RankStabilized bool     `toml:"rslora"`         // by alpha/√rank instead (Kalajdzievski 2023)
	Dropout        float64  `toml:"dropout"`        // of what the updates read
	DoRA           bool     `toml:"dora,omitempty"` // the lengths of the updated matrices' rows are learned apart (Liu et al. 2024)
	Targets        []string `toml:"targets"`        // linear layers, by names or ends of names, or "all-linear"; empty: as PEFT chooses for the architecture
	Base           string   `toml:"base"`           // as what the model's matrices are held in memory: "f32" or "bf16"
	Arithmetic     string   `toml:"arithmetic"`     // of products with them: "f32", or "bf16" where the processor has it, which needs base = "bf16"
}

// ObjectiveRecipe describes what is minimised.
type ObjectiveRecipe struct {
	Kind           string  `toml:"kind"` // "translation", "language_model", "classification", "dialogue", "reward" or "preference"
	LabelSmoothing float64 `toml:"label_smoothing"`
	FreezePad      bool    `toml:"freeze_pad"` // the embedding of <pad> stays zero

	Loss string  `toml:"loss,omitempty"` // of "preference": "sigmoid" (DPO), "cdpo", "robust", "ipo", "ipo_mean" or "hinge"
	Beta float64 `toml:"beta,omitzero"`  // of "preference": strength of the pull towards the model that it begins with

	Margin float64 `toml:"margin,omitzero"` // of a reward model: rewards differ by a comparison's margin times this, at least
	Center float64 `toml:"center,omitzero"` // of a reward model: how strongly rewards are pulled towards 0

	Along float64 `toml:"along,omitzero"` // of classification: the share of the loss that all tokens of a text bear instead of the last one
}

// OptimizerRecipe describes Adam (Kingma and Ba 2015), AdamW (Loshchilov and Hutter 2019), or Muon (Jordan et al. 2024)
// for the matrices of layers with AdamW for the rest, at one learning rate (Liu et al. 2025).
type OptimizerRecipe struct {
	Kind        string  `toml:"kind"` // "adam", "adamw" or "muon"
	Beta1       float64 `toml:"beta1"`
	Beta2       float64 `toml:"beta2"`
	Eps         float64 `toml:"eps"`
	WeightDecay float64 `toml:"weight_decay"`       // of matrices; vectors never decay
	Momentum    float64 `toml:"momentum"`           // of Muon
	AdamRate    float64 `toml:"adam_rate,omitzero"` // of Muon: what AdamW moves, embeddings and vectors, learns at so many times train.lr; 0: 1
	Clip        float64 `toml:"clip"`               // largest norm of the whole gradient; 0: any
}

// ScheduleRecipe describes the learning rate as a share of train.lr, and how dropout sets in.
type ScheduleRecipe struct {
	Kind   string  `toml:"kind"`   // "inverse_sqrt", "linear", "cosine", "constant" or "wsd" (warm-up, stable, decay)
	Warmup int     `toml:"warmup"` // updates from 0 to the full rate
	Decay  int     `toml:"decay"`  // of "wsd": updates of the decay at the end
	Shape  string  `toml:"shape"`  // of the decay of "wsd": "linear", "cosine" or "1-sqrt"
	Floor  float64 `toml:"floor"`  // lowest share after the warm-up

	DropoutWarmup int `toml:"dropout_warmup"` // updates over which dropout rises from nothing to its full rates (Morerio et al. 2017)
}

// TrainRecipe describes the loop.
type TrainRecipe struct {
	Seed            int     `toml:"seed"`
	LR              float64 `toml:"lr"`
	HeadRate        float64 `toml:"head_rate,omitzero"` // of a reward model or a classifier: the head, which begins from nothing, learns at so many times lr; 0: 1
	Updates         int     `toml:"updates"`            // at most; 0, for a language model: what parameters and text call for
	Epochs          int     `toml:"epochs"`             // at most; 0: any number
	BatchTokens     int     `toml:"batch_tokens"`       // of an update: at most so many source and so many target tokens
	MicroTokens     int     `toml:"micro_tokens"`       // about so many at once: a batch's gradient is accumulated over several passes, which takes less memory
	CheckpointEvery int     `toml:"checkpoint_every"`   // updates; there is also one at each validation
	Average         int     `toml:"average"`            // weights of the last so many validations are averaged at the end; 0: not
	EMA             float64 `toml:"ema"`                // decay of an exponential moving average of the weights, which is then validated; 0: none
	LogEvery        int     `toml:"log_every"`          // updates between lines of metrics.jsonl

	Checkpointing bool `toml:"checkpointing,omitempty"` // of language models: compute each layer twice, and keep the activations of one instead of all

	Arithmetic string `toml:"arithmetic,omitempty"` // of products with weights: "f32", or "bf16" (sums in f32), faster where the processor has it; "": "f32"
}

// ValidationRecipe describes how the best model is found.
type ValidationRecipe struct {
	Every    int    `toml:"every"`    // updates; 0: after every epoch
	Metric   string `toml:"metric"`   // "bleu" or "loss" decides which is best
	Patience int    `toml:"patience"` // stop after so many validations without a better one; 0: never
	Beam     int    `toml:"beam"`     // 1: greedy; 0: nothing is translated
	BLEU     string `toml:"bleu"`     // tokenization of BLEU: "13a" for raw text, "none" for tokenized text
	Limit    int    `toml:"limit"`    // translate only so many sentences, or score so many tokens of documents while training; 0: all
	Samples  int    `toml:"samples"`  // translations, or continuations, shown in the report

	SampleTokens int     `toml:"sample_tokens,omitzero"` // of a continuation, a quarter of them given; 0: nothing is written
	Temperature  float64 `toml:"temperature,omitzero"`   // of continuations; 0: the likeliest token each time
}

// DecodeRecipe describes how the final model is scored, and is saved with it as what a translator should use.
type DecodeRecipe struct {
	Beam          int     `toml:"beam"`
	LengthPenalty float64 `toml:"length_penalty"`
	MaxRatio      float64 `toml:"max_ratio"` // longest translation: so many tokens for each of the source,
	MaxExtra      int     `toml:"max_extra"` // and so many more
}

// DefaultRecipe returns Transformer-Tiny as Wu et al. (2021) train it (arXiv 2105.14462), without data.
func DefaultRecipe() Recipe {
	return Recipe{
		Data:      DataRecipe{Format: "pair", Source: "en", Target: "fr"},
		Tokenizer: TokenizerRecipe{Vocab: 10000, Pattern: "spaces", MinFrequency: 2},
		Model:     ModelRecipe{Size: "tiny", Activation: "relu", Context: 512, Dropout: 0.3, TieOutput: true},
		Objective: ObjectiveRecipe{Kind: "translation", LabelSmoothing: 0.1, FreezePad: true},
		Optimizer: OptimizerRecipe{Kind: "adam", Beta1: 0.9, Beta2: 0.98, Eps: 1e-9, Momentum: 0.95},
		Schedule:  ScheduleRecipe{Kind: "inverse_sqrt", Warmup: 2000, Shape: "linear"},
		Train: TrainRecipe{
			Seed: 1, LR: 0.005, Updates: 8000, BatchTokens: 4096, MicroTokens: 2048, CheckpointEvery: 500, Average: 10, LogEvery: 10,
		},
		Validation: ValidationRecipe{Metric: "bleu", Patience: 10, Beam: 1, BLEU: "13a", Samples: 8},
		Decode:     DecodeRecipe{Beam: 5, LengthPenalty: 1, MaxRatio: 2, MaxExtra: 16},
	}
}

// DefaultLanguageRecipe returns a decoder-only model in the manner of Llama, trained by Muon, without data and sizes:
// model.depth sets them.
func DefaultLanguageRecipe() Recipe {
	r := DefaultRecipe()
	r.Data = DataRecipe{Format: "auto"}
	r.Tokenizer = TokenizerRecipe{Pattern: "gpt2", MinFrequency: 2}
	r.Model = ModelRecipe{Architecture: "llama", Activation: "silu", TieOutput: true}
	r.Objective = ObjectiveRecipe{Kind: languageModelKind}
	r.Optimizer = OptimizerRecipe{Kind: "muon", Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, WeightDecay: 0.1, Momentum: 0.95, Clip: 1}
	r.Schedule = ScheduleRecipe{Kind: "wsd", Shape: "1-sqrt"}
	r.Train.LR, r.Train.Updates, r.Train.BatchTokens, r.Train.Average = 0, 0, 0, 0
	r.Validation = ValidationRecipe{Metric: "loss", BLEU: "13a", Limit: 1 << 17, Samples: 4}
	return r
}

// DefaultClassificationRecipe returns a decoder-only model with a head for labels, without data; model.depth sets its sizes, or
// model.from gives a trained model to start from.
func DefaultClassificationRecipe() Recipe {
	r := DefaultLanguageRecipe()
	r.Objective.Kind = classificationKind
	r.Data.Long = "end"
	r.Schedule = ScheduleRecipe{Kind: "linear", Shape: "linear"}
	r.Train.Epochs = 3
	r.Validation = ValidationRecipe{Metric: "accuracy", BLEU: "13a"}
	return r
}

// DefaultRewardRecipe returns a reward model without data, to be trained on the layers of the model in model.from.
func DefaultRewardRecipe() Recipe {
	r := DefaultClassificationRecipe()
	r.Objective = ObjectiveRecipe{Kind: rewardKind, Margin: 1, Center: 0.001}
	r.Train.Epochs = 1
	return r
}

// DefaultPreferenceRecipe returns direct preference optimisation without data, of the model in model.from.
func DefaultPreferenceRecipe() Recipe {
	r := DefaultLanguageRecipe()
	r.Objective = ObjectiveRecipe{Kind: preferenceKind, Loss: "sigmoid", Beta: 0.1}
	r.Optimizer = OptimizerRecipe{Kind: "adamw", Beta1: 0.9, Beta2: 0.98, Eps: 1e-8, Momentum: 0.95, Clip: 1}
	r.Schedule = ScheduleRecipe{Kind: "linear", Shape: "linear"}
	r.Train.Epochs, r.Train.BatchTokens = 1, 8192
	r.Validation = ValidationRecipe{Metric: "accuracy", BLEU: "13a"}
	return r
}

// preference is the loss that the recipe asks for.
func (r *Recipe) preference() loss.Preference {
	return loss.Preference{Kind: r.Objective.Loss, Beta: r.Objective.Beta, Smoothing: r.Objective.LabelSmoothing}
}

// defaultsFor returns the recipe that a file with this objective.kind is read over.
func defaultsFor(kind string) Recipe {
	switch kind {
	case languageModelKind:
		return DefaultLanguageRecipe()
	case classificationKind:
		return DefaultClassificationRecipe()
	case dialogueKind:
		return DefaultDialogueRecipe()
	case rewardKind:
		return DefaultRewardRecipe()
	case preferenceKind:
		return DefaultPreferenceRecipe()
	case ppoKind, grpoKind:
		return DefaultPolicyRecipe(kind)
	}
	return DefaultRecipe()
}

// decoderOnly says that the recipe is for a decoder-only model.
func (r *Recipe) decoderOnly() bool { return r.Objective.Kind != translationKind }

// judges says that the recipe is for a model that gives scores to texts.
func (r *Recipe) judges() bool {
	return r.Objective.Kind == classificationKind || r.Objective.Kind == rewardKind
}

// sizes are the shapes that model.size names: Transformer-Tiny as in Wu et al. (2021), base as in Vaswani et al. (2017).
var sizes = map[string]ModelRecipe{
	"micro": {Width: 64, Layers: 2, Heads: 4, FeedForward: 128},
	"tiny":  {Width: 128, Layers: 4, Heads: 4, FeedForward: 256},
	"small": {Width: 256, Layers: 4, Heads: 8, FeedForward: 1024},
	"base":  {Width: 512, Layers: 6, Heads: 8, FeedForward: 2048},
}

// Resolve fills in what follows from other fields and reports the first value that is out of range or contradicts
// another, by the names of the keys.
func (r *Recipe) Resolve() error {
	m := &r.Model
	if m.Depth > 0 {
		r.deriveFromDepth()
	}
	if m.Architecture != "" && m.KVHeads == 0 {
		m.KVHeads = m.Heads
	}
	s, ok := sizes[r.Model.Size]
	if !ok && r.Model.Size != "" {
		return wrongName("model.size", r.Model.Size, "micro", "tiny", "small", "base")
	}
	for _, f := range []struct{ field, from *int }{
		{&m.Width, &s.Width}, {&m.Layers, &s.Layers}, {&m.Heads, &s.Heads}, {&m.FeedForward, &s.FeedForward}, {&m.DecoderLayers, &m.Layers},
	} {
		if *f.field == 0 {
			*f.field = *f.from
		}
	}
	if r.reinforces() {
		r.derivePolicy()
	}
	if o := &r.LoRA; o.Alpha == 0 {
		if o.Alpha = 2 * float64(o.Rank); o.RankStabilized {
			o.Alpha = 2 * math.Sqrt(float64(o.Rank))
		}
	}
	if err := r.absolutePaths(); err != nil {
		return err
	}
	return r.Validate()
}

// config returns the config.json of a new model with a vocabulary of the given size, whose last id is <pad>.
func (m ModelRecipe) config(vocab int, eos int32) model.EncDecConfig {
	c := model.DefaultEncDecConfig()
	pad := int32(vocab - 1)
	c.VocabSize, c.DecoderVocabSize = vocab, vocab
	c.DModel, c.EncoderHeads, c.DecoderHeads = m.Width, m.Heads, m.Heads
	c.EncoderLayers, c.DecoderLayers = m.Layers, m.DecoderLayers
	c.EncoderFFN, c.DecoderFFN = m.FeedForward, m.FeedForward
	c.MaxPositions, c.Activation = m.Context, m.Activation
	c.ScaleEmbedding, c.TieEmbeddings = true, m.TieOutput
	c.Dropout, c.AttentionDropout, c.ActivationDropout = float32(m.Dropout), float32(m.AttentionDropout), float32(m.ActivationDropout)
	c.InitStd = 0.02
	c.PadID, c.EOSID, c.DecoderStartID, c.ForcedEOSID = pad, eos, pad, &eos
	return c
}

package train

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/nn"
)

// Validate reports the first value that is out of range or contradicts another, by the names of the keys.
func (r *Recipe) Validate() error {
	for _, check := range []func() error{r.checkNames, r.checkStart, r.checkPolicy, r.checkRanges, r.checkData, r.checkContradictions} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (r *Recipe) checkNames() error {
	formats, metrics := []string{"pair", "tsv", "jsonl", sandboxFormat}, []string{"bleu", "loss"}
	architectures, kinds := []string{""}, []string{""}
	if r.decoderOnly() {
		formats, metrics = []string{"auto", corpus.PlainText, corpus.JSONL, corpus.CSV, corpus.Parquet, sandboxFormat}, []string{"loss"}
		architectures, kinds = []string{"llama", "qwen3", "gpt2"}, []string{"", "characters"}
	}
	if r.Objective.Kind == dialogueKind {
		formats, architectures, kinds = []string{"auto", corpus.MessagesForm, corpus.ShareGPT, corpus.Alpaca, sandboxFormat}, []string{""}, []string{""}
	}
	long, poolings := []string{""}, []string{""}
	if r.judges() {
		poolings = []string{"", "last", "sum"}
	}
	switch {
	case r.Objective.Kind == preferenceKind:
		formats, metrics = []string{"auto"}, []string{"accuracy", "loss"}
	case r.judges():
		formats, metrics, long = []string{"auto"}, []string{"accuracy", "loss"}, []string{"begin", "end"}
	case r.reinforces():
		formats, metrics = []string{"auto"}, []string{"reward"}
	}
	for _, n := range []struct {
		key, value string
		known      []string
	}{
		{"objective.kind", r.Objective.Kind, []string{translationKind, languageModelKind, classificationKind, dialogueKind, rewardKind, preferenceKind, ppoKind, grpoKind}},
		{"data.format", r.Data.Format, formats}, {"data.long", r.Data.Long, long},
		{"tokenizer.kind", r.Tokenizer.Kind, kinds}, {"model.pooling", r.Model.Pooling, poolings},
		{"model.architecture", r.Model.Architecture, architectures},
		{"tokenizer.pattern", r.Tokenizer.Pattern, []string{"spaces", "gpt2"}},
		{"train.arithmetic", r.Train.Arithmetic, []string{"", "f32", "bf16"}},
		{"optimizer.kind", r.Optimizer.Kind, []string{"adam", "adamw", "muon"}},
		{"schedule.kind", r.Schedule.Kind, []string{"inverse_sqrt", "linear", "cosine", "constant", "wsd"}},
		{"schedule.shape", r.Schedule.Shape, []string{"linear", "cosine", "1-sqrt"}},
		{"validation.metric", r.Validation.Metric, metrics},
		{"validation.bleu", r.Validation.BLEU, []string{"13a", "none", "intl", "char", "zh"}},
		{"lora.base", r.LoRA.Base, []string{"", "f32", "bf16"}},
		{"lora.arithmetic", r.LoRA.Arithmetic, []string{"", "f32", "bf16"}},
	} {
		if !slices.Contains(n.known, n.value) {
			return wrongName(n.key, n.value, n.known...)
		}
	}
	if _, err := model.ActivationByName(r.Model.Activation); err != nil {
		return fmt.Errorf("model.activation: %w", err)
	}
	return nil
}

// lowRankKinds are the objectives over decoder-only models.
var lowRankKinds = []string{languageModelKind, classificationKind, dialogueKind, rewardKind, preferenceKind, ppoKind, grpoKind}

// checkStart checks what is said of the model that the training begins with.
func (r *Recipe) checkStart() error {
	switch {
	case r.Objective.Kind == preferenceKind && r.Model.From == "":
		return fmt.Errorf("recipe: objective.kind = %q needs a trained model, in model.from (on the command line, -m DIR)", preferenceKind)
	case r.wantsLoRA() && !slices.Contains(lowRankKinds, r.Objective.Kind):
		return fmt.Errorf("recipe: lora.rank = %d: objective.kind = %q trains whole models; updates of low rank are for %s", r.LoRA.Rank, r.Objective.Kind, strings.Join(lowRankKinds, ", "))
	case r.Train.Checkpointing && r.Objective.Kind == translationKind:
		return fmt.Errorf("recipe: train.checkpointing = true is for language models, and objective.kind is %q; train.micro_tokens makes a translator's passes smaller", r.Objective.Kind)
	case r.wantsLoRA() && r.Train.Arithmetic == "bf16":
		return fmt.Errorf(`recipe: train.arithmetic = "bf16" is for whole models; with lora.rank = %d set lora.arithmetic`, r.LoRA.Rank)
	case r.Objective.Kind == dialogueKind && r.Model.From == "":
		return fmt.Errorf("recipe: model.from is empty: fine-tuning on dialogues needs a trained language model (on the command line, -m DIR)")
	case r.Model.HeadNorm != 0 && (r.Model.Architecture != "qwen3" || r.Model.From != ""):
		return fmt.Errorf(`recipe: model.head_norm = %g is what norms of queries and keys begin with, which a new model of model.architecture = "qwen3" has`, r.Model.HeadNorm)
	case r.Optimizer.AdamRate != 0 && r.Optimizer.Kind != "muon":
		return fmt.Errorf("recipe: optimizer.adam_rate = %g needs optimizer.kind = \"muon\", which leaves embeddings and vectors to AdamW; it is %q", r.Optimizer.AdamRate, r.Optimizer.Kind)
	case r.LoRA.DoRA && !r.wantsLoRA():
		return fmt.Errorf("recipe: lora.dora = true needs lora.rank, which is 0")
	case r.LoRA.Arithmetic == "bf16" && r.LoRA.Base != "bf16":
		return fmt.Errorf(`recipe: lora.arithmetic = "bf16" needs lora.base = "bf16": the model's matrices are rounded when they are read`)
	case r.wantsLoRA() && r.Model.From == "":
		return fmt.Errorf("recipe: lora.rank = %d needs a trained model, in model.from (on the command line, -m DIR)", r.LoRA.Rank)
	}
	return nil
}

func (r *Recipe) checkRanges() error {
	const most = 1 << 24
	updates, vocabulary, size, context, batch := 1, 259, 1, 2, 1
	if r.reinforces() {
		batch = 0 // policy.minibatch counts answers
	}
	if r.decoderOnly() {
		updates = 0 // they follow from the data
		if r.Model.From != "" {
			size, context = 0, 0 // they are what they are, as the vocabulary is
		}
		if r.Tokenizer.Kind == "characters" || r.Tokenizer.File != "" || r.Model.From != "" {
			vocabulary = 0
		}
	}
	for _, n := range []struct {
		key              string
		value, low, high int
	}{
		{"data.held_out", r.Data.HeldOut, 0, most}, {"data.limit", r.Data.Limit, 0, math.MaxInt32}, {"data.pairs", r.Data.Pairs, 0, most},
		{"tokenizer.vocab", r.Tokenizer.Vocab, vocabulary, most}, {"tokenizer.min_frequency", r.Tokenizer.MinFrequency, 0, most},
		{"model.width", r.Model.Width, size, 1 << 16}, {"model.layers", r.Model.Layers, size, 1000}, {"model.decoder_layers", r.Model.DecoderLayers, size, 1000},
		{"model.heads", r.Model.Heads, size, 1 << 16}, {"model.feed_forward", r.Model.FeedForward, size, 1 << 20}, {"model.context", r.Model.Context, context, 1 << 20},
		{"schedule.warmup", r.Schedule.Warmup, 0, math.MaxInt32}, {"schedule.decay", r.Schedule.Decay, 0, math.MaxInt32},
		{"schedule.dropout_warmup", r.Schedule.DropoutWarmup, 0, math.MaxInt32},
		{"train.seed", r.Train.Seed, 0, math.MaxInt}, {"train.updates", r.Train.Updates, updates, math.MaxInt32}, {"train.epochs", r.Train.Epochs, 0, math.MaxInt32},
		{"train.batch_tokens", r.Train.BatchTokens, batch, most}, {"train.micro_tokens", r.Train.MicroTokens, 1, most},
		{"train.checkpoint_every", r.Train.CheckpointEvery, 1, math.MaxInt32}, {"train.average", r.Train.Average, 0, 1000},
		{"train.log_every", r.Train.LogEvery, 1, math.MaxInt32},
		{"validation.every", r.Validation.Every, 0, math.MaxInt32}, {"validation.patience", r.Validation.Patience, 0, math.MaxInt32},
		{"validation.beam", r.Validation.Beam, 0, 64}, {"validation.limit", r.Validation.Limit, 0, math.MaxInt32},
		{"model.depth", r.Model.Depth, 0, 1000}, {"model.kv_heads", r.Model.KVHeads, 0, 1 << 16},
		{"validation.sample_tokens", r.Validation.SampleTokens, 0, 1 << 20}, {"validation.samples", r.Validation.Samples, 0, 1000},
		{"lora.rank", r.LoRA.Rank, 0, nn.MaxRank}, {"decode.beam", r.Decode.Beam, 1, 64}, {"decode.max_extra", r.Decode.MaxExtra, 0, 1 << 20},
	} {
		if n.value < n.low || n.value > n.high {
			return fmt.Errorf("recipe: %s is %d, must be from %d to %d", n.key, n.value, n.low, n.high)
		}
	}
	for _, n := range []struct {
		key        string
		value      float64
		low, below float64
	}{
		{"tokenizer.dropout", r.Tokenizer.Dropout, 0, 1}, {"model.dropout", r.Model.Dropout, 0, 1},
		{"model.attention_dropout", r.Model.AttentionDropout, 0, 1}, {"model.activation_dropout", r.Model.ActivationDropout, 0, 1}, {"objective.label_smoothing", r.Objective.LabelSmoothing, 0, 1}, {"objective.along", r.Objective.Along, 0, 1},
		{"objective.beta", r.Objective.Beta, 0, 1e6}, {"objective.margin", r.Objective.Margin, 0, 1e6}, {"objective.center", r.Objective.Center, 0, 1e6},
		{"optimizer.beta1", r.Optimizer.Beta1, 0, 1}, {"optimizer.momentum", r.Optimizer.Momentum, 0, 1}, {"optimizer.adam_rate", r.Optimizer.AdamRate, 0, 1e6}, {"model.head_norm", r.Model.HeadNorm, 0, 1e3}, {"optimizer.beta2", r.Optimizer.Beta2, 0, 1}, {"optimizer.eps", r.Optimizer.Eps, 0, 1},
		{"optimizer.weight_decay", r.Optimizer.WeightDecay, 0, 1e6}, {"optimizer.clip", r.Optimizer.Clip, 0, math.Inf(1)},
		{"schedule.floor", r.Schedule.Floor, 0, 1}, {"train.lr", r.Train.LR, 0, 1e6}, {"train.head_rate", r.Train.HeadRate, 0, 1e6}, {"train.ema", r.Train.EMA, 0, 1},
		{"data.held_out_share", r.Data.HeldOutShare, 0, 1}, {"validation.temperature", r.Validation.Temperature, 0, 100},
		{"lora.alpha", r.LoRA.Alpha, 0, 1e6}, {"lora.dropout", r.LoRA.Dropout, 0, 1},
		{"decode.length_penalty", r.Decode.LengthPenalty, -100, 100}, {"decode.max_ratio", r.Decode.MaxRatio, 0, 1000},
	} {
		if !(n.value >= n.low && n.value < n.below) {
			return fmt.Errorf("recipe: %s is %g, must be at least %g and below %g", n.key, n.value, n.low, n.below)
		}
	}
	return nil
}

func (r *Recipe) checkData() error {
	d := &r.Data
	if d.Format == sandboxFormat {
		switch {
		case len(d.Train)+len(d.Validation)+len(d.Test) > 0:
			return fmt.Errorf(`recipe: data.train, data.validation and data.test contradict data.format = "sandbox", which generates its sentences`)
		case r.Objective.Kind != translationKind && d.Pairs < 1:
			return fmt.Errorf(`recipe: data.format = "sandbox" needs data.pairs, how many documents to generate`)
		}
		return nil
	}
	switch {
	case r.reinforces():
		return d.checkPrompts()
	case r.judges() || r.Objective.Kind == preferenceKind:
		return d.checkLabelled()
	case r.decoderOnly():
		return d.checkDocuments()
	}
	want, words := d.filesOfSet(), "one file"
	if want == 2 {
		words = "two files, source and target"
	}
	for _, f := range []struct {
		key   string
		files []string
	}{{"data.train", d.Train}, {"data.validation", d.Validation}, {"data.test", d.Test}} {
		none, sets := f.key != "data.train" && len(f.files) == 0, f.key == "data.test" && len(f.files)%want == 0
		if !none && !sets && len(f.files) != want {
			return fmt.Errorf("recipe: %s names %d files, but data.format = %q needs %s", f.key, len(f.files), d.Format, words)
		}
	}
	if len(d.Validation) == 0 && d.HeldOut == 0 {
		return fmt.Errorf("recipe: data.validation is empty and data.held_out is 0: give one of them, so that the best model can be found")
	}
	return nil
}

// checkDocuments checks what is said of a language model's text.
func (d *DataRecipe) checkDocuments() error {
	switch {
	case len(d.Train) == 0:
		return fmt.Errorf("recipe: data.train names no files")
	case len(d.Test) > 0:
		return fmt.Errorf("recipe: data.test has no meaning for a language model: it is scored on data.validation, or on what is held out")
	case len(d.Validation) == 0 && d.HeldOutShare == 0:
		return fmt.Errorf("recipe: data.validation is empty and data.held_out_share is 0: give one of them, so that the best model can be found")
	}
	return nil
}

// checkLabelled checks what is said of texts that are judged.
func (d *DataRecipe) checkLabelled() error {
	switch {
	case len(d.Train) == 0:
		return fmt.Errorf("recipe: data.train names no files")
	case len(d.Validation) == 0 && d.HeldOutShare == 0:
		return fmt.Errorf("recipe: data.validation is empty and data.held_out_share is 0: give one of them, so that the best model can be found")
	}
	for i, label := range d.Labels {
		if slices.Contains(d.Labels[:i], label) {
			return fmt.Errorf("recipe: data.labels names %q twice", label)
		}
	}
	return nil
}

func (r *Recipe) checkContradictions() error {
	m, s := &r.Model, &r.Schedule
	given := r.Train.Updates > 0 // else they follow from the data, and this is asked again
	switch {
	case m.ActivationDropout != 0 && r.decoderOnly():
		return fmt.Errorf("recipe: model.activation_dropout = %g has no meaning for a decoder-only model; set it to 0", m.ActivationDropout)
	case r.decoderOnly() && (r.Objective.FreezePad || r.Tokenizer.Dropout != 0):
		return fmt.Errorf("recipe: objective.freeze_pad and tokenizer.dropout are for translation; a decoder-only model's must be false and 0")
	case r.Objective.LabelSmoothing != 0 && r.Objective.Kind == languageModelKind:
		return fmt.Errorf("recipe: objective.label_smoothing is for translation and classification; a language model's must be 0")
	case r.Objective.Kind == preferenceKind && r.preference().Validate() != nil:
		return fmt.Errorf("recipe: objective.loss, objective.beta, objective.label_smoothing: %w", r.preference().Validate())
	case r.Objective.Kind != preferenceKind && (r.Objective.Loss != "" || r.Objective.Beta != 0):
		return fmt.Errorf("recipe: objective.loss and objective.beta are for objective.kind = %q; leave them out", preferenceKind)
	case r.Objective.LabelSmoothing != 0 && r.Objective.Kind == rewardKind:
		return fmt.Errorf("recipe: objective.label_smoothing is for translation and classification; a reward model's must be 0")
	case r.Data.GroupField == "" && (r.Data.GroupUntil != "" || len(r.Data.TestGroups) > 0):
		return fmt.Errorf("recipe: data.group_until and data.test_groups need data.group_field, the key of the group")
	case r.Train.HeadRate != 0 && !r.judges():
		return fmt.Errorf("recipe: train.head_rate is for classification and reward models, whose head begins from nothing; leave it out")
	case len(r.Data.OpeningWords) > 0 && !r.reinforces():
		return fmt.Errorf("recipe: data.opening_words is for reinforcement learning; leave it out")
	case r.Objective.Along != 0 && r.Objective.Kind != classificationKind:
		return fmt.Errorf("recipe: objective.along is for classification; it must be 0")
	case r.Objective.Along != 0 && m.Pooling == "sum":
		return fmt.Errorf(`recipe: objective.along = %g contradicts model.pooling = "sum", by which all tokens bear the score already; set it to 0`, r.Objective.Along)
	case m.Heads > 0 && m.Width%m.Heads != 0:
		return fmt.Errorf("recipe: model.heads = %d must divide model.width = %d", m.Heads, m.Width)
	case m.From != "" && r.Tokenizer.File != "":
		return fmt.Errorf("recipe: model.from and tokenizer.file contradict each other: a trained model keeps its tokenizer")
	case s.Kind != "inverse_sqrt" && s.Kind != "constant" && given && s.Warmup >= r.Train.Updates:
		return fmt.Errorf("recipe: schedule.warmup = %d leaves nothing of train.updates = %d", s.Warmup, r.Train.Updates)
	case s.Kind == "wsd" && s.Decay == 0 && !r.decoderOnly():
		return fmt.Errorf(`recipe: schedule.kind = "wsd" needs schedule.decay, the updates of the decay at the end`)
	case s.Kind == "wsd" && given && s.Warmup+s.Decay > r.Train.Updates:
		return fmt.Errorf("recipe: schedule.warmup = %d and schedule.decay = %d exceed train.updates = %d", s.Warmup, s.Decay, r.Train.Updates)
	case s.Kind != "wsd" && s.Decay != 0:
		return fmt.Errorf(`recipe: schedule.decay = %d has a meaning only with schedule.kind = "wsd", not %q`, s.Decay, s.Kind)
	case r.Validation.Metric == "bleu" && r.Validation.Beam == 0:
		return fmt.Errorf(`recipe: validation.metric = "bleu" contradicts validation.beam = 0, which translates nothing`)
	case r.Decode.MaxRatio == 0 && r.Decode.MaxExtra == 0:
		return fmt.Errorf("recipe: decode.max_ratio and decode.max_extra are both 0: that allows no translation")
	case m.Context > r.Train.BatchTokens && !r.reinforces():
		return fmt.Errorf("recipe: model.context = %d exceeds train.batch_tokens = %d: a longest sentence would not fit into a batch", m.Context, r.Train.BatchTokens)
	}
	return nil
}

func wrongName(key, value string, known ...string) error {
	return fmt.Errorf("recipe: %s is %q%s; it must be one of %s", key, value, didYouMean(value, known), strings.Join(known, ", "))
}

package train

import (
	"context"
	"fmt"
	"text/template"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/nn"
	"github.com/parley-lm/parley/tokenizer"
)

// Kinds of objectives, as objective.kind names them.
const (
	translationKind    = "translation"
	languageModelKind  = "language_model"
	classificationKind = "classification"
	dialogueKind       = "dialogue"
	rewardKind         = "reward"
	preferenceKind     = "preference"
	ppoKind            = "ppo"
	grpoKind           = "grpo"
)

// objective is what a run minimises: the data, the model that learns from them, the loss, and how the outcome is judged. The
// loop, optimizers, checkpoints, metrics and reports are the same for all. Each implementation has a file of its own.
type objective interface {
	tokenizer() *tokenizer.Tokenizer
	store() *nn.Store

	// fingerprint is a hash of the data, by which a resumed run knows it again; where it is not the one that the run began
	// with, changed says what to do about it.
	fingerprint() string
	changed(began string) error

	beginEpoch(epoch int) // epochs count from 0
	batches() int         // of the epoch; it may become smaller while the epoch goes on
	// ready makes what a batch of the epoch is computed from, where that does not lie ready: the rollouts of reinforcement
	// learning. If ctx ends before it is done nothing has changed.
	ready(ctx context.Context, batch int) error
	// size returns how many sequences and tokens to be predicted a batch of the epoch has, and the passes that it takes at
	// about train.micro_tokens each.
	size(batch int) (sequences, tokens, passes int)
	// forward computes scale times the summed loss of one of a batch's passes on a tape that has begun.
	forward(tape *grad.Tape, batch, pass, passes int, scale float64) (float64, error)
	// finishGradient is called when all passes of a batch have gone backward. It returns what else was measured of the batch,
	// in memory that is its own until the next one.
	finishGradient() Measures
	// ended says why the training should end now, whatever the recipe says; "": it should not.
	ended() string
	// saveState writes to a checkpoint's directory what the objective needs to go on, beside weights and moments; restoreState
	// reads it, before beginEpoch is called with the epoch in which the checkpoint was made.
	saveState(dir string) error
	restoreState(dir string) error

	// score judges the present weights on the validation data: as the recipe asks for while training, or with final set as
	// thoroughly as the model will be used.
	score(ctx context.Context, v *ValidationReport, final bool) error
	better(a, b Score) bool
	scoresStart() bool // the weights are scored before the first update too, and may stay the best
	// test scores the present weights on the test data, if there are any.
	test(ctx context.Context) ([]TestScore, error)

	describe(p *Plan)         // fills in what the plan says of data and operations
	card() *template.Template // of the model card
	save(dir string, card []byte) error
	close() error
}

// workplace is what an objective may use of the run that it belongs to.
type workplace struct {
	dir      string // of the run; "" in a dry run, which writes nothing there
	resumed  bool
	recipe   *Recipe // what follows from the data is filled in
	options  Options
	progress Progress
	pool     *kernel.Pool
	tape     *grad.Tape
}

// newObjective reads the data and makes vocabulary and model. Where ctx ends before, it may stop.
func newObjective(ctx context.Context, w workplace) (objective, error) {
	switch kind := w.recipe.Objective.Kind; kind {
	case translationKind:
		return newTranslation(w)
	case languageModelKind:
		return newLanguageModel(ctx, w)
	case classificationKind:
		return newClassification(ctx, w)
	case dialogueKind:
		return newDialogue(ctx, w)
	case rewardKind:
		return newRewardModel(ctx, w)
	case preferenceKind:
		return newDirectPreference(ctx, w)
	case ppoKind, grpoKind:
		return newReinforcement(ctx, w)
	default:
		panic(fmt.Sprintf("train: objective.kind %q", kind))
	}
}

package quickstart

import (
	"slices"

	"github.com/parley-lm/parley/internal/kernel"
)

// settings are changes to a recipe, as --set has them: "section.key=value".
type settings []string

// An effort says how much of everything there is and how it is trained. All that is tuned in a quickstart is here.
type effort struct {
	Name string // what its directory is said to hold

	Stories   int // to learn the vocabulary from and to pre-train on
	Vocab     int
	Dialogues int // to fine-tune on

	Prompts     int     // whose answers are ranked
	Questions   int     // for reinforcement learning to practise on
	Answers     int     // to each prompt
	Temperature float64 // at which they are drawn
	Noise       float64 // share of pairs that the judge ranks the wrong way round
	MaxTokens   int     // of an answer

	Asked     int // never-seen questions to every model in the end
	Sentences int // never-seen ones that the translator is measured on, and as many with never-seen combinations

	Pretraining, FineTuning, RewardModel, PPO, GRPO, Unleashed, Translator settings

	Arithmetic string // of all trainings, which is in their settings
}

// fastestArithmetic is in what a training multiplies fastest on this processor.
func fastestArithmetic() string {
	if kernel.FastBF16() {
		return "bf16"
	}
	return "f32"
}

// computing returns the effort with all trainings in an arithmetic.
func (e effort) computing(arithmetic string) effort {
	e.Arithmetic = arithmetic
	for _, set := range []*settings{&e.Pretraining, &e.FineTuning, &e.RewardModel, &e.PPO, &e.GRPO, &e.Unleashed, &e.Translator} {
		*set = append(slices.Clip(*set), "train.arithmetic="+arithmetic)
	}
	return e
}

// whole is the quickstart as it is meant to be; with fast it is over in two minutes, and the models are weaker.
var (
	whole = effort{
		Name:    "a whole quickstart",
		Stories: 45000, Vocab: 1024, Dialogues: 60000,
		Prompts: 8000, Questions: 16000, Answers: 4, Temperature: 0.6, Noise: 0.1, MaxTokens: 32,
		Asked: 500, Sentences: 1000,
		Pretraining: settings{"train.updates=1600", "validation.every=1600"},
		FineTuning:  settings{"data.chat_template=plain", "data.held_out_share=0.02", "optimizer.kind=muon", "optimizer.adam_rate=0.25", "train.lr=0.014", "schedule.warmup=20", "train.epochs=0", "train.updates=4400", "validation.every=4400", "validation.samples=0"},
		RewardModel: settings{"train.batch_tokens=2048", "train.micro_tokens=4096", "train.epochs=2", "train.lr=0.005", "model.dropout=0.05"},
		PPO:         settings{"train.epochs=20", "rollout.answers=512", "rollout.group=4", "policy.epochs=1", "policy.kl=0.6", "validation.every=80"},
		GRPO:        settings{"train.epochs=20", "rollout.answers=1024", "policy.epochs=1", "policy.kl=0.02", "train.lr=3e-4", "validation.every=80", "validation.limit=800"},
		Unleashed:   settings{"train.epochs=24", "policy.epochs=2", "train.lr=8e-4", "policy.step_limit=0.2", "validation.every=100000"},
	}
	fast = effort{
		Name:    "a quickstart with --fast",
		Stories: 20000, Vocab: 1024, Dialogues: 10000,
		Prompts: 200, Questions: 800, Answers: 4, Temperature: 0.6, Noise: 0.1, MaxTokens: 32,
		Asked: 200, Sentences: 500,
		Pretraining: settings{"train.updates=500", "validation.every=500"},
		FineTuning:  settings{"data.chat_template=plain", "optimizer.kind=muon", "train.lr=0.01", "schedule.warmup=20", "train.epochs=0", "train.updates=300", "validation.every=300", "validation.samples=0"},
		PPO:         settings{"train.epochs=6", "rollout.answers=512", "rollout.group=4", "policy.epochs=1", "policy.kl=0.6", "validation.every=24"},
		GRPO:        settings{"train.epochs=8", "policy.epochs=1", "policy.kl=0.02", "train.lr=3e-4", "validation.every=16"},
		Unleashed:   settings{"train.epochs=6", "policy.epochs=2", "train.lr=4e-4", "policy.step_limit=0.2", "validation.every=100000"},
		Translator:  settings{"data.pairs=60000", "train.updates=400", "validation.every=400"},
	}
)

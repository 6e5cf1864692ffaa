package quickstart

// settings are changes to a recipe, as --set has them: "section.key=value".
type settings []string

// An effort says how much of everything there is and how it is trained. All that is tuned in a quickstart is here.
type effort struct {
	Name string // what its directory is said to hold

	Stories   int // to learn the vocabulary from and to pre-train on
	Vocab     int
	Dialogues int // to fine-tune on

	Prompts   int     // whose answers are ranked; four times as many are there for reinforcement learning
	Answers   int     // to each
	Noise     float64 // share of pairs that the judge ranks the wrong way round
	MaxTokens int     // of an answer

	Questions int // that every model is asked in the end
	Sentences int // never-seen ones that the translator is measured on, and as many with never-seen combinations

	Pretraining, FineTuning, RewardModel, PPO, GRPO, Unleashed, Translator settings
}

// whole is the quickstart as it is meant to be; with fast it is over in two minutes, and the models are weaker.
var (
	whole = effort{
		Name:    "a whole quickstart",
		Stories: 90000, Vocab: 1024, Dialogues: 16000,
		Prompts: 2000, Answers: 4, Noise: 0.1, MaxTokens: 32,
		Questions: 500, Sentences: 1000,
		Pretraining: settings{"train.updates=3200", "validation.every=3200"},
		FineTuning:  settings{"data.chat_template=plain", "optimizer.kind=muon", "train.lr=0.006", "schedule.warmup=20", "train.epochs=0", "train.updates=400", "validation.every=400", "validation.samples=0"},
		RewardModel: settings{"train.batch_tokens=4096", "train.lr=0.003", "model.dropout=0.1"},
		PPO:         settings{"train.epochs=20", "policy.epochs=2", "policy.kl=0.3", "validation.every=40"},
		GRPO:        settings{"train.epochs=18", "rollout.answers=768", "policy.epochs=1", "policy.kl=0.05", "train.lr=5e-4", "validation.every=100"},
		Unleashed:   settings{"train.epochs=12", "policy.epochs=2", "train.lr=4e-4", "policy.step_limit=0.2", "validation.every=100000"},
	}
	fast = effort{
		Name:    "a quickstart with --fast",
		Stories: 22000, Vocab: 1024, Dialogues: 8000,
		Prompts: 200, Answers: 4, Noise: 0.1, MaxTokens: 32,
		Questions: 200, Sentences: 500,
		Pretraining: settings{"train.updates=700", "validation.every=700"},
		FineTuning:  settings{"data.chat_template=plain", "optimizer.kind=muon", "train.lr=0.006", "schedule.warmup=20", "train.epochs=0", "train.updates=150", "validation.every=150", "validation.samples=0"},
		PPO:         settings{"train.epochs=6", "policy.epochs=2", "policy.kl=0.3", "validation.every=24"},
		GRPO:        settings{"train.epochs=4", "policy.epochs=1", "policy.kl=0.05", "train.lr=5e-4", "validation.every=24"},
		Unleashed:   settings{"train.epochs=6", "policy.epochs=2", "train.lr=4e-4", "policy.step_limit=0.2", "validation.every=100000"},
		Translator:  settings{"data.pairs=60000", "train.updates=400", "validation.every=400"},
	}
)

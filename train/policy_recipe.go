package train

import "github.com/parley-lm/parley/rl"

// PolicyRecipe describes how a policy learns from its rollouts.
type PolicyRecipe struct {
	Epochs    int     `toml:"epochs,omitzero"`    // passes over each set of rollouts
	Minibatch int     `toml:"minibatch,omitzero"` // answers of an update
	Clip      float64 `toml:"clip,omitzero"`      // how far a token's probability may move: from 1 - clip to
	ClipHigh  float64 `toml:"clip_high,omitzero"` // 1 + clip_high times what it was; 0: as clip
	Loss      string  `toml:"loss,omitempty"`     // mean over "tokens", over "answers" of the mean over theirs, or by the "limit" of tokens
	Entropy   float64 `toml:"entropy,omitzero"`   // weight of a bonus for entropy

	Gamma       float64 `toml:"gamma,omitzero"`        // of PPO: what a later reward counts for
	Lambda      float64 `toml:"lambda,omitzero"`       // of PPO: of generalized advantage estimation
	ValueWeight float64 `toml:"value_weight,omitzero"` // of PPO: what the value's loss counts for
	ValueRate   float64 `toml:"value_rate,omitzero"`   // of PPO: the value head, which begins from nothing, learns at so many times train.lr
	ValueClip   float64 `toml:"value_clip,omitzero"`   // of PPO: how far a value may move from what it was; 0: any distance
	Whiten      bool    `toml:"whiten,omitempty"`      // of PPO: advantages get mean 0 and variance 1 over the rollouts
	Normalize   bool    `toml:"normalize,omitempty"`   // of GRPO: advantages are divided by their group's standard deviation

	KL        float64 `toml:"kl,omitzero"`         // coefficient of the penalty for leaving the reference: of PPO in the reward, of GRPO in the loss
	KLTarget  float64 `toml:"kl_target,omitzero"`  // nats an answer to which the coefficient is adapted; 0: it is fixed
	KLHorizon float64 `toml:"kl_horizon,omitzero"` // answers in which an error of 20 % changes the coefficient by 20 %
	KLLimit   float64 `toml:"kl_limit,omitzero"`   // nats an answer beyond which the run stops, and no model is kept; 0: any
	StepLimit float64 `toml:"step_limit,omitzero"` // nats a token by which an epoch's updates may move the policy: then come new rollouts; 0: any

	Pretraining     float64  `toml:"pretraining,omitzero"`       // weight of the loss on text of pre-training, mixed in against forgetting
	PretrainingRows int      `toml:"pretraining_rows,omitzero"`  // rows of that text in an update
	PretrainingData []string `toml:"pretraining_data,omitempty"` // its files, as data.train of a language model has them
}

// DefaultPolicyRecipe returns what PPO or GRPO need, without model, prompts and reward. The settings are those of InstructGPT
// and of DeepSeekMath, but for rates and sizes, which are for small models.
func DefaultPolicyRecipe(kind string) Recipe {
	r := DefaultLanguageRecipe()
	r.Objective.Kind = kind
	r.Data = DataRecipe{Format: "auto", HeldOutShare: 0.05}
	r.Optimizer = OptimizerRecipe{Kind: "adamw", Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Momentum: 0.95, Clip: 1}
	r.Schedule = ScheduleRecipe{Kind: "constant", Shape: "linear"}
	r.Train.LR, r.Train.Epochs, r.Train.MicroTokens, r.Train.CheckpointEvery, r.Train.LogEvery = 1e-4, 100, 4096, 50, 1
	r.Validation = ValidationRecipe{Metric: "reward", BLEU: "13a", Limit: 128, Samples: 8}
	r.Rollout = RolloutRecipe{Answers: 256, Group: 1, MaxTokens: 64, Rows: 128}
	r.Reward = RewardRecipe{NotEnded: 1}
	r.Policy = PolicyRecipe{
		Epochs: 4, Minibatch: 64, Clip: 0.2, Loss: string(rl.PerToken), Gamma: 1, Lambda: 0.95, ValueWeight: 0.1, ValueRate: 30, Whiten: true,
		KL: 0.02, KLHorizon: 10000, StepLimit: 0.05,
	}
	if kind == grpoKind {
		r.Rollout.Group = 8
		r.Policy = PolicyRecipe{Epochs: 1, Minibatch: 64, Clip: 0.2, Loss: string(rl.PerAnswer), Normalize: true, KL: 0.04, KLHorizon: 10000, StepLimit: 0.05}
	}
	return r
}

// reinforces says that the recipe is for a policy that learns from a reward.
func (r *Recipe) reinforces() bool {
	return r.Objective.Kind == ppoKind || r.Objective.Kind == grpoKind
}

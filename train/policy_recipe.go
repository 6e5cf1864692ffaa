package train

import "github.com/parley-lm/parley/rl"

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
		Epochs: 4, Minibatch: 64, Clip: 0.2, Loss: string(rl.PerToken), Gamma: 1, Lambda: 0.95, ValueWeight: 0.1, ValueClip: 0.2, Whiten: true,
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

// Package rl holds the arithmetic of learning from a reward: what the tokens of an answer were worth, how far a policy has
// moved, and the clipped losses of PPO (Schulman et al. 2017; Ziegler et al. 2019; Ouyang et al. 2022) and GRPO (Shao et al.
// 2024). Everything is in float64, about one token or one answer at a time, and each loss comes with its derivative, which
// goes back to a model by grad.Tape.Seed; the package itself knows of numbers only. Start at [Clip.Loss] for the policy and at
// [Advantages] for PPO's estimate of what a token was worth, [GroupAdvantages] for GRPO's.
package rl

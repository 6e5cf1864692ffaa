package train

import "math"

// DefaultDialogueRecipe returns supervised fine-tuning of a trained model, without the model and the dialogues.
func DefaultDialogueRecipe() Recipe {
	r := DefaultLanguageRecipe()
	r.Model = ModelRecipe{Activation: "silu"}
	r.Objective.Kind = dialogueKind
	r.Optimizer = OptimizerRecipe{Kind: "adamw", Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Momentum: 0.95, Clip: 1}
	r.Schedule = ScheduleRecipe{Kind: "linear", Shape: "linear"}
	r.Train.Epochs, r.Train.BatchTokens = 3, 2048
	r.Validation.SampleTokens = 128
	return r
}

// followWidth sets a learning rate that the recipe leaves 0: 0.001 at width 128 and in inverse proportion to it, which at
// 4096 is the 3e-5 that models of that width are fine-tuned with; ten times as much for a LoRA (Schulman et al. 2025).
func (r *Recipe) followWidth(width int) {
	if r.Train.LR != 0 {
		return
	}
	lr := 0.001 * 128 / float64(width)
	if r.wantsLoRA() {
		lr *= 10
	}
	digits := math.Pow(10, 2-math.Ceil(math.Log10(lr)))
	r.Train.LR = math.Round(lr*digits) / digits
}

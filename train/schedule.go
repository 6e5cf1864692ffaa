package train

import "math"

// factor returns the share of the full learning rate that the schedule gives to a step counted from 0, for a run of
// updates steps. It is what get_scheduler of transformers returns; the loop counts its updates from 1 and so never
// spends one on the rate 0 of step 0. After its end a schedule keeps its last value.
func (s ScheduleRecipe) factor(step, updates int) float64 {
	if step < s.Warmup {
		return float64(step) / float64(s.Warmup)
	}
	// share of what lies between warm-up and end
	progress := min(1, float64(step-s.Warmup)/float64(max(1, updates-s.Warmup)))
	switch s.Kind {
	case "inverse_sqrt":
		timescale := float64(s.Warmup)
		if s.Warmup == 0 {
			timescale = 10000
		}
		return max(s.Floor, 1/math.Sqrt((float64(step-s.Warmup)+timescale)/timescale))
	case "linear":
		return s.Floor + (1-s.Floor)*(1-progress)
	case "cosine":
		return s.Floor + (1-s.Floor)*cosine(progress)
	case "wsd":
		return s.Floor + (1-s.Floor)*s.stableThenDecay(step, updates)
	}
	return 1
}

// dropout returns the share of the dropout rates that applies in a step counted from 1.
func (s ScheduleRecipe) dropout(step int) float32 {
	return min(1, float32(step)/float32(max(1, s.DropoutWarmup)))
}

// stableThenDecay is 1 until the decay begins, and then falls to 0 (Hu et al. 2024; Hägele et al. 2024 for 1-sqrt).
func (s ScheduleRecipe) stableThenDecay(step, updates int) float64 {
	into := step - (updates - s.Decay)
	if into < 0 {
		return 1
	}
	progress := min(1, float64(into)/float64(s.Decay))
	switch s.Shape {
	case "cosine":
		return cosine(progress)
	case "1-sqrt":
		return 1 - math.Sqrt(progress)
	}
	return 1 - progress
}

// cosine falls from 1 to 0 over half a period.
func cosine(progress float64) float64 { return 0.5 * (1 + math.Cos(math.Pi*progress)) }

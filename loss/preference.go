package loss

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Preference is a loss of direct preference optimisation: of h, the log-ratio of policy to reference of the chosen answer
// less that of the rejected one,
//
//	h = (log π(c) − log ref(c)) − (log π(r) − log ref(r))
//
// where each log-probability is the sum over the answer's tokens (for "ipo_mean" divided by their number).
type Preference struct {
	// Kind is one of
	//	sigmoid   −log σ(βh)                                    DPO (Rafailov et al. 2023, eq. 7)
	//	cdpo      −(1−ε) log σ(βh) − ε log σ(−βh)               conservative DPO, label-smoothed (Mitchell 2023)
	//	robust    (−(1−ε) log σ(βh) + ε log σ(−βh)) / (1−2ε)    robust DPO (Chowdhury et al. 2024)
	//	ipo       (h − 1/(2β))²                                 IPO (Azar et al. 2023, eq. 17)
	//	ipo_mean  the same of log-ratios per token
	//	hinge     max(0, 1 − βh)                                SLiC (Zhao et al. 2023)
	Kind string
	Beta float64 // strength of the pull towards the reference
	// Smoothing is ε of "cdpo" and "robust": how often a preference is taken to be the wrong way round. Below ½.
	Smoothing float64
}

// PreferenceKinds are the kinds of [Preference].
var PreferenceKinds = []string{"sigmoid", "cdpo", "robust", "ipo", "ipo_mean", "hinge"}

// Validate reports the first field that is out of range.
func (p Preference) Validate() error {
	smooths := p.Kind == "cdpo" || p.Kind == "robust"
	switch {
	case !slices.Contains(PreferenceKinds, p.Kind):
		return fmt.Errorf("the loss is %q, must be one of %s", p.Kind, strings.Join(PreferenceKinds, ", "))
	case !(p.Beta > 0) || math.IsInf(p.Beta, 1):
		return fmt.Errorf("beta is %g, must be above 0", p.Beta)
	case !(p.Smoothing >= 0 && p.Smoothing < 0.5):
		return fmt.Errorf("the smoothing is %g, must be at least 0 and below 0.5", p.Smoothing)
	case p.Smoothing != 0 && !smooths:
		return fmt.Errorf("the smoothing is %g, which the loss %q does not have; cdpo and robust do", p.Smoothing, p.Kind)
	}
	return nil
}

// PerToken says that log-ratios are divided by the number of an answer's tokens.
func (p Preference) PerToken() bool { return p.Kind == "ipo_mean" }

// Of returns the loss of one pair and its derivative by h.
func (p Preference) Of(h float64) (loss, derivative float64) {
	win, lose := softplus(-p.Beta*h), softplus(p.Beta*h) // −log σ(βh) and −log σ(−βh)
	dWin, dLose := -p.Beta*sigmoid(-p.Beta*h), p.Beta*sigmoid(p.Beta*h)
	eps := p.Smoothing
	switch p.Kind {
	case "sigmoid":
		return win, dWin
	case "cdpo":
		return (1-eps)*win + eps*lose, (1-eps)*dWin + eps*dLose
	case "robust":
		return ((1-eps)*win - eps*lose) / (1 - 2*eps), ((1-eps)*dWin - eps*dLose) / (1 - 2*eps)
	case "ipo", "ipo_mean":
		d := h - 1/(2*p.Beta)
		return d * d, 2 * d
	case "hinge":
		if p.Beta*h >= 1 {
			return 0, 0
		}
		return 1 - p.Beta*h, -p.Beta
	}
	panic(fmt.Sprintf("loss: preference %q", p.Kind))
}

// sigmoid is 1/(1 + e⁻ˣ).
func sigmoid(x float64) float64 {
	if x < 0 {
		e := math.Exp(x)
		return e / (1 + e)
	}
	return 1 / (1 + math.Exp(-x))
}

// softplus is log(1 + eˣ), finite wherever x is.
func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

package loss

// Comparison says that one answer to a prompt was preferred to another, or that neither was.
type Comparison struct {
	Better, Worse int     // numbers of the answers
	Tied          bool    // neither is better
	Margin        float64 // how much better at least: the reward of Better should exceed that of Worse by it
}

// Ranking is the loss of a reward model: the negative log-likelihood of comparisons under Bradley and Terry's model, in which
// an answer beats another with probability σ(difference of their rewards − margin). A tie counts as half a win for each.
type Ranking struct {
	// Center pulls rewards towards 0, which comparisons leave open: Center · (r + r′)² is added for each of them (Eisenstein
	// et al. 2023).
	Center float64
}

// Of returns the mean loss over the comparisons of one prompt's answers, all of them one element of a batch (Ouyang et al.
// 2022, eq. 1), and adds scale times its derivative by each reward to gradient, as long as rewards. Without comparisons
// both are 0.
func (k Ranking) Of(rewards []float64, comparisons []Comparison, scale float64, gradient []float64) float64 {
	sum := 0.0
	for _, c := range comparisons {
		loss, better, worse := k.pair(rewards[c.Better], rewards[c.Worse], c)
		sum += loss
		scale := scale / float64(len(comparisons))
		gradient[c.Better] += scale * better
		gradient[c.Worse] += scale * worse
	}
	return sum / float64(max(1, len(comparisons)))
}

// pair is the loss of one comparison and its derivatives by the two rewards.
func (k Ranking) pair(better, worse float64, c Comparison) (loss, dBetter, dWorse float64) {
	center, dCenter := k.Center*(better+worse)*(better+worse), 2*k.Center*(better+worse)
	if d := better - worse; c.Tied {
		loss, dBetter = 0.5*(softplus(-d)+softplus(d)), 0.5*(sigmoid(d)-sigmoid(-d))
	} else {
		loss, dBetter = softplus(c.Margin-d), -sigmoid(c.Margin-d)
	}
	return loss + center, dBetter + dCenter, -dBetter + dCenter
}

// PreferenceProbability is that with which an answer of one reward beats one of another under Bradley and Terry's model.
func PreferenceProbability(reward, other float64) float64 { return sigmoid(reward - other) }

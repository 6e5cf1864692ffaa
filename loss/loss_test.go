package loss

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

// goldens are numbers computed by PyTorch in float64, the DPO family by TRL's formulas.
type goldens struct {
	DPO []struct {
		Kind            string
		Beta            float64
		Smoothing       float64   `json:"label_smoothing"`
		Chosen          []float64 `json:"policy_chosen_logps"`
		Rejected        []float64 `json:"policy_rejected_logps"`
		RefChosen       []float64 `json:"ref_chosen_logps"`
		RefRejected     []float64 `json:"ref_rejected_logps"`
		ChosenLengths   []float64 `json:"chosen_lengths"`
		RejectedLengths []float64 `json:"rejected_lengths"`
		Losses          []float64
		Loss            float64
		GradChosen      []float64 `json:"grad_policy_chosen"`
		GradRejected    []float64 `json:"grad_policy_rejected"`
	}
	Reward struct {
		Pairwise []struct {
			Chosen, Rejected, Margin []float64
			Center                   float64 `json:"center_coefficient"`
			Loss                     float64
			GradChosen               []float64 `json:"grad_chosen"`
			GradRejected             []float64 `json:"grad_rejected"`
		}
		KWise []struct {
			Rewards [][]float64 `json:"rewards_best_first"`
			Losses  []float64   `json:"loss_per_prompt"`
			Loss    float64
			Grad    [][]float64
		} `json:"k_wise"`
	}
}

func readGoldens(t *testing.T) (g goldens) {
	t.Helper()
	text, err := os.ReadFile("testdata/preference.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// same wants a relative difference of at most 1e-9.
func same(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-9*max(1e-20, math.Abs(want))) && !(got == want) {
		t.Errorf("%s is %.17g, want %.17g", what, got, want)
	}
}

func TestPreferenceLossesEqualTRL(t *testing.T) {
	g := readGoldens(t)
	if len(g.DPO) < 7 {
		t.Fatalf("%d cases", len(g.DPO))
	}
	for _, c := range g.DPO {
		p := Preference{Kind: c.Kind, Beta: c.Beta, Smoothing: c.Smoothing}
		if err := p.Validate(); err != nil {
			t.Error(err)
		}
		mean := 0.0
		for i := range c.Chosen {
			perChosen, perRejected := 1.0, 1.0
			if p.PerToken() {
				perChosen, perRejected = 1/c.ChosenLengths[i], 1/c.RejectedLengths[i]
			}
			loss, d := p.Of((c.Chosen[i]-c.RefChosen[i])*perChosen - (c.Rejected[i]-c.RefRejected[i])*perRejected)
			n := float64(len(c.Chosen))
			mean += loss / n
			same(t, c.Kind+" loss", loss, c.Losses[i])
			same(t, c.Kind+" gradient of the chosen", d*perChosen/n, c.GradChosen[i])
			same(t, c.Kind+" gradient of the rejected", -d*perRejected/n, c.GradRejected[i])
		}
		same(t, c.Kind+" mean", mean, c.Loss)
	}
}

func TestPairwiseRewardLossEqualsPyTorch(t *testing.T) {
	for _, c := range readGoldens(t).Reward.Pairwise {
		mean, n := 0.0, float64(len(c.Chosen))
		for i := range c.Chosen {
			gradient := make([]float64, 2)
			mean += Ranking{Center: c.Center}.Of([]float64{c.Rejected[i], c.Chosen[i]}, []Comparison{{Better: 1, Worse: 0, Margin: c.Margin[i]}}, 1/n, gradient) / n
			same(t, "gradient of the chosen", gradient[1], c.GradChosen[i])
			same(t, "gradient of the rejected", gradient[0], c.GradRejected[i])
		}
		same(t, "loss", mean, c.Loss)
	}
}

func TestRankingLossEqualsPyTorch(t *testing.T) {
	for _, c := range readGoldens(t).Reward.KWise {
		mean, n := 0.0, float64(len(c.Rewards))
		for i, rewards := range c.Rewards {
			var pairs []Comparison
			for better := range rewards {
				for worse := better + 1; worse < len(rewards); worse++ {
					pairs = append(pairs, Comparison{Better: better, Worse: worse})
				}
			}
			gradient := make([]float64, len(rewards))
			loss := Ranking{}.Of(rewards, pairs, 1/n, gradient)
			same(t, "loss of a prompt", loss, c.Losses[i])
			mean += loss / n
			for j := range gradient {
				same(t, "gradient", gradient[j], c.Grad[i][j])
			}
		}
		same(t, "loss", mean, c.Loss)
	}
}

func TestATieIsHalfAWinForEach(t *testing.T) {
	rewards, tie := []float64{1.5, -0.25}, make([]float64, 2)
	loss := Ranking{}.Of(rewards, []Comparison{{Better: 0, Worse: 1, Tied: true}}, 1, tie)
	both := make([]float64, 2)
	want := Ranking{}.Of(rewards, []Comparison{{Better: 0, Worse: 1}, {Better: 1, Worse: 0}}, 1, both)
	same(t, "loss", loss, want)
	same(t, "gradient", tie[0], both[0])
	same(t, "gradient", tie[1], both[1])
	if tie[0] <= 0 {
		t.Errorf("the derivative by the higher reward of a tie is %g: it should come down", tie[0])
	}
}

func TestGradientsAreNumericGradients(t *testing.T) {
	const step = 1e-6
	for _, kind := range PreferenceKinds {
		p := Preference{Kind: kind, Beta: 0.3}
		if kind == "cdpo" || kind == "robust" {
			p.Smoothing = 0.15
		}
		for _, h := range []float64{-7, -0.4, 0, 2.1, 9} {
			_, got := p.Of(h)
			up, _ := p.Of(h + step)
			down, _ := p.Of(h - step)
			if want := (up - down) / (2 * step); math.Abs(got-want) > 1e-6*(1+math.Abs(want)) {
				t.Errorf("%s: derivative at %g is %g, central difference %g", kind, h, got, want)
			}
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	rewards, comparisons := make([]float64, 5), []Comparison{{0, 1, false, 0}, {2, 4, false, 0.7}, {3, 1, true, 0}, {4, 0, true, 0}, {1, 2, false, 0}}
	for i := range rewards {
		rewards[i] = 2 * rng.NormFloat64()
	}
	k, gradient := Ranking{Center: 0.02}, make([]float64, 5)
	k.Of(rewards, comparisons, 3, gradient)
	none := make([]float64, 5)
	for i, r := range rewards {
		rewards[i] = r + step
		up := k.Of(rewards, comparisons, 0, none)
		rewards[i] = r - step
		down := k.Of(rewards, comparisons, 0, none)
		rewards[i] = r
		if want := 3 * (up - down) / (2 * step); math.Abs(gradient[i]-want) > 1e-6 {
			t.Errorf("derivative by reward %d is %g, central difference %g", i, gradient[i], want)
		}
	}
}

func TestWrongSettingsAreNamed(t *testing.T) {
	for _, p := range []Preference{
		{Kind: "sigmod", Beta: 0.1}, {Kind: "sigmoid"}, {Kind: "sigmoid", Beta: math.Inf(1)}, {Kind: "cdpo", Beta: 1, Smoothing: 0.5},
		{Kind: "ipo", Beta: 0.1, Smoothing: 0.1}, {Kind: "sigmoid", Beta: math.NaN()},
	} {
		if p.Validate() == nil {
			t.Errorf("%+v is accepted", p)
		}
	}
}

func TestClassesIsTheCrossEntropyAndItsGradient(t *testing.T) {
	scores := []float32{0.5, -1.25, 2, 0}
	for _, smoothing := range []float64{0, 0.1} {
		gradient := make([]float32, 4)
		got, correct, confidence := Classes(scores, 1, smoothing, 2, gradient)
		formula := func() float64 {
			sum, mean := 0.0, 0.0
			for _, s := range scores {
				sum += math.Exp(float64(s))
				mean += float64(s) / 4
			}
			return math.Log(sum) - (1-smoothing)*float64(scores[1]) - smoothing*mean
		}
		if math.Abs(got-formula()) > 1e-12 || correct || confidence < 0.7 || confidence > 0.8 {
			t.Errorf("loss %g, want %g; correct %v with %g", got, formula(), correct, confidence)
		}
		for i, s := range scores {
			scores[i] = s + 1.0/1024
			up := formula()
			scores[i] = s - 1.0/1024
			down := formula()
			scores[i] = s
			if want := 2 * (up - down) * 512; math.Abs(float64(gradient[i])-want) > 1e-5 {
				t.Errorf("derivative %d is %g, central difference %g", i, gradient[i], want)
			}
		}
	}
	if _, correct, _ := Classes([]float32{1e30, -1e30}, 0, 0, 1, make([]float32, 2)); !correct {
		t.Error("extreme scores are not judged")
	}
}

func TestLogOddsIsTheLogarithmOfPOverOneMinusP(t *testing.T) {
	for _, scores := range [][]float32{{0.5, -1}, {3, 2, 1}, {-700, 100, 99}, {1e4, -1e4}} {
		sum := 0.0
		for _, s := range scores {
			sum += math.Exp(float64(s - slices.Max(scores)))
		}
		for class, s := range scores {
			p := math.Exp(float64(s-slices.Max(scores))) / sum
			if want := math.Log(p / (1 - p)); !math.IsInf(want, 0) && math.Abs(LogOdds(scores, class)-want) > 1e-9*max(1, math.Abs(want)) {
				t.Errorf("%v, class %d: %g, want %g", scores, class, LogOdds(scores, class), want)
			}
			if got := LogOdds(scores, class); math.IsInf(got, 0) || math.IsNaN(got) {
				t.Errorf("%v, class %d: %g", scores, class, got)
			}
		}
	}
	if got := LogOdds([]float32{-2.5}, 0); got != -2.5 {
		t.Errorf("a single score: %g", got)
	}
}

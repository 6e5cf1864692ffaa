package rl

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"
)

// goldens are numbers computed in float64 by PyTorch, with the formulas of TRL.
type goldens struct {
	PPO []struct {
		Gamma, Lambda, Clip float64
		Coefficient         float64 `json:"kl_coef"`
		ValueClip           float64 `json:"value_clip"`
		ValueWeight         float64 `json:"vf_coef"`
		Lengths             []int
		Old                 [][]float64 `json:"old_logps"`
		Ref                 [][]float64 `json:"ref_logps"`
		OldValues           [][]float64 `json:"old_values"`
		New                 [][]float64 `json:"new_logps"`
		NewValues           [][]float64 `json:"new_values"`
		Scores              []float64
		Expect              struct {
			Shaped      [][]float64 `json:"shaped_rewards"`
			Advantages  [][]float64
			Returns     [][]float64
			Whitened    [][]float64 `json:"whitened_advantages"`
			PolicyLoss  float64     `json:"policy_loss"`
			ValueLoss   float64     `json:"value_loss"`
			Loss        float64
			GradLogProb [][]float64        `json:"grad_new_logps"`
			GradValue   [][]float64        `json:"grad_new_values"`
			Clipped     float64            `json:"clip_fraction"`
			Divergence  map[string]float64 `json:"approx_kl_old_new"`
		}
	}
	KL []struct {
		Policy     []float64 `json:"policy_logps"`
		Ref        []float64 `json:"ref_logps"`
		K1, K2, K3 []float64
	}
	GRPO struct {
		Advantages []struct {
			Rewards    []float64
			Normalized []float64 `json:"trl_unbiased_std_plus_1e-4"`
			MeanOnly   []float64 `json:"mean_only_dr_grpo"`
		}
		Loss []struct {
			Beta       float64
			Low        float64 `json:"epsilon_low"`
			High       float64 `json:"epsilon_high"`
			Lengths    []int
			Old        [][]float64 `json:"old_logps"`
			New        [][]float64 `json:"new_logps"`
			Ref        [][]float64 `json:"ref_logps"`
			Advantages []float64
			PerAnswer  float64     `json:"loss_grpo_mean_of_sequence_means"`
			PerToken   float64     `json:"loss_bnpo_dapo_mean_over_tokens"`
			PerLimit   float64     `json:"loss_dr_grpo_over_B_times_16"`
			Grad       [][]float64 `json:"grad_of_loss_grpo"`
		}
	}
}

func readGoldens(t *testing.T) (g goldens) {
	t.Helper()
	text, err := os.ReadFile("testdata/policy.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.PPO) < 2 || len(g.KL) < 3 || len(g.GRPO.Advantages) < 3 || len(g.GRPO.Loss) < 2 {
		t.Fatalf("the reference values are not complete: %d, %d, %d, %d", len(g.PPO), len(g.KL), len(g.GRPO.Advantages), len(g.GRPO.Loss))
	}
	return g
}

func same(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-9*max(1e-3, math.Abs(want))) {
		t.Errorf("%s: %.17g, want %.17g", what, got, want)
	}
}

func allSame(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i := range got {
		same(t, what, got[i], want[i])
	}
}

func TestPPOEqualsTheReference(t *testing.T) {
	for _, c := range readGoldens(t).PPO {
		var whitened []float64
		returns := make([][]float64, len(c.Lengths))
		for i, n := range c.Lengths {
			rewards, advantages := make([]float64, n), make([]float64, n)
			returns[i] = make([]float64, n)
			Shape(rewards, c.Old[i], c.Ref[i], c.Coefficient, c.Scores[i])
			allSame(t, "shaped rewards", rewards, c.Expect.Shaped[i])
			Advantages(advantages, returns[i], rewards, c.OldValues[i], c.Gamma, c.Lambda)
			allSame(t, "advantages", advantages, c.Expect.Advantages[i])
			allSame(t, "returns", returns[i], c.Expect.Returns[i])
			whitened = append(whitened, advantages...)
		}
		Whiten(whitened)
		allSame(t, "whitened advantages", whitened, slices.Concat(c.Expect.Whitened...))

		tokens := len(whitened)
		var policy, value, clips, k1, k2, k3 float64
		at := 0
		for i, n := range c.Lengths {
			for j := range n {
				w := PerToken.Weight(n, len(c.Lengths), tokens, 0)
				l, d, clipped := Clip{c.Clip, c.Clip}.Loss(c.New[i][j], c.Old[i][j], whitened[at])
				same(t, "derivative by log π", w*d, c.Expect.GradLogProb[i][j])
				v, dv := ValueLoss(c.NewValues[i][j], c.OldValues[i][j], returns[i][j], c.ValueClip)
				same(t, "derivative by the value", w*c.ValueWeight*dv, c.Expect.GradValue[i][j])
				policy, value = policy+w*l, value+w*v
				if clipped {
					clips += w
				}
				k1, k2, k3 = k1+w*K1(c.Old[i][j], c.New[i][j]), k2+w*K2(c.Old[i][j], c.New[i][j]), k3+w*K3(c.Old[i][j], c.New[i][j])
				at++
			}
		}
		same(t, "policy loss", policy, c.Expect.PolicyLoss)
		same(t, "value loss", value, c.Expect.ValueLoss)
		same(t, "loss", policy+c.ValueWeight*value, c.Expect.Loss)
		same(t, "clip fraction", clips, c.Expect.Clipped)
		same(t, "k1", k1, c.Expect.Divergence["k1"])
		same(t, "k2", k2, c.Expect.Divergence["k2"])
		same(t, "k3", k3, c.Expect.Divergence["k3"])
	}
}

func TestDivergencesEqualTheReference(t *testing.T) {
	for _, c := range readGoldens(t).KL {
		for i := range c.K1 {
			same(t, "k1", K1(c.Policy[i], c.Ref[i]), c.K1[i])
			same(t, "k2", K2(c.Policy[i], c.Ref[i]), c.K2[i])
			same(t, "k3", K3(c.Policy[i], c.Ref[i]), c.K3[i])
		}
	}
}

func TestGRPOEqualsTheReference(t *testing.T) {
	g := readGoldens(t).GRPO
	for _, c := range g.Advantages {
		got := make([]float64, len(c.Rewards))
		GroupAdvantages(got, c.Rewards, true)
		allSame(t, "advantages", got, c.Normalized)
		GroupAdvantages(got, c.Rewards, false)
		allSame(t, "advantages without normalisation", got, c.MeanOnly)
	}
	for _, c := range g.Loss {
		tokens := 0
		for _, n := range c.Lengths {
			tokens += n
		}
		for a, want := range map[Aggregation]float64{PerAnswer: c.PerAnswer, PerToken: c.PerToken, PerLimit: c.PerLimit} {
			loss := 0.0
			for i, n := range c.Lengths {
				w := a.Weight(n, len(c.Lengths), tokens, 16)
				for j := range n {
					l, d, _ := Clip{c.Low, c.High}.Loss(c.New[i][j], c.Old[i][j], c.Advantages[i])
					loss += w * (l + c.Beta*K3(c.New[i][j], c.Ref[i][j]))
					if a == PerAnswer {
						same(t, "derivative", w*(d+c.Beta*K3Derivative(c.New[i][j], c.Ref[i][j])), c.Grad[i][j])
					}
				}
			}
			same(t, "loss, mean by "+string(a), loss, want)
		}
	}
}

func TestTheControllerSteersTowardsItsTarget(t *testing.T) {
	c := Controller{Coefficient: 0.1, Target: 6, Horizon: 10000}
	c.Update(12, 256) // twice the target counts as 20 % above
	same(t, "coefficient", c.Coefficient, 0.1*(1+0.2*256/10000))
	c.Update(5.7, 500)
	same(t, "coefficient", c.Coefficient, 0.1*(1+0.2*256/10000)*(1-0.05*500/10000))
	fixed := Controller{Coefficient: 0.1}
	fixed.Update(1e9, 1000)
	same(t, "fixed coefficient", fixed.Coefficient, 0.1)
	divergence := 20.0
	for range 2000 { // of a policy that diverges the less the dearer it is
		c.Update(divergence, 256)
		divergence = 1 / c.Coefficient
	}
	if math.Abs(divergence-6) > 0.1 {
		t.Errorf("the divergence comes to %g instead of 6", divergence)
	}
}

func TestExplainedVariance(t *testing.T) {
	returns := []float64{1, 2, 3, 4}
	for _, c := range []struct{ values, want []float64 }{
		{[]float64{1, 2, 3, 4}, []float64{1}}, {[]float64{11, 12, 13, 14}, []float64{1}},
		{[]float64{7, 7, 7, 7}, []float64{0}}, {[]float64{4, 3, 2, 1}, []float64{-3}},
	} {
		same(t, "explained variance", ExplainedVariance(returns, c.values), c.want[0])
	}
}

func TestExtremesStayFinite(t *testing.T) {
	for _, c := range []struct{ logProb, old, advantage float64 }{{-800, 0, 1}, {-800, 0, -1}, {0, -800, 1}} {
		loss, d, _ := Clip{0.2, 0.2}.Loss(c.logProb, c.old, c.advantage)
		if math.IsNaN(loss) || math.IsInf(loss, 0) || math.IsNaN(d) || math.IsInf(d, 0) {
			t.Errorf("%+v: loss %g, derivative %g", c, loss, d)
		}
	}
	x := []float64{3, 3, 3}
	if Whiten(x); !slices.Equal(x, []float64{0, 0, 0}) {
		t.Errorf("equal numbers are whitened to %v", x)
	}
	if x = []float64{5}; !slices.Equal(x, []float64{5}) {
		t.Errorf("one number is whitened to %v", x)
	}
}

package train

import (
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/internal/memory"
	"github.com/parley-lm/parley/nn"
)

// optimizer updates the parameters of one store by Adam or AdamW, and where the recipe says so the matrices of layers by
// Muon. Its moments have the layout of [nn.Store.Values]; Muon needs the first alone.
type optimizer struct {
	recipe OptimizerRecipe
	store  *nn.Store
	m, v   []float32
	runs   []adamRun
	muon   *muon // nil: Adam moves everything
}

// adamRun is a stretch of the store's memory that Adam moves, in which weight decay applies everywhere or nowhere and the
// learning rate is the same.
type adamRun struct {
	from, to int
	decays   bool
	rate     float64 // times the learning rate
}

func newOptimizer(o OptimizerRecipe, s *nn.Store) *optimizer {
	s.Trainable()
	a := &optimizer{recipe: o, store: s, m: memory.Floats(len(s.Values())), v: memory.Floats(len(s.Values()))}
	if o.Kind == "muon" {
		a.muon = newMuon(o, s, a.m)
	}
	joined := false // to the run before: only the padding lies between, which is zero and stays so
	for _, p := range s.Params() {
		if a.muon != nil && orthogonalized(p) {
			joined = false
			continue
		}
		decays, rate := p.Decays() && o.WeightDecay > 0, p.LearningRate()
		if o.AdamRate != 0 {
			rate *= o.AdamRate
		}
		from := s.Offset(p)
		if last := len(a.runs) - 1; joined && a.runs[last].decays == decays && a.runs[last].rate == rate {
			a.runs[last].to = from + p.Size()
		} else {
			a.runs = append(a.runs, adamRun{from, from + p.Size(), decays, rate})
		}
		joined = true
	}
	return a
}

// step moves the parameters against their gradients, multiplied by scale first, at the given learning rate. n counts
// steps from 1.
func (a *optimizer) step(pool *kernel.Pool, n int, lr, scale float64) {
	w, g := a.store.Values(), a.store.Grads()
	o := kernel.AdamParams{
		Beta1: a.recipe.Beta1, Beta2: a.recipe.Beta2, Eps: a.recipe.Eps,
		GradScale: scale, Step: n, Decoupled: a.recipe.Kind != "adam",
	}
	for _, r := range a.runs {
		o.LR, o.WeightDecay = lr*r.rate, 0
		if r.decays {
			o.WeightDecay = a.recipe.WeightDecay
		}
		pool.Adam(w[r.from:r.to], g[r.from:r.to], a.m[r.from:r.to], a.v[r.from:r.to], o)
	}
	if a.muon != nil {
		a.muon.step(pool, lr, scale)
	}
}

// clipScale returns what a gradient of this norm is multiplied by so that its norm is at most most (0: any norm), as
// torch.nn.utils.clip_grad_norm_ does it.
func clipScale(norm, most float64) float64 {
	if most == 0 {
		return 1
	}
	return min(1, most/(norm+1e-6))
}

// moveAverage moves an exponential moving average towards the weights. Its decay grows with the step, so that the
// first weights are soon forgotten.
func moveAverage(average, weights []float32, decay float64, step int) {
	keep := min(decay, float64(1+step)/float64(10+step))
	share := float32(1 - keep)
	for i, w := range weights {
		average[i] += share * (w - average[i])
	}
}

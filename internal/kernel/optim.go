package kernel

import "math"

// AdamParams are the settings of one step of Adam or AdamW, as in torch.optim. They are float64 because 1-Beta2 of a
// float32 Beta2 would be wrong in its fifth digit.
type AdamParams struct {
	LR, Beta1, Beta2, Eps, WeightDecay float64
	GradScale                          float64 // multiplies the gradient first (clipping); 1 for none
	Step                               int     // from 1
	Decoupled                          bool    // AdamW: decay the weights themselves instead of adding the decay to the gradient
}

// adamStep is what a step needs of AdamParams, worked out once. The assembly knows the order of the fields.
type adamStep[T float] struct {
	beta1, oneMinusBeta1 T
	beta2, oneMinusBeta2 T
	keep                 T // multiplies the weights first (AdamW)
	decay                T // times the weights, is added to the gradient (Adam)
	gradScale            T
	rate                 T // LR / (1 - Beta1^Step)
	rootScale            T // 1 / √(1 - Beta2^Step)
	eps                  T
}

func newAdamStep[T float](o AdamParams) adamStep[T] {
	s := adamStep[T]{
		beta1: T(o.Beta1), oneMinusBeta1: T(1 - o.Beta1), beta2: T(o.Beta2), oneMinusBeta2: T(1 - o.Beta2),
		keep: 1, gradScale: T(o.GradScale), eps: T(o.Eps),
		rate:      T(o.LR / (1 - math.Pow(o.Beta1, float64(o.Step)))),
		rootScale: T(1 / math.Sqrt(1-math.Pow(o.Beta2, float64(o.Step)))),
	}
	if o.Decoupled {
		s.keep = T(1 - o.LR*o.WeightDecay)
	} else {
		s.decay = T(o.WeightDecay)
	}
	return s
}

// Adam is one step of Adam (Kingma and Ba 2015), or of AdamW (Loshchilov and Hutter 2019) if o.Decoupled, on weights w
// with gradient g and running averages m of g and v of g². All have one length; w, m and v are updated.
func (p *Pool) Adam(w, g, m, v []float32, o AdamParams) {
	sameLength("Adam", "g", g, len(w), false)
	sameLength("Adam", "m", m, len(w), false)
	sameLength("Adam", "v", v, len(w), false)
	q := p.orSerial()
	t := &q.records.rows
	t.w, t.g, t.m, t.v, t.adam = w, g, m, v, newAdamStep[float32](o)
	q.runBlocks(t, len(w), rowGrain, adamBlock)
	t.reset()
	p.giveBack(q)
}

func adamBlock(t *rowTasks, i0, i1 int) {
	adamRow(t.w[i0:i1], t.g[i0:i1], t.m[i0:i1], t.v[i0:i1], &t.adam)
}

func adamRowPortable[T float](w, g, m, v []T, s *adamStep[T]) {
	for i := range w {
		wi := w[i] * s.keep
		gi := g[i]*s.gradScale + s.decay*wi
		m[i] = s.beta1*m[i] + s.oneMinusBeta1*gi
		v[i] = s.beta2*v[i] + s.oneMinusBeta2*gi*gi
		w[i] = wi - s.rate*m[i]/(T(math.Sqrt(float64(v[i])))*s.rootScale+s.eps)
	}
}

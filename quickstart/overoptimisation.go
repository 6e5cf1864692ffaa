package quickstart

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/parley-lm/parley/train"
)

// Overoptimisation is how far the reward model's opinion and the judge's true taste go together as a policy leaves the model from which
// it started (Gao et al. 2022, "Scaling laws for reward model overoptimization"). The policy without a penalty is pushed far enough to
// see it.
type Overoptimisation struct {
	PPO       []Departure `json:"ppo"`       // by sets of rollouts of the run with a penalty
	Unleashed []Departure `json:"unleashed"` // of the run without one
	Proxy     Law         `json:"proxy_law"` // fitted to both
	True      Law         `json:"true_law"`
	Far       Departure   `json:"far"`   // mean of the quarter of the points that is farthest
	Onset     *Departure  `json:"onset"` // where the true reward is greatest, by the laws; nil: no fall was seen
}

// Departure is what a policy's answers are worth at a distance from its start. Rewards are normalised as Gao et al. do it: less the
// mean of the answers at the start, in units of their standard deviation.
type Departure struct {
	Divergence float64 `json:"divergence"` // Kullback–Leibler, in nats an answer
	Proxy      float64 `json:"proxy"`      // by the reward model
	True       float64 `json:"true"`       // by the judge, without errors
}

// Distance is the square root of the divergence, as the paper has it on its axis. An estimate of a divergence near 0 may be below.
func (d Departure) Distance() float64 { return math.Sqrt(max(0, d.Divergence)) }

// Law is what Gao et al. found for reinforcement learning: R(d) = d (α − β log d) at a distance d.
type Law struct {
	Alpha float64 `json:"alpha"`
	Beta  float64 `json:"beta"`
	Error float64 `json:"error"` // standard deviation of what was measured around it
}

// At is the reward at a distance.
func (l Law) At(d float64) float64 {
	if d <= 0 {
		return 0
	}
	return d * (l.Alpha - l.Beta*math.Log(d))
}

// peak is the distance up to far at which the reward is greatest.
func (l Law) peak(far float64) (at float64) {
	const steps = 1000
	for i := range steps + 1 {
		if d := far * float64(i) / steps; l.At(d) > l.At(at) {
			at = d
		}
	}
	return at
}

// fitLaw is the law with the least squared error.
func fitLaw(list []Departure, reward func(Departure) float64) Law {
	var xx, xz, zz, xy, zy float64 // x = d, z = −d log d, y = reward
	for _, p := range list {
		if d := p.Distance(); d > 0 {
			x, z, y := d, -d*math.Log(d), reward(p)
			xx, xz, zz, xy, zy = xx+x*x, xz+x*z, zz+z*z, xy+x*y, zy+z*y
		}
	}
	det := xx*zz - xz*xz
	if !(det > 1e-9*xx*zz) {
		return Law{}
	}
	l := Law{Alpha: (xy*zz - zy*xz) / det, Beta: (zy*xx - xy*xz) / det}
	sum := 0.0
	for _, p := range list {
		e := reward(p) - l.At(p.Distance())
		sum += e * e
	}
	l.Error = math.Sqrt(sum / float64(max(1, len(list)-2)))
	return l
}

// departures reads the metrics of a run: its rollouts at each epoch, before the first update on them.
func departures(dir string) ([]Departure, error) {
	h, err := train.ReadHistory(dir)
	if err != nil {
		return nil, err
	}
	var list []Departure
	var start train.Measures
	epoch := -1
	for _, s := range h.Steps {
		if s.Epoch == epoch {
			continue
		}
		if epoch = s.Epoch; start == nil {
			start = s.Measures
		}
		normal := func(name, deviation string) float64 {
			return (s.Measures.Of(name) - start.Of(name)) / max(1e-9, start.Of(deviation))
		}
		d := Departure{s.Measures.Of("divergence"), normal("reward", "reward_deviation"), normal("watched_reward", "watched_deviation")}
		if math.IsNaN(d.Divergence + d.Proxy + d.True) {
			return nil, fmt.Errorf("%s: the metrics of epoch %d lack divergence, reward or watched_reward", dir, epoch)
		}
		list = append(list, d)
	}
	return list, nil
}

// seeOveroptimisation compares what the rewards became in both runs.
func (w *workshop) seeOveroptimisation(a *Assistant) error {
	o := &Overoptimisation{}
	var err error
	if o.PPO, err = departures(w.path(ppoRun)); err != nil {
		return err
	}
	if o.Unleashed, err = departures(w.path(unleashedRun)); err != nil {
		return err
	}
	o.judge()
	a.Overoptimisation = o
	w.tell("%s", o)
	return nil
}

// all are the measured points of both runs.
func (o *Overoptimisation) all() []Departure { return slices.Concat(o.PPO, o.Unleashed) }

// farthest is the greatest distance that was measured.
func (o *Overoptimisation) farthest() (d float64) {
	for _, p := range o.all() {
		d = max(d, p.Distance())
	}
	return d
}

// judge fits the laws and finds where over-optimisation begins: at the peak of the true reward, if the farthest quarter of the points lies
// below it by more than chance would have it, while the reward model's opinion is higher there.
func (o *Overoptimisation) judge() {
	list := o.all()
	o.Proxy = fitLaw(list, func(d Departure) float64 { return d.Proxy })
	o.True = fitLaw(list, func(d Departure) float64 { return d.True })
	slices.SortStableFunc(list, func(a, b Departure) int { return cmp.Compare(b.Divergence, a.Divergence) })
	n := max(1, len(list)/4)
	o.Far = Departure{}
	for _, d := range list[:min(n, len(list))] {
		o.Far.Divergence += d.Divergence / float64(n)
		o.Far.Proxy += d.Proxy / float64(n)
		o.Far.True += d.True / float64(n)
	}
	peak := o.True.peak(o.farthest())
	top := Departure{peak * peak, o.Proxy.At(peak), o.True.At(peak)}
	chance := 2 * o.True.Error * math.Sqrt(2/float64(n)) // a quarter of the points against another
	if peak < o.Far.Distance() && top.True-o.Far.True > chance && o.Far.Proxy > top.Proxy {
		o.Onset = &top
	}
}

// String says what was seen.
func (o *Overoptimisation) String() string {
	if o.Onset == nil {
		return fmt.Sprintf("Up to a divergence of %.0f nats an answer the true reward does not fall while the reward model's opinion rises: no over-optimisation was seen.", o.Far.Divergence)
	}
	begins := fmt.Sprintf("Over-optimisation begins at a divergence of %.1f nats an answer: up to there the true reward has risen by %.2f standard deviations.", o.Onset.Divergence, o.Onset.True)
	if o.Onset.Divergence < 0.1 {
		begins = "Over-optimisation begins at once: the true reward only falls."
	}
	return fmt.Sprintf("%s Around %.0f nats the judge's opinion has changed by %+.2f, the reward model's by %+.2f.", begins, o.Far.Divergence, o.Far.True, o.Far.Proxy)
}

package quickstart

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// metricsOf writes the metrics of a run with two updates on each set of rollouts.
func metricsOf(t *testing.T, dir string, list []Departure) {
	t.Helper()
	var text strings.Builder
	for i, d := range list {
		for j := range 2 {
			fmt.Fprintf(&text, `{"kind":"step","step":%d,"epoch":%d,"measures":{"reward":%g,"reward_deviation":%g,"divergence":%g,"watched_reward":%g,"watched_deviation":%g}}`+"\n",
				2*i+j+1, i, 10+2*d.Proxy, 2+float64(i), d.Divergence, -1+0.5*d.True, 0.5+float64(i))
		}
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "metrics.jsonl"), []byte(text.String()), 0o666); err != nil {
		t.Fatal(err)
	}
}

// along are departures by two laws, with some scatter.
func along(proxy, truth Law, distances ...float64) (list []Departure) {
	for i, d := range distances {
		scatter := 0.02 * float64(i%3-1)
		if d == 0 {
			scatter = 0
		}
		list = append(list, Departure{d * d, proxy.At(d) + scatter, truth.At(d) - scatter})
	}
	return list
}

func seen(t *testing.T, ppo, unleashed []Departure) *Overoptimisation {
	t.Helper()
	w := &workshop{Options: Options{Out: t.TempDir()}}
	metricsOf(t, w.path(ppoRun), ppo)
	metricsOf(t, w.path(unleashedRun), unleashed)
	var a Assistant
	if err := w.seeOveroptimisation(&a); err != nil {
		t.Fatal(err)
	}
	return a.Overoptimisation
}

func TestTheFigureHoldsWhatWasMeasuredAndMarksWhereItBegins(t *testing.T) {
	proxy, truth := Law{Alpha: 1, Beta: 0.2}, Law{Alpha: 1, Beta: 0.7} // the true reward is greatest at exp(1/0.7 − 1) = 1.535
	o := seen(t, along(proxy, truth, 0, 0.3, 0.6, 0.9, 1.2, 1.5), along(proxy, truth, 0, 0.8, 1.6, 2.4, 3.2, 4))
	if o.Onset == nil || math.Abs(o.Onset.Distance()-1.535) > 0.1 || math.Abs(o.True.Alpha-1) > 0.1 || math.Abs(o.Proxy.Beta-0.2) > 0.1 {
		t.Fatalf("found %+v, onset %+v", o, o.Onset)
	}
	if d := o.Unleashed[4]; math.Abs(d.Proxy-proxy.At(3.2)) > 0.03 || math.Abs(d.True-truth.At(3.2)) > 0.03 {
		t.Errorf("at a distance of 3.2: %+v, want %g and %g", d, proxy.At(3.2), truth.At(3.2))
	}
	svg := string(o.Figure())
	if n := strings.Count(svg, "<circle"); n != 2*12+2 { // two of them in the legend
		t.Errorf("%d dots", n)
	}
	for _, want := range []string{"√KL", "nats", "standard deviations", "over-optimisation begins", "true reward", `cx="466.0"`, "stroke-dasharray"} {
		if !strings.Contains(svg, want) {
			t.Errorf("%q is not in the figure: %s", want, svg)
		}
	}
	if text := o.String(); !strings.Contains(text, "begins at a divergence of 2.") || !strings.Contains(text, "Around 11 nats") {
		t.Error(text)
	}
}

func TestWhereTheTrueRewardDoesNotFallNothingIsMarked(t *testing.T) {
	rising := Law{Alpha: 1, Beta: 0.2}
	for name, truth := range map[string]Law{"it rises too": {Alpha: 0.8, Beta: 0.1}, "its peak is beyond": {Alpha: 1, Beta: 0.35}} {
		o := seen(t, along(rising, truth, 0, 0.5, 1), along(rising, truth, 0, 1.5, 2, 2.5, 3))
		if o.Onset != nil || strings.Contains(string(o.Figure()), "begins") || !strings.Contains(o.String(), "no over-optimisation was seen") {
			t.Errorf("%s: %+v, %s", name, o.Onset, o)
		}
	}
	sinking := Law{Alpha: -0.4, Beta: -0.1}
	if o := seen(t, along(rising, sinking, 0, 0.5, 1), along(rising, sinking, 0, 1.5, 2, 2.5, 3)); o.Onset == nil || o.Onset.Divergence != 0 || !strings.Contains(o.String(), "at once") || !strings.Contains(string(o.Figure()), "begins") {
		t.Errorf("the true reward only falls: %+v, %s", o.Onset, o)
	}
	// Both fall: that is no over-optimisation but a training that fails.
	falling := Law{Alpha: 0.5, Beta: 0.7}
	if o := seen(t, along(falling, falling, 0, 0.5, 1), along(falling, falling, 0, 1.5, 2, 2.5, 3)); o.Onset != nil {
		t.Errorf("both fall: %+v", o.Onset)
	}
	// A single point tells nothing.
	if o := seen(t, along(rising, rising, 0), along(rising, rising, 0)); o.Onset != nil || o.Figure() != "" {
		t.Errorf("without a distance: %+v", o)
	}
}

func TestMetricsWithoutTheTrueRewardAreAnError(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "metrics.jsonl"), []byte(`{"kind":"step","step":1,"epoch":0,"measures":{"reward":1,"divergence":0}}`+"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := departures(dir); err == nil || !strings.Contains(err.Error(), "watched_reward") {
		t.Errorf("%v", err)
	}
}

package eval

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestGeneratorIsNumpys(t *testing.T) {
	// Printed by numpy 2: default_rng(seed).integers(0, 3000000000, size=4), which
	// rejects almost a third of the draws.
	for seed, want := range map[uint64][]uint32{
		0:         {2551872677, 1910885061, 1533409439, 809360140},
		1:         {1535464873, 2851391088, 104557657, 2845948340},
		12345:     {2097645094, 682008066, 2365940964, 950275018},
		1<<32 + 7: {2610780143, 2310422852, 335781732, 567293199},
		1<<63 + 5: {2460263268, 1440699315, 2712520130, 988071754},
	} {
		rng := newPCG64(seed)
		var got []uint32
		for range want {
			got = append(got, rng.below(3000000000))
		}
		if !slices.Equal(got, want) {
			t.Errorf("seed %d: %v, want %v", seed, got, want)
		}
	}
}

func TestBelowOneDrawsNothing(t *testing.T) {
	a, b := newPCG64(1), newPCG64(1)
	if a.below(1) != 0 || a.next64() != b.next64() {
		t.Error("a number below 1 is 0 without drawing")
	}
}

// shapes is a small corpus with a system that copies it, and one that mostly
// gets its adjectives wrong.
func shapes() (refs []string, right, wrong System) {
	right.Name, wrong.Name = "right", "wrong"
	for i := range 40 {
		colour := []string{"red", "green", "blue", "yellow"}[i%4]
		shape := []string{"circle", "square", "star", "line", "cross"}[i%5]
		line := fmt.Sprintf("number %d is a %s %s on the table", i, colour, shape)
		refs = append(refs, line)
		right.Hypotheses = append(right.Hypotheses, line)
		if i%8 != 0 {
			line = strings.Replace(line, colour, "grey", 1)
		}
		wrong.Hypotheses = append(wrong.Hypotheses, line)
	}
	return refs, right, wrong
}

var allMetrics = []Metric{BLEU{}, CHRF{}, CHRF{WordOrder: 2}, TER{}}

func TestClearDifferenceIsSignificant(t *testing.T) {
	refs, right, wrong := shapes()
	bs, err := PairedBootstrap(allMetrics, [][]string{refs}, []System{wrong, right}, 200, 7)
	if err != nil {
		t.Fatal(err)
	}
	ar, err := PairedRandomization(allMetrics, [][]string{refs}, []System{wrong, right}, 200, 0, 7)
	if err != nil {
		t.Fatal(err)
	}
	for _, compared := range [][]Compared{bs, ar} {
		for m := range allMetrics {
			if baseline := compared[0].Scores[m]; baseline.P != nil {
				t.Errorf("%v has a p-value", baseline)
			}
			// No draw exceeds the difference: only the real one counts.
			if s := compared[1].Scores[m]; *s.P != 1./201 {
				t.Errorf("%v: p = %v, want 1/201", s, *s.P)
			}
		}
	}
	for m, s := range bs[0].Scores {
		if in := s.Interval; in == nil || in.HalfWidth <= 0 || math.Abs(in.Mean-s.Value) > in.HalfWidth {
			t.Errorf("%s: interval %+v around %v", allMetrics[m].Name(), in, s.Value)
		}
		if exact := bs[1].Scores[m]; exact.Interval.HalfWidth != 0 || math.Abs(exact.Interval.Mean-exact.Value) > 1e-9 {
			t.Errorf("%s of a copy: interval %+v", allMetrics[m].Name(), exact.Interval)
		}
	}
	if got, want := bs[0].Scores[3].Signature, "nrefs:1|bs:200|seed:7|case:lc|tok:tercom|norm:no|punct:yes|asian:no|version:2.6.0"; got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}

func TestChanceDifferenceIsNotSignificant(t *testing.T) {
	refs, a, b := shapes()
	// Each of the systems is wrong on every other sentence.
	for i := range refs {
		if i%2 == 0 {
			a.Hypotheses[i], b.Hypotheses[i] = b.Hypotheses[i], a.Hypotheses[i]
		}
	}
	for name, test := range map[string]func() ([]Compared, error){
		"bootstrap": func() ([]Compared, error) {
			return PairedBootstrap(allMetrics, [][]string{refs}, []System{a, b}, 300, 1)
		},
		"randomization": func() ([]Compared, error) {
			return PairedRandomization(allMetrics, [][]string{refs}, []System{a, b}, 300, 100, 1)
		},
	} {
		compared, err := test()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range compared[1].Scores {
			if *s.P < 0.05 {
				t.Errorf("%s: %v: p = %v", name, s, *s.P)
			}
			if s.Interval == nil {
				t.Errorf("%s: %v has no interval", name, s)
			}
		}
	}
}

func TestSystemAgainstItselfHasTheSmallestP(t *testing.T) {
	refs, _, wrong := shapes()
	compared, err := PairedBootstrap(allMetrics, [][]string{refs}, []System{wrong, wrong}, 50, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range compared[1].Scores {
		if *s.P != 1./51 {
			t.Errorf("%v: p = %v", s, *s.P)
		}
	}
}

func TestBootstrapOfOneSystemIsThatOfABaseline(t *testing.T) {
	refs, right, wrong := shapes()
	one, err := Bootstrap(BLEU{}, wrong.Hypotheses, [][]string{refs}, 99, 3)
	if err != nil {
		t.Fatal(err)
	}
	two, err := PairedBootstrap([]Metric{BLEU{}}, [][]string{refs}, []System{wrong, right}, 99, 3)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := one.String(), two[0].Scores[0].String(); a != b || !strings.Contains(a, "μ = ") {
		t.Errorf("%s\n%s", a, b)
	}
}

func TestPairedTestErrorsNameWhatIsWrong(t *testing.T) {
	refs, right, wrong := shapes()
	wrong.Hypotheses = wrong.Hypotheses[1:]
	metrics, streams := []Metric{BLEU{}}, [][]string{refs}
	for want, test := range map[string]func() ([]Compared, error){
		"system 2 (wrong): eval: reference stream 1 has 40 sentences, but there are 39 hypotheses": func() ([]Compared, error) {
			return PairedBootstrap(metrics, streams, []System{right, wrong}, 10, 1)
		},
		"no metric":                func() ([]Compared, error) { return PairedBootstrap(nil, streams, []System{right}, 10, 1) },
		"no system":                func() ([]Compared, error) { return PairedBootstrap(metrics, streams, nil, 10, 1) },
		"number of resamples is 0": func() ([]Compared, error) { return PairedBootstrap(metrics, streams, []System{right}, 0, 1) },
		"number of trials is -1":   func() ([]Compared, error) { return PairedRandomization(metrics, streams, []System{right}, -1, 0, 1) },
		"number of resamples is -2": func() ([]Compared, error) {
			return PairedRandomization(metrics, streams, []System{right}, 10, -2, 1)
		},
	} {
		if _, err := test(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}

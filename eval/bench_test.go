package eval

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// captions is a corpus of 1,000 sentences of 12 words, and the output of a
// system for them: a tenth of the words wrong, and some words moved.
func captions() (hyps, refs []string) {
	rng := rand.New(rand.NewPCG(1, 1))
	syllables := strings.Fields("ba co de fi gu la mo ne ri su ta vo")
	word := func() string {
		var w string
		for range 1 + rng.IntN(3) {
			w += syllables[rng.IntN(len(syllables))]
		}
		return w
	}
	for range 1000 {
		ref := make([]string, 12)
		for i := range ref {
			ref[i] = word()
		}
		hyp := append([]string(nil), ref...)
		for i := range hyp {
			if rng.IntN(10) == 0 {
				hyp[i] = word()
			}
		}
		at := rng.IntN(6)
		hyp = append(append(append([]string(nil), hyp[at+3:]...), hyp[:at]...), hyp[at:at+3]...)
		refs = append(refs, strings.Join(ref, " ")+".")
		hyps = append(hyps, strings.Join(hyp, " ")+".")
	}
	return hyps, refs
}

func BenchmarkCorpus(b *testing.B) {
	hyps, refs := captions()
	for _, m := range []struct {
		name   string
		metric Metric
	}{
		{"BLEU-13a", BLEU{}}, {"BLEU-none", BLEU{Tokenize: "none"}}, {"BLEU-intl", BLEU{Tokenize: "intl"}},
		{"chrF", CHRF{}}, {"chrF++", CHRF{WordOrder: 2}}, {"TER", TER{}},
	} {
		b.Run(m.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := corpus(m.metric, hyps, [][]string{refs}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPairedBootstrap(b *testing.B) {
	hyps, refs := captions()
	systems := []System{{"baseline", hyps}, {"system", refs}}
	for b.Loop() {
		if _, err := PairedBootstrap([]Metric{BLEU{}}, [][]string{refs}, systems, 1000, DefaultSeed); err != nil {
			b.Fatal(err)
		}
	}
}

package eval

import (
	"math"
	"testing"
)

// Whatever the bytes, every metric gives a number within its range, the full
// score to a text against itself, and the same score whatever else is compared
// before it.
func FuzzMetricsTakeAnyText(f *testing.F) {
	for _, seed := range [][3]string{
		{"", "", ""},
		{"the cat sat", "the cat sat on the mat", "a cat was sitting"},
		{"c d e a b", "a b c d e", "e d c b a"},
		{"...,,,'s 1.2-3 &amp;lt; <skipped>-\n-", "&quot;\n-x 's", "!\u2028\x1c\x1f\u0085"},
		{"\xff\xfe \xf0\x9f", "\xed\xa0\x80 \x00", "\xc3"},
		{"我买了 iPhone，“好”。", "ｶﾅ・かな！", "ΑΣ İ ẞ ǅ"},
		{"a a a a a a a a a a a a", "a", "b a b a b a b a b a b a b a"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	metrics := []Metric{
		CHRF{}, CHRF{WordOrder: 2, Lowercase: true}, CHRF{Whitespace: true, Epsilon: true},
		TER{}, TER{Normalized: true, AsianSupport: true}, TER{NoPunct: true, AsianSupport: true, CaseSensitive: true},
	}
	for _, tokenizer := range Tokenizers() {
		metrics = append(metrics,
			BLEU{Tokenize: tokenizer, Lowercase: true},
			BLEU{Tokenize: tokenizer, Smoothing: SmoothAddK, EffectiveOrder: true})
	}
	f.Fuzz(func(t *testing.T, hyp, refA, refB string) {
		hyps, refs := []string{hyp, refA}, [][]string{{refA, refA}, {refB, refA}}
		for _, m := range metrics {
			score := mustScore(t)(corpus(m, hyps, refs))
			if !(score.Value >= 0) || math.IsInf(score.Value, 0) {
				t.Errorf("%v", score)
			}
			_, isTER := m.(TER)
			if !isTER && score.Value > 100+1e-9 {
				t.Errorf("%v", score)
			}
			rows, err := m.Statistics(hyps, refs)
			if err != nil {
				t.Fatal(err)
			}
			itself := m.Score(rows[1])
			if isTER && itself.Value != 0 {
				t.Errorf("a text against itself: %v", itself)
			}
			if b, ok := m.(BLEU); ok && b.EffectiveOrder && itself.BLEU.HypLen > 0 && math.Abs(itself.Value-100) > 1e-9 {
				t.Errorf("a text against itself: %v", itself)
			}
			alone := mustScore(t)(corpus(m, hyps[1:], [][]string{{refA}, {refA}}))
			if alone.Value != itself.Value {
				t.Errorf("%v alone, %v after another sentence", alone, itself)
			}
		}
	})
}

package eval

import (
	"math"
	"strings"
	"testing"
)

func TestBLEUCountsByHand(t *testing.T) {
	const hyp, ref = "the cat sat on the mat", "the cat sat on a mat"
	cases := []struct {
		name string
		bleu BLEU
		hyp  string
		refs []string
		want float64
	}{
		// Matches 5 of 6 (one "the" too many), 3 of 5, 2 of 4, 1 of 3; equal lengths.
		{"four precisions", BLEU{}, hyp, []string{ref}, 100 * math.Pow(5./6*3/5*2/4*1/3, 1./4)},
		{"only two orders", BLEU{MaxOrder: 2}, hyp, []string{ref}, 100 * math.Sqrt(5./6*3/5)},
		// Every n-gram matches, but 3 words stand for 4.
		{"brevity penalty", BLEU{MaxOrder: 2}, "the cat sat", []string{"the cat sat down"}, 100 * math.Exp(1-4./3)},
		// One of three is granted; two references that have it once each grant one, too.
		{"clipping", BLEU{MaxOrder: 1}, "the the the", []string{"the cat sat"}, 100. / 3},
		{"clipping by the best reference", BLEU{MaxOrder: 1}, "the the the", []string{"the cat sat", "the dog ran"}, 100. / 3},
		// 5 words are as close to 4 as to 6; the shorter counts, so no penalty.
		{"closest length", BLEU{MaxOrder: 1}, "a b c d e", []string{"a b c d e f", "a b c d"}, 100},
		// "SAT" is another word, unless lower-cased.
		{"case counts", BLEU{MaxOrder: 1}, "it SAT", []string{"it sat"}, 50},
		{"case does not", BLEU{MaxOrder: 1, Lowercase: true}, "it SAT", []string{"it sat"}, 100},
		// All words match, and none of 3 pairs, 2 triples, 1 quadruple.
		{"smoothing exp", BLEU{}, "a b c d", []string{"a c b d"}, 100 * math.Pow(1./2/3*1/4/2*1/8/1, 1./4)},
		{"smoothing floor", BLEU{Smoothing: SmoothFloor}, "a b c d", []string{"a c b d"}, 100 * math.Pow(.1/3*.1/2*.1/1, 1./4)},
		{"smoothing floor 0.5", BLEU{Smoothing: SmoothFloor, SmoothValue: .5}, "a b c d", []string{"a c b d"}, 100 * math.Pow(.5/3*.5/2*.5/1, 1./4)},
		{"smoothing add-k", BLEU{Smoothing: SmoothAddK}, "a b c d", []string{"a c b d"}, 100 * math.Pow(1./4*1/3*1/2, 1./4)},
		{"smoothing none", BLEU{Smoothing: SmoothNone}, "a b c d", []string{"a c b d"}, 0},
		// Two words have no triples.
		{"a short sentence", BLEU{}, "good morning", []string{"good morning"}, 0},
		{"effective order", BLEU{EffectiveOrder: true}, "good morning", []string{"good morning"}, 100},
		{"nothing in common", BLEU{}, "a b c d", []string{"e f g h"}, 0},
		{"no hypothesis", BLEU{}, "", []string{"e f"}, 0},
		{"both empty", BLEU{}, "", []string{""}, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := mustScore(t)(sentence(c.bleu, c.hyp, c.refs))
			if math.Abs(got.Value-c.want) > 1e-9 {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func TestCorpusBLEUAddsUpCounts(t *testing.T) {
	// 2 of 2 words and 1 of 4 are 3 of 6, not the mean of 100 % and 25 %.
	got := mustScore(t)(BLEU{MaxOrder: 1}.Corpus([]string{"a b", "c x y z"}, [][]string{{"a b", "c d e f"}}))
	if math.Abs(got.Value-50) > 1e-9 {
		t.Error(got)
	}
}

func TestSentenceBLEUHasEffectiveOrder(t *testing.T) {
	got := mustScore(t)(BLEU{}.Sentence("good morning", []string{"good morning", "good day"}))
	if math.Abs(got.Value-100) > 1e-9 || got.Signature != "nrefs:2|case:mixed|eff:yes|tok:13a|smooth:exp|version:2.6.0" {
		t.Error(got)
	}
}

func TestScoreIsWrittenAsSacrebleuWritesIt(t *testing.T) {
	bleu := mustScore(t)(BLEU{}.Corpus([]string{"the cat sat on the mat"}, [][]string{{"the cat sat on a mat"}}))
	const bleuLine = "BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0 = 53.73 " +
		"83.3/60.0/50.0/33.3 (BP = 1.000 ratio = 1.000 hyp_len = 6 ref_len = 6)"
	if got := bleu.String(); got != bleuLine {
		t.Errorf("got  %s\nwant %s", got, bleuLine)
	}
	bleu.Interval = &Interval{Mean: 53.06, HalfWidth: 1.449}
	if got := bleu.Format(1); !strings.Contains(got, " = 53.7 (μ = 53.1 ± 1.4) 83.3/") {
		t.Errorf("with an interval: %s", got)
	}
	ter := mustScore(t)(TER{}.Corpus([]string{"a b c d"}, [][]string{{"a b x d"}}))
	if got, want := ter.String(), "TER|nrefs:1|case:lc|tok:tercom|norm:no|punct:yes|asian:no|version:2.6.0 = 25.00"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestSettingsNameEveryOption(t *testing.T) {
	cases := []struct {
		metric     Metric
		name, want string
	}{
		{BLEU{}, "BLEU", "case:mixed|eff:no|tok:13a|smooth:exp"},
		{BLEU{Tokenize: "zh", Lowercase: true, EffectiveOrder: true, Smoothing: SmoothNone}, "BLEU", "case:lc|eff:yes|tok:zh|smooth:none"},
		{BLEU{Smoothing: SmoothFloor}, "BLEU", "case:mixed|eff:no|tok:13a|smooth:floor[0.10]"},
		{BLEU{Smoothing: SmoothAddK, SmoothValue: 2}, "BLEU", "case:mixed|eff:no|tok:13a|smooth:add-k[2.00]"},
		{CHRF{}, "chrF2", "case:mixed|eff:yes|nc:6|nw:0|space:no"},
		{CHRF{WordOrder: 2}, "chrF2++", "case:mixed|eff:yes|nc:6|nw:2|space:no"},
		{CHRF{CharOrder: 4, Beta: 3, WordOrder: 1, Lowercase: true, Whitespace: true, Epsilon: true}, "chrF3+", "case:lc|eff:no|nc:4|nw:1|space:yes"},
		{TER{}, "TER", "case:lc|tok:tercom|norm:no|punct:yes|asian:no"},
		{TER{Normalized: true, NoPunct: true, AsianSupport: true, CaseSensitive: true}, "TER", "case:mixed|tok:tercom|norm:yes|punct:no|asian:yes"},
	}
	for _, c := range cases {
		if got := c.metric.Settings(); got != c.want || c.metric.Name() != c.name {
			t.Errorf("%s %s, want %s %s", c.metric.Name(), got, c.name, c.want)
		}
	}
}

func TestErrorsNameWhatIsWrong(t *testing.T) {
	two := []string{"a", "b"}
	cases := []struct {
		metric Metric
		hyps   []string
		refs   [][]string
		want   string
	}{
		{BLEU{}, nil, [][]string{{}}, "no hypotheses"},
		{CHRF{}, two, nil, "no references"},
		{TER{}, two, [][]string{two, {"a"}}, "reference stream 2 has 1 sentence, but there are 2 hypotheses"},
		{BLEU{Tokenize: "13b"}, two, [][]string{two}, `unknown tokenizer "13b", want one of 13a, char, intl, none, zh`},
		{BLEU{Smoothing: "some"}, two, [][]string{two}, `unknown smoothing "some"`},
		{BLEU{SmoothValue: -1}, two, [][]string{two}, "smoothing value is -1"},
		{BLEU{SmoothValue: math.NaN()}, two, [][]string{two}, "smoothing value is NaN"},
		{BLEU{MaxOrder: -1}, two, [][]string{two}, "n-gram is -1"},
		{BLEU{MaxOrder: 1 << 40}, two, [][]string{two}, "n-gram is 1099511627776"},
		{CHRF{CharOrder: -1}, two, [][]string{two}, "character n-gram is -1"},
		{CHRF{WordOrder: -1}, two, [][]string{two}, "word n-gram is -1"},
		{CHRF{Beta: -2}, two, [][]string{two}, "beta is -2"},
	}
	for _, c := range cases {
		_, err := corpus(c.metric, c.hyps, c.refs)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%T %v: error %v, want %q in it", c.metric, c.metric, err, c.want)
		}
	}
}

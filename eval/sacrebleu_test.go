package eval

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// sharedFile reads a file of sacrebleu's answers. They contain sentences of data
// sets that may not be copied here, so without them the test is skipped.
func sharedFile(t testing.TB, name string) []byte {
	t.Helper()
	path := filepath.Join("..", "..", "shared", "fixtures", "metrics", name)
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		t.Skipf("sacrebleu's answers are not here: ../shared/fixtures/metrics/%s, from the module's root", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

type sharedCase struct {
	Name                 string
	Hypotheses           []string
	References           [][]string
	BLEU, CHRF, TER      []sharedScore
	SentenceBLEU         []float64 `json:"sentence_bleu"`
	SentenceCHRFPlusPlus []float64 `json:"sentence_chrf++"`
	Baseline, System     []string
	PairedBootstrap      []map[string]json.RawMessage `json:"paired_bs"`
	PairedRandomization  []map[string]json.RawMessage `json:"paired_ar"`
}

type sharedScore struct {
	Settings struct {
		Tokenize       string
		Lowercase      bool
		SmoothMethod   Smoothing `json:"smooth_method"`
		SmoothValue    float64   `json:"smooth_value"`
		MaxNgramOrder  int       `json:"max_ngram_order"`
		EffectiveOrder bool      `json:"effective_order"`

		CharOrder    int `json:"char_order"`
		WordOrder    int `json:"word_order"`
		Beta         int
		Whitespace   bool
		EpsSmoothing bool `json:"eps_smoothing"`

		Normalized    bool
		NoPunct       bool `json:"no_punct"`
		AsianSupport  bool `json:"asian_support"`
		CaseSensitive bool `json:"case_sensitive"`
	}
	Score, BP                  float64
	Counts, Totals, Precisions []float64
	SysLen                     float64 `json:"sys_len"`
	RefLen                     float64 `json:"ref_len"`
	NumEdits                   float64 `json:"num_edits"`
	RefLength                  float64 `json:"ref_length"`
	Signature                  string
}

func TestScoresEqualSacrebleu(t *testing.T) {
	var cases []sharedCase
	if err := json.Unmarshal(sharedFile(t, "bleu_cases.json"), &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			for _, want := range c.BLEU {
				s := want.Settings
				m := BLEU{Tokenize: s.Tokenize, Lowercase: s.Lowercase, Smoothing: s.SmoothMethod, SmoothValue: s.SmoothValue,
					MaxOrder: s.MaxNgramOrder, EffectiveOrder: s.EffectiveOrder}
				got := mustScore(t)(m.Corpus(c.Hypotheses, c.References))
				compareScore(t, got, want)
				compareNumbers(t, want.Signature, got.BLEU.Counts, want.Counts)
				compareNumbers(t, want.Signature, got.BLEU.Totals, want.Totals)
				compareNumbers(t, want.Signature, got.BLEU.Precisions, want.Precisions)
				compareNumbers(t, want.Signature,
					[]float64{got.BLEU.BrevityPenalty, float64(got.BLEU.HypLen), float64(got.BLEU.RefLen)},
					[]float64{want.BP, want.SysLen, want.RefLen})
			}
			for _, want := range c.CHRF {
				s := want.Settings
				m := CHRF{CharOrder: s.CharOrder, WordOrder: s.WordOrder, Beta: s.Beta, Lowercase: s.Lowercase,
					Whitespace: s.Whitespace, Epsilon: s.EpsSmoothing}
				compareScore(t, mustScore(t)(m.Corpus(c.Hypotheses, c.References)), want)
			}
			for _, want := range c.TER {
				s := want.Settings
				m := TER{Normalized: s.Normalized, NoPunct: s.NoPunct, AsianSupport: s.AsianSupport, CaseSensitive: s.CaseSensitive}
				got := mustScore(t)(m.Corpus(c.Hypotheses, c.References))
				compareScore(t, got, want)
				compareNumbers(t, want.Signature, []float64{got.TER.Edits, got.TER.RefLength}, []float64{want.NumEdits, want.RefLength})
			}
			for i, want := range c.SentenceBLEU {
				got := mustScore(t)(BLEU{Tokenize: c.BLEU[0].Settings.Tokenize}.Sentence(c.Hypotheses[i], column(c.References, i)))
				compareNumbers(t, "sentence BLEU", []float64{got.Value}, []float64{want})
			}
			for i, want := range c.SentenceCHRFPlusPlus {
				got := mustScore(t)(CHRF{WordOrder: 2}.Sentence(c.Hypotheses[i], column(c.References, i)))
				compareNumbers(t, "sentence chrF++", []float64{got.Value}, []float64{want})
			}
		})
	}
}

func mustScore(t testing.TB) func(Score, error) Score {
	return func(s Score, err error) Score {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func column(streams [][]string, i int) []string {
	var refs []string
	for _, stream := range streams {
		refs = append(refs, stream[i])
	}
	return refs
}

func compareScore(t *testing.T, got Score, want sharedScore) {
	t.Helper()
	if got.Signature != want.Signature {
		t.Errorf("signature %s, want %s", got.Signature, want.Signature)
	}
	compareNumbers(t, want.Signature, []float64{got.Value}, []float64{want.Score})
}

func compareNumbers(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if !slices.EqualFunc(got, want, func(a, b float64) bool { return math.Abs(a-b) <= 1e-6 }) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestPairedTestsEqualSacrebleu(t *testing.T) {
	var file struct {
		Seed       uint64
		BS         int `json:"paired_bs_n"`
		AR         int `json:"paired_ar_n"`
		References []string
		Cases      []sharedCase
	}
	if err := json.Unmarshal(sharedFile(t, "paired_tests.json"), &file); err != nil {
		t.Fatal(err)
	}
	metrics := []Metric{BLEU{}, CHRF{}, TER{}}
	refs := [][]string{file.References}
	for _, c := range file.Cases {
		systems := []System{{"Baseline: baseline.txt", c.Baseline}, {"system.txt", c.System}}
		t.Run(c.Name+" bootstrap", func(t *testing.T) {
			got, err := PairedBootstrap(metrics, refs, systems, file.BS, file.Seed)
			comparePaired(t, got, err, c.PairedBootstrap)
		})
		t.Run(c.Name+" randomization", func(t *testing.T) {
			got, err := PairedRandomization(metrics, refs, systems, file.AR, 0, file.Seed)
			comparePaired(t, got, err, c.PairedRandomization)
		})
	}
}

// comparePaired allows for sacrebleu's single precision in means and intervals
// only: p-values, which are counts, must be equal.
func comparePaired(t *testing.T, got []Compared, err error, want []map[string]json.RawMessage) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Fatalf("%d systems, want %d", len(got), len(want))
	}
	for s := range want {
		if name := fmt.Sprintf("%q", got[s].System); name != string(want[s]["system"]) {
			t.Errorf("system %s, want %s", name, want[s]["system"])
		}
		system := got[s].System
		for _, score := range got[s].Scores {
			var w struct {
				Score, CI, Mean *float64
				P               *float64 `json:"p_value"`
			}
			if err := json.Unmarshal(want[s][score.Metric], &w); err != nil {
				t.Fatalf("%s of %s: %v", score.Metric, system, err)
			}
			near := func(what string, got, want *float64, tolerance float64) {
				t.Helper()
				if (got == nil) != (want == nil) || got != nil && math.Abs(*got-*want) > tolerance {
					t.Errorf("%s of %s: %s %v, want %v", score.Metric, system, what, number(got), number(want))
				}
			}
			near("score", &score.Value, w.Score, 1e-6)
			near("p", score.P, w.P, 1e-12)
			if score.Interval == nil {
				near("mean", nil, w.Mean, 0)
				near("interval", nil, w.CI, 0)
				continue
			}
			near("mean", &score.Interval.Mean, w.Mean, 1e-4)
			near("interval", &score.Interval.HalfWidth, w.CI, 1e-4)
		}
	}
}

func number(x *float64) string {
	if x == nil {
		return "none"
	}
	return fmt.Sprint(*x)
}

func TestDrawsEqualNumpy(t *testing.T) {
	tensors := readSafetensors(t, sharedFile(t, "paired_tests.safetensors"))
	indices, selected := tensors["bootstrap_indices"], tensors["ar_baseline_selected"]
	n := uint32(indices.Shape[1])

	rng := newPCG64(DefaultSeed)
	for i, want := range indices.numbers(t) {
		if got := rng.below(n); int64(got) != want {
			t.Fatalf("bootstrap index %d is %d, want %d", i, got, want)
		}
	}
	heads := coins{pcg64: newPCG64(DefaultSeed)}
	for i, want := range selected.numbers(t) {
		if got := heads.flip(); got != (want != 0) {
			t.Fatalf("coin %d is %v, want %v", i, got, want != 0)
		}
	}
}

type integerTensor struct {
	DType   string
	Shape   []int
	Offsets [2]int `json:"data_offsets"`
	data    []byte
}

func readSafetensors(t *testing.T, file []byte) map[string]integerTensor {
	t.Helper()
	size := binary.LittleEndian.Uint64(file)
	var header map[string]json.RawMessage
	if err := json.Unmarshal(file[8:8+size], &header); err != nil {
		t.Fatal(err)
	}
	tensors := map[string]integerTensor{}
	for name, raw := range header {
		if name == "__metadata__" {
			continue
		}
		var x integerTensor
		if err := json.Unmarshal(raw, &x); err != nil {
			t.Fatal(err)
		}
		x.data = file[8+size:][x.Offsets[0]:x.Offsets[1]]
		tensors[name] = x
	}
	return tensors
}

func (x integerTensor) numbers(t *testing.T) []int64 {
	t.Helper()
	if len(x.data) == 0 {
		t.Fatal("an empty tensor")
	}
	width := len(x.data) / (x.Shape[0] * x.Shape[1])
	var out []int64
	for at := 0; at < len(x.data); at += width {
		switch b := x.data[at:]; x.DType {
		case "I64":
			out = append(out, int64(binary.LittleEndian.Uint64(b)))
		case "I32":
			out = append(out, int64(int32(binary.LittleEndian.Uint32(b))))
		case "I16":
			out = append(out, int64(int16(binary.LittleEndian.Uint16(b))))
		case "U8", "I8", "BOOL":
			out = append(out, int64(b[0]))
		default:
			t.Fatalf("a tensor of type %s", x.DType)
		}
	}
	return out
}

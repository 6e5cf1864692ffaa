package decode

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// float reads a number that JSON may spell as a string, "-inf".
type float float32

func (f *float) UnmarshalJSON(data []byte) error {
	v, err := strconv.ParseFloat(strings.Trim(string(data), `"`), 64)
	*f = float(v)
	return err
}

// oneOrMore reads one id or a list of them.
type oneOrMore []int32

func (o *oneOrMore) UnmarshalJSON(data []byte) error {
	if data[0] == '[' {
		return json.Unmarshal(data, (*[]int32)(o))
	}
	*o = make(oneOrMore, 1)
	return json.Unmarshal(data, &(*o)[0])
}

// biases reads [[ids], bias] pairs.
type biases []Bias

func (b *biases) UnmarshalJSON(data []byte) error {
	var pairs [][2]json.RawMessage
	if err := json.Unmarshal(data, &pairs); err != nil {
		return err
	}
	for _, p := range pairs {
		var one Bias
		if err := json.Unmarshal(p[0], &one.Tokens); err != nil {
			return err
		}
		if err := json.Unmarshal(p[1], &one.Add); err != nil {
			return err
		}
		*b = append(*b, one)
	}
	return nil
}

type processorCase struct {
	Logits    string
	History   string
	PromptLen int `json:"prompt_len"`
	Settings  struct {
		Temperature       *float64
		TopK              int       `json:"top_k"`
		TopP              *float64  `json:"top_p"`
		MinP              float64   `json:"min_p"`
		TypicalP          *float64  `json:"typical_p"`
		EpsilonCutoff     float64   `json:"epsilon_cutoff"`
		EtaCutoff         float64   `json:"eta_cutoff"`
		RepetitionPenalty *float64  `json:"repetition_penalty"`
		PresencePenalty   float64   `json:"presence_penalty"`
		FrequencyPenalty  float64   `json:"frequency_penalty"`
		NoRepeatNGram     int       `json:"no_repeat_ngram_size"`
		EOS               oneOrMore `json:"eos_token_id"`
		MinLength         int       `json:"min_length"`
		MinNewTokens      int       `json:"min_new_tokens"`
		BadWords          [][]int32 `json:"bad_words_ids"`
		Suppress          []int32   `json:"suppress_tokens"`
		SequenceBias      biases    `json:"sequence_bias"`
	}
	Order     []string
	Kept      *int
	Probs     json.RawMessage
	TieAtCut  bool `json:"tie_at_cut"`
	OtherKept bool `json:"float64_keeps_other_tokens"`
}

func (c *processorCase) sampling() Sampling {
	s, p := c.Settings, DefaultSampling()
	for to, from := range map[*float64]*float64{
		&p.Temperature: s.Temperature, &p.TopP: s.TopP, &p.TypicalP: s.TypicalP, &p.RepetitionPenalty: s.RepetitionPenalty,
	} {
		if from != nil {
			*to = *from
		}
	}
	p.TopK, p.MinP, p.EpsilonCutoff, p.EtaCutoff, p.NoRepeatNGram = s.TopK, s.MinP, s.EpsilonCutoff, s.EtaCutoff, s.NoRepeatNGram
	p.PresencePenalty, p.FrequencyPenalty = s.PresencePenalty, s.FrequencyPenalty
	p.MinLength, p.MinTokens, p.BadWords, p.Suppress, p.Bias = s.MinLength, s.MinNewTokens, s.BadWords, s.Suppress, s.SequenceBias
	return p
}

func (c *processorCase) probabilities(t testing.TB, n int) []float64 {
	t.Helper()
	probs := make([]float64, n)
	if c.Probs[0] == '[' {
		if err := json.Unmarshal(c.Probs, &probs); err != nil {
			t.Fatal(err)
		}
		return probs
	}
	var some map[int]float64
	if err := json.Unmarshal(c.Probs, &some); err != nil {
		t.Fatal(err)
	}
	for id, p := range some {
		probs[id] = p
	}
	return probs
}

func TestProcessorsEqualTransformers(t *testing.T) {
	path := filepath.Join("..", "..", "shared", "fixtures", "sampling", "processors.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Skipf("%s is not there", path)
	}
	var golden struct {
		Logits    map[string][]float
		Histories map[string][]int32
		Cases     []processorCase
	}
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	var s sampler
	for i, c := range golden.Cases {
		var logits []float32
		for _, v := range golden.Logits[c.Logits] {
			logits = append(logits, float32(v))
		}
		p := c.sampling()
		if err := p.Check(len(logits)); err != nil {
			t.Fatalf("case %d: %v", i, err)
		}
		s.process(&p, logits, circumstances{history: golden.Histories[c.History], prompt: c.PromptLen, ends: c.Settings.EOS})
		s.warp(&p)
		got, want := make([]float64, len(logits)), c.probabilities(t, len(logits))
		_, best := s.best()
		for _, k := range s.kept {
			got[k.id] = weight(k.score, best) / s.mass()
		}
		what := fmt.Sprintf("case %d: %v of %q after %q", i, c.Order, c.Logits, c.History)
		compareDistributions(t, what, &c, len(s.kept), got, want)
	}
}

func compareDistributions(t *testing.T, what string, c *processorCase, kept int, got, want []float64) {
	t.Helper()
	slack := 0
	if c.OtherKept {
		slack = 1
	}
	if c.Kept != nil && (kept < *c.Kept-slack || kept > *c.Kept+slack) {
		t.Errorf("%s: %d tokens are kept, want %d", what, kept, *c.Kept)
	}
	if c.OtherKept {
		return
	}
	if c.TieAtCut {
		slices.Sort(got)
		slices.Sort(want)
	}
	tolerance := 5e-6
	if c.Logits == "huge" || c.Logits == "large_close" {
		tolerance = 2e-3
	}
	for id := range want {
		if math.Abs(got[id]-want[id]) > tolerance || (got[id] > 1e-40) != (want[id] > 1e-40) {
			t.Errorf("%s: token %d has probability %g, want %g", what, id, got[id], want[id])
			return
		}
	}
}

func TestDrawsFollowTheDistribution(t *testing.T) {
	logits := []float32{0, 1, -1, 2, 0.5}
	p := DefaultSampling()
	p.Seed = 7
	var s sampler
	counts, n := make([]float64, len(logits)), 40000
	for i := range n {
		id, err := s.choose(&p, logits, circumstances{}, p.uniform(i%3, i/3))
		if err != nil {
			t.Fatal(err)
		}
		counts[id]++
	}
	sum := 0.0
	for _, l := range logits {
		sum += math.Exp(float64(l))
	}
	for id, l := range logits {
		want := math.Exp(float64(l)) / sum
		if sigma := math.Sqrt(want * (1 - want) / float64(n)); math.Abs(counts[id]/float64(n)-want) > 4*sigma {
			t.Errorf("token %d was drawn with frequency %.4f, its probability is %.4f", id, counts[id]/float64(n), want)
		}
	}
}

func TestChoosingSaysWhyItCannot(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, temperature := range []float64{0, 1} {
		for _, c := range []struct {
			logits []float32
			ban    []int32
			want   error
		}{
			{[]float32{nan, nan}, nil, errDamaged},
			{[]float32{0, inf}, nil, errDamaged},
			{[]float32{0, minusInf}, []int32{0}, errAllBanned},
			{[]float32{0, 1}, []int32{0, 1}, errAllBanned},
			{[]float32{0, 1}, []int32{1}, nil},
		} {
			p := DefaultSampling()
			p.Temperature, p.Suppress = temperature, c.ban
			var s sampler
			if _, err := s.choose(&p, c.logits, circumstances{}, 0.5); err != c.want {
				t.Errorf("logits %v without %v at temperature %g: %v, want %v", c.logits, c.ban, temperature, err, c.want)
			}
		}
	}
}

func TestSettingsThatCannotBeMeantAreNamed(t *testing.T) {
	for _, c := range []struct {
		change func(*Sampling)
		word   string
	}{
		{func(s *Sampling) { s.Temperature = -1 }, "temperature"},
		{func(s *Sampling) { s.Temperature = math.NaN() }, "temperature"},
		{func(s *Sampling) { s.TopK = -1 }, "top-k"},
		{func(s *Sampling) { s.TopP = 1.1 }, "top-p"},
		{func(s *Sampling) { s.MinP = math.NaN() }, "min-p"},
		{func(s *Sampling) { s.TypicalP = 0 }, "typical-p"},
		{func(s *Sampling) { s.EpsilonCutoff = 1 }, "epsilon"},
		{func(s *Sampling) { s.EtaCutoff = -1 }, "eta"},
		{func(s *Sampling) { s.RepetitionPenalty = 0 }, "repetition"},
		{func(s *Sampling) { s.PresencePenalty = math.Inf(1) }, "presence"},
		{func(s *Sampling) { s.FrequencyPenalty = math.NaN() }, "frequency"},
		{func(s *Sampling) { s.NoRepeatNGram = -1 }, "n-gram"},
		{func(s *Sampling) { s.MinTokens = -1 }, "minimum"},
		{func(s *Sampling) { s.Bias = []Bias{{[]int32{3}, math.NaN()}} }, "bias"},
		{func(s *Sampling) { s.Bias = []Bias{{nil, 1}} }, "no tokens"},
		{func(s *Sampling) { s.BadWords = [][]int32{{10}} }, "id 10"},
		{func(s *Sampling) { s.Suppress = []int32{-1} }, "id -1"},
	} {
		s := DefaultSampling()
		c.change(&s)
		if err := s.Check(10); err == nil || !strings.Contains(err.Error(), c.word) {
			t.Errorf("settings with a wrong %s give %v", c.word, err)
		}
	}
}

package parley_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"math"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-lm/parley"
)

// documents hands out texts, each in parts of so many bytes.
func documents(part int, texts ...string) iter.Seq2[parley.Document, error] {
	return func(yield func(parley.Document, error) bool) {
		for _, text := range texts {
			for at := 0; at < len(text); at += part {
				d := parley.Document{Text: text[at:min(at+part, len(text))], Continues: at > 0}
				if !yield(d, nil) {
					return
				}
			}
		}
	}
}

func perplexity(t testing.TB, m *parley.Model, o parley.ScoreOptions, d iter.Seq2[parley.Document, error]) parley.Perplexity {
	t.Helper()
	p, err := m.Perplexity(context.Background(), d, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func near(a, b, tolerance float64) bool { return math.Abs(a-b) <= tolerance }

func TestPerplexityEqualsTransformers(t *testing.T) {
	m := openModel(t, "testdata/storyteller")
	text := strings.Repeat("Once upon a time, there was a little girl named Lily. She loved to play outside in the park. ", 12)
	for _, c := range []struct {
		o      parley.ScoreOptions
		nll    float64 // by Hugging Face's recipe, with GPT-2's class exchanged for this model's
		tokens int
		bytes  int
		begin  string
	}{
		{parley.ScoreOptions{}, 153.2531, 373, 1116, "<s>"},
		{parley.ScoreOptions{Window: 100, Stride: 64}, 153.2899, 373, 1116, "<s>"},
		{parley.ScoreOptions{Window: 128, Stride: 100, BOS: parley.BOSNever}, 153.9392, 372, 1112, ""},
	} {
		p := perplexity(t, m, c.o, documents(len(text), text))
		if !near(p.NLL, c.nll, 2e-3) || p.Tokens != c.tokens || p.Bytes != c.bytes || p.Documents != 1 || p.Begin != c.begin {
			t.Errorf("%+v: %+v, want %+v", c.o, p, c)
		}
		if !near(p.Value(), math.Exp(c.nll/float64(c.tokens)), 1e-5) || !near(p.BitsPerToken(), math.Log2(p.Value()), 1e-9) || !near(p.BitsPerByte(), p.BitsPerToken()*float64(c.tokens)/float64(c.bytes), 1e-9) {
			t.Errorf("%+v: perplexity %g, %g bits per token, %g per byte", c.o, p.Value(), p.BitsPerToken(), p.BitsPerByte())
		}
	}
	golden := "../shared/fixtures/models/stories260K/golden.json"
	content, err := os.ReadFile(golden)
	if err != nil {
		t.Skipf("%s is not there", golden)
	}
	var g struct {
		Story struct {
			Text       string
			Perplexity float64
			BPB        float64 `json:"bits_per_byte"`
		}
	}
	if err := json.Unmarshal(content, &g); err != nil {
		t.Fatal(err)
	}
	if p := perplexity(t, m, parley.ScoreOptions{}, documents(1e6, g.Story.Text)); !near(p.Value(), g.Story.Perplexity, 1e-4) || !near(p.BitsPerByte(), g.Story.BPB, 1e-5) {
		t.Errorf("a story has perplexity %g and %g bits per byte, want %g and %g", p.Value(), p.BitsPerByte(), g.Story.Perplexity, g.Story.BPB)
	}
}

func TestLogLikelihoodsEqualTransformers(t *testing.T) {
	m := openModel(t, "testdata/storyteller")
	// By lm-evaluation-harness's rule, with the model in transformers: sums of log-probabilities, and how many tokens.
	for _, c := range []struct {
		bos    parley.BOS
		prompt string
		texts  []string
		want   []float64
		tokens []int
	}{
		{parley.BOSOfTokenizer, "Once upon a time, there was a little", []string{" girl", " boy", " car", " banana tree"}, []float64{-0.4514, -1.5264, -7.7182, -19.799}, []int{3, 3, 2, 7}},
		{parley.BOSOfTokenizer, "Lily was very", []string{" happy", " sad and angry at the dog", " blue", " é"}, []float64{-3.7982, -24.9811, -8.6553, -19.3761}, []int{1, 13, 4, 2}},
		{parley.BOSOfTokenizer, "The sun is in the ", []string{" sky", " water", " cat"}, []float64{-18.6024, -20.4813, -22.0306}, []int{4, 4, 3}},
		{parley.BOSNever, "The sun is in the ", []string{" sky", " water", " cat"}, []float64{-19.6893, -21.0476, -23.4617}, []int{4, 4, 3}},
		{parley.BOSNever, "", []string{"Once", "Zzz"}, []float64{-0.2437, -19.7307}, []int{1, 4}},
	} {
		one := func(yield func(parley.Continuations, error) bool) {
			yield(parley.Continuations{Prompt: c.prompt, Texts: c.texts}, nil)
		}
		for found, err := range m.LogLikelihoods(context.Background(), one, parley.ScoreOptions{BOS: c.bos}) {
			if err != nil {
				t.Fatal(err)
			}
			for i, l := range found {
				if !near(l.LogProb, c.want[i], 5e-4) || len(l.LogProbs) != c.tokens[i] || l.Cut != 0 {
					t.Errorf("%q after %q (%q): %g in %d tokens, want %g in %d", c.texts[i], c.prompt, c.bos, l.LogProb, len(l.LogProbs), c.want[i], c.tokens[i])
				}
			}
		}
	}
}

func TestTextInCompanyScoresWhatItScoresAlone(t *testing.T) {
	m, one := openModel(t, untrainedDecoder(t, nil), parley.Threads(2)), openModel(t, untrainedDecoder(t, nil), parley.Threads(1))
	texts := []string{"the old cat", strings.Repeat("a red house, ", 40), "b", "", "une maison", strings.Repeat("the cat sleeps ", 90)}
	o := parley.ScoreOptions{Window: 50, Stride: 20}
	var sum parley.Perplexity
	for _, text := range texts {
		p, err := one.Perplexity(context.Background(), documents(100, text), o)
		if err != nil && p.Tokens > 0 {
			t.Fatal(err)
		}
		sum.NLL, sum.Tokens, sum.Bytes, sum.Documents = sum.NLL+p.NLL, sum.Tokens+p.Tokens, sum.Bytes+p.Bytes, sum.Documents+p.Documents
	}
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			p, err := m.Perplexity(context.Background(), documents(100, texts...), o)
			if err != nil || p.Tokens != sum.Tokens || p.Bytes != sum.Bytes || p.Documents != sum.Documents || !near(p.NLL, sum.NLL, 1e-8) {
				t.Errorf("together %+v (%v), alone %+v", p, err, sum)
			}
		})
	}
	group.Wait()
	var asked []parley.Continuations
	var alone [][]parley.Likelihood
	for i := range 30 {
		c := parley.Continuations{Prompt: strings.Repeat("the cat ", i%7+1), Texts: []string{"sleeps", " old", "s", "a red house"}[:1+i%4]}
		l, err := one.LogLikelihood(context.Background(), c.Prompt, c.Texts...)
		if err != nil {
			t.Fatal(err)
		}
		asked, alone = append(asked, c), append(alone, l)
	}
	i := 0
	for l, err := range m.LogLikelihoods(context.Background(), withoutErrors(asked), parley.ScoreOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(alone[i], l); diff != "" {
			t.Errorf("request %d: %s", i, diff)
		}
		i++
	}
	if i != len(asked) {
		t.Errorf("%d answers", i)
	}
	for range m.LogLikelihoods(context.Background(), withoutErrors(asked), parley.ScoreOptions{}) {
		break // leaves the rest
	}
}

func withoutErrors[T any](list []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, x := range list {
			if !yield(x, nil) {
				return
			}
		}
	}
}

func TestPromptsThatAreTooLongAreCutAtTheBeginning(t *testing.T) {
	m := openModel(t, untrainedDecoder(t, nil)) // 128 tokens; single letters but for a few words
	long := strings.Repeat("x", 300)
	l, err := m.LogLikelihood(context.Background(), long, "ab", "y")
	if err != nil || l[0].Cut != 300+2-1-128 {
		t.Fatalf("%+v, %v", l, err)
	}
	short, err := m.LogLikelihood(context.Background(), long[l[0].Cut:], "ab", "y")
	if err != nil || l[0].LogProb != short[0].LogProb || l[1].LogProb != short[1].LogProb || short[0].Cut != 0 {
		t.Errorf("cut: %+v, short: %+v, %v", l, short, err)
	}
}

func TestWhatCannotBeScoredIsAnError(t *testing.T) {
	m := openModel(t, untrainedDecoder(t, nil))
	for _, c := range []struct {
		prompt string
		texts  []string
		want   string
	}{
		{"a", nil, "no text"}, {"a", []string{"b", ""}, "empty"}, {"a", []string{strings.Repeat("x", 200)}, "context is 128"},
	} {
		if _, err := m.LogLikelihood(context.Background(), c.prompt, c.texts...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	broken := errors.New("broken")
	failing := func(yield func(parley.Document, error) bool) {
		_ = yield(parley.Document{Text: "a b c"}, nil) && yield(parley.Document{}, broken)
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		ctx       context.Context
		documents iter.Seq2[parley.Document, error]
		o         parley.ScoreOptions
		want      string
	}{
		{context.Background(), documents(1, "a"), parley.ScoreOptions{BOS: parley.BOSNever}, "no token to predict"},
		{context.Background(), documents(1), parley.ScoreOptions{}, "no token to predict"},
		{context.Background(), documents(9, "a b"), parley.ScoreOptions{Window: 129}, "context is 128"},
		{context.Background(), documents(9, "a b"), parley.ScoreOptions{Window: 8, Stride: 9}, "moves on by 9"},
		{context.Background(), documents(9, "a b"), parley.ScoreOptions{BOS: "maybe"}, "maybe"},
		{context.Background(), failing, parley.ScoreOptions{}, "broken"},
		{cancelled, documents(9, "a b"), parley.ScoreOptions{}, "canceled"},
	} {
		if _, err := m.Perplexity(c.ctx, c.documents, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	nameless := openModel(t, untrainedDecoder(t, func(config map[string]any, _ map[string][]byte) {
		config["bos_token_id"], config["eos_token_id"] = nil, nil
	}))
	if _, err := nameless.LogLikelihood(context.Background(), " ", "b"); err == nil || !strings.Contains(err.Error(), "give a prompt") {
		t.Errorf("without a token that begins a text: %v", err)
	}
	if _, err := nameless.Perplexity(context.Background(), documents(9, "a b"), parley.ScoreOptions{BOS: parley.BOSAlways}); err == nil {
		t.Error("a token that is not there begins a text")
	}
	translator := openModel(t, untrained(t))
	if _, err := translator.LogLikelihood(context.Background(), "a", "b"); err == nil || !strings.Contains(err.Error(), "decoder-only") {
		t.Errorf("an encoder–decoder: %v", err)
	}
	if _, err := translator.Perplexity(context.Background(), documents(9, "a b"), parley.ScoreOptions{}); err == nil || !strings.Contains(err.Error(), "decoder-only") {
		t.Errorf("an encoder–decoder: %v", err)
	}
}

func TestTheFirstTokenIsPredictedFromWhatBeginsAText(t *testing.T) {
	m := openModel(t, untrainedDecoder(t, nil)) // the tokenizer puts nothing before a text; bos_token_id is 1
	without, with := perplexity(t, m, parley.ScoreOptions{}, documents(9, "abc")), perplexity(t, m, parley.ScoreOptions{BOS: parley.BOSAlways}, documents(9, "abc"))
	if without.Tokens != 2 || without.Bytes != 2 || without.Begin != "" || with.Tokens != 3 || with.Bytes != 3 || with.Begin != "<s>" {
		t.Errorf("without %+v, with %+v", without, with)
	}
	l, err := m.LogLikelihood(context.Background(), "", "abc")
	if err != nil || !near(-l[0].LogProb, with.NLL, 1e-9) {
		t.Errorf("%+v, %v, want %g", l, err, with.NLL)
	}
}

func TestTokensAreAsProbableAsTheyWereWhenTheyWereDrawn(t *testing.T) {
	m := openModel(t, "testdata/storyteller")
	var written []parley.Written
	var want []float64
	for i, prompt := range []string{"Once upon a time", "The dog", "Lily had a"} {
		w, sum, one := parley.Written{Prompt: prompt}, 0.0, 1.0
		for token, err := range m.Generate(t.Context(), prompt, parley.GenerateOptions{MaxTokens: 20, Temperature: &one, Seed: uint64(i), LogProbs: 1}) {
			if err != nil {
				t.Fatal(err)
			}
			w.Tokens, sum = append(w.Tokens, token.ID), sum+token.LogProb
		}
		written, want = append(written, w), append(want, sum)
	}
	got, err := m.LogProbsOfTokens(t.Context(), written)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if !near(got[i], want[i], 1e-4) {
			t.Errorf("after %q: %g, drawn with %g", written[i].Prompt, got[i], want[i])
		}
	}
	for _, ids := range [][]int32{nil, {1 << 20}} {
		if _, err := m.LogProbsOfTokens(t.Context(), []parley.Written{{Prompt: "a", Tokens: ids}}); err == nil {
			t.Errorf("the tokens %v are scored", ids)
		}
	}
	if _, err := openModel(t, "testdata/translator").LogProbsOfTokens(t.Context(), written); err == nil || !strings.Contains(err.Error(), "decoder-only") {
		t.Errorf("an encoder–decoder: %v", err)
	}
}

package parley_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/parley-lm/parley"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/tokenizer"
)

// untrainedDecoder writes a small decoder-only directory with random weights. Its tokens are bytes and a few words, so what it
// writes is cut inside characters all the time. change may alter the files before they are saved.
func untrainedDecoder(t testing.TB, change func(config map[string]any, files map[string][]byte)) string {
	t.Helper()
	tok, err := tokenizer.Train(slices.Values([]string{"the old cat sleeps", "a red house", "une maison"}), tokenizer.TrainOptions{
		VocabSize: 280, Pattern: tokenizer.GPT2, InitialAlphabet: true, SpecialTokens: []string{"</s>", "<s>"},
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := tok.JSON()
	if err != nil {
		t.Fatal(err)
	}
	config := map[string]any{
		"model_type": "llama", "vocab_size": tok.Size(), "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1,
		"num_attention_heads": 2, "max_position_embeddings": 128, "initializer_range": 0.8, "bos_token_id": 1, "eos_token_id": 0,
	}
	files := map[string][]byte{"tokenizer.json": text}
	if change != nil {
		change(config, files)
	}
	spelled, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	c, err := model.ParseDecoderConfig(spelled)
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.NewDecoder(c)
	if err != nil {
		t.Fatal(err)
	}
	m.Initialize(5)
	dir := filepath.Join(t.TempDir(), "model")
	generation := files["generation_config.json"]
	delete(files, "generation_config.json")
	if err := hub.SaveDecoder(dir, &hub.Decoder{Model: m, Files: files}); err != nil {
		t.Fatal(err)
	}
	if generation != nil {
		if err := os.WriteFile(filepath.Join(dir, "generation_config.json"), generation, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func openModel(t testing.TB, dir string, options ...parley.Option) *parley.Model {
	t.Helper()
	m, err := parley.Open(dir, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// written is an answer put together.
type written struct {
	text   string
	tokens []parley.Token
}

func (w written) end() parley.End {
	if len(w.tokens) == 0 {
		return ""
	}
	return w.tokens[len(w.tokens)-1].End
}

// generate collects the answers to a prompt.
func generate(m *parley.Model, prompt string, o parley.GenerateOptions) ([]written, error) {
	answers := make([]written, max(o.N, 1))
	for token, err := range m.Generate(context.Background(), prompt, o) {
		if err != nil {
			return answers, err
		}
		a := &answers[token.Answer]
		a.text += token.Text
		a.tokens = append(a.tokens, token)
	}
	return answers, nil
}

func mustGenerate(t testing.TB, m *parley.Model, prompt string, o parley.GenerateOptions) []written {
	t.Helper()
	answers, err := generate(m, prompt, o)
	if err != nil {
		t.Fatal(err)
	}
	return answers
}

func TestTheStoryComesOutWordForWord(t *testing.T) {
	dir := filepath.Join("..", "shared", "fixtures", "models", "stories260K")
	text, err := os.ReadFile(filepath.Join(dir, "golden.json"))
	if err != nil {
		t.Skipf("%s is not there", dir)
	}
	var golden struct {
		Greedy struct{ Continuation []int32 }
	}
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.Load(filepath.Join(dir, "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	want := golden.Greedy.Continuation
	m := openModel(t, dir)
	for _, prompt := range []string{"", "Once", "Once upon a time"} {
		before := len(tok.Append(nil, prompt))
		if prompt == "" {
			before = 0
		}
		story := mustGenerate(t, m, prompt, parley.GenerateOptions{MaxTokens: len(want) - before})[0]
		var ids []int32
		for _, token := range story.tokens {
			ids = append(ids, token.ID)
		}
		if !slices.Equal(ids, want[before:]) {
			t.Errorf("after %q come %v, want %v", prompt, ids, want[before:])
		}
		if told := tok.Decode(want, true); prompt+story.text != told {
			t.Errorf("the story is %q, want %q", prompt+story.text, told)
		}
	}
}

func TestModelsSayWhatTheyAre(t *testing.T) {
	writes, translates := openModel(t, untrainedDecoder(t, nil)), openModel(t, untrained(t))
	if writes.Architecture() != parley.DecoderOnly || translates.Architecture() != parley.EncoderDecoder {
		t.Errorf("a decoder is %q, a translator %q", writes.Architecture(), translates.Architecture())
	}
	if writes.Parameters() == 0 || translates.Parameters() == 0 {
		t.Error("a model has no parameters")
	}
	if _, err := writes.Translate(context.Background(), "the cat"); err == nil || !strings.Contains(err.Error(), "Generate") {
		t.Errorf("translating with a decoder-only model: %v", err)
	}
	if _, err := generate(translates, "the cat", parley.GenerateOptions{}); err == nil || !strings.Contains(err.Error(), "Translate") {
		t.Errorf("generating with a translator: %v", err)
	}
}

func TestManyGoroutinesGetTheTextThatOneGetsAlone(t *testing.T) {
	m := openModel(t, untrainedDecoder(t, nil), parley.Threads(2))
	options := func(i int) parley.GenerateOptions {
		o := parley.GenerateOptions{MaxTokens: 5 + i%20, Seed: uint64(i), LogProbs: i % 3}
		switch i % 4 {
		case 1:
			o.Temperature, o.N = new(1.0), 3
		case 2:
			o.TopP, o.PresencePenalty, o.Stop = new(0.9), 0.3, []string{"e"}
		case 3:
			o.Beams, o.LogProbs = 3, 0
		}
		return o
	}
	prompt := func(i int) string { return strings.Repeat("the old cat ", i%5) + fmt.Sprint(i) }
	var alone []string
	for i := range 40 {
		alone = append(alone, fmt.Sprint(mustGenerate(t, m, prompt(i), options(i))))
	}
	var group sync.WaitGroup
	for i := range alone {
		group.Go(func() {
			answers, err := generate(m, prompt(i), options(i))
			if got := fmt.Sprint(answers); err != nil || got != alone[i] {
				t.Errorf("request %d gets %s (%v) in company, %s alone", i, got, err, alone[i])
			}
		})
	}
	group.Wait()
}

func TestStreamedTextNeverSplitsACharacter(t *testing.T) {
	dir := untrainedDecoder(t, nil)
	m := openModel(t, dir)
	tok, err := tokenizer.Load(filepath.Join(dir, "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(20) {
		a := mustGenerate(t, m, "the cat é", parley.GenerateOptions{Temperature: new(1.5), Seed: seed, MaxTokens: 60})[0]
		var ids []int32
		borders := map[int]bool{}
		at := 0
		for _, token := range a.tokens {
			ids = append(ids, token.ID)
			at += len(token.Text)
			borders[at] = true
		}
		for start, r := range a.text {
			for inside := start + 1; r != utf8.RuneError && inside < start+utf8.RuneLen(r); inside++ {
				if borders[inside] {
					t.Errorf("seed %d: a piece of %q ends inside %q", seed, a.text, r)
				}
			}
		}
		if want := tok.Decode(ids, true); a.text != want {
			t.Errorf("seed %d: the pieces make up %q, the ids %q", seed, a.text, want)
		}
	}
}

func TestStopStringsEndTheTextWhereverTokensCutThem(t *testing.T) {
	m := openModel(t, untrainedDecoder(t, nil))
	for seed := range uint64(10) {
		o := parley.GenerateOptions{Temperature: new(1.2), Seed: seed, MaxTokens: 50}
		whole := mustGenerate(t, m, "the cat", o)[0].text
		for at := 0; at < len(whole); at += 3 {
			for _, length := range []int{1, 2, 4, 9} {
				stop := whole[at:min(at+length, len(whole))]
				o.Stop = []string{"no such text", stop}
				got := mustGenerate(t, m, "the cat", o)[0]
				want := whole[:strings.Index(whole, stop)]
				if got.text != want || got.end() != parley.StopString {
					t.Fatalf("seed %d: stopped by %q, %q becomes %q (%s), want %q", seed, stop, whole, got.text, got.end(), want)
				}
			}
		}
		o.Stop = []string{whole + "!"}
		if got := mustGenerate(t, m, "the cat", o)[0]; got.text != whole {
			t.Errorf("seed %d: a stop string that does not come changes %q to %q", seed, whole, got.text)
		}
		o.Stop, o.MinTokens = []string{whole[:1]}, 10
		if got := mustGenerate(t, m, "the cat", o)[0]; len(got.tokens) < 10 && got.end() == parley.StopString {
			t.Errorf("seed %d: of at least 10 tokens there are %d", seed, len(got.tokens))
		}
	}
}

func TestChoicesAreTextAndNothingElse(t *testing.T) {
	m := openModel(t, untrainedDecoder(t, nil))
	choices := []string{" the", " the old house", "sleeps", " a red cat ünd"}
	seen := map[string]bool{}
	for seed := range uint64(40) {
		for _, a := range mustGenerate(t, m, "the old", parley.GenerateOptions{Choices: choices, Temperature: new(5.0), Seed: seed, N: 2}) {
			if !slices.Contains(choices, a.text) || a.end() != parley.Chosen && a.end() != parley.EndOfText {
				t.Fatalf("%q (%s) is none of the choices", a.text, a.end())
			}
			seen[a.text] = true
		}
	}
	if len(seen) < 3 {
		t.Errorf("only %v are ever chosen", seen)
	}
}

func TestTheModelsOwnSettingsHold(t *testing.T) {
	settings := func(text string) *parley.Model {
		return openModel(t, untrainedDecoder(t, func(_ map[string]any, files map[string][]byte) {
			files["generation_config.json"] = []byte(text)
		}))
	}
	greedy := settings(`{"eos_token_id": null}`)
	same := func(what string, m *parley.Model, o, want parley.GenerateOptions) {
		t.Helper()
		a, b := mustGenerate(t, m, "the cat", o), mustGenerate(t, greedy, "the cat", want)
		if a[0].text != b[0].text || len(a[0].tokens) != len(b[0].tokens) {
			t.Errorf("%s: %q (%d tokens), want %q (%d)", what, a[0].text, len(a[0].tokens), b[0].text, len(b[0].tokens))
		}
	}
	same("sampling", settings(`{"do_sample": true, "temperature": 1.3, "top_k": 12, "max_new_tokens": 30}`), parley.GenerateOptions{Seed: 3},
		parley.GenerateOptions{Temperature: new(1.3), TopK: new(12), Seed: 3, MaxTokens: 30})
	same("sampling from 50", settings(`{"do_sample": true, "max_new_tokens": 30}`), parley.GenerateOptions{Seed: 3},
		parley.GenerateOptions{TopK: new(50), Seed: 3, MaxTokens: 30})
	same("an option over it", settings(`{"do_sample": true, "temperature": 1.3, "max_new_tokens": 9}`), parley.GenerateOptions{Temperature: new(0.0), MaxTokens: 20},
		parley.GenerateOptions{MaxTokens: 20})
	same("a penalty", settings(`{"repetition_penalty": 1.4, "max_new_tokens": 25}`), parley.GenerateOptions{},
		parley.GenerateOptions{RepetitionPenalty: new(1.4), MaxTokens: 25})
	prompt := len(mustGenerate(t, settings(`{"max_length": 100}`), "the cat", parley.GenerateOptions{})[0].tokens)
	if same := len(mustGenerate(t, settings(`{"max_length": 90}`), "the cat", parley.GenerateOptions{})[0].tokens); prompt-same != 10 {
		t.Errorf("a max_length smaller by 10 gives %d tokens and not %d", same, prompt)
	}
	ids := mustGenerate(t, greedy, "the cat", parley.GenerateOptions{MaxTokens: 10})[0].tokens
	ended := mustGenerate(t, settings(fmt.Sprintf(`{"eos_token_id": [0, %d]}`, ids[4].ID)), "the cat", parley.GenerateOptions{})[0]
	if ended.end() != parley.EndOfText || len(ended.tokens) > 5 {
		t.Errorf("with token %d as an end, the answer has %d tokens and ends with %q", ids[4].ID, len(ended.tokens), ended.end())
	}
	bad := untrainedDecoder(t, func(_ map[string]any, files map[string][]byte) {
		files["generation_config.json"] = []byte(`{"top_p": 3}`)
	})
	if _, err := parley.Open(bad); err == nil || !strings.Contains(err.Error(), "top-p") || !strings.Contains(err.Error(), "generation_config.json") {
		t.Errorf("a wrong top_p gives %v", err)
	}
}

func TestRequestsThatCannotBeMeantAreErrors(t *testing.T) {
	m := openModel(t, untrainedDecoder(t, nil))
	for _, c := range []struct {
		prompt string
		o      parley.GenerateOptions
		words  []string
	}{
		{strings.Repeat("x", 200), parley.GenerateOptions{}, []string{"200 tokens", "128", "shorten"}},
		{"caf\xe9", parley.GenerateOptions{}, []string{"the prompt is not UTF-8 at byte 4", "0xe9"}},
		{"a", parley.GenerateOptions{MaxTokens: -1}, []string{"negative"}},
		{"a", parley.GenerateOptions{Stop: []string{"a", ""}}, []string{"stop string is empty"}},
		{"a", parley.GenerateOptions{Choices: []string{"a", ""}}, []string{"choice is empty"}},
		{"a", parley.GenerateOptions{TopP: new(1.5)}, []string{"top-p", "1.5"}},
		{"a", parley.GenerateOptions{LogitBias: map[int32]float64{5000: 1}}, []string{"5000"}},
		{"a", parley.GenerateOptions{Beams: 2, N: 3}, []string{"more beams"}},
		{"a", parley.GenerateOptions{Beams: 2, Temperature: new(1.0)}, []string{"temperature"}},
		{"a", parley.GenerateOptions{N: 1000}, []string{"1000 answers"}},
	} {
		_, err := generate(m, c.prompt, c.o)
		for _, w := range c.words {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%+v: %v; want an error that says %q", c.o, err, w)
			}
		}
	}
	unbegun := openModel(t, untrainedDecoder(t, func(config map[string]any, _ map[string][]byte) { config["bos_token_id"] = nil }))
	if _, err := generate(unbegun, "", parley.GenerateOptions{}); err == nil || !strings.Contains(err.Error(), "prompt is empty") {
		t.Errorf("an empty prompt without a token to begin with: %v", err)
	}
	if _, err := generate(m, "caf\u00e9 \ufffd", parley.GenerateOptions{MaxTokens: 3}); err != nil {
		t.Errorf("UTF-8 that says what could not be decoded: %v", err)
	}
	if a := mustGenerate(t, m, "", parley.GenerateOptions{MaxTokens: 3}); len(a[0].tokens) == 0 {
		t.Error("an empty prompt does not start from BOS")
	}
}

func TestGenerationCanBeLeftAtAnyTime(t *testing.T) {
	m := openModel(t, untrainedDecoder(t, nil))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, err := range m.Generate(ctx, "the cat", parley.GenerateOptions{}) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled context gives %v", err)
		}
	}
	ctx, cancel = context.WithCancel(context.Background())
	defer cancel()
	count, last := 0, error(nil)
	for _, err := range m.Generate(ctx, "the cat", parley.GenerateOptions{LogitBias: map[int32]float64{0: -100}}) {
		if count++; count == 3 {
			cancel()
		}
		last = err
	}
	if !errors.Is(last, context.Canceled) && count < 120 {
		t.Errorf("after %d tokens of a cancelled context comes %v", count, last)
	}
	for range m.Generate(context.Background(), "the cat", parley.GenerateOptions{}) {
		break
	}
	if a := mustGenerate(t, m, "the cat", parley.GenerateOptions{MaxTokens: 4}); a[0].end() == "" {
		t.Errorf("the next call gives %+v", a)
	}
	m.Close()
	if a := mustGenerate(t, m, "the cat", parley.GenerateOptions{MaxTokens: 4}); a[0].end() == "" {
		t.Errorf("after Close a call gives %+v", a)
	}
}

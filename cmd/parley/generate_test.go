package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/model"
	"github.com/parley-lm/parley/tokenizer"
)

// untrainedDecoder writes a decoder-only directory with random weights and a context of 64 tokens.
func untrainedDecoder(t testing.TB, bos string) string {
	t.Helper()
	tok, err := tokenizer.Train(slices.Values([]string{"the old cat sleeps", "a red house"}), tokenizer.TrainOptions{
		VocabSize: 275, Pattern: tokenizer.GPT2, InitialAlphabet: true, SpecialTokens: []string{"</s>", "<s>"},
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := tok.JSON()
	if err != nil {
		t.Fatal(err)
	}
	c, err := model.ParseDecoderConfig(fmt.Appendf(nil, `{"model_type": "llama", "vocab_size": %d, "hidden_size": 32, "intermediate_size": 48,
		"num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 64, "initializer_range": 0.8, "bos_token_id": %s,
		"eos_token_id": 0}`, tok.Size(), bos))
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.NewDecoder(c)
	if err != nil {
		t.Fatal(err)
	}
	m.Initialize(5)
	dir := filepath.Join(t.TempDir(), "model")
	if err := hub.SaveDecoder(dir, &hub.Decoder{Model: m, Files: map[string][]byte{"tokenizer.json": text}}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestGenerateTellsTheStory(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "fixtures", "models", "stories260K")
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
	story := tok.Decode(golden.Greedy.Continuation, true) + "\n"
	if got := succeed(t, "", "generate", "-m", dir, "--prompt", "", "--max-tokens", "200"); got != story {
		t.Errorf("the story is %q, want %q", got, story)
	}
	const begins = "Once upon a time"
	if got := succeed(t, "", "generate", "-m", dir, "--prompt", begins, "--max-tokens", "196"); begins+got != story {
		t.Errorf("after %q comes %q, want %q", begins, got, story[len(begins):])
	}
}

// promptAnswers is a line of --json.
type promptAnswers struct {
	Prompt  string
	Answers []struct {
		Text, End string
		Tokens    int
		Score     *float64
		Logprobs  []struct {
			ID           int
			Text         string
			LogProb      float64 `json:"log_prob"`
			Alternatives []struct{ Token string }
		}
	}
	Error string
}

func jsonLines(t testing.TB, out string) (all []promptAnswers) {
	t.Helper()
	for d := json.NewDecoder(strings.NewReader(out)); d.More(); {
		var p promptAnswers
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func TestPromptsAreAnsweredInTheirOrder(t *testing.T) {
	dir := untrainedDecoder(t, "1")
	prompts := []string{"the cat", "", "a red house sleeps", "x", "the old"}
	given := []string{"generate", "-m", dir, "--max-tokens", "12", "--temperature", "0.9", "--seed", "3", "--json"}
	var want []string
	for _, p := range prompts {
		want = append(want, succeed(t, "", append(given, "--prompt", p)...))
	}
	if got := succeed(t, strings.Join(prompts, "\n"), given...); got != strings.Join(want, "") {
		t.Errorf("together the answers are\n%s\nalone\n%s", got, strings.Join(want, ""))
	}
	if got := succeed(t, strings.Join(prompts, "\r\n"), append(given, "--threads", "3")...); got != strings.Join(want, "") {
		t.Errorf("on three threads the answers are\n%s\nalone\n%s", got, strings.Join(want, ""))
	}
	if got := succeed(t, "", append(given, "--prompt-file", write(t, "prompt", "the cat\n"))...); got != want[0] {
		t.Errorf("from a file comes %q, want %q", got, want[0])
	}
	if got := succeed(t, "the cat", append(given, "--prompt-file", "-")...); got != want[0] {
		t.Errorf("from standard input as a whole comes %q, want %q", got, want[0])
	}
}

func TestEveryOptionOfGenerateIsHeard(t *testing.T) {
	dir := untrainedDecoder(t, "1")
	run := func(args ...string) promptAnswers {
		t.Helper()
		return jsonLines(t, succeed(t, "", append([]string{"generate", "-m", dir, "--prompt", "the cat", "--json", "--max-tokens", "20"}, args...)...))[0]
	}
	greedy := run()
	for _, args := range [][]string{
		{"--temperature", "2"}, {"--top-k", "9", "--seed", "5"}, {"--top-p", "0.99"}, {"--min-p", "0.001"}, {"--typical-p", "0.9"},
		{"--epsilon-cutoff", "0.0001"}, {"--eta-cutoff", "0.0001"}, {"--repetition-penalty", "5"}, {"--presence-penalty", "9"},
		{"--frequency-penalty", "9"}, {"--no-repeat-ngram", "1"}, {"--logit-bias", "70=60"}, {"--stop", greedy.Answers[0].Text[:1]},
		{"--max-tokens", "3"}, {"--choices", "cat, house"},
	} {
		if got := run(args...); fmt.Sprint(got.Answers) == fmt.Sprint(greedy.Answers) {
			t.Errorf("%v changes nothing: %+v", args, got.Answers)
		}
	}
	if got := run("--choices", "cat, house").Answers[0]; got.Text != "cat" && got.Text != " house" || got.End != "choice" {
		t.Errorf("of two choices the answer is %+v", got)
	}
	if got := run("--stop", greedy.Answers[0].Text[:1]).Answers[0]; got.Text != "" || got.End != "stop" {
		t.Errorf("a stop string at the very start leaves %+v", got)
	}
	if got := run("--n", "3", "--temperature", "1").Answers; len(got) != 3 || got[0].Text == got[1].Text {
		t.Errorf("three answers are %+v", got)
	}
	if got := run("--beams", "4", "--n", "2").Answers; len(got) != 2 || got[0].Score == nil || *got[0].Score < *got[1].Score {
		t.Errorf("the best two of four are %+v", got)
	}
	if got := run("--beams", "3", "--n", "3", "--choices", "cat, house,sleeps").Answers; len(got) != 3 || got[0].Text == got[1].Text ||
		got[2].Score == nil || *got[0].Score < *got[1].Score || *got[1].Score < *got[2].Score || got[2].End != "choice" {
		t.Errorf("three choices in order are %+v", got)
	}
	got := run("--logprobs", "2").Answers[0]
	if len(got.Logprobs) != got.Tokens || got.Tokens != 20 || got.End != "length" {
		t.Fatalf("of 20 tokens with probabilities there are %+v", got)
	}
	for _, token := range got.Logprobs {
		if token.LogProb >= 0 || len(token.Alternatives) != 2 {
			t.Errorf("a token is told as %+v", token)
		}
	}
}

func TestSeveralAnswersArePrintedOneAfterTheOther(t *testing.T) {
	dir := untrainedDecoder(t, "1")
	args := []string{"generate", "-m", dir, "--prompt", "the cat", "--n", "3", "--temperature", "1", "--max-tokens", "15", "--logit-bias", "0=-inf"}
	var want strings.Builder
	for _, a := range jsonLines(t, succeed(t, "", append(args, "--json")...))[0].Answers {
		want.WriteString(a.Text + "\n")
	}
	if got := strings.ToValidUTF8(succeed(t, "", args...), ""); got != strings.ReplaceAll(want.String(), "\ufffd", "") {
		t.Errorf("the answers are %q, want %q", got, want.String())
	}
}

func TestAPromptThatCannotBeContinuedConcernsItselfAlone(t *testing.T) {
	dir := untrainedDecoder(t, "null")
	good := succeed(t, "", "generate", "-m", dir, "--prompt", "the cat", "--max-tokens", "5", "--choices", "cat,house")
	status, out, problems := typed(t, "the cat\n"+strings.Repeat("x", 100)+"\n\nthe cat\n", "generate", "-m", dir, "--max-tokens", "5", "--choices", "cat,house")
	if want := good + "\n\n" + good; status != 1 || out != want {
		t.Errorf("exit %d, %q; want 1, %q", status, out, want)
	}
	lines := strings.Split(strings.TrimSpace(problems), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], "prompt 2: ") || !strings.Contains(lines[0], "context of 64") ||
		!strings.Contains(lines[1], "prompt 3: ") || !strings.Contains(lines[1], "empty") || !strings.Contains(lines[2], "2 of 4 prompts") {
		t.Errorf("the errors are %q", problems)
	}
	fail(t, 1, []string{"generate", "-m", dir, "--prompt", ""}, "empty", "begins a text")
	fail(t, 1, []string{"generate", "-m", dir, "--prompt", strings.Repeat("x", 100)}, "100 tokens", "64")
	fail(t, 1, []string{"generate", "-m", "no-such-model", "--prompt", "x"}, "no-such-model")
	fail(t, 1, []string{"generate", "-m", dir, "--prompt-file", "no-such-file"}, "no-such-file")
}

func TestVerbsNameTheOtherKindOfModel(t *testing.T) {
	fail(t, 1, []string{"generate", "-m", trainedRun(t), "--prompt", "the cat"}, "parley translate")
	fail(t, 1, []string{"translate", "-m", untrainedDecoder(t, "1"), "the cat"}, "parley generate")
}

func TestAnAnswerIsOutBeforeTheNextPromptIsAsked(t *testing.T) {
	dir := untrainedDecoder(t, "1")
	ask, answers := conversation(t, "generate", "-m", dir, "--choices", "cat,house")
	for _, prompt := range []string{"the ", "a red ", "the old "} {
		io.WriteString(ask, prompt+"\n")
		select {
		case got := <-answers:
			if got != "cat" && got != "house" {
				t.Errorf("%q is continued by %q", prompt, got)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("no answer before the pipe is closed")
		}
	}
}

func TestAnInterruptedGenerationExitsWith130(t *testing.T) {
	dir := untrainedDecoder(t, "1")
	ctx, cancel := context.WithCancel(context.Background())
	waiting, hold := io.Pipe()
	defer hold.Close()
	time.AfterFunc(50*time.Millisecond, cancel)
	if status, out, problems := typedUntil(t, ctx, waiting, "generate", "-m", dir); status != 130 || out != "" || problems != "parley: interrupted\n" {
		t.Errorf("exit %d, %q, %q", status, out, problems)
	}
}

func TestPrecisionIsAFlag(t *testing.T) {
	dir := untrainedDecoder(t, "1")
	if out := succeed(t, "", "generate", "-m", dir, "--precision", "bf16", "--prompt", "the", "--max-tokens", "3", "--json"); !strings.Contains(out, `"tokens":3`) {
		t.Errorf("in bf16 it writes %s", out)
	}
	fail(t, 2, []string{"generate", "-m", dir, "--precision", "int8", "--prompt", "the"}, "int8", "f32 or bf16")
	fail(t, 2, []string{"generate", "-m", dir, "--choices", "", "--prompt", "the"}, "--choices is empty")
	fail(t, 1, []string{"generate", "-m", randomModel(t), "--precision", "bf16", "--prompt", "the"}, "encoder–decoder")
}

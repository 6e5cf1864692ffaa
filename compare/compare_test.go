package compare

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/parley-lm/parley"
	"github.com/parley-lm/parley/chat"
	"github.com/parley-lm/parley/corpus"
	"github.com/parley-lm/parley/sandbox"
)

func readText(t *testing.T, text string) ([]Question, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "questions.jsonl")
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	lines, err := corpus.OpenLines(path)
	if err != nil {
		t.Fatal(err)
	}
	defer lines.Close()
	return Read(lines, "questions.jsonl")
}

func TestQuestionsAreReadInEverySpelling(t *testing.T) {
	list, err := readText(t, `{"messages":[{"role":"user","content":"Paul is in the park. Where is Paul?"}]}

{"prompt":"What is two and two?","answer":"Four.","kind":"sums"}
{"prompt":[{"role":"system","content":"Be brief."},{"role":"user","content":"Who are you?"}]}
{"messages":[{"role":"user","content":"Say A."},{"role":"assistant","content":"A"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 4 || list[0].Kind != "where" || list[0].Answer != "In the park." || list[1].Kind != "sums" || len(list[2].Messages) != 2 || list[3].Answer != "A" || len(list[3].Messages) != 1 {
		t.Fatalf("read %+v", list)
	}
	for _, c := range []struct {
		question     int
		answer       string
		right, known bool
	}{
		{0, "Certainly. Paul is in the park.", true, true}, {0, "In the school.", false, true},
		{1, "  four ", true, true}, {1, "Five.", false, true}, {2, "Me.", false, false},
	} {
		if right, known := list[c.question].exact(c.answer); right != c.right || known != c.known {
			t.Errorf("question %d, %q: right %v, known %v", c.question, c.answer, right, known)
		}
	}
}

func TestWhatCannotBeReadIsNamed(t *testing.T) {
	for text, want := range map[string]string{
		"": "no question", "{": "questions.jsonl:1: must be an object", `{"text":"x"}`: "questions.jsonl:1: neither",
		`{"prompt":3}`: "questions.jsonl:1", "{\"prompt\":\"a\"}\n{\"messages\":[{\"role\":\"system\",\"content\":\"x\"}]}": "questions.jsonl:2: neither",
	} {
		if _, err := readText(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// The scores of answers whose worth is known.
func TestScoresAreThoseOfTheAnswers(t *testing.T) {
	questions := Sandbox(sandbox.Village{Seed: 3, Part: sandbox.Unseen}, 40)
	var answers [3][]Answer
	for i := range questions {
		answer := questions[i].Answer
		answers[0] = append(answers[0], Answer{})
		answers[1] = append(answers[1], Answer{Text: answer, Ended: true, Tokens: 3})
		answers[2] = append(answers[2], Answer{Text: "Let me see. Let me see. " + answer, Tokens: 9})
	}
	report := NewReport(questions, []string{"silent", "right", "wordy"}, answers[:], 0)
	silent, right, wordy := report.Models[0].All, report.Models[1].All, report.Models[2].All
	if silent.Exact.Value() != 0 || right.Exact.Value() != 1 || wordy.Exact.Value() != 1 {
		t.Errorf("exact answers: %v, %v, %v", silent.Exact, right.Exact, wordy.Exact)
	}
	if silent.Wins != nil || right.Wins.Rate() != 1 || wordy.Wins.Wins != 40 {
		t.Errorf("won: %v, %v, %v", silent.Wins, right.Wins, wordy.Wins)
	}
	if turned := NewReport(questions, []string{"silent", "right"}, answers[:2], 1); turned.Baseline != "right" || turned.Models[1].All.Wins != nil || turned.Models[0].All.Wins.Losses != 40 {
		t.Errorf("with the second as the baseline: %+v", turned)
	}
	taste := sandbox.DefaultTaste
	if got, want := right.Utility.Mean()-wordy.Utility.Mean(), 6*taste.Word; math.Abs(got-want) > 1e-9 {
		t.Errorf("six idle words cost %g, want %g", got, want)
	}
	if right.Ended.Value() != 1 || wordy.Ended.Value() != 0 || wordy.Tokens.Mean() != 9 || math.Abs(wordy.Words.Mean()-right.Words.Mean()-6) > 1e-9 || right.Divergence != nil || right.Reward != nil {
		t.Errorf("right %+v, wordy %+v", right, wordy)
	}
	where := report.Models[1].Kinds["where"]
	if where.Questions == 0 || where.Questions >= 40 || where.Exact.Of != where.Questions {
		t.Errorf("of a kind: %+v", where)
	}
}

const storyteller = "../testdata/storyteller"

// talker is the storyteller with a chat template.
func talker(t *testing.T) (open func(int) (*parley.Model, error)) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(storyteller)); err != nil {
		t.Fatal(err)
	}
	const template = "{% for m in messages %}{{ m.role + ':\\n' + m.content + '</s>' }}{% endfor %}{% if add_generation_prompt %}{{ 'assistant:\\n' }}{% endif %}"
	if err := os.WriteFile(filepath.Join(dir, "chat_template.jinja"), []byte(template), 0o666); err != nil {
		t.Fatal(err)
	}
	return func(int) (*parley.Model, error) { return parley.Open(dir, parley.Threads(2)) }
}

func TestAModelIsNoBetterThanItselfAndAlwaysTheSame(t *testing.T) {
	open := talker(t)
	reference, err := open(0)
	if err != nil {
		t.Fatal(err)
	}
	defer reference.Close()
	questions, err := readText(t, `{"prompt":"Once upon a time","answer":"x"}`+"\n"+`{"prompt":"Tell me about a dog."}`)
	if err != nil {
		t.Fatal(err)
	}
	questions = append(questions, Sandbox(sandbox.Village{Seed: 1, Part: sandbox.Unseen}, 6)...)
	o := Options{MaxTokens: 12, Temperature: 0.8, Seed: 5, Reference: reference}
	var first []byte
	for range 2 {
		r, err := Run(t.Context(), []string{"a", "b"}, open, questions, o)
		if err != nil {
			t.Fatal(err)
		}
		a, b := r.Models[0], r.Models[1]
		for i := range questions {
			if !reflect.DeepEqual(a.Answers[i], b.Answers[i]) {
				t.Errorf("the same model answers %q and %q", a.Answers[i].Text, b.Answers[i].Text)
			}
			if a.Answers[i].Text == "" || *a.Answers[i].LogRatio != 0 {
				t.Errorf("answer %q is %g from the reference, which is the model", a.Answers[i].Text, *a.Answers[i].LogRatio)
			}
		}
		if b.All.Wins.Rate() != 0.5 || b.All.Wins.Ties != 6 || b.All.Exact.Of != 7 || b.All.Divergence.N != 8 {
			t.Errorf("scores %+v", b.All)
		}
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = text
		} else if !bytes.Equal(first, text) {
			t.Errorf("%s and then %s", first, text)
		}
	}
	// The order of the questions changes no answer.
	turned := []Question{questions[3], questions[0]}
	r, err := Run(t.Context(), []string{"a"}, open, turned, o)
	if err != nil {
		t.Fatal(err)
	}
	all, err := Run(t.Context(), []string{"a"}, open, questions, o)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(r.Models[0].Answers[1], all.Models[0].Answers[0]) || !reflect.DeepEqual(r.Models[0].Answers[0], all.Models[0].Answers[3]) {
		t.Error("an answer depends on the other questions")
	}
}

func TestAModelThatWasNotMadeToTalkContinuesText(t *testing.T) {
	open := func(int) (*parley.Model, error) { return parley.Open(storyteller, parley.Threads(2)) }
	reference, err := talker(t)(0)
	if err != nil {
		t.Fatal(err)
	}
	defer reference.Close()
	questions := Sandbox(sandbox.Village{Seed: 1, Part: sandbox.Unseen}, 4)
	r, err := Run(t.Context(), []string{"base"}, open, questions, Options{MaxTokens: 8, Reference: reference})
	if err != nil {
		t.Fatal(err)
	}
	if s := r.Models[0].All; s.Divergence != nil || s.Words.Mean() == 0 || s.Exact.Of != 4 {
		t.Errorf("scores %+v", s)
	}
}

func TestWhatCannotBeAnsweredIsAnError(t *testing.T) {
	long := []Question{{Messages: []chat.Message{{Role: chat.User, Content: strings.Repeat("word ", 5000)}}}}
	if _, err := Run(t.Context(), []string{"a"}, talker(t), long, Options{MaxTokens: 5}); err == nil || !strings.Contains(err.Error(), "a: question 1") {
		t.Errorf("too long a question: %v", err)
	}
	r, err := OpenRewardModel(storyteller, 1)
	if err == nil {
		r.Close()
		t.Error("a language model opens as a reward model")
	}
}

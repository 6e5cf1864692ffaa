package corpus

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func questionsOf(text string) (list []Question, err error) {
	for q, failed := range QuestionsFrom("q.jsonl", strings.NewReader(text)) {
		if failed != nil {
			return list, failed
		}
		list = append(list, q)
	}
	return list, nil
}

func TestQuestionsAreReadAsTheHarnessHasThem(t *testing.T) {
	text := `{"query": "The sky is", "choices": ["blue", "green"], "gold": 0, "id": 7}

{"question": " 1 + 1 = ", "choices": ["2", "two", "3"], "answer": [0, 1]}
{"query": "", "choices": ["a", "b "], "label": "b "}
`
	want := []Question{
		{"The sky is", []string{"blue", "green"}, []int{0}},
		{" 1 + 1 = ", []string{"2", "two", "3"}, []int{0, 1}},
		{"", []string{"a", "b "}, []int{1}},
	}
	got, err := questionsOf(text)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	path := filepath.Join(t.TempDir(), "q.jsonl")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got = nil
	for q, err := range Questions(path) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, q); len(got) == 2 {
			break
		}
	}
	if diff := cmp.Diff(want[:2], got); diff != "" {
		t.Error(diff)
	}
}

func TestQuestionsThatCannotBeAreErrorsWithTheirLine(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "q.jsonl: there is no question"},
		{"[1]", "q.jsonl:1: must be a JSON object"},
		{`{"choices": ["a", "b"], "gold": 0}`, `no "query"; there are ["choices" "gold"]`},
		{`{"query": 3, "choices": ["a", "b"], "gold": 0}`, `"query" must be a string`},
		{`{"query": "a", "question": "a", "choices": ["a", "b"], "gold": 0}`, "both"},
		{`{"query": "a", "choices": ["a"], "gold": 0}`, "two or more"},
		{`{"query": "a", "choices": ["a", null], "gold": 0}`, `"choices[1]" must be a string`},
		{`{"query": "a", "choices": ["a", ""], "gold": 0}`, `"choices[1]" is empty`},
		{`{"query": "a", "choices": ["a", "b"]}`, `no "gold"`},
		{`{"query": "a", "choices": ["a", "b"], "gold": 2}`, "from 0 to 1"},
		{`{"query": "a", "choices": ["a", "b"], "gold": [0, -1]}`, "choice -1"},
		{`{"query": "a", "choices": ["a", "b"], "gold": []}`, "index"},
		{`{"query": "a", "choices": ["a", "b"], "gold": null}`, "null"},
		{`{"query": "a", "choices": ["a", "b"], "gold": "c"}`, "none of the choices"},
		{`{"query": "a", "choices": ["a", "b"], "gold": 0.5}`, "index"},
		{`{"query": "\ud800", "choices": ["a", "b"], "gold": 0}`, "surrogate"},
		{"\n{\"query\": \"\xff\"}", "q.jsonl:2: not UTF-8"},
	} {
		if _, err := questionsOf(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.text, err)
		}
	}
	for _, err := range Questions(filepath.Join(t.TempDir(), "none")) {
		if err == nil {
			t.Error("a file that is not there is read")
		}
	}
}

func FuzzQuestions(f *testing.F) {
	f.Add(`{"query": "The sky is", "choices": ["blue", "green"], "gold": [0, 1]}`)
	f.Add("{\"question\": \"\\ud800\", \"choices\": [\"a\", \"b\"], \"answer\": \"a\"}\n\n{")
	f.Fuzz(func(t *testing.T, text string) {
		list, _ := questionsOf(text)
		for _, q := range list {
			if len(q.Choices) < 2 || len(q.Right) == 0 {
				t.Errorf("%+v", q)
			}
			for _, i := range q.Right {
				_ = q.Choices[i]
			}
		}
	})
}

package main

import (
	"strings"
	"testing"
)

func TestEvalChatComparesModelsSideBySide(t *testing.T) {
	const teller = "../../testdata/storyteller"
	questions := write(t, "questions.jsonl", `{"prompt":"Once upon a time","answer":"x","kind":"tales"}
{"messages":[{"role":"user","content":"Paul is in the park. Where is Paul?"}]}
`)
	args := []string{"eval", "chat", "-m", teller, "-m", teller, "--questions", questions, "--max-tokens", "12", "--quiet"}
	out := succeed(t, "", args...)
	for _, want := range []string{"2 questions", "exact answers", "won against " + teller, "50.0 %", "exact: tales (1)", "exact: where (1)", "right: In the park.", "repeated 4-grams"} {
		if !strings.Contains(out, want) {
			t.Errorf("the table lacks %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "divergence") || strings.Contains(out, "reward") {
		t.Errorf("the table shows what was not measured:\n%s", out)
	}
	var report struct {
		Models []struct {
			Model string
			All   struct {
				Questions int
				Exact     struct{ Of int }
				Wins      *struct{ Rate float64 }
			}
			Kinds map[string]struct{ Questions int }
		}
	}
	decode(t, succeed(t, "", append(args, "--json")...), &report)
	if len(report.Models) != 2 || report.Models[0].All.Wins != nil || report.Models[1].All.Wins.Rate != 0.5 || report.Models[1].All.Exact.Of != 2 || report.Models[1].Kinds["where"].Questions != 1 {
		t.Errorf("--json says %+v", report)
	}
	if from := succeed(t, read(t, questions), "eval", "chat", "-m", teller, "--questions", "-", "--max-tokens", "12", "-q"); !strings.Contains(from, "2 questions") {
		t.Errorf("standard input: %q", from)
	}
	if sandbox := succeed(t, "", "eval", "chat", "-m", teller, "--sandbox", "--count", "5", "--max-tokens", "4", "-q"); !strings.Contains(sandbox, "5 questions") {
		t.Errorf("--sandbox: %q", sandbox)
	}
	for _, c := range []struct {
		more []string
		want string
	}{
		{nil, "--sandbox or --questions"}, {[]string{"--sandbox", "--questions", questions}, "either"}, {[]string{"--sandbox", "--split", "train"}, "test or valid"},
		{[]string{"--sandbox", "--count", "0"}, "--count 0"}, {[]string{"--sandbox", "--max-tokens", "0"}, "--max-tokens 0"}, {[]string{"--sandbox", "--temperature", "-1"}, "--temperature -1"},
		{[]string{"--sandbox", "--show", "-1"}, "--show -1"},
	} {
		fail(t, 2, append([]string{"eval", "chat", "-m", teller}, c.more...), c.want)
	}
	fail(t, 1, []string{"eval", "chat", "-m", teller, "--questions", write(t, "bad.jsonl", "{}\n"), "-q"}, "bad.jsonl:1")
	long := write(t, "long.jsonl", "{\"prompt\": \"Once\"}\n\n{\"prompt\": \""+strings.Repeat("upon a time ", 400)+"\"}\n")
	fail(t, 1, []string{"eval", "chat", "-m", teller, "--questions", long, "--max-tokens", "4", "-q"}, "long.jsonl:3: ", "shorten it")
	fail(t, 1, []string{"eval", "chat", "-m", teller, "--sandbox", "--reward", teller, "-q"}, "storyteller")
}

package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-lm/parley/chat"
	"github.com/parley-lm/parley/sandbox"
)

// linesOfJSON decodes JSONL into a slice.
func linesOfJSON[T any](t *testing.T, text string) []T {
	t.Helper()
	var list []T
	for line := range strings.Lines(text) {
		var item T
		if err := json.Unmarshal([]byte(line), &item); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		list = append(list, item)
	}
	return list
}

func TestSandboxPrintsTheSameForTheSameSeed(t *testing.T) {
	for _, what := range []string{"stories", "questions", "dialogues", "translations", "judge"} {
		text := succeed(t, "", "sandbox", what, "--count", "6")
		if again := succeed(t, "", "sandbox", what, "--count", "6", "--seed", "1"); again != text {
			t.Errorf("%s: the seed 1 is not the default", what)
		}
		if longer := succeed(t, "", "sandbox", what, "--count", "9"); !strings.HasPrefix(longer, text) {
			t.Errorf("%s: what comes first depends on --count", what)
		}
		for _, other := range [][]string{{"--seed", "2"}, {"--split", "valid"}, {"--split", "test"}} {
			if succeed(t, "", append([]string{"sandbox", what, "--count", "6"}, other...)...) == text {
				t.Errorf("%s: %v changes nothing", what, other)
			}
		}
		if n := len(linesOfJSON[map[string]any](t, succeed(t, "", "sandbox", what, "--count", "6", "--json"))); n != 6 {
			t.Errorf("%s: --json --count 6 prints %d lines", what, n)
		}
	}
}

func TestSandboxQuestionsAndDialoguesAreInMessages(t *testing.T) {
	for _, line := range linesOfJSON[questionLine](t, succeed(t, "", "sandbox", "questions", "--split", "test", "--json", "--count", "30")) {
		q, err := sandbox.ReadQuestion(line.Messages)
		if err != nil {
			t.Fatal(err)
		}
		if q.Kind != line.Kind || !q.Check(line.Answer).Right() {
			t.Errorf("%+v is read as %s with the answer %q", line, q.Kind, q.Answer())
		}
	}
	for _, line := range linesOfJSON[struct{ Messages []chat.Message }](t, succeed(t, "", "sandbox", "dialogues", "--writers", "careful", "--json", "--count", "30")) {
		q, err := sandbox.ReadQuestion(line.Messages[:len(line.Messages)-1])
		if err != nil {
			t.Fatal(err)
		}
		if answer := line.Messages[len(line.Messages)-1]; answer.Role != "assistant" || !q.Check(answer.Content).Right() {
			t.Errorf("a careful writer answers %+v", line.Messages)
		}
	}
}

func TestSandboxJudgesAnswersOfAFile(t *testing.T) {
	line := `{"prompt":[{"role":"user","content":"Paul is in the park. Where is Paul?"}],"answers":["In the school.","Certainly. In the park.","In the park."]}`
	for _, given := range []string{write(t, "answers.jsonl", line+"\n\n"), "-"} {
		got := linesOfJSON[judgedLine](t, succeed(t, line, "sandbox", "judge", "--json", given))
		if len(got) != 1 || got[0].Ranks[0] != 3 || got[0].Ranks[1] != 1 || got[0].Ranks[2] != 2 || got[0].Outcomes[0] != sandbox.Wrong || got[0].Rater != "sandbox" {
			t.Errorf("judged %+v", got)
		}
	}
	if out := succeed(t, line, "sandbox", "judge", "-"); !strings.Contains(out, "1. +1.25  right       Certainly. In the park.") {
		t.Errorf("judge prints %q", out)
	}
}

func TestSandboxSaysWhatIsWrong(t *testing.T) {
	fail(t, 2, []string{"sandbox", "stories", "--split", "dev"}, `"dev"`, "train, valid or test")
	fail(t, 2, []string{"sandbox", "stories", "--count", "-1"}, "--count -1")
	fail(t, 2, []string{"sandbox", "dialogues", "--writers", "good"}, `"good"`, "careful")
	fail(t, 2, []string{"sandbox", "judge", "--flip", "0.5"}, "--flip 0.5")
	fail(t, 2, []string{"sandbox", "judge", "--flip", "NaN"}, "--flip NaN")
	fail(t, 2, []string{"sandbox", "judge", "--temperature", "-1"}, "--temperature -1")
	fail(t, 2, []string{"sandbox", "judge", "--flip", "0.1", "--temperature", "1"}, "give one")
	fail(t, 1, []string{"sandbox", "judge", "no-such-file"}, "no-such-file")
	question := `{"prompt":[{"role":"user","content":"Paul is in the park. Where is Paul?"}],"answers":["In the park."]}`
	for _, c := range []struct{ line, want string }{
		{"{", "object"}, {`{"prompt":[]}`, "answers"}, {`{"prompt":[],"answers":["x"]}`, "last message"},
		{`{"prompt":[{"role":"user","content":"What is love?"}],"answers":["x"]}`, `"What is love?"`},
	} {
		path := write(t, "bad.jsonl", question+"\n"+c.line+"\n")
		fail(t, 1, []string{"sandbox", "judge", path}, path+":2", c.want)
	}
}

func TestStoriesArePreTrainedOnWithoutAnyFile(t *testing.T) {
	args := append([]string{"train", "sandbox-stories"}, smallLanguage[2:]...)
	args = append(args, "--set", "data.pairs=400", "--set", "model.context=1024", "--set", "train.batch_tokens=1024", "--set", "schedule.warmup=1", "--set", "validation.every=3")
	if out := succeed(t, "", append(args, "--dry-run")...); !strings.Contains(out, "400 documents") {
		t.Errorf("the plan is %q", out)
	}
	dir := filepath.Join(t.TempDir(), "run")
	succeed(t, "", append(args, "--out", dir)...)
	if out := succeed(t, "", "train", "--resume", dir, "--set", "train.updates=8", "--threads", "1"); !strings.Contains(out, "step 8") {
		t.Errorf("resumed: %q", out)
	}
	if first := succeed(t, "", "sandbox", "stories", "--count", "400", "--json", "--seed", "2"); read(t, filepath.Join(dir, "generated.jsonl")) != first {
		t.Error("the run's text is not what parley sandbox stories prints")
	}
	tuned := filepath.Join(t.TempDir(), "tuned")
	succeed(t, "", "train", "sft", "-m", dir, "--out", tuned, "--quiet", "--threads", "1", "--set", "data.format=sandbox", "--set", "data.pairs=100", "--set", "train.updates=2",
		"--set", "train.batch_tokens=1024", "--set", "validation.sample_tokens=4")
	if first := succeed(t, "", "sandbox", "dialogues", "--count", "100", "--json", "--seed", "2"); read(t, filepath.Join(tuned, "generated.jsonl")) != first {
		t.Error("the dialogues are not what parley sandbox dialogues prints")
	}
	fail(t, 1, append(args, "--out", filepath.Join(t.TempDir(), "run"), "--set", "data.pairs=0"), "data.pairs")
	fail(t, 1, append(args, "--out", filepath.Join(t.TempDir(), "run"), "--data", write(t, "my.txt", story())), "data.format")
}

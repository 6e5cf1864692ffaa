package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-lm/parley/sandbox"
)

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAPersonRanksWhatAModelWrites(t *testing.T) {
	db := filepath.Join(t.TempDir(), "feedback.db")
	prompts := writeFile(t, "prompts.txt", "Once upon a time\nLily saw a cat\n")
	rank := []string{"rank", "-m", "../../testdata/storyteller", "--prompts", prompts, "-n", "3", "--max-tokens", "8", "--feedback", db, "--rater", "ann"}

	out := succeed(t, "3=1\rq", rank...)
	if !strings.Contains(out, "Once upon a time") || !strings.Contains(out, "> 3 = 1") || !strings.Contains(out, "1 of 2 prompts are judged by ann") {
		t.Errorf("the first session:\n%s", out)
	}
	out = succeed(t, "x", rank...)
	if !strings.Contains(out, "2 of 2 prompts are judged by ann") || strings.Contains(out, "Once upon") {
		t.Errorf("going on:\n%s", out)
	}
	succeed(t, "12\r12\r", append(rank[:len(rank)-1:len(rank)-1], "bob")...)

	var report struct {
		Rankings, Pairs, Ties int
		CannotJudge           int `json:"cannot_judge"`
		Raters                []struct{ Name string }
	}
	if err := json.Unmarshal([]byte(succeed(t, "", "rank", "report", "--feedback", db, "--json")), &report); err != nil {
		t.Fatal(err)
	}
	if report.Rankings != 4 || report.CannotJudge != 1 || report.Ties != 1 || len(report.Raters) != 2 {
		t.Errorf("%+v", report)
	}
	if text := succeed(t, "", "rank", "report", "--feedback", db); !strings.Contains(text, "Krippendorff") {
		t.Errorf("the report has no alpha:\n%s", text)
	}
	pairs := succeed(t, "", "rank", "pairs", "--feedback", db)
	if strings.Count(pairs, "\n") != report.Pairs || !strings.Contains(pairs, `"chosen":`) {
		t.Errorf("%d pairs are wanted:\n%s", report.Pairs, pairs)
	}

	exported := writeFile(t, "all.jsonl", succeed(t, "", "rank", "export", "--feedback", db))
	other := filepath.Join(t.TempDir(), "other.db")
	succeed(t, "", "rank", "import", exported, "--feedback", other)
	if again := succeed(t, "", "rank", "pairs", "--feedback", other); again != pairs {
		t.Errorf("pairs after export and import:\n%s\nbefore:\n%s", again, pairs)
	}
}

func TestTheSandboxJudgesInAPersonsPlace(t *testing.T) {
	q := sandbox.Village{Seed: 1, Part: sandbox.Unseen}.Question(0)
	line, err := json.Marshal(map[string]any{"prompt": q.Messages, "answers": []string{"The moon is made of cheese.", q.Answer()}})
	if err != nil {
		t.Fatal(err)
	}
	db := filepath.Join(t.TempDir(), "feedback.db")
	answers := writeFile(t, "answers.jsonl", string(line)+"\n"+`{"prompt": "no question of the sandbox", "answers": ["a", "b"]}`+"\n")
	succeed(t, "", "rank", "import", answers, "--feedback", db)
	status, _, told := typed(t, "", "rank", "--judge", "sandbox", "--feedback", db)
	if status != 0 || !strings.Contains(told, "1 prompts are no questions") {
		t.Errorf("%d %s", status, told)
	}
	if out := succeed(t, "", "rank", "export", "--feedback", db); !strings.Contains(out, `"ranks":[2,1],"rater":"sandbox"`) {
		t.Errorf("%s", out)
	}
}

func TestRankSaysWhatIsWrong(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none.db")
	fail(t, 2, []string{"rank", "-m", "x"}, "--prompts")
	fail(t, 2, []string{"rank", "-n", "10"}, "-n 10", "9")
	fail(t, 2, []string{"rank", "--noise", "0.1"}, "--judge sandbox")
	fail(t, 2, []string{"rank", "--judge", "sandbox", "--noise", "NaN"}, "--noise NaN")
	fail(t, 2, []string{"rank", "--temperature", "NaN"}, "--temperature NaN")
	fail(t, 2, []string{"rank", "--top-p", "2"}, "--top-p 2")
	fail(t, 1, []string{"rank", "report", "--feedback", none}, "none.db")
	fail(t, 1, []string{"rank", "--feedback", none}, "none.db", "--prompts", "import")
	fail(t, 1, []string{"rank", "--judge", "sandbox", "--feedback", none}, "none.db", "--prompts")
	fail(t, 1, []string{"rank", "import", writeFile(t, "f.jsonl", "{}\n"), "--feedback", none}, "f.jsonl:1:", `"prompt"`)
	fail(t, 1, []string{"rank", "-m", "../../testdata/storyteller", "--prompts", writeFile(t, "p.jsonl", `{"text": "x"}`), "--feedback", none}, "p.jsonl:1:", `"messages"`)
	teller := []string{"rank", "-m", "../../testdata/storyteller", "--judge", "sandbox", "--max-tokens", "4", "--feedback", none, "--prompts"}
	fail(t, 1, append(teller, writeFile(t, "p.jsonl", "\n{\"prompt\": \"\"}\n")), "p.jsonl:2:", "empty")
	fail(t, 1, append(teller, writeFile(t, "p.jsonl", "Once\n\n"+strings.Repeat("upon a time ", 400))), "p.jsonl:3:", "shorten it")
	status, _, told := typed(t, "", append(teller, writeFile(t, "p.txt", "Once upon a time\n"), "--temperature", "0.01")...)
	if status != 0 || !strings.Contains(told, "1 prompts cannot be ranked") {
		t.Errorf("answers that are all the same: status %d, %s", status, told)
	}
}

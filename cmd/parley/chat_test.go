package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-lm/parley"
)

const talker = "../../testdata/talker"

func TestChatAnswersLineByLine(t *testing.T) {
	out := succeed(t, "What comes after four?\n\nWhat comes before nine?\n", "chat", "-m", talker)
	if out != "Five.\nEight.\n" {
		t.Errorf("answers %q", out)
	}
	out = succeed(t, "What comes after one?", "chat", "-m", talker, "--system", "Count.", "--json")
	var got struct {
		Question, Answer, End string
		Tokens                int
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || got.Answer != "Two." || got.End != "eos" || got.Tokens != 5 || got.Question != "What comes after one?" {
		t.Errorf("%s: %+v, %v", out, got, err)
	}
}

func TestChatWithAGGUFFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "t.gguf")
	succeed(t, "", "convert", "gguf", "-m", talker, "--out", file)
	if out := succeed(t, "What comes after four?", "chat", "-m", file); out != "Five.\n" {
		t.Errorf("answers %q", out)
	}
}

func TestChatCommands(t *testing.T) {
	dir := t.TempDir()
	saved, kept := filepath.Join(dir, "talk.jsonl"), filepath.Join(dir, "f.db")
	lines := []string{"What comes after four?", "/help", "/retry", "/rank", "7", "2", "/save " + saved, "/new", "What comes before two?", "/save " + saved, "/quit", "never read"}
	status, out, problems := typed(t, strings.Join(lines, "\n"), "chat", "-m", talker, "--feedback", kept, "--temperature", "3", "--max-tokens", "8")
	if status != 0 || !strings.Contains(out, "1) ") || !strings.Contains(out, "2) ") {
		t.Fatalf("status %d, %s%s", status, out, problems)
	}
	for _, want := range []string{"/save FILE", "(kept in ", "(saved to "} {
		if !strings.Contains(problems, want) {
			t.Errorf("%s, want %q", problems, want)
		}
	}
	text, err := os.ReadFile(saved)
	if err != nil || strings.Count(string(text), "\n") != 2 || strings.Count(string(text), `"role":"assistant"`) != 2 {
		t.Errorf("saved: %s, %v", text, err)
	}
	if pairs := succeed(t, "", "rank", "pairs", "--feedback", kept); !strings.Contains(pairs, `"prompt":[{"role":"user","content":"What comes after four?"}]`) || !strings.Contains(pairs, `"rejected"`) {
		t.Errorf("pairs: %s", pairs)
	}
}

func TestChatSaysWhatItCannotDo(t *testing.T) {
	for _, c := range []struct{ typed, want string }{
		{"/retry", "there is no answer yet"}, {"/rank", "there is no answer yet"}, {"/save x", "there is nothing to save yet"},
		{"/dance", "there is no command /dance"}, {strings.Repeat("one ", 400), "shorten it"},
	} {
		status, _, problems := typed(t, c.typed, "chat", "-m", talker)
		if status != 1 || !strings.Contains(problems, c.want) {
			t.Errorf("%.20s: status %d, %s, want %q", c.typed, status, problems, c.want)
		}
	}
	fail(t, 1, []string{"chat", "-m", "../../testdata/storyteller"}, "has no chat template")
	fail(t, 1, []string{"chat", "-m", "../../testdata/translator"}, "translates")
	fail(t, 2, []string{"chat", "-m", talker, "--temperature", "-1"}, "temperature")
}

func TestALongTalkSaysWhatIsNotSeen(t *testing.T) {
	status, out, problems := typed(t, strings.Repeat("What comes after one?\n", 12), "chat", "-m", talker)
	if status != 0 || out != strings.Repeat("Two.\n", 12) || !strings.Contains(problems, "messages of this talk are not seen any more") {
		t.Errorf("status %d, %s%s", status, out, problems)
	}
}

func TestFineTuningAsTyped(t *testing.T) {
	dir := t.TempDir()
	var talks strings.Builder
	for i := range 40 {
		fmt.Fprintf(&talks, "{\"prompt\": \"What comes after %d?\", \"completion\": \"one\"}\n", i)
	}
	data := write(t, "talks.jsonl", talks.String())
	out := filepath.Join(dir, "run")
	said := succeed(t, "", "train", "sft", "-m", talker, "--data", data, "--out", out, "--set", "train.epochs=30", "--set", "train.lr=0.01")
	if !strings.Contains(said, "parley chat -m "+out) {
		t.Error(said)
	}
	if got := succeed(t, "What comes after 7?", "chat", "-m", out); got != "one\n" {
		t.Errorf("it answers %q", got)
	}
	fail(t, 2, []string{"train", "sft", "--data", data}, "-m DIR")
	fail(t, 2, []string{"train", "sft", "-m", talker}, "--data FILE.jsonl")
	bad := write(t, "bad.jsonl", "\n{\"text\": \"x\"}\n")
	fail(t, 1, []string{"train", "sft", "-m", talker, "--data", bad, "--out", filepath.Join(dir, "no")}, "bad.jsonl:2: no dialogue can be told")
}

func TestSavingATalkBeginsALine(t *testing.T) {
	before := "{\"messages\":[]}"
	path := write(t, "talks.jsonl", before)
	succeed(t, "What comes after four?\n/save "+path, "chat", "-m", talker)
	if text := read(t, path); !strings.HasPrefix(text, before+"\n{") || strings.Count(text, "\n") != 2 {
		t.Errorf("the file without a line break at its end became %q", text)
	}
}

func TestRankingInATalkKeepsWhatWasChosenOrNothing(t *testing.T) {
	dir := t.TempDir()
	asked := "What comes after four?\n/rank\n"
	drawn := []string{"chat", "-m", talker, "--temperature", "3", "--max-tokens", "8", "--feedback"}
	kept := filepath.Join(dir, "f.db")
	status, _, problems := typed(t, asked, append(drawn, kept)...)
	if status != 1 || !strings.Contains(problems, "the input ended before one was chosen") {
		t.Errorf("input that ends: status %d, %s", status, problems)
	}
	status, out, problems := typed(t, asked+"1\n", append(drawn, filepath.Join(dir, "none", "f.db"))...)
	if status != 1 || !strings.Contains(problems, "there is no directory") || strings.Contains(out, "1)") {
		t.Errorf("answers are shown to choose from, and the choice cannot be kept: status %d, %s%s", status, out, problems)
	}
	status, out, problems = typed(t, asked+"\n", append(drawn, kept, "--json")...)
	if status != 0 || strings.Count(out, "\n") != 1 || !strings.Contains(problems, "2) ") {
		t.Errorf("with --json what is chosen from stands among the answers: status %d, %s%s", status, out, problems)
	}
	if report := succeed(t, "", "rank", "report", "--feedback", kept); !strings.Contains(report, "0 rankings") {
		t.Errorf("kept: %s", report)
	}
}

func TestAnAnswerThatWasStoppedIsNotRanked(t *testing.T) {
	m, err := parley.Open(talker)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	hot := 3.0
	talk := &talk{
		app: &app{in: strings.NewReader(strings.Repeat("1\n", 1000)), out: io.Discard, err: io.Discard}, model: m, feedback: filepath.Join(t.TempDir(), "f.db"),
		options: parley.GenerateOptions{N: 1, MaxTokens: 64, Temperature: &hot}, drawn: true,
		messages: []parley.Message{{Role: "user", Content: "What comes after four?"}, {Role: "assistant", Content: "Five."}},
	}
	talk.lines = newLineReader(talk.in, longestSentence)
	ctx, end := context.WithCancel(t.Context())
	defer end()
	go func() { // Ctrl-C whenever an answer is being written
		for ctx.Err() == nil {
			talk.interrupt()
		}
	}()
	for range 1000 {
		if err := talk.rank(ctx); err != nil && strings.Contains(err.Error(), "stopped") {
			return
		}
	}
	t.Error("answers of which somebody stopped one are ranked")
}

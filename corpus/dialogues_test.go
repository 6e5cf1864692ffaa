package corpus

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-lm/parley/chat"
)

// spelled is a dialogue as role:content, one a line.
func spelled(messages []chat.Message) string {
	var lines []string
	for _, m := range messages {
		lines = append(lines, m.Role+":"+m.Content)
	}
	return strings.Join(lines, "|")
}

func readAll(t *testing.T, name, content, form string) (list []*Dialogue, err error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
	for d, failed := range ReadDialogues([]string{path}, form) {
		if failed != nil {
			return list, failed
		}
		list = append(list, d)
	}
	return list, nil
}

func TestDialoguesOfEveryForm(t *testing.T) {
	for object, want := range map[string]string{
		`{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "id": 7}`:      "user:a|assistant:b",
		`{"prompt": [{"role": "user", "content": "a"}], "completion": [{"role": "assistant", "content": "b"}]}`: "user:a|assistant:b",
		`{"prompt": "a", "completion": "b"}`: "user:a|assistant:b",
		`{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}], "system": "s"}`:                   "system:s|user:a|assistant:b",
		`{"conversations": [{"from": "system", "value": "s"}, {"from": "Human", "value": "a"}]}`:                               "system:s|user:a",
		`{"conversations": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}`:                         "user:a|assistant:b",
		`{"instruction": "do", "input": "this", "output": "done"}`:                                                             "user:do\n\nthis|assistant:done",
		`{"instruction": "do", "input": "", "output": "done", "history": [["x", "y"]], "system": "s"}`:                         "system:s|user:x|assistant:y|user:do|assistant:done",
		`{"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image"}]}], "tools": [{"n": 1}]}`: "user:a",
	} {
		list, err := readAll(t, "d.jsonl", "\n"+object+"\n", "")
		if err != nil || len(list) != 1 {
			t.Errorf("%s: %v", object, err)
			continue
		}
		if got := spelled(list[0].Messages); got != want || list[0].Line != 2 {
			t.Errorf("%s:\n got %q of line %d\nwant %q", object, got, list[0].Line, want)
		}
	}
}

func TestDialoguesOfAnArrayKnowTheirLines(t *testing.T) {
	list, err := readAll(t, "d.json", "[\n {\"instruction\": \"a\",\n  \"output\": \"b\"},\n {\"instruction\": \"c\", \"output\": \"d\"}, {\"instruction\": \"e\", \"output\": \"f\"}\n]\n", Alpaca)
	if err != nil || len(list) != 3 {
		t.Fatal(len(list), err)
	}
	for i, want := range []int{2, 4, 4} {
		if list[i].Line != want {
			t.Errorf("dialogue %d is of line %d, want %d", i, list[i].Line, want)
		}
	}
}

func TestCompressedDialoguesAreRead(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(`[{"prompt": "a", "completion": "b"}]`))
	z.Close()
	if list, err := readAll(t, "d.json.gz", b.String(), ""); err != nil || len(list) != 1 {
		t.Error(list, err)
	}
}

func TestWrongDialoguesSayWhereTheyAre(t *testing.T) {
	for content, want := range map[string]string{
		"{\"prompt\": \"a\", \"completion\": \"b\"}\n{\"prompt\": 3}": `d.jsonl:2: no dialogue can be told from the keys ["prompt"]`,
		"{\"messages\": []}":                      "d.jsonl:1: the dialogue has no messages",
		"\n\n{\"messages\": [{\"role\": \"user\"": "d.jsonl:3: a dialogue must be a JSON object",
		"{\"messages\": [{\"content\": \"x\"}]}":  "d.jsonl:1: this is no dialogue: a message has no role",
		"{\"messages\": 5}":                       "d.jsonl:1: this is no dialogue",
		"{\"instruction\": \"a\", \"output\": \"b\", \"history\": [[\"x\", \"y\", \"z\"]]}": `d.jsonl:1: item 1 of "history" has 3 texts`,
		"{\"instruction\": \"a\", \"output\": \"b\", \"history\": [[\"x\"]]}":               `d.jsonl:1: item 1 of "history" has 1 texts`,
		"7": "d.jsonl:1: a dialogue must be a JSON object",
		"{\"conversations\": [{\"from\": \"cat\", \"value\": \"x\"}]}": `d.jsonl:1: turn 1 of "conversations" is from "cat", who is not known`,
		"{\"conversations\": [{\"from\": \"human\"}]}":                 `turn 1 of "conversations" has no "from" or no "value"`,
		"[{\"prompt\": \"a\", \"completion\": \"b\"},\n\n{\"x\"]":      "d.jsonl:3: invalid character ']'",
		"[{\"prompt\": \"a\", \"completion\": \"b\"}":                  "d.jsonl:1: the file ends within the array",
		"[{\"prompt\": \"a\", \"completion\": \"b\"}]\n{}":             "d.jsonl:2: more follows after the array",
		"[3]": "d.jsonl:1: a dialogue must be a JSON object",
		"{\"prompt\": \"\xff\", \"completion\": \"b\"}": "d.jsonl:1: not UTF-8",
	} {
		if _, err := readAll(t, "d.jsonl", content, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q:\n got %v\nwant %s", content, err, want)
		}
	}
}

func TestRealDialoguesAreRead(t *testing.T) {
	for name, want := range map[string]int{"alpaca_5000.json": 5000, "lima.json": 1029} {
		path := filepath.Join("../../shared/data/dialogues", name)
		if _, err := os.Stat(path); err != nil {
			t.Skip("the dialogues are not here:", err)
		}
		n := 0
		for d, err := range ReadDialogues([]string{path}, "") {
			if err != nil {
				t.Fatal(err)
			}
			if n++; len(d.Messages) < 2 {
				t.Errorf("%s has %d messages", d.Where(), len(d.Messages))
			}
		}
		if n != want {
			t.Errorf("%s has %d dialogues, want %d", name, n, want)
		}
	}
}

func TestHoldingOutDependsOnTheKeysAlone(t *testing.T) {
	keys := []string{"a", "b", "a", "c", "d", "e"}
	held := HoldOut(keys, 1, 0.4)
	chosen := map[string]bool{}
	for i, k := range keys {
		if held[i] {
			chosen[k] = true
		}
	}
	if len(chosen) != 2 || held[0] != held[2] {
		t.Errorf("held out: %v", held)
	}
	for i, h := range HoldOut([]string{"e", "d", "c", "b", "a"}, 1, 0.4) {
		if h != chosen[[]string{"e", "d", "c", "b", "a"}[i]] {
			t.Error("the choice depends on the order")
		}
	}
	if h := HoldOut([]string{"x", "y"}, 1, 0.001); h[0] == h[1] {
		t.Errorf("of two, %v are held out", h)
	}
	if h := HoldOut([]string{"x"}, 1, 0.5); h[0] {
		t.Error("the only one is held out")
	}
}

func FuzzDialogues(f *testing.F) {
	for _, seed := range []string{
		`{"messages": [{"role": "user", "content": "a"}]}`, `{"conversations": [{"from": "gpt", "value": ""}]}`, `[{"instruction": "a", "output": "b"}]`,
		`{"prompt": [], "completion": null}`, "[[[[", `{"messages": [null]}`, `{"conversations": [null]}`, `{"history": [["a"]], "instruction": "", "output": ""}`,
	} {
		f.Add([]byte(seed))
	}
	path := filepath.Join(f.TempDir(), "d")
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := os.WriteFile(path, content, 0o666); err != nil {
			t.Fatal(err)
		}
		for d, err := range ReadDialogues([]string{path}, "") {
			if err == nil && (len(d.Messages) == 0 || d.Line < 1) {
				t.Errorf("%q gives %+v", content, d)
			}
			if err == nil {
				_ = chat.CheckTurns(d.Messages)
			}
		}
	})
}

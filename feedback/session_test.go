package feedback

import (
	"path/filepath"
	"strings"
	"testing"
)

// ranked returns the ranking that keys make of one prompt's answers, by their texts, and what was printed.
func ranked(t *testing.T, r Record, keys string) (places map[string]int, printed string) {
	t.Helper()
	s := opener(t, filepath.Join(t.TempDir(), "f.db"))()
	mustAdd(t, s, r)
	var b strings.Builder
	session := Session{Store: s, Rater: "ann", Keys: strings.NewReader(keys), Print: func(text string) { b.WriteString(text) }}
	if _, err := session.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	places = map[string]int{}
	for r, err := range s.Records(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		for i, rank := range r.Ranks {
			places[r.Answers[i].Text] = rank
		}
	}
	return places, b.String()
}

func TestKeysOfSeveralBytesChooseNothing(t *testing.T) {
	r := text("p", "a", "b", "c")
	want, _ := ranked(t, r, "21\r")
	if len(want) != 3 {
		t.Fatalf("%v", want)
	}
	for name, keys := range map[string]string{
		"Delete": "\x1b[3~21\r", "an arrow": "2\x1b[A1\r", "F5": "2\x1b[15~1\r", "F1": "\x1bOP21\r", "Ctrl-Right": "2\x1b[1;5C1\r", "ESC": "2\x1b1\r", "two": "\x1b[3~\x1b[3~21\r",
	} {
		if got, _ := ranked(t, r, keys); got["a"] != want["a"] || got["b"] != want["b"] || got["c"] != want["c"] {
			t.Errorf("with %s it ranks %v, want %v", name, got, want)
		}
	}
	if got, _ := ranked(t, r, "21\x1b["); len(got) != 0 {
		t.Errorf("input that ends within a key ranks %v", got)
	}
}

func TestWhatAModelWritesDoesNotMoveTheCursor(t *testing.T) {
	_, printed := ranked(t, text("p\x1b[2J", "fine\r\nand\ttabbed", "\x1b[1A\x1b[2Kfake\r\u009b\x7f"), "")
	if strings.ContainsAny(printed, "\x1b\r\x7f\u009b") || !strings.Contains(printed, "fine\n   and\ttabbed") || !strings.Contains(printed, "␛[1A␛[2Kfake␍··") {
		t.Errorf("printed %q", printed)
	}
}

package corpus

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestAnOpeningIsTheFirstWordsAsTheyStand(t *testing.T) {
	exactly := func(n int) Openings { return Openings{n, n} }
	for _, c := range []struct {
		words      int
		text, want string
		ok         bool
	}{
		{2, "one two three", "one two", true},
		{2, "\n one\t two  \nthree", "one\t two", true},
		{1, "é über", "é", true},
		{3, "one two three", "", false},
		{3, "one two three  ", "", false},
		{1, " ", "", false},
		{1, "", "", false},
	} {
		if got, ok := exactly(c.words).Of(c.text); got != c.want || ok != c.ok {
			t.Errorf("the first %d words of %q: %q, %v; want %q, %v", c.words, c.text, got, ok, c.want, c.ok)
		}
	}
	lengths := map[int]int{}
	for i := range 600 {
		text, ok := Openings{4, 6}.Of(fmt.Sprintf("text number %d goes on and on and on", i))
		if !ok {
			t.Fatal("a text of nine words has no opening")
		}
		lengths[len(strings.Fields(text))]++
	}
	if len(lengths) != 3 || min(lengths[4], lengths[5], lengths[6]) < 150 {
		t.Errorf("openings of 4 to 6 words have these lengths: %v", lengths)
	}
}

func TestOpeningsAreHeldOutWithTheirDocuments(t *testing.T) {
	path := filepath.Join(t.TempDir(), "reviews.jsonl")
	var lines strings.Builder
	for i := range 400 {
		fmt.Fprintf(&lines, "{\"text\": \"film %d is one that I saw\"}\n", i)
	}
	if err := os.WriteFile(path, []byte(lines.String()+`{"text": "short"}`), 0o666); err != nil {
		t.Fatal(err)
	}
	split, texts := Split{Seed: 3, Share: 0.25}, &Texts{Files: []string{path}}
	var training, open []string
	for text, err := range texts.Training(split) {
		if err != nil {
			t.Fatal(err)
		}
		if opening, ok := (Openings{3, 3}).Of(text); ok {
			training = append(training, opening)
		}
	}
	held := 0
	for o, err := range (Openings{3, 3}).All(texts, split) {
		switch {
		case err != nil:
			t.Fatal(err)
		case o.Held:
			held++
		default:
			open = append(open, o.Text)
		}
	}
	if held < 60 || held+len(open) != 400 || !slices.Equal(open, training) {
		t.Errorf("%d openings of documents that are held out and %d others, but %d of training documents", held, len(open), len(training))
	}
	texts.Files = []string{path + ".absent"}
	for _, err := range (Openings{1, 2}).All(texts, split) {
		if err == nil {
			t.Error("a file that is not there has openings")
		}
	}
}

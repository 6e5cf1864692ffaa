package parley

import (
	"slices"
	"strings"
	"testing"

	"github.com/parley-lm/parley/tokenizer"
)

func FuzzStopStrings(f *testing.F) {
	f.Add("the old cat sleeps", "cat", "d c", 0)
	f.Add("aaaaab", "aab", "aaaab", 2)
	f.Add("é😀 é\xff", "\x98\x80", "\xa9", 0)
	tok, err := tokenizer.Train(slices.Values([]string{"the old cat sleeps", "aaaa aab é 😀"}), tokenizer.TrainOptions{
		VocabSize: 280, Pattern: tokenizer.GPT2, InitialAlphabet: true,
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text, one, other string, least int) {
		a := answer{stream: *tok.Stream(true), stops: []string{one, other}, least: least}
		a.stops = slices.DeleteFunc(a.stops, func(s string) bool { return s == "" })
		ids := tok.Append(nil, text)
		told, stopped := "", false
		for i := 0; i < len(ids) && !stopped; i++ {
			var piece string
			piece, stopped = a.next(ids[i], i == len(ids)-1)
			told += piece
		}
		rest, whole := strings.CutPrefix(text, told)
		switch {
		case !whole:
			t.Fatalf("%q is told as %q", text, told)
		case stopped && !slices.ContainsFunc(a.stops, func(s string) bool { return strings.HasPrefix(rest, s) }):
			t.Errorf("%q is stopped before %q, which is not among %q", text, rest, a.stops)
		case !stopped && rest != "":
			t.Errorf("%q is not told to its end: %q", text, told)
		}
		for _, s := range a.stops {
			if least <= 0 && strings.Contains(told, s) {
				t.Errorf("%q contains the stop string %q", told, s)
			}
		}
	})
}

func TestChoicesAreSpelledByWhateverTokensTheyTake(t *testing.T) {
	tok, err := tokenizer.Train(slices.Values([]string{"the cat sleeps", "the house"}), tokenizer.TrainOptions{
		VocabSize: 290, Pattern: tokenizer.GPT2, InitialAlphabet: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, prompt := range []string{"", "the", "the ", "the c", "\n"} {
		for _, choice := range []string{"cat", " cat", "  ", "é", "at", "s", "\n"} {
			after := *tok.Stream(true)
			for _, id := range tok.Append(nil, prompt) {
				after.Next(id)
			}
			if ids := choiceIDs(tok, prompt, choice, after); tok.Decode(ids, true) != choice {
				t.Errorf("after %q, %q is spelled %q", prompt, choice, tok.Decode(ids, true))
			}
		}
	}
}

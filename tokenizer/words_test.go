package tokenizer

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestCuttingBeforeUnderlinesChangesNothing encodes with BPE of characters as a whole
// what is otherwise cut before each ▁.
func TestCuttingBeforeUnderlinesChangesNothing(t *testing.T) {
	parse := func(file string) *Tokenizer {
		tok, err := Parse([]byte(file))
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	file := string(local(t, "llama2.json"))
	tok := parse(file)
	if tok.words.pattern != underlines {
		t.Fatal("words are not cut")
	}
	whole := parse(file)
	whole.words.pattern = uncut
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		text := randomText(r, 30) + strings.Repeat("▁", r.IntN(3)) + randomText(r, 30)
		if got, want := tok.Append(nil, text), whole.Append(nil, text); !slices.Equal(got, want) {
			t.Fatalf("%q: %v, want %v", text, got, want)
		}
	}
}

// TestWordsAreNotCutWhereAMergeCrosses adds a merge of a letter with ▁.
func TestWordsAreNotCutWhereAMergeCrosses(t *testing.T) {
	file := string(local(t, "llama2.json"))
	changed := strings.Replace(file, `"merges":[`, `"merges":[["e","▁"],`, 1)
	changed = strings.Replace(changed, `"vocab":{`, `"vocab":{"e▁":5000,`, 1)
	tok, err := Parse([]byte(changed))
	if err != nil {
		t.Fatal(err)
	}
	id, _ := tok.ID("e▁")
	if got := tok.Append(nil, "e e"); !slices.Contains(got, id) {
		t.Errorf("ids %v, without %d", got, id)
	}
}

// TestPatternsCutAsTheirRegularExpressions compares the code with regexp2.
func TestPatternsCutAsTheirRegularExpressions(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for pattern, expression := range map[Pattern]string{llama3: llama3Regex, qwen: qwenRegex, GPT2: gpt2Regex, Spaces: spacesRegex} {
		re, err := newRegex(expression)
		if err != nil {
			t.Fatal(err)
		}
		for range 3000 {
			text := mend(randomText(r, 20))
			var want []string
			for _, m := range re.matches(text) {
				want = append(want, text[m[0]:m[1]])
			}
			if got := wordsOf(pattern, text); !slices.Equal(got, want) {
				t.Fatalf("pattern %d cuts %q into %q, want %q", pattern, text, got, want)
			}
		}
	}
}

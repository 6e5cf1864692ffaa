package tokenizer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// learnNaively follows the rule of training by counting everything anew at each step.
func learnNaively(texts []string, size, least int) (merges []string) {
	words := map[string]int{}
	for _, text := range texts {
		for _, w := range wordsOf(GPT2, text) {
			words[w]++
		}
	}
	ids := map[string]int{}
	for b := range 256 {
		ids[string([]byte{byte(b)})] = int(byteRunes[b])
	}
	cut := map[string][]string{}
	for w := range words {
		for i := range len(w) {
			cut[w] = append(cut[w], w[i:i+1])
		}
	}
	for len(ids) < size {
		counts := map[[2]string]int{}
		for w, parts := range cut {
			for i := 0; i+1 < len(parts); i++ {
				counts[[2]string{parts[i], parts[i+1]}] += words[w]
			}
		}
		var best [2]string
		for p, n := range counts {
			m := counts[best]
			if n > m || n == m && slices.Compare([]int{ids[p[0]], ids[p[1]]}, []int{ids[best[0]], ids[best[1]]}) < 0 {
				best = p
			}
		}
		if counts[best] < least {
			break
		}
		merges = append(merges, spell(best[0])+" "+spell(best[1]))
		ids[best[0]+best[1]] = 1000 + len(ids)
		for w, parts := range cut {
			for i := 0; i+1 < len(parts); i++ {
				if parts[i] == best[0] && parts[i+1] == best[1] {
					parts = slices.Replace(parts, i, i+2, best[0]+best[1])
				}
			}
			cut[w] = parts
		}
	}
	return merges
}

func mergesOf(tok *Tokenizer) (merges []string) {
	for _, m := range tok.file.bpe.Merges {
		merges = append(merges, m.left+" "+m.right)
	}
	return merges
}

// TestFollowsTheRuleOfTraining uses few letters, so that pairs overlap (aaa) and counts
// are equal.
func TestFollowsTheRuleOfTraining(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 100 {
		letters := []string{"a", "ab", "ab ", "é中\n"}[n%4]
		var texts []string
		for range 1 + r.IntN(10) {
			b := make([]byte, 1+r.IntN(30))
			for i := range b {
				b[i] = letters[r.IntN(len(letters))]
			}
			texts = append(texts, string(b))
		}
		least := 1 + n%3
		tok, err := Train(slices.Values(texts), TrainOptions{VocabSize: 290, MinFrequency: least, InitialAlphabet: true})
		if err != nil {
			t.Fatal(err)
		}
		got, want := mergesOf(tok), learnNaively(texts, 290, least)
		if !slices.Equal(got, want) {
			t.Fatalf("from %q at least %d times: merges %q, want %q", texts, least, got, want)
		}
	}
}

func TestAnyNumberOfThreadsLearnsTheSame(t *testing.T) {
	text := strings.Repeat(string(local(t, "text.txt")), 400) // more than one portion
	var first []byte
	for threads, texts := range map[int][]string{1: {text}, 2: {text}, 3: slices.Collect(strings.Lines(text)), 8: {text[:1000], text[1000:]}} {
		tok, err := Train(slices.Values(texts), TrainOptions{VocabSize: 600, InitialAlphabet: true, Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		data, err := tok.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = data
		}
		if string(first) != string(data) {
			t.Errorf("%d threads learn something else", threads)
		}
	}
}

func TestSpecialTokensTakeTheFirstAndTheLastIDs(t *testing.T) {
	text := strings.Repeat("one</s>two <pad> ", 50)
	tok, err := Train(slices.Values([]string{text}), TrainOptions{
		VocabSize: 300, Pattern: Spaces, InitialAlphabet: true,
		SpecialTokens: []string{"</s>", "<unk>"}, LastTokens: []string{"<pad>"}, Suffix: []string{"</s>"},
	})
	if err != nil {
		t.Fatal(err)
	}
	last := int32(tok.Size() - 1)
	for token, want := range map[string]int32{"</s>": 0, "<unk>": 1, "!": 2, "<pad>": last} {
		if got, ok := tok.ID(token); !ok || got != want {
			t.Errorf("ID(%q) = %d, %v, want %d", token, got, ok, want)
		}
	}
	for _, id := range tok.Append(nil, text) {
		if tok.Special(id) {
			t.Fatalf("plain text became the special token %d", id)
		}
	}
	if got, want := tok.EncodeSpecial("one"), append(tok.Append(nil, "one"), 0); !slices.Equal(got, want) {
		t.Errorf("EncodeSpecial: %v, want %v", got, want)
	}
	if got := tok.Encode("<pad></s>"); !slices.Equal(got, []int32{last, 0}) {
		t.Errorf("Encode of special tokens: %v", got)
	}
	if got := tok.Suffix(); !slices.Equal(got, []int32{0}) || len(tok.Prefix()) != 0 {
		t.Errorf("suffix %v, prefix %v", got, tok.Prefix())
	}
}

func TestBytesThatTheTextLacksAreLostOnRequest(t *testing.T) {
	tok, err := Train(slices.Values([]string{"abba"}), TrainOptions{VocabSize: 4, SpecialTokens: []string{"<unk>"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := tok.Decode(tok.Append(nil, "a cab"), false); got != "aab" {
		t.Errorf("got %q", got)
	}
}

func TestTrainRefuses(t *testing.T) {
	for want, o := range map[string]TrainOptions{
		"cannot hold":               {VocabSize: 256, InitialAlphabet: true, LastTokens: []string{"<pad>"}},
		"is empty":                  {VocabSize: 300, SpecialTokens: []string{""}},
		"named twice":               {VocabSize: 300, SpecialTokens: []string{"</s>"}, LastTokens: []string{"</s>"}},
		"the token of a byte":       {VocabSize: 300, SpecialTokens: []string{"Ġ"}},
		"not among the special":     {VocabSize: 300, Suffix: []string{"</s>"}},
		"pattern 7 is not known":    {VocabSize: 300, Pattern: 7},
		"a vocabulary of 0":         {},
		"a vocabulary of -1 cannot": {VocabSize: -1},
	} {
		_, err := Train(slices.Values([]string{"text"}), o)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one about %q", err, want)
		}
	}
}

func ExampleTrain() {
	text := "the cat and the dog and the bird"
	tok, err := Train(slices.Values([]string{text}), TrainOptions{
		VocabSize: 264, Pattern: Spaces, InitialAlphabet: true,
		SpecialTokens: []string{"</s>"}, Suffix: []string{"</s>"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ids := tok.EncodeSpecial("the hen and the cat")
	for _, id := range ids {
		token, _ := tok.Token(id)
		fmt.Printf("%s|", token)
	}
	fmt.Println()
	fmt.Println(tok.Decode(ids, true))
	// Output:
	// the|Ġ|he|n|Ġand|Ġthe|Ġ|c|at|</s>|
	// the hen and the cat
}

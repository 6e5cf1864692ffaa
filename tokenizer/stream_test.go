package tokenizer

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// streamed decodes ids one by one and checks that no character is split.
func streamed(t *testing.T, tok *Tokenizer, ids []int32, skipSpecial bool) string {
	t.Helper()
	s := tok.Stream(skipSpecial)
	var b strings.Builder
	for i, id := range ids {
		text := s.Next(id)
		if completeCharacters(text) != len(text) {
			t.Errorf("after %d of the ids %v: %q ends inside a character", i+1, ids, text)
		}
		b.WriteString(text)
	}
	return b.String() + s.End()
}

func TestStreamKeepsBackWhatIsNotComplete(t *testing.T) {
	llama, err := Parse(local(t, "llama2.json"))
	if err != nil {
		t.Fatal(err)
	}
	marian, err := ParseMarian(local(t, "opus/source.spm"), local(t, "opus/vocab.json"), MarianOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		tok    *Tokenizer
		tokens []string
		want   []string // after each token, and at the end
	}{
		{"bytes of a character", llama, []string{"▁", "<0xE4>", "<0xB8>", "<0xAD>", "a"}, []string{"", "", "", "中", "a", ""}},
		{"a character without its end", llama, []string{"a", "<0xE4>", "<0xB8>", "b"}, []string{"a", "", "", "\ufffd\ufffdb", ""}},
		{"the end inside a character", llama, []string{"a", "<0xE4>", "<0xB8>"}, []string{"a", "", "", "\ufffd\ufffd"}},
		{"no character at all", llama, []string{"<0xFF>", "a"}, []string{"\ufffd", "a", ""}},
		{"one space before the text", llama, []string{"▁", "▁", "a"}, []string{"", " ", "a", ""}},
		{"special tokens", llama, []string{"a", "</s>", "b"}, []string{"a", "", "b", ""}},
		{"white space at the ends", marian, []string{"▁", "▁", "▁the", "▁", "</s>"}, []string{"", "", "the", "", "", ""}},
		{"white space inside", marian, []string{"▁the", "▁", "▁the"}, []string{"the", "", "  the", ""}},
		{"an id of no token", llama, []string{"a", "no such", "b"}, []string{"a", "", "b", ""}},
	} {
		s := c.tok.Stream(true)
		var got []string
		for _, token := range c.tokens {
			id, ok := c.tok.ID(token)
			if !ok {
				id = 1 << 30
			}
			got = append(got, s.Next(id))
		}
		if got = append(got, s.End()); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestStreamDoesNotSplitCharactersOfBytes(t *testing.T) {
	tok := small(t)
	text := "中文 👩‍👩‍👧 é नमस्ते"
	if got := streamed(t, tok, tok.AppendDropout(nil, text, 1, rand.New(rand.NewPCG(1, 1))), false); got != text {
		t.Errorf("%q, want %q", got, text)
	}
}

// TestBytesThatAreNoCharacters decodes an A and the beginning of a character, both as
// bytes: Hugging Face tokenizers give up both, SentencePiece one.
func TestBytesThatAreNoCharacters(t *testing.T) {
	llama, err := Parse(local(t, "llama2.json"))
	if err != nil {
		t.Fatal(err)
	}
	sentencePiece, err := ParseSentencePiece(local(t, "bpe.model"))
	if err != nil {
		t.Fatal(err)
	}
	for tok, want := range map[*Tokenizer]string{llama: "\ufffd\ufffd", sentencePiece: "A\ufffd"} {
		a, _ := tok.ID("<0x41>")
		e, _ := tok.ID("<0xE4>")
		if got := tok.Decode([]int32{a, e}, true); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

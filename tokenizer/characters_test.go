package tokenizer

import (
	"slices"
	"testing"
)

func TestCharactersAreTokens(t *testing.T) {
	text := "aé€😀 b\nb'll 12é"
	tok, err := Characters(slices.Values([]string{text}), []string{"<|endoftext|>"})
	if err != nil {
		t.Fatal(err)
	}
	data, err := tok.JSON()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, tok := range []*Tokenizer{tok, again} {
		ids := tok.Append(nil, text)
		if len(ids) != len([]rune(text)) {
			t.Errorf("%d tokens for %d characters: %v", len(ids), len([]rune(text)), ids)
		}
		for i, r := range []rune(text) {
			if got := tok.Decode(ids[i:i+1], true); got != string(r) {
				t.Errorf("token %d is %q, want %q", i, got, r)
			}
		}
		if id, ok := tok.ID("<|endoftext|>"); !ok || id != 0 || !tok.Special(id) {
			t.Errorf("the special token has id %d, %v", id, ok)
		}
	}
	if plain, err := Characters(slices.Values([]string{"cab", "bca"}), []string{"<s>"}); err != nil || plain.Size() != 4 ||
		!slices.Equal(plain.Append(nil, "abc"), []int32{1, 2, 3}) {
		t.Errorf("characters are not in the order of their code points: %v", err)
	}
}

func TestCharactersOfNothingAreAnError(t *testing.T) {
	for _, c := range []struct {
		texts, special []string
	}{
		{nil, nil}, {[]string{""}, nil}, {[]string{"a"}, []string{"a"}}, {[]string{"a"}, []string{""}}, {[]string{"a"}, []string{"<s>", "<s>"}},
	} {
		if _, err := Characters(slices.Values(c.texts), c.special); err == nil {
			t.Errorf("%q with %q: no error", c.texts, c.special)
		}
	}
}

package tokenizer

import (
	"path/filepath"
	"slices"
	"testing"
)

// Every token's text stands where its offset says.
func TestOffsetsAreWhereTokensStand(t *testing.T) {
	for _, kind := range []string{"gpt2-style", "llama3-style", "llama2-style", "qwen-style"} {
		tok, err := Load(filepath.Join("../../shared/fixtures/tokenizers", kind, "tokenizer.json"))
		if err != nil {
			t.Skip("the tokenizers of the reference are not here:", err)
		}
		special := tok.SpecialTokens()[0]
		for _, text := range []string{"", "Hello world, it's 12 o'clock.\n\n  End ", "naïve café 🙂 数字", special + "a " + special + " b\n", " lead"} {
			ids, offsets, err := tok.EncodeOffsets(text, false)
			if err != nil {
				t.Errorf("%s: %q: %v", kind, text, err)
				continue
			}
			if !slices.Equal(ids, tok.Encode(text)) || !slices.IsSorted(offsets) {
				t.Errorf("%s: %q: ids %v, offsets %v", kind, text, ids, offsets)
			}
			for i, id := range ids {
				end := len(text)
				if i+1 < len(ids) {
					end = offsets[i+1]
				}
				said := tok.raw[id]
				if covered := text[offsets[i]:end]; covered != said && " "+covered != said {
					t.Errorf("%s: %q: token %q covers %q", kind, text, said, covered)
				}
			}
		}
	}
}

func TestCharactersWithoutATokenHaveNoPlace(t *testing.T) {
	tok, err := Characters(slices.Values([]string{"abc"}), nil)
	if err != nil {
		t.Fatal(err)
	}
	ids, offsets, err := tok.EncodeOffsets("xaéb c?", false)
	if err != nil || len(ids) != 3 || !slices.Equal(offsets, []int{1, 4, 6}) {
		t.Errorf("ids %v, offsets %v, %v", ids, offsets, err)
	}
}

func TestRewrittenTextHasNoOffsets(t *testing.T) {
	tok, err := Load("../../shared/fixtures/tokenizers/qwen-style/tokenizer.json")
	if err != nil {
		t.Skip("the tokenizers of the reference are not here:", err)
	}
	if _, offsets, err := tok.EncodeOffsets("cafe\u0301 au lait", false); err == nil {
		t.Errorf("a text that is composed first has the offsets %v", offsets)
	}
}

func TestFurtherSpecialTokens(t *testing.T) {
	tok, err := Train(slices.Values([]string{"a b a b"}), TrainOptions{VocabSize: 260, MinFrequency: 2, InitialAlphabet: true, SpecialTokens: []string{"<s>"}})
	if err != nil {
		t.Fatal(err)
	}
	more, err := tok.WithSpecial("<x>", "<s>", "<y>")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := more.Encode("<x>a<y>"), []int32{int32(tok.Size()), tok.Encode("a")[0], int32(tok.Size() + 1)}; !slices.Equal(got, want) {
		t.Errorf("encoded as %v, want %v", got, want)
	}
	if slices.Contains(tok.Encode("<x>"), int32(tok.Size())) {
		t.Error("the tokenizer itself has changed")
	}
	if got := more.Append(nil, "<x>"); slices.Contains(got, int32(tok.Size())) {
		t.Errorf("text becomes the special token: %v", got)
	}
}

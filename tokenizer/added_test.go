package tokenizer

import (
	"slices"
	"testing"
)

// TestAddedTokensTakeWhatTheirFlagsSay compares with what Hugging Face tokenizers give.
func TestAddedTokensTakeWhatTheirFlagsSay(t *testing.T) {
	tok, err := Parse([]byte(`{
		"added_tokens": [
			{"id": 10, "content": "<r>", "rstrip": true},
			{"id": 11, "content": "  "},
			{"id": 12, "content": "<l>", "lstrip": true},
			{"id": 13, "content": "<w>", "single_word": true},
			{"id": 14, "content": "<b>", "lstrip": true, "rstrip": true, "special": true}
		],
		"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
		"decoder": {"type": "ByteLevel"},
		"model": {"type": "BPE", "vocab": {"a":0,"b":1,"Ġ":2,"x":3,"y":4,".":5,"_":6,"<":7,"w":8,">":9}, "merges": []}
	}`))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]string{
		"a<r>    b":              {"a", "<r>    ", "  ", "  ", "b"},
		"a <r>   <l>b":           {"a", "Ġ", "<r>   ", "  ", " <l>", "b"},
		"a   <l>b":               {"a", "  ", " <l>", "b"},
		"a<r> <r> b":             {"a", "<r> ", "<r> ", "b"},
		"a <l> <l>b":             {"a", " <l>", " <l>", "b"},
		"a<w> <w>b <w> _<w>.<w>": {"a", "<", "w", ">", "Ġ", "<", "w", ">", "b", "Ġ", "<w>", "Ġ", "_", "<", "w", ">", ".", "<w>"},
		"<w>":                    {"<w>"},
		"x <b> <b> y":            {"x", " <b> ", "<b> ", "y"},
		"<r>\n\u3000x":           {"<r>\n\u3000", "x"},
		"a<r>   ":                {"a", "<r>   ", "  ", "Ġ"},
	} {
		if got := tok.Tokens(text); !slices.Equal(got, want) {
			t.Errorf("%q: tokens %q, want %q", text, got, want)
		}
		if tokens, ids := tok.Tokens(text), tok.Encode(text); len(tokens) != len(ids) {
			t.Errorf("%q: %d tokens, %d ids", text, len(tokens), len(ids))
		}
	}
	if got, want := tok.Append(nil, "x <b>y"), []int32{3, 2, 7, 1, 9, 4}; !slices.Equal(got, want) {
		t.Errorf("plain text: ids %v, want %v", got, want)
	}
}

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

// TestNormalizedAddedTokensDecodeAsTheyAreLookedFor compares with what tokenizers 0.23.3 gives.
func TestNormalizedAddedTokensDecodeAsTheyAreLookedFor(t *testing.T) {
	tok, err := Parse([]byte(`{
		"truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
		"padding": {"strategy": {"Fixed": 8}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0, "pad_token": "a"},
		"added_tokens": [
			{"id": 4, "content": "<Add>", "normalized": true},
			{"id": 5, "content": "<Raw>"}
		],
		"normalizer": {"type": "Sequence", "normalizers": [
			{"type": "Nmt"}, {"type": "Lowercase"}, {"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
		]},
		"decoder": {"type": "Sequence", "decoders": [
			{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}
		]},
		"model": {"type": "BPE", "vocab": {"a":0,"x":1,"▁":2,"y":3}, "merges": []}
	}`))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]struct {
		ids     []int32
		decoded string
	}{
		"x <ADD> Y":               {[]int32{2, 1, 4, 2, 3}, "x <add> y"},
		"<Add>x":                  {[]int32{4, 1}, "<add>x"},
		"x <Raw>y":                {[]int32{2, 1, 2, 5, 2, 3}, "x <Raw> y"},
		"a\u0001\u200bx▁y\ufeffa": {[]int32{2, 0, 2, 1, 2, 3, 2, 0}, "a x y a"},
	} {
		ids := tok.Encode(text)
		if !slices.Equal(ids, want.ids) {
			t.Errorf("%q: ids %v, want %v", text, ids, want.ids)
		}
		if got := tok.Decode(ids, false); got != want.decoded {
			t.Errorf("%q: decoded %q, want %q", text, got, want.decoded)
		}
		if got := streamed(t, tok, ids, false); got != want.decoded {
			t.Errorf("%q: one by one decoded %q, want %q", text, got, want.decoded)
		}
	}
	if got, ok := tok.Token(4); !ok || got != "<Add>" {
		t.Errorf("token 4 is spelled %q", got)
	}
}

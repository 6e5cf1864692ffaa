package tokenizer

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// TestCutsAsSentencePieceDoes compares with the ids that SentencePiece gives.
func TestCutsAsSentencePieceDoes(t *testing.T) {
	for _, c := range []struct{ model, cases string }{
		{"tokenizers/llama2-style/tokenizer.model", "tokenizers/llama2-style/cases.json"},
		{"tokenizers/unigram-spm/spiece.model", "tokenizers/unigram-spm/cases.json"},
		{"models/llama-256/tokenizer.model", "gguf/llama-256.tokenizer_cases.json"},
	} {
		t.Run(c.model, func(t *testing.T) {
			tok, err := ParseSentencePiece(shared(t, "fixtures/"+c.model))
			if err != nil {
				t.Fatal(err)
			}
			var cases []struct {
				Text string   `json:"text"`
				IDs  *[]int32 `json:"sentencepiece_ids"`
			}
			if err := json.Unmarshal(shared(t, "fixtures/"+c.cases), &cases); err != nil {
				t.Fatal(err)
			}
			compared := 0
			for _, c := range cases {
				if c.IDs == nil {
					continue
				}
				compared++
				if got := tok.Append(nil, c.Text); !slices.Equal(got, *c.IDs) {
					t.Errorf("%.80q: ids %v, want %v", c.Text, got, *c.IDs)
				}
			}
			if compared == 0 {
				t.Error("there is no case to compare with")
			}
		})
	}
}

// TestReadsWhatOpusModelsShip compares with MarianTokenizer.
func TestReadsWhatOpusModelsShip(t *testing.T) {
	const dir = "fixtures/tokenizers/marian-spm/"
	read := func(name string) *Tokenizer {
		tok, err := ParseMarian(shared(t, dir+name), shared(t, dir+"vocab.json"), MarianOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	source, target := read("source.spm"), read("target.spm")
	var cases []struct {
		Text         string   `json:"text"`
		SourceIDs    []int32  `json:"source_ids"`
		SourceTokens []string `json:"source_tokens"`
		TargetIDs    []int32  `json:"target_ids"`
		Decoded      string   `json:"decoded_target"`
	}
	if err := json.Unmarshal(shared(t, dir+"cases.json"), &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		if got := source.EncodeSpecial(c.Text); !slices.Equal(got, c.SourceIDs) {
			t.Errorf("%.80q: source ids %v, want %v", c.Text, got, c.SourceIDs)
		}
		if got := source.Tokens(c.Text); !slices.Equal(got, c.SourceTokens) {
			t.Errorf("%.80q: source tokens %q, want %q", c.Text, got, c.SourceTokens)
		}
		if got := target.EncodeSpecial(c.Text); !slices.Equal(got, c.TargetIDs) {
			t.Errorf("%.80q: target ids %v, want %v", c.Text, got, c.TargetIDs)
		}
		if got := target.Decode(c.TargetIDs, true); got != c.Decoded {
			t.Errorf("%.80q: decoded %q, want %q", c.Text, got, c.Decoded)
		}
		if got := streamed(t, target, c.TargetIDs, true); got != c.Decoded {
			t.Errorf("%.80q: one by one decoded %q, want %q", c.Text, got, c.Decoded)
		}
		if got := source.Append(nil, c.Text); strings.Contains(c.Text, "</s>") && slices.Contains(got, source.suffix[0]) {
			t.Errorf("%.80q: plain text became the special token in %v", c.Text, got)
		}
	}
}

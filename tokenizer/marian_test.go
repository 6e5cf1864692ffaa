package tokenizer

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestReadsWhatOpusModelsShip compares with MarianTokenizer.
func TestReadsWhatOpusModelsShip(t *testing.T) {
	t.Run("testdata", func(t *testing.T) {
		compareWithMarian(t, func(name string) []byte { return local(t, "opus/"+name) })
	})
	t.Run("marian-spm", func(t *testing.T) {
		compareWithMarian(t, func(name string) []byte { return shared(t, "fixtures/tokenizers/marian-spm/"+name) })
	})
}

func compareWithMarian(t *testing.T, read func(name string) []byte) {
	side := func(name string) *Tokenizer {
		tok, err := ParseMarian(read(name), read("vocab.json"), MarianOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	source, target := side("source.spm"), side("target.spm")
	var cases []struct {
		Text         string   `json:"text"`
		SourceIDs    []int32  `json:"source_ids"`
		SourceTokens []string `json:"source_tokens"`
		TargetIDs    []int32  `json:"target_ids"`
		Decoded      *string  `json:"decoded_target"`
	}
	if err := json.Unmarshal(read("cases.json"), &cases); err != nil {
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
		if got := source.Append(nil, c.Text); slices.Contains(got, source.Suffix()[0]) {
			t.Errorf("%.80q: plain text became the end in %v", c.Text, got)
		}
		if c.Decoded == nil {
			continue
		}
		if got := target.Decode(c.TargetIDs, true); got != *c.Decoded {
			t.Errorf("%.80q: decoded %q, want %q", c.Text, got, *c.Decoded)
		}
		if got := streamed(t, target, c.TargetIDs, true); got != *c.Decoded {
			t.Errorf("%.80q: one by one decoded %q, want %q", c.Text, got, *c.Decoded)
		}
	}
}

func TestALanguageCodeIsOneToken(t *testing.T) {
	dir := filepath.Join("testdata", "opus")
	tok, err := LoadMarian(filepath.Join(dir, "source.spm"), filepath.Join(dir, "vocab.json"), MarianOptions{})
	if err != nil {
		t.Fatal(err)
	}
	code, ok := tok.ID(">>fra<<")
	ids := tok.Append(nil, ">>fra<< The dog")
	if want := append([]int32{code}, tok.Append(nil, "The dog")...); !ok || !slices.Equal(ids, want) {
		t.Errorf("ids %v, want %v", ids, want)
	}
}

func TestRefusesMarianVocabulariesThatDoNotFit(t *testing.T) {
	model := local(t, "opus/source.spm")
	for vocab, want := range map[string]string{
		`[`:                                     "vocab.json: not a readable object",
		`{"</s>":0,"<unk>":1}`:                  "no token <pad>",
		`{"</s>":0,"<unk>":0,"<pad>":1}`:        "id 0 is both",
		`{"</s>":0,"<unk>":1,"<pad>":99999999}`: "out of range",
	} {
		if _, err := ParseMarian(model, []byte(vocab), MarianOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one about %s", vocab, err, want)
		}
	}
	if _, err := LoadMarian("nowhere.spm", "vocab.json", MarianOptions{}); err == nil || !strings.Contains(err.Error(), "nowhere.spm") {
		t.Errorf("a missing file: %v", err)
	}
}

func FuzzParseMarian(f *testing.F) {
	model := local(f, "opus/source.spm")
	f.Add(local(f, "opus/vocab.json"), "The baker opens the door\u00a0.")
	f.Add([]byte(`{"</s>":0,"<unk>":1,"<pad>":5,"▁the":2}`), "the ▁the")
	f.Fuzz(func(t *testing.T, vocab []byte, text string) {
		tok, err := ParseMarian(model, vocab, MarianOptions{})
		if err != nil {
			return
		}
		ids := tok.EncodeSpecial(text)
		tok.Tokens(text)
		tok.Decode(ids, true)
		streamed(t, tok, ids, true)
	})
}

package tokenizer

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestEncodesAsTiktokenDoesWithGPT2sVocabulary(t *testing.T) {
	ranks := shared(t, "fixtures/tokenizers/gpt2-real/r50k_base.tiktoken.gz")
	tok, err := ParseTiktoken(ranks, TiktokenOptions{Special: map[string]int32{"<|endoftext|>": 50256}})
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
	for _, c := range readCases(t, shared(t, "fixtures/tokenizers/gpt2-real/cases_r50k.json")) {
		ids := tok.Append(nil, c.Text)
		if !slices.Equal(ids, c.IDs) {
			t.Errorf("%.80q: ids %v, want %v", c.Text, ids, c.IDs)
		}
		if got := again.Append(nil, c.Text); !slices.Equal(got, c.IDs) {
			t.Errorf("%.80q: as tokenizer.json %v, want %v", c.Text, got, c.IDs)
		}
		if got := tok.Decode(ids, false); got != c.Text {
			t.Errorf("%.80q comes back as %.80q", c.Text, got)
		}
		if c.IDsParsed != nil {
			if got := tok.Encode(c.Text); !slices.Equal(got, *c.IDsParsed) {
				t.Errorf("%.80q: ids with special tokens %v, want %v", c.Text, got, *c.IDsParsed)
			}
		}
	}
}

// ranksOfAll are the 256 bytes and some tokens made of them.
func ranksOfAll(tokens ...string) string {
	var b strings.Builder
	line := func(token string, rank int) {
		fmt.Fprintf(&b, "%s %d\n", base64.StdEncoding.EncodeToString([]byte(token)), rank)
	}
	for c := range 256 {
		line(string([]byte{byte(c)}), c)
	}
	for i, token := range tokens {
		line(token, 256+i)
	}
	return b.String()
}

func TestReadsRanks(t *testing.T) {
	text := ranksOfAll("th", "he", "the", "xyz", " the")
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	w.Write([]byte(text))
	w.Close()
	for name, data := range map[string][]byte{"plain": []byte(text), "gzipped": zipped.Bytes()} {
		path := filepath.Join(t.TempDir(), "ranks.tiktoken")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		tok, err := LoadTiktoken(path, TiktokenOptions{Pattern: llama3Regex, Special: map[string]int32{"<|end|>": 261}})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for text, want := range map[string][]int32{
			"the":           {258},      // by merging
			"ithe":          {'i', 258}, // in a longer word
			"xyz":           {259},      // is one though no merges make it
			"xyzz":          {'x', 'y', 'z', 'z'},
			" the<|end|>it": {260, 261, 'i', 't'},
			"1234":          {'1', '2', '3', '4'},
		} {
			if got := tok.Encode(text); !slices.Equal(got, want) {
				t.Errorf("%s: %q: %v, want %v", name, text, got, want)
			}
		}
		if tok.words.pattern != llama3 {
			t.Errorf("%s: the pattern is number %d", name, tok.words.pattern)
		}
	}
}

func TestRefusesRanksThatAreNone(t *testing.T) {
	for text, want := range map[string]string{
		"":               "no token",
		"YQ==":           "line 1",
		"YQ== x":         "rank",
		"YQ== -1":        "rank",
		"YQ== 0\nYQ== 1": "line 2: the token \"a\" comes a second time",
		"!! 0":           "base64",
		" 0":             "line 1",
		"YQ== 0\nYg== 0": "id 0 is both",
		"YQ== 2000000":   "out of range",
		"\x1f\x8bno":     "gzip",
	} {
		if _, err := ParseTiktoken([]byte(text), TiktokenOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one about %s", text, err, want)
		}
	}
	if _, err := ParseTiktoken([]byte(ranksOfAll()), TiktokenOptions{Pattern: "("}); err == nil || !strings.Contains(err.Error(), `"("`) {
		t.Errorf("a pattern that is none: %v", err)
	}
}

func FuzzParseTiktoken(f *testing.F) {
	f.Add([]byte(ranksOfAll("th", "he", "the")))
	f.Add([]byte("YQ== 0\nYWE= 1\nYWFh 2\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		tok, err := ParseTiktoken(data, TiktokenOptions{})
		if err != nil {
			return
		}
		tok.Decode(tok.Append(nil, "the theme\n aaaa \xff"), false)
	})
}

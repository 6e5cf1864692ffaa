package tokenizer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// shared reads a file of the folder beside the module, or skips the test.
func shared(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "shared", path))
	if err != nil {
		t.Skipf("needs ../shared/%s: %v", path, err)
	}
	return data
}

type referenceCase struct {
	Text        string    `json:"text"`
	IDs         []int32   `json:"ids"`
	Tokens      *[]string `json:"tokens"`
	Decoded     *string   `json:"decoded"`
	IDsSpecial  *[]int32  `json:"ids_special"`
	DecodedSkip *string   `json:"decoded_skip"`
	IDsPlain    *[]int32  `json:"ids_plain"`
	IDsParsed   *[]int32  `json:"ids_with_special_parsed"`
}

func readCases(t *testing.T, data []byte) (cases []referenceCase) {
	t.Helper()
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

func local(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// shippedNames are the tokenizers in testdata.
var shippedNames = []string{"gpt2", "spaces", "llama3", "qwen", "digits", "regex", "llama2", "unigram", "wordpiece"}

// TestEncodesAndDecodesAsHuggingFaceDoes compares every field of cases made by Hugging
// Face tokenizers (those in testdata by the scripts there).
func TestEncodesAndDecodesAsHuggingFaceDoes(t *testing.T) {
	for _, name := range shippedNames {
		t.Run(name, func(t *testing.T) {
			compareWithReference(t, local(t, name+".json"), local(t, name+".cases.json"))
		})
	}
	for _, c := range []struct{ dir, cases string }{
		{"tokenizers/gpt2-style", "cases.json"},
		{"tokenizers/llama3-style", "cases.json"},
		{"tokenizers/qwen-style", "cases.json"},
		{"tokenizers/llama2-style", "cases.json"},
		{"tokenizers/unigram", "cases.json"},
		{"tokenizers/unigram-spm", "cases.json"},
		{"tokenizers/wordpiece", "cases.json"},
		{"models/stories260K", "tokenizer_cases.json"},
	} {
		t.Run(c.dir, func(t *testing.T) {
			compareWithReference(t, shared(t, "fixtures/"+c.dir+"/tokenizer.json"), shared(t, "fixtures/"+c.dir+"/"+c.cases))
		})
	}
}

// TestEncodesTheModelsOfTheGGUFFixturesAsHuggingFaceDoes compares the ids with the
// post-processor's.
func TestEncodesTheModelsOfTheGGUFFixturesAsHuggingFaceDoes(t *testing.T) {
	for _, name := range []string{"llama-256", "stories260K"} {
		tok, err := Parse(shared(t, "fixtures/models/"+name+"/tokenizer.json"))
		if err != nil {
			t.Fatal(err)
		}
		var cases []struct {
			Text string  `json:"text"`
			IDs  []int32 `json:"hf_ids"`
		}
		if err := json.Unmarshal(shared(t, "fixtures/gguf/"+name+".tokenizer_cases.json"), &cases); err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			if got := tok.EncodeSpecial(c.Text); !slices.Equal(got, c.IDs) {
				t.Errorf("%s: %.80q: ids %v, want %v", name, c.Text, got, c.IDs)
			}
		}
	}
}

func compareWithReference(t *testing.T, file, cases []byte) {
	t.Helper()
	tok, err := Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	data, err := tok.JSON()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(data)
	if err != nil {
		t.Fatalf("the tokenizer as written: %v", err)
	}
	for _, c := range readCases(t, cases) {
		for _, tok := range []*Tokenizer{tok, again} {
			ids := tok.Encode(c.Text)
			if !slices.Equal(ids, c.IDs) {
				t.Fatalf("%.80q: ids %v, want %v", c.Text, ids, c.IDs)
			}
			if c.Tokens != nil {
				if got := tok.Tokens(c.Text); !slices.Equal(got, *c.Tokens) {
					t.Errorf("%.80q: tokens %q, want %q", c.Text, got, *c.Tokens)
				}
			}
			if c.Decoded != nil {
				if got := tok.Decode(ids, false); got != *c.Decoded {
					t.Errorf("decoded %.80q, want %.80q", got, *c.Decoded)
				}
				if got := streamed(t, tok, ids, false); got != *c.Decoded {
					t.Errorf("one by one decoded %.80q, want %.80q", got, *c.Decoded)
				}
			}
			if c.IDsSpecial != nil {
				special := tok.EncodeSpecial(c.Text)
				if !slices.Equal(special, *c.IDsSpecial) {
					t.Errorf("%.80q: with post-processor %v, want %v", c.Text, special, *c.IDsSpecial)
				}
				if got := tok.Decode(special, true); got != *c.DecodedSkip {
					t.Errorf("decoded %.80q without special tokens, want %.80q", got, *c.DecodedSkip)
				}
				if got := streamed(t, tok, special, true); got != *c.DecodedSkip {
					t.Errorf("one by one decoded %.80q without special tokens, want %.80q", got, *c.DecodedSkip)
				}
			}
			plain := c.IDs
			if c.IDsPlain != nil {
				plain = *c.IDsPlain
			}
			if got := tok.Append(nil, c.Text); !slices.Equal(got, plain) {
				t.Errorf("%.80q as plain text: %v, want %v", c.Text, got, plain)
			}
		}
	}
}

func TestLearnsTheMergesOfHuggingFace(t *testing.T) {
	var cases []struct {
		Name         string
		Corpus       string
		VocabSize    int  `json:"vocab_size"`
		MinFrequency int  `json:"min_frequency"`
		Alphabet     bool `json:"initial_alphabet_256"`
		Fed          string
		Characters   int `json:"characters_used"`
	}
	if err := json.Unmarshal(shared(t, "fixtures/bpe-training/index.json"), &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			text := string([]rune(string(shared(t, "data/"+c.Corpus)))[:c.Characters])
			texts := slices.Values([]string{text})
			if strings.HasPrefix(c.Fed, "line by line") {
				texts = strings.Lines(text)
			}
			tok, err := Train(texts, TrainOptions{VocabSize: c.VocabSize, MinFrequency: c.MinFrequency, InitialAlphabet: c.Alphabet})
			if err != nil {
				t.Fatal(err)
			}
			var merges []string
			for _, m := range tok.file.bpe.Merges {
				merges = append(merges, m.left+" "+m.right)
			}
			want := strings.Split(strings.TrimSuffix(string(shared(t, "fixtures/bpe-training/"+c.Name+".merges.txt")), "\n"), "\n")
			if !slices.Equal(merges, want) {
				t.Errorf("%d merges, want %d; the first that differs is %d", len(merges), len(want), firstDifference(merges, want))
			}
			var vocab map[string]int32
			if err := json.Unmarshal(shared(t, "fixtures/bpe-training/"+c.Name+".vocab.json"), &vocab); err != nil {
				t.Fatal(err)
			}
			if tok.Size() != len(vocab) {
				t.Errorf("%d tokens, want %d", tok.Size(), len(vocab))
			}
			for token, id := range vocab {
				if got, ok := tok.ID(token); !ok || got != id {
					t.Errorf("%q has the id %d, want %d", token, got, id)
				}
			}
		})
	}
}

// TestLearnsTheTokenizersInTestdata trains on testdata/text.txt what the reference
// trained on it.
func TestLearnsTheTokenizersInTestdata(t *testing.T) {
	for name, pattern := range map[string]Pattern{"gpt2": GPT2, "spaces": Spaces} {
		want, err := Parse(local(t, name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Train(strings.Lines(string(local(t, "text.txt"))), TrainOptions{
			VocabSize: 450, MinFrequency: 2, Pattern: pattern, SpecialTokens: []string{"</s>", "<unk>"}, InitialAlphabet: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		if a, b := got.file.bpe.Merges, want.file.bpe.Merges; !slices.Equal(a, b) {
			t.Errorf("%s: the merges differ from number %d on", name, firstDifference(a, b))
		}
		if a, b := got.file.bpe.Vocab, want.file.bpe.Vocab; len(a) != len(b) {
			t.Errorf("%s: %d tokens, want %d", name, len(a), len(b))
		}
	}
}

func firstDifference[T comparable](a, b []T) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

func warAndPeace(t testing.TB) string { return string(shared(t, "data/text/war_and_peace.txt")) }

package tokenizer

import (
	"path"
	"strings"
	"testing"
)

// BenchmarkTrain learns 10,000 tokens from War and Peace on two threads.
func BenchmarkTrain(b *testing.B) {
	text := warAndPeace(b)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := Train(strings.Lines(text), TrainOptions{VocabSize: 10000, InitialAlphabet: true, Threads: 2}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEncode encodes War and Peace on one thread: warm, with its words seen
// before, and cold, with an empty memory each time.
func BenchmarkEncode(b *testing.B) {
	text := warAndPeace(b)
	for _, p := range []struct {
		name    string
		pattern Pattern
	}{{"GPT2", GPT2}, {"Spaces", Spaces}} {
		tok, err := Train(strings.Lines(text), TrainOptions{VocabSize: 10000, InitialAlphabet: true, Pattern: p.pattern})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(p.name+"/warm", func(b *testing.B) {
			dst := tok.Append(nil, text)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				dst = tok.Append(dst[:0], text)
			}
		})
		b.Run(p.name+"/cold", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				tok.idle.encoders = nil
				tok.Append(nil, text)
			}
		})
	}
}

// BenchmarkEncodeShipped encodes War and Peace, line by line on one thread, with the
// tokenizers of others.
func BenchmarkEncodeShipped(b *testing.B) {
	text := warAndPeace(b)
	lines := strings.Split(text, "\n")
	for _, name := range []string{
		"gpt2-real/r50k_base.tiktoken.gz", "gpt2-style/tokenizer.json", "llama3-style/tokenizer.json", "qwen-style/tokenizer.json",
		"llama2-style/tokenizer.json", "llama2-style/tokenizer.model", "unigram/tokenizer.json", "unigram-spm/tokenizer.json",
		"unigram-spm/spiece.model", "wordpiece/tokenizer.json", "marian-spm/source.spm",
	} {
		b.Run(name, func(b *testing.B) {
			tok := shipped(b, name)
			var dst []int32
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				for _, line := range lines {
					dst = tok.Append(dst[:0], line)
				}
			}
		})
	}
}

// shipped reads a tokenizer of the fixtures.
func shipped(t testing.TB, name string) *Tokenizer {
	t.Helper()
	data := shared(t, "fixtures/tokenizers/"+name)
	var tok *Tokenizer
	var err error
	switch path.Ext(name) {
	case ".json":
		tok, err = Parse(data)
	case ".gz":
		tok, err = ParseTiktoken(data, TiktokenOptions{})
	default:
		tok, err = ParseSentencePiece(data)
	}
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// BenchmarkParse reads a tokenizer.json of 10,000 tokens.
func BenchmarkParse(b *testing.B) {
	tok, err := Train(strings.Lines(warAndPeace(b)), TrainOptions{VocabSize: 10000, InitialAlphabet: true})
	if err != nil {
		b.Fatal(err)
	}
	data, err := tok.JSON()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := Parse(data); err != nil {
			b.Fatal(err)
		}
	}
}

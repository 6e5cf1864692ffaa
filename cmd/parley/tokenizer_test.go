package main

import (
	"encoding/json"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func decode(t testing.TB, text string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
}

// vocabulary learns a small tokenizer from two files, one of them as Windows writes text, and returns its path.
func vocabulary(t testing.TB) string {
	t.Helper()
	english := write(t, "corpus.en", "\ufeffthe old cat sleeps\r\nthe old house\r\nthe cat eats the old cheese\r\n")
	french := write(t, "corpus.fr", "le vieux chat dort\nla vieille maison\nle chat mange le vieux fromage\n")
	out := filepath.Join(t.TempDir(), "tokenizer.json")
	args := []string{"tokenizer", "train", "--vocab", "300", "--pattern", "spaces", "--special", "</s>,<unk>", "--last", "<pad>", "--out", out}
	_, _, said := typed(t, "", append(args, english, french)...)
	if !strings.Contains(said, "tokens in "+out) {
		t.Fatalf("tokenizer train says %q", said)
	}
	return out
}

func TestTokensComeBackAsTheTextTheyCameFrom(t *testing.T) {
	tok := vocabulary(t)
	text := strings.Join([]string{
		"the old cat", "", "  two  spaces ", "never seen: Ωμέγα 😀", "raw bytes \xff\xfe\x80", "</s> is text here", strings.Repeat("x", 200000),
	}, "\n") + "\n"
	for name, given := range map[string]string{
		"LF": text, "CR LF": strings.ReplaceAll(text, "\n", "\r\n"), "byte order mark": "\ufeff" + text, "no end of the last line": strings.TrimSuffix(text, "\n"),
	} {
		ids := succeed(t, given, "tokenizer", "encode", "-m", tok)
		if back := succeed(t, ids, "tokenizer", "decode", "-m", tok); back != text {
			t.Errorf("%s: the text comes back as %.200q", name, back)
		}
		if strings.Count(ids, "\n") != strings.Count(text, "\n") {
			t.Errorf("%s: %d lines of ids for %d lines of text", name, strings.Count(ids, "\n"), strings.Count(text, "\n"))
		}
	}
}

func TestTheVocabularyIsTrainedFromTheWordsOfTheFiles(t *testing.T) {
	tok := vocabulary(t)
	if out := succeed(t, "", "tokenizer", "encode", "-m", tok, "--tokens", "the old cat"); out != "the Ġold Ġcat\n" {
		t.Errorf("tokens are %q", out)
	}
	var shown struct {
		Text   string
		IDs    []int
		Tokens []string
	}
	decode(t, succeed(t, "", "tokenizer", "encode", "-m", tok, "--json", "--special", "the cat"), &shown)
	if shown.Text != "the cat" || len(shown.IDs) != len(shown.Tokens) || strings.Join(shown.Tokens, " ") != "the Ġcat" {
		t.Errorf("encode --json says %+v", shown)
	}
	if out := succeed(t, "", "tokenizer", "decode", "-m", tok, "--skip-special", "0"); out != "\n" {
		t.Errorf("without special tokens </s> is %q", out)
	}
	if out := succeed(t, "", "tokenizer", "decode", "-m", tok, "0"); out != "</s>\n" {
		t.Errorf("id 0 is %q", out)
	}
}

func TestTokenizersOfOtherFormatsAreReadByTheirNames(t *testing.T) {
	const testdata = "../../tokenizer/testdata/"
	ranks := write(t, "bytes.tiktoken", "YQ== 0\nYg== 1\nYWI= 2\n")
	for path, want := range map[string]string{
		testdata + "llama2.json":   "▁le ▁b a",
		testdata + "bpe.model":     "▁le ▁b a",
		testdata + "unigram.model": "▁le ▁ba",
		testdata + "opus":          "▁le ▁b a",
		ranks:                      "b a",
	} {
		if out := succeed(t, "", "tokenizer", "encode", "-m", path, "--tokens", "le ba"); strings.TrimSpace(out) != want {
			t.Errorf("%s cuts into %q, want %q", path, out, want)
		}
	}
}

func TestWrongInputOfTheTokenizerVerbsIsNamed(t *testing.T) {
	tok := vocabulary(t)
	latin1 := write(t, "latin1.txt", "first\ncaf\xe9\n")
	empty := write(t, "empty.txt", "")
	for _, c := range []struct {
		args  []string
		words []string
	}{
		{[]string{"tokenizer", "train", latin1}, []string{latin1 + ":2", "UTF-8"}},
		{[]string{"tokenizer", "train", empty}, []string{empty, "empty"}},
		{[]string{"tokenizer", "train", "no-such-file"}, []string{"no-such-file"}},
		{[]string{"tokenizer", "train", "--vocab", "10", "--out", filepath.Join(t.TempDir(), "t.json"), tok}, []string{"10"}},
		{[]string{"tokenizer", "train", "--out", filepath.Join(t.TempDir(), "no", "t.json"), tok}, []string{"t.json"}},
		{[]string{"tokenizer", "encode", "-m", "no-such-file"}, []string{"no-such-file"}},
		{[]string{"tokenizer", "encode", "-m", latin1, "a"}, []string{latin1}},
		{[]string{"tokenizer", "encode", "-m", t.TempDir(), "a"}, []string{"tokenizer.json"}},
		{[]string{"tokenizer", "decode", "-m", tok, "12", "words"}, []string{"line 1", `"words"`}},
		{[]string{"tokenizer", "decode", "-m", tok, "99999"}, []string{`"99999"`}},
	} {
		t.Run(strings.Join(c.args[1:2], ""), func(t *testing.T) {
			t.Chdir(t.TempDir())
			fail(t, 1, c.args, c.words...)
		})
	}
	status, out, problems := typed(t, "264\nwrong\n264\n", "tokenizer", "decode", "-m", tok)
	if status != 1 || strings.Count(out, "\n") != 1 || !strings.Contains(problems, `line 2: "wrong"`) {
		t.Errorf("a wrong line after a right one: exit %d, %q, %q", status, out, problems)
	}
}

// A program that talks to the tokenizer through pipes waits for each answer before it asks again.
func TestEncodeAnswersEachLineOfAPipe(t *testing.T) {
	tok := vocabulary(t)
	ask, answers := conversation(t, "tokenizer", "encode", "-m", tok)
	for _, line := range []string{"the old cat", "the house"} {
		io.WriteString(ask, line+"\n")
		select {
		case got := <-answers:
			if want := strings.TrimSpace(succeed(t, "", "tokenizer", "encode", "-m", tok, line)); got != want {
				t.Errorf("%q gives %q through a pipe, %q otherwise", line, got, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("no answer before the pipe is closed")
		}
	}
}

func TestAVocabularyIsLearnedFromTheTextsOfJSONL(t *testing.T) {
	out := filepath.Join(t.TempDir(), "tokenizer.json")
	succeed(t, "", "tokenizer", "train", "--vocab", "264", "--out", out, write(t, "texts.jsonl", strings.Repeat(`{"text":"the tower"}`+"\n", 3)))
	if vocabulary := read(t, out); !strings.Contains(vocabulary, `"Ġtower"`) || strings.Contains(vocabulary, `"text"`) {
		t.Errorf("the vocabulary is %s", vocabulary)
	}
}

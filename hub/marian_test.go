package hub

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parley-lm/parley/model"
)

const opus = "../tokenizer/testdata/opus" // the files of a small opus-mt model's tokenizer

// opusModel writes a tiny model with the tokenizer files of an opus-mt model and returns the directory.
func opusModel(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "opus-mt-en-fr")
	m := tinyModel(t, func(c *model.EncDecConfig) { c.BOSID = nil })
	if err := SaveEncDec(dir, &EncDec{Model: m, Generation: DefaultGeneration(m.Config)}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"source.spm", "target.spm", "vocab.json"} {
		data, err := os.ReadFile(filepath.Join(opus, name))
		if err != nil {
			t.Fatal(err)
		}
		mustWrite(t, filepath.Join(dir, name), string(data))
	}
	mustWrite(t, filepath.Join(dir, "tokenizer_config.json"), `{"source_lang":"en","target_lang":"fr","eos_token":"</s>"}`)
	return dir
}

func TestAnOpusModelOpensAndIsSavedAgain(t *testing.T) {
	dir := opusModel(t)
	e, err := LoadEncDec(dir)
	if err != nil {
		t.Fatal(err)
	}
	const text = "le boulanger ouvre la porte"
	source, target := e.Tokenizer.Append(nil, text), e.ForTarget().Append(nil, text)
	if slices.Equal(source, target) {
		t.Errorf("both sides cut the text into %v", source)
	}
	for side, ids := range map[string][]int32{"source": source, "target": target} {
		if got := e.Tokenizer.Decode(ids, true); got != text {
			t.Errorf("the ids of the %s side come back as %q", side, got)
		}
	}
	again := filepath.Join(t.TempDir(), "again")
	if err := SaveEncDec(again, e); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"source.spm", "target.spm", "vocab.json", "tokenizer_config.json"} {
		before, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if after, err := os.ReadFile(filepath.Join(again, name)); err != nil || !bytes.Equal(before, after) {
			t.Errorf("%s is not what it was: %v", name, err)
		}
	}
	if isFile(filepath.Join(again, "tokenizer.json")) {
		t.Error("there is a tokenizer.json now")
	}
	if _, err := LoadEncDec(again); err != nil {
		t.Error(err)
	}
}

func TestOpusModelsThatDoNotFitAreNamed(t *testing.T) {
	for name, c := range map[string]struct{ file, content, want string }{
		"no target":           {"target.spm", "", "target.spm"},
		"no model":            {"source.spm", "text", "source.spm"},
		"two vocabularies":    {"tokenizer_config.json", `{"separate_vocabs":true}`, "separate_vocabs"},
		"another end":         {"tokenizer_config.json", `{"eos_token":"<end>"}`, "<end>"},
		"no list of tokens":   {"vocab.json", `[]`, "vocab.json"},
		"too large a list":    {"vocab.json", `{"</s>":0,"<unk>":1,"<pad>":310}`, "vocab.json: has 311 tokens"},
		"an end of no string": {"tokenizer_config.json", `{"eos_token":7}`, "eos_token"},
	} {
		dir := opusModel(t)
		path := filepath.Join(dir, c.file)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if c.content != "" {
			mustWrite(t, path, c.content)
		}
		if _, err := LoadEncDec(dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one about %s", name, err, c.want)
		}
	}
}

func TestADirectoryMayHaveATokenizerModelAlone(t *testing.T) {
	model, err := os.ReadFile(filepath.Join("..", "tokenizer", "testdata", "bpe.model"))
	if err != nil {
		t.Fatal(err)
	}
	for config, want := range map[string]struct{ before, after string }{
		``:                        {"<s>", ""},
		`{"add_bos_token": true}`: {"<s>", ""},
		`{"add_bos_token": false, "add_eos_token": true}`:           {"", "</s>"},
		`{"add_eos_token": true, "bos_token": {"content": "</s>"}}`: {"</s>", "</s>"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "tokenizer.model"), model, 0o666); err != nil {
			t.Fatal(err)
		}
		if config != "" {
			if err := os.WriteFile(filepath.Join(dir, "tokenizer_config.json"), []byte(config), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		source, target, err := LoadTokenizers(dir)
		if err != nil || source != target {
			t.Fatalf("%s: %v", config, err)
		}
		spelled := func(ids []int32) (all string) {
			for _, id := range ids {
				token, _ := source.Token(id)
				all += token
			}
			return all
		}
		if before, after := spelled(source.Prefix()), spelled(source.Suffix()); before != want.before || after != want.after {
			t.Errorf("%s: %q before a text and %q after it, want %q and %q", config, before, after, want.before, want.after)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tokenizer.model"), model, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tokenizer_config.json"), []byte(`{"bos_token": "<begin>"}`), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, _, err := LoadTokenizers(dir); err == nil || !strings.Contains(err.Error(), `lacks "<begin>"`) {
		t.Errorf("a token that there is not: %v", err)
	}
}

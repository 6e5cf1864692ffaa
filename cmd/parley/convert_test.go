package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestConvertGGUFAndBack(t *testing.T) {
	dir := t.TempDir()
	file, back := filepath.Join(dir, "tale.gguf"), filepath.Join(dir, "back")
	out := succeed(t, "", "convert", "gguf", "-m", storyteller, "--out", file, "--type", "f32", "--json")
	var written struct {
		Path  string
		Bytes int64
		Notes []string
	}
	if err := json.Unmarshal([]byte(out), &written); err != nil || written.Path != file || written.Bytes < 1e6 || written.Notes == nil {
		t.Errorf("printed %s (%v)", out, err)
	}
	succeed(t, "", "convert", "hf", "-m", file, "--out", back, "-q")
	story := func(model string) string {
		return succeed(t, "", "generate", "-m", model, "--prompt", "Once upon a time", "--max-tokens", "20")
	}
	want := story(storyteller)
	for _, model := range []string{file, back} {
		if got := story(model); got != want {
			t.Errorf("%s tells %q, want %q", model, got, want)
		}
		ids := succeed(t, "", "tokenizer", "encode", "-m", model, "The cat sleeps.")
		if want := succeed(t, "", "tokenizer", "encode", "-m", storyteller, "The cat sleeps."); ids != want {
			t.Errorf("%s: ids %s, want %s", model, ids, want)
		}
	}
	fail(t, 1, []string{"convert", "gguf", "-m", storyteller, "--out", file}, "tale.gguf exists", "--force")
	fail(t, 1, []string{"convert", "hf", "-m", file, "--out", back}, "back exists", "--force")
	succeed(t, "", "convert", "gguf", "-m", storyteller, "--out", file, "--type", "bf16", "--force", "-q")
	if info, err := os.Stat(file); err != nil || info.Size() > written.Bytes*3/4 {
		t.Errorf("as bf16 it has not become smaller: %v, %v", info, err)
	}
	succeed(t, "", "generate", "-m", file, "--prompt", "Once", "--max-tokens", "3", "--precision", "bf16")
}

func TestConvertRefusesWhatItCannotMean(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "x.gguf")
	fail(t, 2, []string{"convert", "gguf", "-m", storyteller, "--out", out, "--type", "q4_0"}, "--type", "f32, f16 or bf16")
	fail(t, 2, []string{"convert", "gguf", "-m", storyteller}, "out")
	fail(t, 1, []string{"convert", "gguf", "-m", filepath.Join(dir, "nothing"), "--out", out}, "no such model directory")
	fail(t, 1, []string{"convert", "gguf", "-m", "../../testdata/translator", "--out", out}, "encoder–decoder")
	fail(t, 1, []string{"convert", "hf", "-m", storyteller, "--out", out}, "not a GGUF file")
	fail(t, 1, []string{"generate", "-m", storyteller + "/config.json", "--prompt", "a"}, "neither a model directory nor a GGUF file", "safetensors")
	fail(t, 1, []string{"generate", "-m", dir, "--prompt", "a"}, "no config.json", "GGUF")
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if err := os.WriteFile(out, []byte("GGUF\x03\x00\x00\x00"), 0o666); err != nil {
		t.Fatal(err)
	}
	fail(t, 1, []string{"generate", "-m", out, "--prompt", "a"}, "x.gguf: truncated")
	if _, _, problems := typed(t, "", "generate", "-m", dir, "--prompt", "a"); !strings.Contains(problems, out) {
		t.Errorf("the file in the directory is not named: %s", problems)
	}
	fail(t, 1, []string{"translate", "-m", storyteller}, "generate")
}

package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// smallLanguage makes the training of a language model last a moment.
var smallLanguage = []string{
	"train", "lm", "--quiet", "--threads", "1", "--depth", "1",
	"--set", "model.width=16", "--set", "model.heads=2", "--set", "model.context=32", "--set", "tokenizer.vocab=280",
	"--set", "train.batch_tokens=128", "--set", "validation.sample_tokens=8", "--set", "train.updates=6",
}

func languageArgs(more ...string) []string {
	return append(append([]string{}, smallLanguage...), more...)
}

// story is enough text to learn from.
func story() string {
	var b strings.Builder
	for i := range 300 {
		fmt.Fprintf(&b, "Once there was a king who had %d sons.\n", i)
	}
	return b.String()
}

func TestALanguageModelFromEveryKindOfText(t *testing.T) {
	plain := write(t, "my.txt", story())
	lines := write(t, "my.jsonl", strings.Repeat("{\"body\": \"once there was a king\"}\n", 120)+strings.Repeat("{\"body\": \"twice there was a queen\"}\n", 80))
	for _, c := range []struct {
		name, input string
		args        []string
	}{
		{"a file", "", []string{"--data", plain}},
		{"a directory", "", []string{"--data", filepath.Dir(plain)}},
		{"a pattern", "", []string{"--data", filepath.Join(filepath.Dir(plain), "*.txt")}},
		{"standard input", story(), []string{"--data", "-"}},
		{"JSONL with a key of its own, and validation text", "", []string{"--data", lines, "--valid", lines, "--set", "data.field=body"}},
		{"characters", "", []string{"--data", plain, "--set", "tokenizer.kind=characters"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var result struct {
				Model      string
				Step       int
				Validation struct {
					Bits float64 `json:"bits_per_byte"`
				}
			}
			decode(t, succeed(t, c.input, languageArgs(append(c.args, "--json", "--out", filepath.Join(t.TempDir(), "run"))...)...), &result)
			if result.Step != 6 || result.Validation.Bits < 0.5 || result.Validation.Bits > 20 {
				t.Errorf("%+v", result)
			}
		})
	}
}

func TestALanguageModelsPlanAndResult(t *testing.T) {
	plain, out := write(t, "my.txt", story()), filepath.Join(t.TempDir(), "run")
	plan := succeed(t, "", languageArgs("--data", plain, "--dry-run", "--set", "train.updates=0")...)
	for _, words := range []string{"parameters  ", "vocabulary  280", "1 documents: ", "tokens to train on", "tokens a parameter", "GFLOP", "memory", "s an update"} {
		if !strings.Contains(plan, words) {
			t.Errorf("the plan does not say %q:\n%s", words, plan)
		}
	}
	result := succeed(t, "", languageArgs("--data", plain, "--out", out)...)
	for _, words := range []string{"model: ", "bits per byte", "report.html"} {
		if !strings.Contains(result, words) {
			t.Errorf("the result does not say %q:\n%s", words, result)
		}
	}
	recipe := succeed(t, "", "train", "lm", "--data", plain, "--depth", "6", "--print-recipe")
	for _, words := range []string{"depth = 6", "width = 384", "layers = 6", `architecture = "llama"`} {
		if !strings.Contains(recipe, words) {
			t.Errorf("the recipe does not say %q:\n%s", words, recipe)
		}
	}
}

func TestFlagsThatDoNotBelongTogether(t *testing.T) {
	plain := write(t, "my.txt", story())
	for _, c := range []struct {
		want string
		args []string
	}{
		{"--depth is for language models", []string{"train", "translate", "--depth", "4", "--data", "a.tsv"}},
		{"--size is for translators", []string{"train", "lm", "--data", plain, "--size", "tiny"}},
		{"--reverse is for translators", []string{"train", "lm", "--data", plain, "--reverse"}},
		{"--test is not for language models", []string{"train", "lm", "--data", plain, "--test", plain}},
		{"lm needs your text", []string{"train", "lm"}},
	} {
		fail(t, 2, c.args, c.want)
	}
	fail(t, 1, []string{"train", "lm", "--data", plain, "--set", "model.attention_dropout=1", "--out", filepath.Join(t.TempDir(), "run")}, "model.attention_dropout is 1, must be at least 0 and below 1")
}

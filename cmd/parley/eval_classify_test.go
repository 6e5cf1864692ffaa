package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// colours is labelled texts that a classifier of one layer learns in a second.
func colours(n int) string {
	var b strings.Builder
	for i := range n {
		warm := i*7%3 == 0
		fmt.Fprintf(&b, "{\"text\": \"number %d is %s\", \"label\": %q}\n", i*37%101, map[bool]string{true: "red", false: "blue"}[warm], map[bool]string{true: "warm", false: "cold"}[warm])
	}
	return b.String()
}

// smallClassifier trains a classifier of colours.
func smallClassifier(t testing.TB) string {
	t.Helper()
	run := filepath.Join(t.TempDir(), "run")
	out := succeed(t, "", "train", "classify", "--data", write(t, "colours.jsonl", colours(120)), "--depth", "1", "--set", "tokenizer.vocab=280",
		"--set", "data.held_out_share=0.2", "--set", "model.context=16", "--set", "train.epochs=20", "--set", "train.batch_tokens=300", "--quiet", "--out", run)
	for _, want := range []string{"accuracy 1", "parley eval classify -m " + run} {
		if !strings.Contains(out, want) {
			t.Errorf("parley train classify prints %q, which lacks %q", out, want)
		}
	}
	return run
}

func TestEvalClassifyPrintsAccuracyAndDecisions(t *testing.T) {
	run := smallClassifier(t)
	texts := write(t, "test.jsonl", colours(30))
	out := succeed(t, "", "eval", "classify", "-m", run, texts)
	for _, want := range []string{"accuracy           1.0000 (0.8865 to 1.0000) of 30 texts", "calibration error", "cold  warm"} {
		if !strings.Contains(out, want) {
			t.Errorf("eval classify prints %q, which lacks %q", out, want)
		}
	}
	var result struct {
		Accuracy  float64
		Confusion [][]int
	}
	decode(t, succeed(t, "", "eval", "classify", "-m", run, "--json", texts), &result)
	if result.Accuracy != 1 || result.Confusion[0][0] != 20 || result.Confusion[1][1] != 10 {
		t.Errorf("--json says %+v", result)
	}
	lines := strings.Split(strings.TrimSpace(succeed(t, "", "eval", "classify", "-m", run, "--decisions", texts)), "\n")
	if len(lines) != 30 || !strings.HasPrefix(lines[0], `{"label":"warm","probability":`) {
		t.Errorf("--decisions prints %d lines, the first %q", len(lines), lines[0])
	}
	fail(t, 1, []string{"eval", "classify", "-m", run, write(t, "other.jsonl", `{"text": "x", "label": "hot"}`)}, `a label "hot"`, `["cold" "warm"]`)
	fail(t, 1, []string{"eval", "classify", "-m", randomModel(t), texts}, "config.json")
	fail(t, 2, []string{"eval", "classify", texts}, "model", "parley eval classify --help")
}

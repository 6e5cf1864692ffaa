package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// politeness is preferences for the answers with a please.
func politeness(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{\"prompt\": \"Say %d.\", \"chosen\": \" Please, %d.\", \"rejected\": \" It is %d!\"}\n", i, i*7%10, i*3%10)
	}
	return b.String()
}

func TestRewardModelAndDPOFromTheCommandLine(t *testing.T) {
	prefs := write(t, "prefs.jsonl", politeness(80))
	reward := filepath.Join(t.TempDir(), "reward")
	out := succeed(t, "", "train", "reward", "--data", prefs, "--depth", "1", "--set", "tokenizer.vocab=280", "--set", "model.context=32",
		"--set", "train.epochs=10", "--set", "train.batch_tokens=300", "--set", "data.held_out_share=0.2", "--quiet", "--out", reward)
	for _, want := range []string{"accuracy 1", "margin", "parley eval reward -m " + reward} {
		if !strings.Contains(out, want) {
			t.Errorf("parley train reward prints %q, which lacks %q", out, want)
		}
	}
	out = succeed(t, "", "eval", "reward", "-m", reward, prefs)
	for _, want := range []string{"answers            160 to 80 prompts", "accuracy           1.0000 (", "of 80 comparisons", "the longer answer  1.0000", "calibration error"} {
		if !strings.Contains(out, want) {
			t.Errorf("eval reward prints %q, which lacks %q", out, want)
		}
	}
	answers := write(t, "answers.jsonl", `{"prompt": "Say 3.", "answers": [" Please, 3.", " It is 3!"]}`)
	lines := strings.Split(strings.TrimSpace(succeed(t, "", "eval", "reward", "-m", reward, "--rewards", answers)), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], `"answer":" Please, 3.","reward":`) {
		t.Errorf("--rewards prints %q", lines)
	}
	if out := succeed(t, "", "eval", "reward", "-m", reward, answers); !strings.Contains(out, "comparisons        none") {
		t.Errorf("without preferences eval reward prints %q", out)
	}
	spoil(t, filepath.Join(reward, "model"), "score.weight")
	fail(t, 1, []string{"eval", "reward", "-m", reward, "-q", prefs}, reward, "text 1 is NaN")
	fail(t, 1, []string{"eval", "chat", "-m", "../../testdata/storyteller", "--reward", reward, "--sandbox", "--count", "1", "--max-tokens", "2", "-q"}, reward, "is NaN")
	language := filepath.Join(t.TempDir(), "language")
	succeed(t, "", "train", "lm", "--data", write(t, "my.txt", strings.Repeat("Say 3. Please, 3. It is 3! ", 300)), "--depth", "1", "--set", "tokenizer.vocab=280",
		"--set", "train.updates=2", "--set", "model.context=64", "--set", "validation.sample_tokens=0", "--quiet", "--out", language)
	dpo := filepath.Join(t.TempDir(), "dpo")
	out = succeed(t, "", "train", "dpo", "-m", language, "--data", prefs, "--set", "train.lr=0.001", "--set", "train.epochs=3", "--set", "data.held_out_share=0.2", "--quiet", "--out", dpo)
	for _, want := range []string{"accuracy 1", "reward chosen", "parley generate -m " + dpo} {
		if !strings.Contains(out, want) {
			t.Errorf("parley train dpo prints %q, which lacks %q", out, want)
		}
	}
	fail(t, 1, []string{"train", "dpo", "--data", prefs, "--out", filepath.Join(t.TempDir(), "run")}, "-m DIR")
	var tied strings.Builder
	for i := range 40 {
		fmt.Fprintf(&tied, "{\"prompt\": \"Say %d.\", \"answers\": [\"a\", \"b\"], \"ranks\": [1, 1]}\n", i)
	}
	fail(t, 1, []string{"train", "dpo", "-m", language, "-q", "--data", write(t, "tied.jsonl", tied.String()), "--out", filepath.Join(t.TempDir(), "run")}, "comparisons are ties")
	fail(t, 1, []string{"train", "reward", "--cross-validate", "--data", prefs, "--out", filepath.Join(t.TempDir(), "run")}, "data.group_field")
	fail(t, 1, []string{"eval", "reward", "-m", smallClassifier(t), prefs}, "2 scores")
}

func TestCrossValidationFromTheCommandLine(t *testing.T) {
	var b strings.Builder
	for i := range 60 {
		fmt.Fprintf(&b, "{\"prompt\": \"p%d\", \"topic\": \"t%d-yes\", \"chosen\": \"long answer %d\", \"rejected\": \"no\"}\n", i, i%4, i)
	}
	out := succeed(t, "", "train", "reward", "--cross-validate", "--data", write(t, "prefs.jsonl", b.String()), "--depth", "1", "--set", "tokenizer.vocab=280",
		"--set", "model.context=16", "--set", "train.updates=2", "--set", "schedule.warmup=0", "--set", "data.group_field=topic", "--set", "data.group_until=-",
		"--set", "data.held_out_share=0.5", "--quiet", "--out", filepath.Join(t.TempDir(), "folds"))
	for _, want := range []string{"groups       4, each held out once", "comparisons  60", "the longer   1.0000"} {
		if !strings.Contains(out, want) {
			t.Errorf("--cross-validate prints %q, which lacks %q", out, want)
		}
	}
}

// spoil makes the first number of a tensor in float32 one that is none.
func spoil(t *testing.T, dir, tensor string) {
	t.Helper()
	path := filepath.Join(dir, "model.safetensors")
	file := []byte(read(t, path))
	header := file[8 : 8+binary.LittleEndian.Uint64(file)]
	var tensors map[string]struct {
		Offsets [2]int `json:"data_offsets"`
	}
	if err := json.Unmarshal(header, &tensors); err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint32(file[8+len(header)+tensors[tensor].Offsets[0]:], math.Float32bits(float32(math.NaN())))
	if err := os.WriteFile(path, file, 0o666); err != nil {
		t.Fatal(err)
	}
}

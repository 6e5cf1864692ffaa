package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAnAdapterIsTrainedUsedAndMerged goes the way of the README on a published model.
func TestAnAdapterIsTrainedUsedAndMerged(t *testing.T) {
	base := filepath.Join("..", "..", "..", "shared", "fixtures", "models", "stories260K")
	if _, err := os.Stat(base); err != nil {
		t.Skipf("%s is not there", base)
	}
	dir := t.TempDir()
	var text strings.Builder
	for range 40 {
		text.WriteString(`{"text": "Once upon a time there was a robot. The robot liked to count. One, two, three, said the robot."}` + "\n")
	}
	data := filepath.Join(dir, "my.jsonl")
	if err := os.WriteFile(data, []byte(text.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	run := filepath.Join(dir, "run")
	train := []string{"train", "lora", "-m", base, "--data", data, "--quiet", "--set", "lora.targets=all-linear", "--set", "train.epochs=0", "--set", "train.updates=30",
		"--set", "train.lr=0.01", "--set", "train.batch_tokens=512", "--set", "validation.every=30", "--set", "validation.sample_tokens=0"}
	plan := succeed(t, "", append(train, "--dry-run")...)
	if !strings.Contains(plan, "that stay as they are") {
		t.Errorf("the plan: %s", plan)
	}
	out := succeed(t, "", append(train, "--out", run)...)
	if !strings.Contains(out, "parley generate -m "+run) {
		t.Errorf("what comes out: %s", out)
	}
	write := func(args ...string) string {
		t.Helper()
		return succeed(t, "", append(append([]string{"generate"}, args...), "--prompt", "Once upon a time there was a", "--max-tokens", "24")...)
	}
	plain, adapted := write("-m", base), write("-m", base, "--adapter", run)
	if !strings.HasPrefix(adapted, " robot. The robot liked to count.") || strings.HasPrefix(plain, " robot") {
		t.Errorf("with the adapter %q, without %q", adapted, plain)
	}
	if got := write("-m", run); got != adapted {
		t.Errorf("from the run %q, want %q", got, adapted)
	}
	if got := write("-m", filepath.Join(run, "model")); got != adapted {
		t.Errorf("from the adapter's directory %q, want %q", got, adapted)
	}
	if got := write("-m", base, "--adapter", run+":0.5", "--adapter", run+":0.5"); got != adapted {
		t.Errorf("in two halves %q, want %q", got, adapted)
	}
	if got := write("-m", base, "--adapter", run+":0.000001"); got != plain {
		t.Errorf("with hardly any of the adapter %q, want %q", got, plain)
	}
	merged := filepath.Join(dir, "merged")
	if out := succeed(t, "", "convert", "merge", "--adapter", run, "--out", merged); !strings.Contains(out, "35 linear layers of ") {
		t.Errorf("merging says %s", out)
	}
	if got := write("-m", merged); got != adapted {
		t.Errorf("merged %q, want %q", got, adapted)
	}
	succeed(t, "", "convert", "merge", "--adapter", run, "--out", merged, "--force")
	dora, merged2 := filepath.Join(dir, "dora"), filepath.Join(dir, "merged-dora")
	succeed(t, "", append(train, "--out", dora, "--set", "lora.dora=true")...)
	succeed(t, "", "convert", "merge", "--adapter", dora, "--out", merged2)
	if got, want := write("-m", dora), write("-m", merged2); got != want || !strings.HasPrefix(got, " robot. The robot liked to count.") {
		t.Errorf("from a DoRA %q, merged %q", got, want)
	}
	for _, c := range []struct {
		status int
		want   string
		args   []string
	}{
		{2, "give at least one --adapter", []string{"convert", "merge", "-m", base, "--out", merged}},
		{2, "give --out DIR", []string{"convert", "merge", "-m", base, "--adapter", run}},
		{2, "--dtype f8", []string{"convert", "merge", "--adapter", run, "--out", merged, "--dtype", "f8"}},
		{1, "merged exists; name another, or replace it with --force", []string{"convert", "merge", "--adapter", run, "--out", merged}},
		{1, "is read for what is to be written", []string{"convert", "merge", "--adapter", run, "--out", base, "--force"}},
		{1, "no such adapter directory", []string{"generate", "-m", base, "--adapter", filepath.Join(dir, "nowhere"), "--prompt", "a"}},
		{1, "it is a DoRA (use_dora), so that its weight can only be 1", []string{"generate", "-m", base, "--adapter", dora + ":0.5", "--prompt", "a"}},
		{1, "needs its base model in f32", []string{"generate", "-m", dora, "--precision", "bf16", "--prompt", "a"}},
		{1, "a weight of 0", []string{"generate", "-m", base, "--adapter", run + ":0", "--prompt", "a"}},
		{1, "needs a trained model", []string{"train", "lora", "--data", data, "--out", filepath.Join(dir, "other")}},
	} {
		fail(t, c.status, c.args, c.want)
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBenchMeasuresAModelAndATextOfOnesOwn(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("the old cat\nle vieux chat dort\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		unit string
	}{
		{[]string{"decode", "-m", randomModel(t), "--src", text}, "sentences/s"},
		{[]string{"train", "--preset", "char", "--batch", "2", "--ctx", "16"}, "GFLOP/s"},
		{[]string{"train", "--preset", "char", "--batch", "1", "--ctx", "8", "--threads", "1"}, "GFLOP/s"},
		{[]string{"decode", "--shape", "tiny", "--precision", "bf16"}, "tokens/s"},
		{[]string{"decode", "-m", untrainedDecoder(t, "1")}, "tokens/s"},
		{[]string{"tokenizer", "--text", text, "--vocab", "260"}, "MB/s"},
		{[]string{"tokenizer", "--text", text, "--tokenizer", filepath.Join(randomModel(t), "tokenizer.json")}, "MB/s"},
	} {
		var out, err bytes.Buffer
		args := append([]string{"bench", "--json", "--quiet", "--repeats", "1", "--window", "1ms"}, c.args...)
		if status := run(context.Background(), &app{out: &out, err: &err}, args); status != 0 || err.Len() > 0 {
			t.Fatalf("%v: status %d, %s", c.args, status, &err)
		}
		var report struct {
			Figures []struct {
				Unit  string
				Value struct{ Median float64 }
			}
		}
		if err := json.Unmarshal(out.Bytes(), &report); err != nil || len(report.Figures) == 0 || report.Figures[0].Unit != c.unit || report.Figures[0].Value.Median <= 0 {
			t.Errorf("%v: %v, %s", c.args, err, &out)
		}
	}
}

func TestBenchRefusesWhatCannotBeMeant(t *testing.T) {
	for want, args := range map[string][]string{
		"invalid argument": {"speed"},
		"--repeats 0":      {"kernels", "--repeats", "0"},
		"--updates 0":      {"train", "--updates", "0"},
		"--src needs -m":   {"decode", "--src", "somewhere"},
		"--shape big":      {"decode", "--shape", "big"},
		"must be f32":      {"decode", "--shape", "tiny", "--arithmetic", "f16"},
		"random weights":   {"decode", "--shape", "tiny", "-m", "somewhere"},
		"--preset big":     {"train", "--preset", "big"},
		"--ctx 2000":       {"train", "--preset", "char", "--ctx", "2000"},
		"exclude":          {"train", "--preset", "char", "--data", "somewhere"},
	} {
		var err bytes.Buffer
		if status := run(context.Background(), &app{err: &err}, append([]string{"bench"}, args...)); status != 2 || !strings.Contains(err.String(), want) {
			t.Errorf("%v: status %d, %s", args, status, &err)
		}
	}
}

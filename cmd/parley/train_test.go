package main

import (
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// sentences are the pairs of a language so small that a few updates suffice to train something.
func sentences() (english, french []string) {
	nouns := [][2]string{{"cat", "chat"}, {"dog", "chien"}, {"bird", "oiseau"}, {"child", "enfant"}, {"king", "roi"}, {"baker", "boulanger"}}
	verbs := [][2]string{{"sleeps", "dort"}, {"eats", "mange"}, {"sings", "chante"}, {"laughs", "rit"}, {"runs", "court"}}
	for _, adverb := range [][2]string{{"", ""}, {" here", " ici"}} {
		for _, n := range nouns {
			for _, v := range verbs {
				english = append(english, "the "+n[0]+" "+v[0]+adverb[0])
				french = append(french, "le "+n[1]+" "+v[1]+adverb[1])
			}
		}
	}
	return english, french
}

// small makes a training last a moment.
var small = []string{
	"--quiet", "--threads", "1", "--size", "micro",
	"--set", "model.width=16", "--set", "model.heads=2", "--set", "model.layers=1", "--set", "model.feed_forward=32", "--set", "model.context=32",
	"--set", "tokenizer.vocab=300", "--set", "data.held_out=4", "--set", "train.batch_tokens=128", "--set", "train.updates=12",
	"--set", "schedule.warmup=4", "--set", "validation.every=6", "--set", "train.average=2",
}

func trainArgs(more ...string) []string {
	return append(append([]string{"train", "translate"}, small...), more...)
}

// trained is a run that several tests look at; nobody changes it.
var trained = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "parley-run")
	if err != nil {
		return "", err
	}
	english, french := sentences()
	source, target := filepath.Join(dir, "train.en"), filepath.Join(dir, "train.fr")
	// One file as Windows writes text, with a mark and CR LF, and an empty line on both sides.
	if err := os.WriteFile(source, []byte("\ufeff"+strings.Join(english, "\r\n")+"\r\n\r\n"), 0o666); err != nil {
		return "", err
	}
	if err := os.WriteFile(target, []byte(strings.Join(french, "\n")+"\n\n"), 0o666); err != nil {
		return "", err
	}
	out := filepath.Join(dir, "run")
	a := &app{in: strings.NewReader(""), out: &strings.Builder{}, err: &strings.Builder{}}
	if status := run(context.Background(), a, trainArgs("--data", source+","+target, "--out", out)); status != 0 {
		return "", fmt.Errorf("train: exit %d: %s", status, a.err)
	}
	return out, nil
})

func TestMain(m *testing.M) {
	status := m.Run()
	if run, err := trained(); err == nil {
		os.RemoveAll(filepath.Dir(run))
	}
	os.Exit(status)
}

func trainedRun(t testing.TB) string {
	t.Helper()
	run, err := trained()
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func TestARunHoldsWhatTheHelpPromises(t *testing.T) {
	dir := trainedRun(t)
	for _, name := range []string{
		"recipe.toml", "metrics.jsonl", "report.html", "checkpoints/latest", "tokenizer.json",
		"model/config.json", "model/generation_config.json", "model/model.safetensors", "model/tokenizer.json", "model/README.md",
	} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if recipe := read(t, filepath.Join(dir, "recipe.toml")); !strings.Contains(recipe, "updates = 12") || !strings.Contains(recipe, `format = "pair"`) {
		t.Errorf("recipe.toml does not say what was carried out:\n%s", recipe)
	}
}

func TestResumingAFinishedRunTellsItsResultAgain(t *testing.T) {
	dir := trainedRun(t)
	before := read(t, filepath.Join(dir, "metrics.jsonl"))
	out := succeed(t, "", "train", "--resume", dir)
	for _, words := range []string{"model: ", filepath.Join(dir, "model"), "validation: loss ", "test: ", "report.html", "parley translate -m " + dir} {
		if !strings.Contains(out, words) {
			t.Errorf("the result does not say %q:\n%s", words, out)
		}
	}
	if read(t, filepath.Join(dir, "metrics.jsonl")) != before {
		t.Error("resuming a finished run has changed it")
	}
	fail(t, 1, trainArgs("--data", "a.tsv", "--out", dir), dir, "--resume")
}

func TestOwnDataInEveryForm(t *testing.T) {
	english, french := sentences()
	var tsv, jsonl strings.Builder
	for i := range english {
		fmt.Fprintf(&tsv, "%s\t%s\tignored\n", french[i], english[i])
		fmt.Fprintf(&jsonl, "{\"translation\": {\"xx\": %q, \"yy\": %q}}\n", english[i], french[i])
	}
	packed := filepath.Join(t.TempDir(), "pairs.jsonl.gz")
	f, err := os.Create(packed)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	z.Write([]byte(jsonl.String()))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	columns := write(t, "pairs.tsv", tsv.String())
	for _, c := range []struct {
		name string
		args []string
	}{
		{"TSV turned round", []string{"--data", columns, "--reverse", "--source", "en", "--target", "fr"}},
		{"gzipped JSONL with languages, and test pairs of their own", []string{"--data", packed, "--test", packed, "--source", "xx", "--target", "yy"}},
		{"going on from a trained model", []string{"--data", columns, "--reverse", "--from", trainedRun(t)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var result struct {
				Model, Stopped string
				Step           int
				Tests          []struct{ Sentences int }
			}
			decode(t, succeed(t, "", trainArgs(append(c.args, "--json", "--set", "train.updates=6", "--out", filepath.Join(t.TempDir(), "run"))...)...), &result)
			if result.Step != 6 || result.Stopped != "updates" || len(result.Tests) != 1 {
				t.Errorf("the result is %+v", result)
			}
			if out := succeed(t, "the cat sleeps\n", "translate", "-m", result.Model); strings.Count(out, "\n") != 1 {
				t.Errorf("the model says %q", out)
			}
		})
	}
}

func TestDryRunAndPrintRecipeWriteNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	english, french := sentences()
	var tsv strings.Builder
	for i := range english {
		fmt.Fprintf(&tsv, "%s\t%s\n", english[i], french[i])
	}
	data := write(t, "pairs.tsv", tsv.String())
	out := succeed(t, "", trainArgs("--data", data, "--dry-run")...)
	for _, words := range []string{"parameters", "vocabulary", "52 pairs to train on", "GFLOP", "memory", "MB", "time"} {
		if !strings.Contains(out, words) {
			t.Errorf("--dry-run does not say %q:\n%s", words, out)
		}
	}
	recipe := succeed(t, "", trainArgs("--data", data, "--seed", "7", "--print-recipe")...)
	for _, words := range []string{"width = 16", "seed = 7", `format = "tsv"`} {
		if !strings.Contains(recipe, words) {
			t.Errorf("--print-recipe does not say %q:\n%s", words, recipe)
		}
	}
	if left, _ := os.ReadDir("."); len(left) > 0 {
		t.Errorf("%s was written", left[0].Name())
	}
	// What is printed is a recipe: it says the same when it is read again.
	own := write(t, "own.toml", recipe)
	if again := succeed(t, "", "train", own, "--print-recipe"); again != recipe {
		t.Errorf("the printed recipe reads as\n%s\nwant\n%s", again, recipe)
	}
}

func TestWrongDataIsNamedByFileAndLine(t *testing.T) {
	three, two := write(t, "three.en", "a\nb\nc\n"), write(t, "two.fr", "a\nb\n")
	latin1 := write(t, "latin1.fr", "a\nb\ncaf\xe9\n")
	for _, c := range []struct {
		name  string
		data  string
		words []string
	}{
		{"lengths differ", three + "," + two, []string{three + " has 3 lines", two + " has 2 lines"}},
		{"not UTF-8", three + "," + latin1, []string{latin1 + ":3", "UTF-8"}},
		{"empty file", three + "," + write(t, "empty.fr", ""), []string{"empty.fr"}},
		{"missing file", "no-such.en,no-such.fr", []string{"no-such.en", "--data"}},
		{"no tab", write(t, "pairs.tsv", "a\tb\nonly one side\n"), []string{"pairs.tsv:2", "tab"}},
		{"no JSON", write(t, "pairs.jsonl", "{\"en\": \"a\", \"fr\": \"b\"}\n{\"en\": 3}\n"), []string{"pairs.jsonl:2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "run")
			fail(t, 1, trainArgs("--data", c.data, "--out", out), c.words...)
		})
	}
	fail(t, 1, []string{"train", "multi30"}, `"multi30"`, "multi30k")
	fail(t, 1, []string{"train", write(t, "own.toml", "[train]\nlrr = 1\n")}, "own.toml", "train.lrr", "train.lr")
	fail(t, 1, []string{"train", write(t, "own.toml", "[train]\nlr = = 1\n")}, "own.toml:2")
	fail(t, 1, []string{"train", "--resume", t.TempDir()}, "not a run directory")
}

func TestAStoppedTrainingSaysHowToGoOn(t *testing.T) {
	english, french := sentences()
	source, target := write(t, "a.en", strings.Join(english, "\n")), write(t, "a.fr", strings.Join(french, "\n"))
	out := filepath.Join(t.TempDir(), "run")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	args := trainArgs("--data", source+","+target, "--out", out)
	status, _, problems := typedUntil(t, ctx, strings.NewReader(""), args...)
	if status != 130 {
		t.Errorf("a stopped training exits %d", status)
	}
	mustBeOneLine(t, args, problems, "stopped after step 0", "parley train --resume "+out)
	succeed(t, "", "train", "--resume", out, "--quiet")
	// Its end has the bits of the run that nobody stopped: same data, same seed, another directory.
	if read(t, filepath.Join(out, "model", "model.safetensors")) != read(t, filepath.Join(trainedRun(t), "model", "model.safetensors")) {
		t.Error("the resumed run ends with another model than one that was never stopped")
	}
}

func TestProgressIsPlainLinesWithoutATerminal(t *testing.T) {
	english, french := sentences()
	source, target := write(t, "a.en", strings.Join(english, "\n")), write(t, "a.fr", strings.Join(french, "\n"))
	args := trainArgs("--data", source+","+target, "--quiet=false", "--set", "train.updates=6", "--out", filepath.Join(t.TempDir(), "run"))
	_, _, said := typed(t, "", args...)
	for _, words := range []string{"4 pairs held out for validation", "learning a vocabulary", "parameters", "step 6/6", "tokens/s", "validation at 6", "BLEU", "best so far"} {
		if !strings.Contains(said, words) {
			t.Errorf("progress does not say %q:\n%s", words, said)
		}
	}
	if strings.ContainsAny(said, "\r\x1b") {
		t.Errorf("progress without a terminal has control characters: %q", said)
	}
}

func TestNumbersAndTimesAsPeopleWriteThem(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %q, want %q", n, got, want)
		}
	}
	for seconds, want := range map[float64]string{0.4: "0 s", 59: "59 s", 61: "1 min 01 s", 3600: "1 h 00 min", 7325: "2 h 02 min"} {
		if got := duration(seconds); got != want {
			t.Errorf("duration(%g) = %q, want %q", seconds, got, want)
		}
	}
}

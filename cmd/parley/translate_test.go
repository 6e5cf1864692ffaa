package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// conversation runs a command whose input a test writes line by line, and hands over its output line by line.
func conversation(t testing.TB, args ...string) (ask io.WriteCloser, answers <-chan string) {
	t.Helper()
	in, ask := io.Pipe()
	answer, out := io.Pipe()
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(answer); s.Scan(); {
			lines <- s.Text()
		}
	}()
	ended := make(chan int)
	var problems bytes.Buffer
	go func() {
		status := run(context.Background(), &app{in: in, out: out, err: &problems}, args)
		out.Close()
		ended <- status
	}()
	t.Cleanup(func() {
		ask.Close()
		go func() {
			for range lines { // nobody else reads what may be left
			}
		}()
		if status := <-ended; status != 0 {
			t.Errorf("parley %s: exit %d: %s", strings.Join(args, " "), status, problems.String())
		}
	})
	return ask, lines
}

func TestTranslationsComeInTheOrderOfTheSentences(t *testing.T) {
	model := trainedRun(t)
	english, _ := sentences()
	english = append(english, "", "   ", "never seen words Ωμέγα 😀", "raw \xff\xfe bytes")
	var alone []string
	for _, s := range english {
		alone = append(alone, succeed(t, "", "translate", "-m", model, s))
	}
	want := strings.Join(alone, "")
	for name, given := range map[string]string{
		"LF":                      strings.Join(english, "\n") + "\n",
		"CR LF":                   strings.Join(english, "\r\n") + "\r\n",
		"byte order mark":         "\ufeff" + strings.Join(english, "\n") + "\n",
		"no end of the last line": strings.Join(english, "\n"),
	} {
		if got := succeed(t, given, "translate", "-m", model); got != want {
			t.Errorf("%s: translations are\n%q\nalone they are\n%q", name, got, want)
		}
	}
	if got := succeed(t, "", append([]string{"translate", "-m", filepath.Join(model, "model")}, english...)...); got != want {
		t.Errorf("as arguments the translations are %q, want %q", got, want)
	}
	if got := succeed(t, strings.Join(english, "\n"), "translate", "-m", model, "--threads", "3"); got != want {
		t.Errorf("on three threads the translations are %q, want %q", got, want)
	}
	if got := succeed(t, "", "translate", "-m", model); got != "" {
		t.Errorf("no input gives %q", got)
	}
}

func TestALineThatCannotBeTranslatedConcernsItselfAlone(t *testing.T) {
	model := trainedRun(t)
	good := succeed(t, "", "translate", "-m", model, "the cat sleeps")
	long, endless := strings.Repeat("cat ", 25000), strings.Repeat("x", longestSentence+1)
	status, out, problems := typed(t, "the cat sleeps\n"+long+"\nthe cat sleeps\n"+endless+"\nthe cat sleeps\n", "translate", "-m", model)
	if want := good + "\n" + good + "\n" + good; status != 1 || out != want {
		t.Errorf("exit %d, %q; want 1, %q", status, out, want)
	}
	lines := strings.Split(strings.TrimSpace(problems), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], "line 2: ") || !strings.Contains(lines[0], "at most 32") ||
		!strings.Contains(lines[1], "line 4: ") || !strings.Contains(lines[1], "bytes") || !strings.Contains(lines[2], "2 of 5 lines") {
		t.Errorf("the errors are %q", problems)
	}
	if len(problems) > 1000 {
		t.Errorf("the errors repeat the input: %d bytes", len(problems))
	}
}

func TestNBestScoresAndJSON(t *testing.T) {
	model := trainedRun(t)
	best := succeed(t, "", "translate", "-m", model, "--beams", "4", "the cat sleeps")
	out := succeed(t, "", "translate", "-m", model, "--beams", "4", "--nbest", "3", "--scores", "the cat sleeps")
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(lines) != 3 {
		t.Fatalf("three best are %q", out)
	}
	score, text, ok := strings.Cut(lines[0], "\t")
	if !ok || !strings.HasPrefix(score, "-") || text+"\n" != best {
		t.Errorf("the best of three is %q, the best alone %q", lines[0], best)
	}
	type line struct {
		Source       string
		Translations []struct {
			Text    string
			Score   float64
			LogProb float64 `json:"log_prob"`
		}
		Error string
	}
	status, out, _ := typed(t, "the cat sleeps\n\n"+strings.Repeat("cat ", 500)+"\n", "translate", "-m", model, "--json", "--beams", "4", "--nbest", "2")
	if status != 1 {
		t.Errorf("exit %d with a line too long", status)
	}
	var all []line
	for d := json.NewDecoder(strings.NewReader(out)); d.More(); {
		var l line
		if err := d.Decode(&l); err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	if len(all) != 3 || all[0].Source != "the cat sleeps" || len(all[0].Translations) != 2 || all[0].Error != "" {
		t.Fatalf("--json says %+v", all)
	}
	if f := all[0].Translations; f[0].Text+"\n" != best || f[0].Score < f[1].Score || f[0].LogProb >= 0 {
		t.Errorf("translations are %+v", f)
	}
	if len(all[1].Translations) != 0 || all[1].Error != "" || len(all[2].Translations) != 0 || all[2].Error == "" {
		t.Errorf("an empty line and one too long are %+v", all[1:])
	}
}

func TestALineIsOutBeforeTheNextIsAsked(t *testing.T) {
	model := trainedRun(t)
	ask, answers := conversation(t, "translate", "-m", model)
	for _, s := range []string{"the cat sleeps", "", "the dog eats here"} {
		io.WriteString(ask, s+"\n")
		select {
		case got := <-answers:
			if want := succeed(t, "", "translate", "-m", model, s); got+"\n" != want {
				t.Errorf("%q gives %q, want %q", s, got, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("no answer before the pipe is closed")
		}
	}
}

// Ctrl-C must work while a command waits for somebody to type.
func TestInterruptedCommandsExitWith130(t *testing.T) {
	model := trainedRun(t)
	for _, args := range [][]string{
		{"translate", "-m", model}, {"tokenizer", "encode", "-m", model}, {"eval", "bleu", "--ref", "-", "-m"},
	} {
		if args[0] == "eval" {
			args = []string{"eval", "bleu", "--ref", "-", write(t, "out", "a\n")}
		}
		ctx, cancel := context.WithCancel(context.Background())
		waiting, hold := io.Pipe()
		time.AfterFunc(50*time.Millisecond, cancel)
		status, out, problems := typedUntil(t, ctx, waiting, args...)
		hold.Close()
		if status != 130 || out != "" || problems != "parley: interrupted\n" {
			t.Errorf("parley %s: exit %d, %q, %q", strings.Join(args, " "), status, out, problems)
		}
	}
}

func TestADamagedModelDirectoryIsOneLine(t *testing.T) {
	model := filepath.Join(trainedRun(t), "model")
	damage := func(name string, change func(text []byte) []byte) string {
		dir := filepath.Join(t.TempDir(), "model")
		if err := os.CopyFS(dir, os.DirFS(model)); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		text := change([]byte(read(t, path)))
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if text != nil {
			if err := os.WriteFile(path, text, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	gone := func([]byte) []byte { return nil }
	half := func(text []byte) []byte { return text[:len(text)/2] }
	replaced := func(from, to string) func([]byte) []byte {
		return func(text []byte) []byte {
			if !bytes.Contains(text, []byte(from)) {
				t.Fatalf("nothing to damage: no %q", from)
			}
			return bytes.Replace(text, []byte(from), []byte(to), 1)
		}
	}
	for _, c := range []struct {
		name, file string
		change     func([]byte) []byte
		words      []string
	}{
		{"no weights", "model.safetensors", gone, []string{"model.safetensors"}},
		{"half of the weights", "model.safetensors", half, []string{"model.safetensors"}},
		{"a header of exabytes", "model.safetensors", func(text []byte) []byte {
			copy(text, "\xff\xff\xff\xff\xff\xff\xff\x7f")
			return text
		}, []string{"model.safetensors"}},
		{"a tensor missing", "model.safetensors", replaced("model.encoder.layers.0.fc1.weight", "model.encoder.layers.0.fcX.weight"), []string{"model.safetensors", "fc1.weight"}},
		{"no configuration", "config.json", gone, []string{"config.json"}},
		{"half of the configuration", "config.json", half, []string{"config.json"}},
		{"a width of petabytes", "config.json", replaced(`"d_model": 16`, `"d_model": 1000000000000`), []string{"config.json", "d_model"}},
		{"a width that the weights do not have", "config.json", replaced(`"d_model": 16`, `"d_model": 32`), []string{"shape"}},
		{"no tokenizer", "tokenizer.json", gone, []string{"tokenizer.json"}},
		{"half of the tokenizer", "tokenizer.json", half, []string{"tokenizer.json"}},
		{"a vocabulary that is none", "tokenizer.json", replaced(`"vocab"`, `"vocal"`), []string{"tokenizer.json"}},
		{"half of the generation's configuration", "generation_config.json", half, []string{"generation_config.json"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			fail(t, 1, []string{"translate", "-m", damage(c.file, c.change), "the cat"}, c.words...)
		})
	}
	fail(t, 1, []string{"translate", "-m", "no-such-model", "the cat"}, "no-such-model")
	fail(t, 1, []string{"translate", "-m", write(t, "file", "text"), "the cat"}, "file")
}

package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// typed runs a command line as a person types it, with the given standard input.
func typed(t testing.TB, stdin string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	return typedUntil(t, context.Background(), strings.NewReader(stdin), args...)
}

func typedUntil(t testing.TB, ctx context.Context, stdin io.Reader, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, problems bytes.Buffer
	status = run(ctx, &app{in: stdin, out: &out, err: &problems}, args)
	return status, out.String(), problems.String()
}

// succeed runs a command line that must succeed and returns its standard output.
func succeed(t testing.TB, stdin string, args ...string) string {
	t.Helper()
	status, out, problems := typed(t, stdin, args...)
	if status != 0 {
		t.Fatalf("parley %s: exit %d: %s", strings.Join(args, " "), status, problems)
	}
	return out
}

// fail runs a command line that must end with the status and one line that holds each of the words.
func fail(t testing.TB, status int, args []string, words ...string) {
	t.Helper()
	got, _, problems := typed(t, "", args...)
	if got != status {
		t.Errorf("parley %s: exit %d, want %d (%s)", strings.Join(args, " "), got, status, problems)
	}
	mustBeOneLine(t, args, problems, words...)
}

func mustBeOneLine(t testing.TB, args []string, problems string, words ...string) {
	t.Helper()
	if strings.Count(problems, "\n") != 1 || !strings.HasPrefix(problems, "parley: ") {
		t.Errorf("parley %s prints %q, want one line that begins with \"parley: \"", strings.Join(args, " "), problems)
	}
	for _, w := range words {
		if !strings.Contains(problems, w) {
			t.Errorf("parley %s prints %q, which does not say %q", strings.Join(args, " "), problems, w)
		}
	}
}

// write makes a file in a directory of the test and returns its path.
func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestWrongUsageExitsWith2AndAHint(t *testing.T) {
	for _, c := range []struct {
		args  string
		words []string
	}{
		{"trian", []string{`"trian"`, "did you mean train?", "parley --help"}},
		{"translat -m DIR", []string{`"translat"`, "did you mean translate?"}},
		{"eval blue", []string{`"blue"`, "did you mean bleu?", "parley eval --help"}},
		{"tokenizer trian FILE", []string{`"trian"`, "did you mean train?"}},
		{"sing", []string{`"sing"`, "parley --help"}},
		{"translate --bream 3 -m DIR", []string{"--bream", "parley translate --help"}},
		{"translate", []string{"model", "parley translate --help"}},
		{"translate -m DIR --beams -1", []string{"--beams -1"}},
		{"translate -m DIR --beams 2 --nbest 3", []string{"--nbest 3", "--beams"}},
		{"translate -m DIR --length-penalty NaN", []string{"--length-penalty"}},
		{"translate -m DIR --max-ratio -2", []string{"--max-ratio -2"}},
		{"translate -m DIR --beams many", []string{"many", "--beams"}},
		{"generate", []string{"model", "parley generate --help"}},
		{"generate -m DIR --max-tokens 0", []string{"--max-tokens 0", "at least 1"}},
		{"generate -m DIR --n 0", []string{"--n 0"}},
		{"generate -m DIR --top-p 1.5", []string{"top-p", "1.5", "parley generate --help"}},
		{"generate -m DIR --temperature NaN", []string{"temperature", "NaN"}},
		{"generate -m DIR --repetition-penalty 0", []string{"repetition penalty"}},
		{"generate -m DIR --beams 2 --n 3", []string{"3 answers", "beams"}},
		{"generate -m DIR --logit-bias the=3", []string{"--logit-bias the=3", "ID=BIAS"}},
		{"generate -m DIR --logprobs 3", []string{"--logprobs 3", "--json"}},
		{"generate -m DIR --stop=", []string{"stop string is empty"}},
		{"generate -m DIR --prompt a --prompt-file b", []string{"--prompt-file", "one of them"}},
		{"generate -m DIR once upon", []string{`"once"`, "parley generate --help"}},
		{"eval bleu OUTPUT", []string{"ref", "parley eval bleu --help"}},
		{"eval bleu --ref REFERENCES", []string{"at least 1 arg", "parley eval bleu --help"}},
		{"eval bleu --ref - -", []string{"standard input", "once"}},
		{"train", []string{"which recipe", "multi30k", "parley train --help"}},
		{"train translate", []string{"--data", ".tsv", "parley train --help"}},
		{"train translate other", []string{"at most 1 arg"}},
		{"train translate --set train.lrr=1", []string{"train.lrr", `did you mean "train.lr"?`}},
		{"train translate --set lr=1", []string{`did you mean "train.lr"?`}},
		{"train translate --set train.lr=fast", []string{"train.lr", "a number", "fast"}},
		{"train translate --set train.lr", []string{"section.key=value"}},
		{"train translate --data words.docx", []string{"--data words.docx", ".tsv", ".jsonl"}},
		{"train translate --data a.tsv --test b.en,b.fr", []string{"--test", "one form"}},
		{"train --resume DIR --data b.tsv", []string{"--resume", "--data"}},
		{"train --resume DIR translate", []string{"--resume", `"translate"`}},
		{"train --resume DIR --set train.step=1", []string{"train.step"}},
		{"tokenizer train", []string{"at least 1 arg"}},
		{"tokenizer train --pattern words FILE", []string{`"words"`, "gpt2", "spaces"}},
		{"version --threads -1", []string{"--threads -1"}},
		{"version now", []string{`"now"`}},
		{"quickstart fast", []string{`"fast"`}},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Chdir(t.TempDir())
			fail(t, 2, strings.Fields(c.args), c.words...)
			if left, _ := os.ReadDir("."); len(left) > 0 {
				t.Errorf("wrong usage wrote %s", left[0].Name())
			}
		})
	}
}

func TestEveryCommandTeachesWithAnExample(t *testing.T) {
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: the short description is %q", c.CommandPath(), c.Short)
		}
		if c.Example == "" {
			t.Errorf("%s --help has no example", c.CommandPath())
		}
		for line := range strings.Lines(c.Example) {
			if !strings.HasPrefix(line, "  parley") {
				t.Errorf("%s --help: the example %q is no command to type", c.CommandPath(), line)
			}
		}
		for _, inner := range c.Commands() {
			visit(inner)
		}
	}
	visit((&app{}).command())
	for _, args := range [][]string{{}, {"--help"}, {"train", "--help"}, {"help", "translate"}, {"eval"}} {
		if out := succeed(t, "", args...); !strings.Contains(out, "Examples:\n  parley ") || !strings.Contains(out, "Flags:") {
			t.Errorf("parley %s prints %q", strings.Join(args, " "), out)
		}
	}
}

// The examples are typed by people: every flag in them must exist.
func TestFlagsOfTheExamplesExist(t *testing.T) {
	root := (&app{}).command()
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		for line := range strings.Lines(c.Example) {
			line, _, _ = strings.Cut(line, " # ")
			line = regexp.MustCompile(`"[^"]*"|'[^']*'`).ReplaceAllString(line, "TEXT")
			for command := range strings.SplitSeq(line, "|") {
				command, _, _ = strings.Cut(command, "<")
				command, _, _ = strings.Cut(command, ">")
				args := strings.Fields(command)
				if len(args) == 0 || args[0] != "parley" {
					continue
				}
				named, rest, err := root.Find(args[1:])
				if err != nil {
					t.Errorf("%s: example %q: %v", c.CommandPath(), line, err)
					continue
				}
				if err := named.ParseFlags(rest); err != nil {
					t.Errorf("%s: example %q: %v", c.CommandPath(), line, err)
				}
			}
		}
		for _, inner := range c.Commands() {
			visit(inner)
		}
	}
	visit(root)
}

func TestVersionNamesKernelsAndPlatform(t *testing.T) {
	if out := succeed(t, "", "version"); !regexp.MustCompile(`^parley \S+ \(go\S+, \w+/\w+, kernels: (portable|avx2|avx512|amx)\)\n$`).MatchString(out) {
		t.Errorf("version prints %q", out)
	}
	var v struct{ Version, Go, Platform, Instructions string }
	decode(t, succeed(t, "", "version", "--json"), &v)
	if v.Version == "" || v.Go == "" || v.Platform == "" || v.Instructions == "" {
		t.Errorf("version --json says %+v", v)
	}
}

func TestShellsGetTheirCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if out := succeed(t, "", "completion", shell); !strings.Contains(out, "parley") || len(out) < 1000 {
			t.Errorf("completion %s prints %d bytes", shell, len(out))
		}
	}
	if out := succeed(t, "", "__complete", "tra"); !strings.Contains(out, "train\t") || !strings.Contains(out, "translate\t") {
		t.Errorf("what \"parley tra\" is completed to: %q", out)
	}
}

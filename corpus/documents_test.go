package corpus

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// all reads documents, those in parts put together again.
func all(texts Texts) (list []string, err error) {
	for d, err := range texts.All() {
		switch {
		case err != nil:
			return list, err
		case d.Continues:
			list[len(list)-1] += d.Text
		default:
			list = append(list, d.Text)
		}
	}
	return list, nil
}

func compressed(t testing.TB, name, text string) string {
	t.Helper()
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	z.Write([]byte(text))
	z.Close()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDocumentsOfEveryFormatAndCompression(t *testing.T) {
	for _, c := range []struct {
		name, text string
		texts      Texts
		want       []string
	}{
		{"a.txt", "one\n\ntwo\n", Texts{}, []string{"one\n\ntwo\n"}},
		{"a.txt", "\ufeffone\n<|sep|>\ntwo\n<|sep|>\n \n<|sep|>\nthree", Texts{Separator: "<|sep|>"}, []string{"one", "two", "three"}},
		{"a.txt", "one<|sep|>two\r\n<|sep|>\r\nthree\n", Texts{Separator: "<|sep|>"}, []string{"one", "two", "three\n"}},
		{"a.md", "# one\n", Texts{}, []string{"# one\n"}},
		{"a", `{"text": "one"}`, Texts{Format: JSONL}, []string{"one"}},
		{"a.jsonl", "{\"text\": \" one\\ntwo\", \"x\": 1}\n\n{\"text\": \"\"}\n{\"text\": \"é\"}\n", Texts{}, []string{" one\ntwo", "é"}},
		{"a.jsonl", `{"text": "no", "body": "one"}`, Texts{Field: "body"}, []string{"one"}},
		{"a.csv", "id,text\r\n1,\"one, \"\"two\"\"\n\"\r\n2,three\r\n3,\r\n", Texts{}, []string{"one, \"two\"\n", "three"}},
		{"a.csv", "\ufefftext,body\nno,one\n", Texts{Field: "body"}, []string{"one"}},
	} {
		for _, path := range []string{write(t, c.name, c.text), write(t, c.name+".gz", c.text), compressed(t, c.name+".zst", c.text)} {
			c.texts.Files = []string{path}
			got, err := all(c.texts)
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%s %+v: %q, %v; want %q", filepath.Base(path), c.texts, got, err, c.want)
			}
		}
	}
}

func TestALongTextComesInPartsThatMakeItUp(t *testing.T) {
	var lines strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&lines, "line %d of a text that has é in it\n", i)
	}
	for name, text := range map[string]string{
		"lines": lines.String(), "words": strings.ReplaceAll(lines.String(), "\n", " "), "one word": strings.Repeat("éa€", 30_000), "short": "x",
	} {
		for _, separator := range []string{"", "<|sep|>"} {
			var got []Document
			err := readPlainText(strings.NewReader(text), "x", separator, 1000, func(d Document) bool { got = append(got, d); return true })
			if err != nil {
				t.Fatal(err)
			}
			var whole strings.Builder
			for i, d := range got {
				if d.Continues != (i > 0) || len(d.Text) > 1000 {
					t.Fatalf("%s: part %d has %d bytes, continues %v", name, i, len(d.Text), d.Continues)
				}
				whole.WriteString(d.Text)
			}
			if whole.String() != text {
				t.Errorf("%s: %d parts of together %d bytes, want %d", name, len(got), whole.Len(), len(text))
			}
		}
	}
}

func TestSeparatorsAreFoundWhereverTheBufferEnds(t *testing.T) {
	for size := range 120 {
		text := strings.Repeat("x", size) + "<|sep|>" + strings.Repeat("y", 70) + "<|sep|>z"
		var got []string
		err := readPlainText(strings.NewReader(text), "x", "<|sep|>", 40, func(d Document) bool {
			if d.Continues {
				got[len(got)-1] += d.Text
			} else {
				got = append(got, d.Text)
			}
			return true
		})
		want := slices.DeleteFunc([]string{strings.Repeat("x", size), strings.Repeat("y", 70), "z"}, func(s string) bool { return s == "" })
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%d: %q, %v", size, got, err)
		}
	}
}

func TestBadDocumentsAreErrorsWithTheirPlace(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a.txt", "one\ntwo\xff\n", "a.txt:2: not UTF-8"},
		{"a.txt", "\xff\xfea\x00", "UTF-16"},
		{"a.jsonl", "{\"text\": \"one\"}\n{\"body\": \"x\"}\n", `a.jsonl:2: there is no "text"`},
		{"a.jsonl", "[]\n", "a.jsonl:1: must be a JSON object"},
		{"a.jsonl", `{"text": 7}`, "must be a string"},
		{"a.jsonl", `{"text": null}`, "must be a string"},
		{"a.jsonl", `{"text": "\ud800"}`, "surrogate"},
		{"a.csv", "id,body\n1,x\n", `a.csv:1: no column is called "text"`},
		{"a.csv", "", `no column is called "text"`},
		{"a.csv", "id,text\n1\n", "line 2"},
		{"a.csv", "id,text\n1,\xff\n", "a.csv:2: not UTF-8"},
		{"a.csv", "id,text\n1,\"" + strings.Repeat("x\n", MaxLine/2+5000), "not closed"},
		{"a.txt", "\x28\xb5\x2f\xfd rubbish", "a.txt"},
	} {
		_, err := all(Texts{Files: []string{write(t, c.name, c.text)}})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %.40q: %v, want %q", c.name, c.text, err, c.want)
		}
	}
	if _, err := all(Texts{Files: []string{filepath.Join(t.TempDir(), "nowhere.txt")}}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestNamesStandForFilesDirectoriesAndPatterns(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.txt", "a.jsonl.gz", "c.csv.zst", "picture.png", ".hidden.txt", "in/d.txt", ".git/e.txt", "odd"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		os.MkdirAll(filepath.Dir(path), 0o777)
		if err := os.WriteFile(path, []byte("x"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		names []string
		want  []string
	}{
		{[]string{""}, []string{"a.jsonl.gz", "b.txt", "c.csv.zst", "in/d.txt"}},
		{[]string{"*.txt"}, []string{"b.txt"}},
		{[]string{"odd", "b.txt", "*"}, []string{"odd", "b.txt", "a.jsonl.gz", "c.csv.zst", "picture.png"}},
		{[]string{"in"}, []string{"in/d.txt"}},
	} {
		var names, want []string
		for _, n := range c.names {
			names = append(names, filepath.Join(dir, n))
		}
		for _, w := range c.want {
			want = append(want, filepath.Join(dir, filepath.FromSlash(w)))
		}
		if got, err := Expand(names); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v", c.names, got, err)
		}
	}
	for name, want := range map[string]string{"nowhere": "no such file", "*.none": "no such file", "[": "syntax error", "i*": "directories and hidden files alone"} {
		if _, err := Expand([]string{filepath.Join(dir, name)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	empty := t.TempDir()
	if _, err := Expand([]string{empty}); err == nil || !strings.Contains(err.Error(), ".jsonl") {
		t.Errorf("an empty directory: %v", err)
	}
}

func FuzzDocuments(f *testing.F) {
	f.Add([]byte("one\n<|sep|>\ntwo"), PlainText)
	f.Add([]byte("{\"text\": \"one\"}\n"), JSONL)
	f.Add([]byte("text\n\"one\"\n"), CSV)
	f.Add([]byte("\x28\xb5\x2f\xfd\x04\x00\x19\x00\x00one\x00\x00\x00\x00"), PlainText)
	path := filepath.Join(f.TempDir(), "x")
	f.Fuzz(func(t *testing.T, data []byte, format string) {
		if !slices.Contains([]string{PlainText, JSONL, CSV}, format) {
			return
		}
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		texts := Texts{Files: []string{path}, Format: format, Separator: "<|sep|>"}
		for d, err := range texts.All() {
			if err == nil && !d.Continues && strings.TrimSpace(d.Text) == "" {
				t.Errorf("a document without text: %q", d.Text)
			}
		}
	})
}

func TestAStreamIsReadAsAFileIs(t *testing.T) {
	for _, c := range []struct {
		texts Texts
		text  string
		want  []Document
	}{
		{Texts{}, "\ufeffone\ntwo\n", []Document{{Text: "one\ntwo\n"}}},
		{Texts{Separator: "---"}, "one\n---\n \n---\ntwo", []Document{{Text: "one"}, {Text: "two"}}},
		{Texts{Format: JSONL}, "{\"text\": \"one\"}\n{\"text\": \"two\"}\n", []Document{{Text: "one"}, {Text: "two"}}},
		{Texts{Format: CSV, Field: "b"}, "a,b\n1,one\n2,two\n", []Document{{Text: "one"}, {Text: "two"}}},
	} {
		var got []Document
		for d, err := range c.texts.AllFrom("standard input", strings.NewReader(c.text)) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, d)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q is %+v, want %+v", c.text, got, c.want)
		}
	}
	for _, c := range []struct{ format, text, want string }{
		{"", "a\n\xff", "standard input:2: not UTF-8"}, {JSONL, "{}", "standard input:1: there is no"}, {Parquet, "PAR1", "must be a file"},
	} {
		var failed error
		for _, failed = range (&Texts{Format: c.format}).AllFrom("standard input", strings.NewReader(c.text)) {
		}
		if failed == nil || !strings.Contains(failed.Error(), c.want) {
			t.Errorf("%q: %v", c.text, failed)
		}
	}
}

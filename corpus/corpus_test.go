package corpus

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if strings.HasSuffix(name, ".gz") {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Write([]byte(text))
		z.Close()
		text = b.String()
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestParallelFilesAreRead(t *testing.T) {
	long := strings.Repeat("abcd ", 20_000) // 100,000 characters
	cases := []struct {
		name, source, target string
		want                 Pairs
		empty                [4]int // both, source, target, first
	}{
		{"plain", "a\nb\n", "x\ny\n", Pairs{[]string{"a", "b"}, []string{"x", "y"}, []int32{1, 2}}, [4]int{}},
		{"no newline at the end of one", "a\nb", "x\ny\n", Pairs{[]string{"a", "b"}, []string{"x", "y"}, []int32{1, 2}}, [4]int{}},
		{"byte order mark, CR LF, spaces", "\ufeffa\r\n b \r\n", "\ufeffx\ny\t\n", Pairs{[]string{"a", "b"}, []string{"x", "y"}, []int32{1, 2}}, [4]int{}},
		{"empty lines", "a\n\n\nd\n \n", "x\n\ny\n\t\n\n", Pairs{[]string{"a"}, []string{"x"}, []int32{1}}, [4]int{2, 1, 1, 2}},
		{"other line separators stay in the line", "a\u2028b\u0085c\rd\x0ce\n", "x\n", Pairs{[]string{"a\u2028b\u0085c\rd\x0ce"}, []string{"x"}, []int32{1}}, [4]int{}},
		{"100,000 characters", long + "\nb\n", "x\ny\n", Pairs{[]string{strings.TrimSpace(long), "b"}, []string{"x", "y"}, []int32{1, 2}}, [4]int{}},
		{"a replacement character is text", "\ufffd\n", "x\n", Pairs{[]string{"\ufffd"}, []string{"x"}, []int32{1}}, [4]int{}},
	}
	for _, suffix := range []string{"", ".gz"} {
		for _, c := range cases {
			t.Run(c.name+suffix, func(t *testing.T) {
				got, report, err := ReadParallel(write(t, "s"+suffix, c.source), write(t, "t"+suffix, c.target))
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(got.Source, c.want.Source) || !slices.Equal(got.Target, c.want.Target) || !slices.Equal(got.Line, c.want.Line) {
					t.Errorf("got %.200q, want %.200q", *got, c.want)
				}
				if empty := [4]int{report.EmptyBoth, report.EmptySource, report.EmptyTarget, report.FirstEmpty}; empty != c.empty {
					t.Errorf("empty pairs: %v, want %v", empty, c.empty)
				}
				if report.Pairs != got.Len() || report.Lines != report.Pairs+c.empty[0]+c.empty[1]+c.empty[2] {
					t.Errorf("report does not add up: %+v", report)
				}
			})
		}
	}
}

func TestBadFilesAreErrorsWithFileAndLine(t *testing.T) {
	good := write(t, "good", "a\nb\nc\n")
	bad := map[string][]string{ // contents → what the error says
		"":                               {"bad", "0 lines"},
		"x\ny\n":                         {"has 2 lines", "has 3 lines"},
		"x\ny\nz\nz\nz\n":                {"has 5 lines", "has 3 lines"},
		"x\ny\xff\nz\n":                  {"bad:2:", "not UTF-8 at byte 2", "0xff"},
		"x\ny\nz\n\xe2\x82\n":            {"bad:4:", "not UTF-8"},
		"\xff\xfea\x00":                  {"bad:", "UTF-16"},
		"\xfe\xff\x00a":                  {"bad:", "UTF-16"},
		"\x1f\x8bnot gzip really":        {"bad:", "gzip"},
		"\n\n\n":                         {"bad", "none of the 3 lines"},
		strings.Repeat("x", MaxLine+1):   {"bad:1:", "more than 16777216 bytes"},
		"\x1f\x8b\x08\x00\x00\x00\x00":   {"bad:", "unexpected EOF"},
		"x\n\xed\xa0\x80 surrogate\nz\n": {"bad:2:", "not UTF-8 at byte 1"},
	}
	for text, want := range bad {
		path := write(t, "bad", text)
		_, _, first := ReadParallel(path, good)
		_, _, second := ReadParallel(good, path)
		for _, err := range []error{first, second} {
			if err == nil {
				t.Errorf("%.30q: accepted", text)
				continue
			}
			for _, w := range want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%.30q: error %q does not say %q", text, err, w)
				}
			}
		}
	}
	if _, _, err := ReadParallel(write(t, "e1", ""), write(t, "e2", "")); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("two empty files: %v", err)
	}
	if _, _, err := ReadParallel(good, filepath.Join(t.TempDir(), "nowhere")); !os.IsNotExist(err) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestTruncatedGzipIsAnError(t *testing.T) {
	whole, err := os.ReadFile(write(t, "w.tsv.gz", strings.Repeat("some text\tdu texte\n", 1000)))
	if err != nil {
		t.Fatal(err)
	}
	path := write(t, "cut.tsv", string(whole[:len(whole)-12]))
	if _, _, err := ReadTSV(path); err == nil || !strings.Contains(err.Error(), path+":") || !strings.Contains(err.Error(), "EOF") {
		t.Errorf("got %v", err)
	}
}

func TestTSV(t *testing.T) {
	path := write(t, "p.tsv", "\ufeffGo.\tVa !\tCC-BY 2.0\r\n\nHi. \t Salut !\n\tx\ny\t\n\"a\t\"b\"\n")
	got, report, err := ReadFile(path, "", "")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Source, []string{"Go.", "Hi.", `"a`}) || !slices.Equal(got.Target, []string{"Va !", "Salut !", `"b"`}) || !slices.Equal(got.Line, []int32{1, 3, 6}) {
		t.Errorf("got %q", *got)
	}
	want := "3 pairs from " + path + "; 3 left out (1 empty on both sides, 1 without source, 1 without target; the first at line 2)"
	if report.String() != want {
		t.Errorf("report %q\nwant %q", report, want)
	}
	if back := got.Reverse(); back.Source[0] != "Va !" || back.Target[0] != "Go." {
		t.Errorf("reversed: %q", *back)
	}
	path = write(t, "p.tsv", "a\tb\nno tab here\n")
	if _, _, err := ReadTSV(path); err == nil || !strings.Contains(err.Error(), path+":2: no tab") {
		t.Errorf("got %v", err)
	}
	if _, _, err := ReadTSV(write(t, "p.tsv", "")); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("an empty file: %v", err)
	}
	if _, _, err := ReadFile("x.csv", "", ""); err == nil || !strings.Contains(err.Error(), ".jsonl") {
		t.Errorf("an unknown ending: %v", err)
	}
}

func TestJSONL(t *testing.T) {
	for text, want := range map[string][2]string{
		`{"source":"a\u00e9","target":"b","id":3}`:            {"aé", "b"},
		`{"translation":{"en":"a","fr":"b","de":"c"},"x":[]}`: {"a", "b"},
		` {"fr":"b","en":"a"} `:                               {"a", "b"},
		`{"source":" a \n\n b\r\nc ","target":"b\ufffd�"}`:    {"a b c", "b��"},
		`{"source":"\ud83d\ude00","target":"b"}`:              {"😀", "b"},
	} {
		got, _, err := ReadFile(write(t, "p.jsonl.gz", text+"\r\n\n"), "en", "fr")
		if err != nil {
			t.Error(err)
			continue
		}
		if got.Len() != 1 || got.Source[0] != want[0] || got.Target[0] != want[1] {
			t.Errorf("%s: got %q", text, *got)
		}
	}
	for text, want := range map[string]string{
		`{"source":"a"}`:                   `there is no "target"`,
		`{"target":"a"}`:                   `there is no "source"`,
		`{"source":1,"target":"b"}`:        `"source" must be a string`,
		`{"source":null,"target":"b"}`:     `"source" must be a string`,
		`{"translation":{"en":"a"}}`:       `there is no "translation.fr"`,
		`{"translation":null}`:             `there is no "translation.en"`,
		`{"translation":[1]}`:              `"translation" must be`,
		`{"de":"a"}`:                       `there is no "en"`,
		`["a","b"]`:                        "must be a JSON object",
		`{"source":"a","target":"b"`:       "must be a JSON object",
		`{"source":"\ud800","target":"b"}`: "surrogate",
		strings.Repeat("[", 1_000_000):     "must be a JSON object",
	} {
		path := write(t, "p.jsonl", `{"source":"a","target":"b"}`+"\n"+text)
		if _, _, err := ReadJSONL(path, "en", "fr"); err == nil || !strings.Contains(err.Error(), path+":2: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v, want %q", text, err, want)
		}
	}
	if _, _, err := ReadJSONL(write(t, "p.jsonl", `{"en":"a","fr":"b"}`), "", ""); err == nil || !strings.Contains(err.Error(), "which two languages") {
		t.Errorf("languages not given: %v", err)
	}
}

func TestReadLinesKeepsEmptyOnes(t *testing.T) {
	got, err := ReadLines(write(t, "l", "a\n\n b\r\n"))
	if err != nil || !slices.Equal(got, []string{"a", "", " b"}) {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := ReadLines(write(t, "l", "")); err == nil {
		t.Error("an empty file is accepted")
	}
}

func TestSplitKeepsEachSourceOnOneSide(t *testing.T) {
	p := &Pairs{}
	for i := range 3000 {
		p.add(strings.Repeat("w", 1+i/3%50)+string(rune('a'+i%7)), string(rune(0x100+i)), i+1)
	}
	train, held, err := p.Split(7, 200)
	if err != nil {
		t.Fatal(err)
	}
	if train.Len()+held.Len() != p.Len() || held.Len() < 200 || held.Len() > 220 {
		t.Errorf("%d + %d of %d", train.Len(), held.Len(), p.Len())
	}
	known := map[string]bool{}
	for _, s := range train.Source {
		known[s] = true
	}
	for i, s := range held.Source {
		if known[s] {
			t.Fatalf("%q stands on both sides", s)
		}
		if j := int(held.Line[i]) - 1; p.Source[j] != s || p.Target[j] != held.Target[i] {
			t.Fatalf("pair of line %d changed", held.Line[i])
		}
	}
	if !slices.IsSorted(held.Line) || !slices.IsSorted(train.Line) {
		t.Error("the order changed")
	}

	shuffled := &Pairs{}
	for i := range p.Len() {
		j := (i*1009 + 5) % p.Len()
		shuffled.add(p.Source[j], p.Target[j], j+1)
	}
	_, again, err := shuffled.Split(7, 200)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(again.Line)
	if !slices.Equal(again.Line, held.Line) {
		t.Error("the choice depends on the order of the pairs")
	}
	_, other, err := p.Split(8, 200)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Equal(other.Line, held.Line) {
		t.Error("the choice does not depend on the seed")
	}
	if train, held, err := p.Split(7, 0); err != nil || held.Len() != 0 || train.Len() != p.Len() {
		t.Errorf("holding out nothing: %v", err)
	}
	for _, n := range []int{-1, 3000, 5000} {
		if _, _, err := p.Split(7, n); err == nil {
			t.Errorf("holding out %d of 3000 is accepted", n)
		}
	}
}

func TestRealFiles(t *testing.T) {
	const data = "../../shared/data/"
	if _, err := os.Stat(data + "multi30k/train.en"); err != nil {
		t.Skip("../shared/data/multi30k is not there")
	}
	for _, kind := range []string{"", ".lc.norm.tok"} {
		pairs, report, err := ReadParallel(data+"multi30k/train"+kind+".en", data+"multi30k/train"+kind+".fr")
		if err != nil || pairs.Len() != 29_000 || report.Lines != 29_000 {
			t.Errorf("multi30k: %v, %v", report, err)
		}
	}
	if _, err := os.Stat(data + "tatoeba/eng-fra.txt"); err != nil {
		t.Skip("../shared/data/tatoeba is not there")
	}
	pairs, report, err := ReadFile(data+"tatoeba/eng-fra.txt", "en", "fr")
	if err != nil || pairs.Len() != 142_787 {
		t.Fatalf("tatoeba: %v, %v", report, err)
	}
	train, held, err := pairs.Split(1, 2000)
	if err != nil || held.Len() < 2000 || held.Len() > 2080 || train.Len()+held.Len() != pairs.Len() {
		t.Errorf("split into %d and %d, %v", train.Len(), held.Len(), err)
	}
}

func FuzzReaders(f *testing.F) {
	f.Add([]byte("\ufeffa\tb\r\n\n{\"source\":\"a\",\"target\":\"b\"}\n"))
	f.Add([]byte(`{"translation":{"en":"\ud800","fr":"b\n"}}`))
	f.Add([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"))
	f.Add([]byte("a\xff\tb"))
	f.Fuzz(func(t *testing.T, data []byte) {
		parse := map[string]func(line []byte) (string, string, error){
			"jsonl": func(line []byte) (string, string, error) { return parsePair(line, "en", "fr") },
			"tsv":   parseTSV,
		}
		for kind, one := range parse {
			l, err := newLines("f", bytes.NewReader(data))
			if err != nil {
				return
			}
			report := Report{Files: []string{"f"}}
			pairs, report, err := readLines(l, report, one)
			if err != nil {
				if !strings.HasPrefix(err.Error(), "f:") {
					t.Fatalf("%s: error without the file: %v", kind, err)
				}
				continue
			}
			for i := range pairs.Len() {
				for _, s := range []string{pairs.Source[i], pairs.Target[i]} {
					if s == "" || s != strings.TrimSpace(s) || strings.ContainsRune(s, '\n') || strings.ToValidUTF8(s, "") != s {
						t.Fatalf("%s: sentence %q", kind, s)
					}
				}
				if int(pairs.Line[i]) > report.Lines {
					t.Fatalf("%s: line %d of %d", kind, pairs.Line[i], report.Lines)
				}
			}
		}
	})
}

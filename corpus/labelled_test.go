package corpus

import (
	"archive/tar"
	"compress/gzip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// reviews are files as the film reviews of Maas et al. (2011) lie in their archive.
var reviews = [][2]string{
	{"reviews/README", "about"}, {"reviews/train/urls.txt", "http://…"}, {"reviews/train/neg/0_1.txt", "dull"}, {"reviews/train/neg/1_2.txt", "dreadful"},
	{"reviews/train/pos/0_9.txt", "a delight"}, {"reviews/train/unsup/0_0.txt", "a film"}, {"reviews/train/pos/.hidden.txt", "x"}, {"reviews/test/pos/0_8.txt", "fine"},
}

func writeArchive(t testing.TB, path string, files [][2]string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := gzip.NewWriter(f)
	w := tar.NewWriter(z)
	for _, file := range files {
		if err := w.WriteHeader(&tar.Header{Name: file[0], Mode: 0o644, Size: int64(len(file[1])), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(file[1]))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
}

func writeFile(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLabelledTextsOfEveryForm(t *testing.T) {
	dir := t.TempDir()
	archive := filepath.Join(dir, "reviews.tar.gz")
	writeArchive(t, archive, reviews)
	for _, f := range reviews {
		writeFile(t, filepath.Join(dir, "unpacked", f[0]), f[1])
	}
	both := []string{"neg", "pos"}
	for _, c := range []struct {
		name  string
		files LabelledFiles
		want  string
	}{
		{archive + "/reviews/train", LabelledFiles{Labels: both}, "neg:dull neg:dreadful pos:a delight"},
		{archive + "/reviews/train", LabelledFiles{}, "neg:dull neg:dreadful pos:a delight unsup:a film"},
		{filepath.Join(dir, "unpacked/reviews/train"), LabelledFiles{Labels: both}, "neg:dull neg:dreadful pos:a delight"},
		{writeFile(t, dir+"/a.jsonl", "{\"text\": \"x y\", \"label\": \"b\"}\n\n{\"text\": \"z\", \"label\": \"a\"}\n"), LabelledFiles{}, "b:x y a:z"},
		{writeFile(t, dir+"/b.jsonl", "{\"s\": \"x\", \"stars\": 5}\n{\"s\": \"y\", \"stars\": true}\n"), LabelledFiles{Field: "s", LabelField: "stars"}, "5:x true:y"},
		{writeFile(t, dir+"/c.tsv", "label\tsentence\n1\tsay \"no\n0\tyes\n"), LabelledFiles{Field: "sentence"}, "1:say \"no 0:yes"},
		{writeFile(t, dir+"/d.csv", "3,\"a \"\"b\"\",\nc\",x\n4,d,y\n"), LabelledFiles{Field: "2", LabelField: "1"}, "3:a \"b\",\nc 4:d"},
		{writeFile(t, dir+"/e.csv", "text,label\nx,1\n"), LabelledFiles{}, "1:x"},
	} {
		l, err := c.files.Read([]string{c.name})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got []string
		for i, text := range l.Texts {
			got = append(got, l.Labels[l.Class[i]]+":"+text)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if !slices.IsSorted(l.Labels) {
			t.Errorf("%s: labels %q", c.name, l.Labels)
		}
	}
}

func TestOddLabelledTextsAreCounted(t *testing.T) {
	path := writeFile(t, filepath.Join(t.TempDir(), "a.jsonl"), `{"text": "x", "label": "a"}
{"text": " ", "label": "a"}
{"text": "x", "label": "b"}
{"text": "x", "label": "b"}
{"text": "y", "label": "c"}
`)
	l, err := LabelledFiles{Labels: []string{"b", "a"}}.Read([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	if l.Empty != 1 || l.Unwanted != 1 || l.Contended != 1 || len(l.Texts) != 3 || l.Class[0] != 1 {
		t.Errorf("%+v", l)
	}
	if notes := strings.Join(l.Notes(), "\n"); !strings.Contains(notes, path+":2") || !strings.Contains(notes, path+":3") {
		t.Errorf("notes: %s", notes)
	}
}

func TestLabelledTextsThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	archive := filepath.Join(dir, "reviews.tar.gz")
	writeArchive(t, archive, append(slices.Clone(reviews), [2]string{"reviews/bad/x/a.txt", "\xff"}))
	for name, want := range map[string]string{
		archive + "/absent":                                       `nothing in the archive below "absent"`,
		archive + "/reviews/bad":                                  "reviews/bad/x/a.txt: not UTF-8",
		writeFile(t, dir+"/a.jsonl", "{\"text\": \"x\"}\n"):       `a.jsonl:1: there is no "label"`,
		writeFile(t, dir+"/b.jsonl", "{\"label\": \"x\"}\n"):      `b.jsonl:1: there is no "text"`,
		writeFile(t, dir+"/c.jsonl", `{"text": "x", "label":[]}`): `c.jsonl:1: "label" must be`,
		writeFile(t, dir+"/d.tsv", "text\tlabel\nx\n"):            "d.tsv:2: has 1 columns",
		writeFile(t, dir+"/e.tsv", "text\tclass\nx\ty\n"):         `no column is called "label"`,
		writeFile(t, dir+"/f.jsonl", "\n"):                        "no labelled text",
		writeFile(t, dir+"/g.docx", "x"):                          "labelled texts are read from",
		writeFile(t, dir+"/h.tar", "not an archive"):              "not a tar archive",
		dir + "/absent.jsonl":                                     "absent.jsonl",
	} {
		if _, err := (LabelledFiles{}).Read([]string{name}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", name, err, want)
		}
	}
}

func TestDocumentsOfAnArchive(t *testing.T) {
	archive := filepath.Join(t.TempDir(), "reviews.tgz")
	writeArchive(t, archive, reviews)
	files, err := Expand([]string{archive + "/reviews/train"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := all(Texts{Files: files})
	if want := []string{"http://…", "dull", "dreadful", "a delight", "a film"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	e := Encoding{Size: 256, Append: func(dst []int32, text string) []int32 { return append(dst, int32(len(text))) }}
	store, err := (&Texts{Files: files}).Tokenize(t.Context(), t.TempDir(), e, Split{})
	if err != nil || store.Documents != 5 {
		t.Fatalf("%+v, %v", store, err)
	}
	store.Close()
	if _, err := all(Texts{Files: []string{archive + "/reviews/absent"}}); err == nil {
		t.Error("a directory that is not there is read")
	}
}

func FuzzLabelled(f *testing.F) {
	dir := f.TempDir()
	archive := filepath.Join(dir, "a.tar.gz")
	writeArchive(f, archive, reviews)
	data, err := os.ReadFile(archive)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data, ".tar.gz")
	f.Add([]byte("{\"text\": \"x\", \"label\": 1}"), ".jsonl")
	f.Add([]byte("text\tlabel\na\tb\n"), ".tsv")
	f.Add([]byte("text,label\n\"a\",b\n"), ".csv")
	f.Fuzz(func(t *testing.T, data []byte, ending string) {
		if !slices.Contains([]string{".tar.gz", ".tar", ".jsonl", ".tsv", ".csv"}, ending) {
			return
		}
		path := writeFile(t, filepath.Join(t.TempDir(), "a"+ending), string(data))
		l, err := LabelledFiles{}.Read([]string{path})
		if err == nil && (len(l.Texts) == 0 || len(l.Texts) != len(l.Class)) {
			t.Errorf("%+v", l)
		}
	})
}

package corpus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// byBytes is an encoding whose ids are bytes, and begin is 256.
func byBytes(threads int) Encoding {
	return Encoding{Checksum: "bytes", Size: 257, Begin: 256, Threads: threads, Append: func(dst []int32, text string) []int32 {
		for i := range len(text) {
			dst = append(dst, int32(text[i]))
		}
		return dst
	}}
}

// contents returns a stream as text, with | for begin.
func contents(t *testing.T, s *Stream) string {
	t.Helper()
	ids, err := s.Read(nil, 0, s.Len())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, id := range ids {
		if id == 256 {
			b.WriteByte('|')
		} else {
			b.WriteByte(byte(id))
		}
	}
	return b.String()
}

func tokenize(t *testing.T, texts Texts, dir string, e Encoding, split Split) *Store {
	t.Helper()
	s, err := texts.Tokenize(t.Context(), dir, e, split)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestAStoreHoldsEveryDocumentOnceWhateverTheThreads(t *testing.T) {
	var text strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&text, "{\"text\": \"document %d %s\"}\n", i, strings.Repeat("x", i%700))
	}
	texts := Texts{Files: []string{write(t, "a.jsonl", text.String()), write(t, "b.txt", "the last one")}}
	split := Split{Seed: 1, Share: 0.1}
	one := tokenize(t, texts, t.TempDir(), byBytes(1), split)
	three := tokenize(t, texts, t.TempDir(), byBytes(3), split)
	train, validation := contents(t, one.Train), contents(t, one.Validation)
	if contents(t, three.Train) != train || contents(t, three.Validation) != validation {
		t.Error("the streams depend on the number of threads")
	}
	if one.Documents != 2001 || one.HeldOut < 150 || one.HeldOut > 250 || int(one.HeldOut) != strings.Count(validation, "|")-1 {
		t.Errorf("%d documents, %d held out", one.Documents, one.HeldOut)
	}
	want, err := all(texts)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, stream := range []string{train, validation} {
		if !strings.HasPrefix(stream, "|") || !strings.HasSuffix(stream, "|") {
			t.Fatalf("a stream does not begin and end with begin")
		}
		got = append(got, strings.Split(strings.Trim(stream, "|"), "|")...)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Error("the two streams together are not the documents")
	}
}

func TestTheEndOfFewDocumentsIsHeldOut(t *testing.T) {
	texts := Texts{Files: []string{write(t, "a.txt", "0123456789abcdefgh")}}
	split, err := texts.NewSplit(1, 0.1)
	if err != nil || !split.AtEnd {
		t.Fatalf("%+v, %v", split, err)
	}
	s := tokenize(t, texts, t.TempDir(), byBytes(1), split)
	if contents(t, s.Train) != "|0123456789abcdefg" || contents(t, s.Validation) != "h|" {
		t.Errorf("%q and %q", contents(t, s.Train), contents(t, s.Validation))
	}
	if many, err := (&Texts{Files: []string{write(t, "b.txt", strings.Repeat("x|", 100))}, Separator: "|"}).NewSplit(1, 0.1); err != nil || many.AtEnd {
		t.Errorf("100 documents: %+v, %v", many, err)
	}
}

func TestAStoreIsMadeAnewWhenTokenizerOrTextChange(t *testing.T) {
	path, dir := write(t, "a.txt", "some text"), filepath.Join(t.TempDir(), "tokens")
	texts := Texts{Files: []string{path}}
	other := byBytes(1)
	other.Checksum = "other"
	touch := func(text string) func() {
		return func() {
			if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
			os.Chtimes(path, time.Time{}, time.Now().Add(time.Duration(len(text))*time.Hour))
		}
	}
	sums := map[string]bool{}
	for _, c := range []struct {
		name   string
		before func()
		e      Encoding
		split  Split
		want   string
		held   string
	}{
		{"at first", func() {}, byBytes(1), Split{}, "there was none", "|some text|"},
		{"again", func() {}, byBytes(2), Split{}, "", "|some text|"},
		{"only touched", touch("some text"), byBytes(1), Split{}, "", "|some text|"},
		{"other text of the same length", touch("more text"), byBytes(1), Split{}, "a.txt has changed", "|more text|"},
		{"another tokenizer", func() {}, other, Split{}, "the tokenizer has changed", "|more text|"},
		{"another split", func() {}, other, Split{Share: 0.5, AtEnd: true}, "what is held out", "|more"},
		{"a shard lost", func() { os.Remove(filepath.Join(dir, indexFile)) }, other, Split{}, "there was none", "|more text|"},
	} {
		c.before()
		changed, err := texts.Changed(dir, c.e, c.split)
		if err != nil || changed != c.want && c.want != "there was none" && !strings.Contains(changed, c.want) {
			t.Errorf("%s: changed: %q, %v", c.name, changed, err)
		}
		s, err := texts.Tokenize(t.Context(), dir, c.e, c.split)
		if err != nil {
			t.Fatal(err)
		}
		if (s.Rebuilt == "") != (c.want == "") || !strings.Contains(s.Rebuilt, c.want) {
			t.Errorf("%s: rebuilt because %q, want %q", c.name, s.Rebuilt, c.want)
		}
		if got := contents(t, s.Train); got != c.held {
			t.Errorf("%s: %q", c.name, got)
		}
		sums[s.Checksum()] = true
		s.Close()
	}
	if len(sums) != 3 { // two texts, and a split
		t.Errorf("%d checksums", len(sums))
	}
}

func TestADamagedStoreIsAnErrorAndABrokenTextLeavesNone(t *testing.T) {
	path, dir := write(t, "a.txt", "some text"), t.TempDir()
	texts := Texts{Files: []string{path}}
	tokenize(t, texts, dir, byBytes(1), Split{})
	if err := os.Truncate(filepath.Join(dir, "train-00000.tokens"), 3); err != nil {
		t.Fatal(err)
	}
	if _, err := texts.Tokenize(t.Context(), dir, byBytes(1), Split{}); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a short shard: %v", err)
	}
	os.WriteFile(path, []byte("bad \xff"), 0o666)
	if _, err := texts.Tokenize(t.Context(), dir, byBytes(3), Split{}); err == nil || !strings.Contains(err.Error(), "not UTF-8") {
		t.Errorf("text that is none: %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
	os.WriteFile(path, nil, 0o666)
	if _, err := texts.Tokenize(t.Context(), dir, byBytes(1), Split{}); err == nil || !strings.Contains(err.Error(), "no text") {
		t.Errorf("no text: %v", err)
	}
	for _, index := range []string{"{", `{"bytes_per_id": 3}`, `{"bytes_per_id": 2, "train_ids": -1}`} {
		os.WriteFile(filepath.Join(dir, indexFile), []byte(index), 0o666)
		if _, err := texts.Tokenize(t.Context(), dir, byBytes(1), Split{}); err == nil || !strings.Contains(err.Error(), indexFile) {
			t.Errorf("index %s: %v", index, err)
		}
	}
}

func TestAnEndedContextLeavesNothing(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	e := byBytes(2)
	plain := e.Append
	e.Append = func(dst []int32, text string) []int32 {
		stop()
		return plain(dst, text)
	}
	dir, texts := t.TempDir(), Texts{Files: []string{write(t, "a.txt", strings.Repeat("text ", 1<<20))}}
	if _, err := texts.Tokenize(ctx, dir, e, Split{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error: %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
}

func TestIDsOfFourBytesAreKept(t *testing.T) {
	e := Encoding{Checksum: "wide", Size: 1 << 20, Begin: 1 << 19, Threads: 1, Append: func(dst []int32, text string) []int32 {
		return append(dst, int32(len(text))+70_000)
	}}
	s := tokenize(t, Texts{Files: []string{write(t, "a.txt", "abc")}}, t.TempDir(), e, Split{})
	if got, err := s.Train.Read(nil, 0, s.Train.Len()); err != nil || !slices.Equal(got, []int32{1 << 19, 70_003, 1 << 19}) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestMemoryDoesNotGrowWithTheText(t *testing.T) {
	path := filepath.Join(t.TempDir(), "long.txt")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	line := []byte(strings.Repeat("some words in a line ", 50) + "\n")
	for written := 0; written < 64<<20; written += len(line) {
		f.Write(line)
	}
	f.Close()
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	most := uint64(0)
	e := byBytes(2)
	plain := e.Append
	e.Append = func(dst []int32, text string) []int32 {
		runtime.GC()
		runtime.ReadMemStats(&now)
		most = max(most, now.HeapAlloc)
		return plain(dst, text)
	}
	e.Threads = 1
	s := tokenize(t, Texts{Files: []string{path}}, t.TempDir(), e, Split{})
	if grown := int64(most) - int64(before.HeapAlloc); grown > 40<<20 {
		t.Errorf("%d bytes of heap for %d tokens", grown, s.Train.Len())
	}
}

func TestRowsHoldEveryTokenOnceAndDocumentsApart(t *testing.T) {
	texts := Texts{Files: []string{write(t, "a.txt", "abc;de;f;ghijklmnop;q")}, Separator: ";"}
	s := tokenize(t, texts, t.TempDir(), byBytes(1), Split{})
	for _, context := range []int{1, 2, 4, 5, 100} {
		rows := NewRows(s.Train, context)
		var predicted []int32
		for i := range rows.Len() {
			row, err := rows.Read(nil, i)
			if err != nil {
				t.Fatal(err)
			}
			if len(row) < 2 || len(row) > context+1 {
				t.Fatalf("context %d: row %d has %d tokens", context, i, len(row))
			}
			for from := 0; from < len(row)-1; {
				to := NextBegin(row, 256, from)
				if at := slices.Index(row[from+1:to], 256); at >= 0 {
					t.Fatalf("context %d: row %d: a sequence crosses a border", context, i)
				}
				predicted = append(predicted, row[from+1:to+1]...)
				from = to
			}
		}
		want, _ := s.Train.Read(nil, 1, s.Train.Len())
		if !slices.Equal(predicted, want) || rows.Tokens() != int64(len(want)) {
			t.Errorf("context %d: predicted %v, want %v", context, predicted, want)
		}
	}
}

func TestReadingRowsAllocatesNothing(t *testing.T) {
	s := tokenize(t, Texts{Files: []string{write(t, "a.txt", strings.Repeat("x", 1000))}}, t.TempDir(), byBytes(1), Split{})
	if s.Train.shards[0].data == nil {
		t.Skip("files cannot be mapped into memory here")
	}
	rows, row, i := NewRows(s.Train, 10), make([]int32, 0, 11), int64(0)
	if n := testing.AllocsPerRun(50, func() {
		row, _ = rows.Read(row[:0], i)
		i++
	}); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

func TestAnOrderHoldsEverythingOnceAndNoTwoAreAlike(t *testing.T) {
	for _, n := range []int64{1, 2, 3, 4, 5, 63, 64, 65, 1000, 4097} {
		o := NewOrder(n, 7, 3)
		seen := make([]bool, n)
		for i := range n {
			if x := o.At(i); x < 0 || x >= n || seen[x] {
				t.Fatalf("%d things: place %d holds %d", n, i, x)
			} else {
				seen[x] = true
			}
		}
	}
	same := func(a, b Order) (n int) {
		for i := range int64(1000) {
			if a.At(i) == b.At(i) {
				n++
			}
		}
		return n
	}
	first := NewOrder(1000, 7, 3)
	for name, other := range map[string]Order{"another epoch": NewOrder(1000, 7, 4), "another seed": NewOrder(1000, 8, 3), "the plain order": {}} {
		if name == "the plain order" {
			plain := 0
			for i := range int64(1000) {
				if first.At(i) == i {
					plain++
				}
			}
			if plain > 10 {
				t.Errorf("%d of 1000 stay where they are", plain)
			}
		} else if n := same(first, other); n > 10 {
			t.Errorf("%s: %d of 1000 places are equal", name, n)
		}
	}
	if same(first, NewOrder(1000, 7, 3)) != 1000 {
		t.Error("an order is not always the same")
	}
}

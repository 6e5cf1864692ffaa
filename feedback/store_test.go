package feedback

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/parley-lm/parley/chat"
)

// eachStore runs a test on SQLite, and on PostgreSQL where PARLEY_TEST_POSTGRES names an empty database.
func eachStore(t *testing.T, run func(t *testing.T, open func() *Store)) {
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "a b?c.db")
		run(t, opener(t, path))
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	})
	t.Run("postgres", func(t *testing.T) {
		location := os.Getenv("PARLEY_TEST_POSTGRES")
		if location == "" {
			t.Skip("PARLEY_TEST_POSTGRES names no PostgreSQL database (postgres://user@host/name) to test with")
		}
		open := opener(t, location)
		s := open()
		for _, table := range []string{"places", "rankings", "answers", "prompts"} {
			if _, err := s.db.Exec("DELETE FROM " + table); err != nil {
				t.Fatal(err)
			}
		}
		run(t, open)
	})
}

func opener(t *testing.T, location string) func() *Store {
	return func() *Store {
		t.Helper()
		s, err := Open(context.Background(), location)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
}

func text(prompt string, answers ...string) Record {
	r := Record{Prompt: Prompt{Text: prompt}}
	for _, a := range answers {
		r.Answers = append(r.Answers, Answer{Text: a, Model: "m", Settings: json.RawMessage(`{"temperature":1}`)})
	}
	return r
}

func (r Record) by(rater string, ranks ...int) Record {
	r.Rater, r.Ranks = rater, ranks
	return r
}

func mustAdd(t *testing.T, s *Store, records ...Record) {
	t.Helper()
	for _, r := range records {
		if _, err := s.Add(context.Background(), r); err != nil {
			t.Fatal(err)
		}
	}
}

func TestARaterSeesEveryPromptOnceAndCanUndo(t *testing.T) {
	eachStore(t, func(t *testing.T, open func() *Store) {
		ctx, s := context.Background(), open()
		began := now()
		mustAdd(t, s, text("one", "a", "b"), text("two", "a", "b", "c"), text("alone", "a"), text("same", "a"))
		r, ok, err := s.Waiting(ctx, "ann", nil)
		if err != nil || !ok || r.Prompt.Text != "one" || len(r.Answers) != 2 {
			t.Fatalf("%+v %v %v", r, ok, err)
		}
		mustAdd(t, s, r.by("ann", 2, 1))
		if r, _, _ := s.Waiting(ctx, "ann", nil); r.Prompt.Text != "two" {
			t.Errorf("after the first: %q", r.Prompt.Text)
		}
		if r, _, _ := s.Waiting(ctx, "bob", nil); r.Prompt.Text != "one" {
			t.Errorf("another rater begins with %q", r.Prompt.Text)
		}
		if _, ok, _ := s.Waiting(ctx, "ann", map[string]bool{(Prompt{Text: "two"}).Key(): true}); ok {
			t.Error("a skipped prompt comes up again")
		}
		if done, all, err := s.Progress(ctx, "ann"); done != 1 || all != 2 || err != nil {
			t.Errorf("%d of %d, %v", done, all, err)
		}
		taken, ok, err := s.Undo(ctx, "ann", began)
		if err != nil || !ok || taken.Prompt.Text != "one" || fmt.Sprint(taken.Ranks) != "[2 1]" {
			t.Errorf("undo: %+v %v %v", taken, ok, err)
		}
		if _, ok, err := s.Undo(ctx, "ann", began); ok || err != nil {
			t.Errorf("there was nothing to take back: %v %v", ok, err)
		}
	})
}

func TestAllThatWaitIsWhatWaitsOneByOne(t *testing.T) {
	eachStore(t, func(t *testing.T, open func() *Store) {
		s, ctx := open(), context.Background()
		mustAdd(t, s, text("one", "a", "b"), text("two", "a"), text("three", "c", "d", "d"), text("four", "e", "f"))
		mustAdd(t, s, text("one", "a", "b").by("ann", 1, 2))
		keys, err := s.AllWaiting(ctx, "ann")
		if err != nil {
			t.Fatal(err)
		}
		skipped := map[string]bool{}
		for _, key := range keys {
			want, ok, err := s.Waiting(ctx, "ann", skipped)
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			got, err := s.Unranked(ctx, key)
			if err != nil {
				t.Fatal(err)
			}
			if got.Prompt.Text != want.Prompt.Text || len(got.Answers) != len(want.Answers) {
				t.Errorf("%q waits with %d answers, want %q with %d", got.Prompt.Text, len(got.Answers), want.Prompt.Text, len(want.Answers))
			}
			skipped[key] = true
		}
		if _, ok, _ := s.Waiting(ctx, "ann", skipped); ok || len(keys) != 2 {
			t.Errorf("%d prompts wait, and others %v", len(keys), ok)
		}
	})
}

func TestAddingTwiceChangesNothingAndContradictionsAreRefused(t *testing.T) {
	eachStore(t, func(t *testing.T, open func() *Store) {
		ctx, s := context.Background(), open()
		r := text("p", "a", "b", "c")
		first, err := s.Add(ctx, r.by("ann", 10, 30, 10))
		if err != nil || first != (Added{Prompts: 1, Answers: 3, Rankings: 1}) {
			t.Fatalf("%+v %v", first, err)
		}
		if again, err := s.Add(ctx, r.by("ann", 1, 2, 1)); err != nil || again != (Added{Known: 1}) {
			t.Errorf("the same once more: %+v %v", again, err)
		}
		if other, err := s.Add(ctx, r.by("ann", 2, 1, 2)); !errors.Is(err, ErrRanked) || other != (Added{Refused: 1}) {
			t.Errorf("the contrary: %+v %v", other, err)
		}
		if bob, err := s.Add(ctx, r.by("bob", 2, 1, 2)); err != nil || bob.Rankings != 1 {
			t.Errorf("another rater: %+v %v", bob, err)
		}
	})
}

func TestRatersAtOnceNeverOverwriteEachOther(t *testing.T) {
	eachStore(t, func(t *testing.T, open func() *Store) {
		ctx := context.Background()
		open()
		const raters, prompts = 4, 15
		var wg sync.WaitGroup
		for n := range raters {
			s := open() // as a program of its own would
			wg.Go(func() {
				for i := range prompts {
					r := text(fmt.Sprint("prompt ", (i+n*7)%prompts), "a", "b").by(fmt.Sprint("rater", n), 1+n%2, 2-n%2)
					if _, err := s.Add(ctx, r); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		report, err := open().Report(ctx)
		if err != nil || report.Rankings != raters*prompts || report.Prompts != prompts || report.Answers != 2*prompts {
			t.Errorf("%+v %v", report, err)
		}
	})
}

func TestExportComesBackTheSame(t *testing.T) {
	eachStore(t, func(t *testing.T, open func() *Store) {
		ctx, s := context.Background(), open()
		talk := Record{Prompt: Prompt{Messages: []chat.Message{{Role: "system", Content: "Be <brief>."}, {Role: "user", Content: "Où?"}}}, Answers: []Answer{{Text: "Here.", Model: "x"}, {Text: "There."}}}
		cannot := text("q", "a", "b")
		cannot.Rater, cannot.CannotJudge = "ann", true
		mustAdd(t, s, text("p", "a", "b", "c").by("ann", 1, 1, 2), talk.by("bob", 2, 1), cannot, text("waits", "a", "b"))
		var out bytes.Buffer
		if n, err := s.Export(ctx, &out); n != 4 || err != nil {
			t.Fatalf("%d %v", n, err)
		}
		path := filepath.Join(t.TempDir(), "f.jsonl")
		if err := os.WriteFile(path, out.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
		if added, err := s.Import(ctx, path, "", nil); err != nil || added != (Added{Known: 3}) {
			t.Errorf("into itself: %+v %v", added, err)
		}
		other := opener(t, filepath.Join(t.TempDir(), "other.db"))()
		if _, err := other.Import(ctx, path, "", nil); err != nil {
			t.Fatal(err)
		}
		var again bytes.Buffer
		if _, err := other.Export(ctx, &again); err != nil || again.String() != out.String() {
			t.Errorf("%v\n%s\nbecame\n%s", err, out.String(), again.String())
		}
		var pairs bytes.Buffer
		if n, err := s.ExportPairs(ctx, &pairs); n != 3 || err != nil {
			t.Errorf("%d pairs, %v", n, err)
		}
		if want := `{"prompt":[{"role":"system","content":"Be <brief>."},{"role":"user","content":"Où?"}],"chosen":[{"role":"assistant","content":"There."}],"rejected":[{"role":"assistant","content":"Here."}]}`; !strings.Contains(pairs.String(), want+"\n") {
			t.Errorf("pairs:\n%s", pairs.String())
		}
	})
}

func TestImportIsAllOrNothingAndNamesTheLine(t *testing.T) {
	eachStore(t, func(t *testing.T, open func() *Store) {
		ctx, s := context.Background(), open()
		good := `{"prompt": "p", "answers": ["a", "b"], "ranks": [1, 2], "rater": "ann"}` + "\n"
		for line, want := range map[string]string{
			`{"answers": ["a"]}`: `no "prompt"`, `{"prompt": ""}`: "empty", `{"prompt": "p", "answers": []}`: "no answers",
			`{"prompt": "p", "answers": ["a", " "]}`:                                         "answer 2 is empty",
			`{"prompt": "p", "answers": ["a", "a"], "ranks": [1, 2]}`:                        "identical",
			`{"prompt": "p", "answers": ["a", "b"], "ranks": [1]}`:                           "1 ranks for 2 answers",
			`{"prompt": "p", "answers": ["a", "b"], "ranks": [0, 1]}`:                        "rank 0",
			`{"prompt": "p", "answers": ["a", "b"], "ranks": [1, 2], "cannot_judge": true}`:  "contradict",
			`{"prompt": 7, "answers": ["a"]}`:                                                "string or a list",
			`{"prompt": [{"role": "boss", "content": "x"}], "answers": ["a"]}`:               "boss",
			`{"prompt": [{"role": "assistant", "content": "x"}], "answers": ["a"]}`:          "ends with a turn of the assistant",
			`{"prompt": "p", "chosen": "a"}`:                                                 `"rejected" is missing`,
			`{"prompt": "p", "chosen": "a", "rejected": "a"}`:                                "identical",
			`{"prompt": "p", "chosen": "a", "rejected": [{"role": "user", "content": "b"}]}`: "the assistant's",
			`not json`: "invalid character",
		} {
			path := filepath.Join(t.TempDir(), "f.jsonl")
			os.WriteFile(path, []byte(good+line+"\n"), 0o666)
			_, err := s.Import(ctx, path, "", nil)
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path+":2:") {
				t.Errorf("%s: %v", line, err)
			}
		}
		if report, err := s.Report(ctx); err != nil || report.Prompts != 0 {
			t.Errorf("something of a file with a mistake was kept: %+v %v", report, err)
		}
	})
}

func TestReportCountsAndMeasuresAgreement(t *testing.T) {
	eachStore(t, func(t *testing.T, open func() *Store) {
		ctx, s := context.Background(), open()
		a, b := text("p", "a", "b", "c"), text("q", "a", "b")
		mustAdd(t, s, a.by("ann", 1, 2, 3), a.by("bob", 1, 3, 2), b.by("ann", 1, 1), b.by("bob", 1, 1))
		mustAdd(t, s, text("p", "b", "c").by("ann", 2, 1)) // the other way round than before
		r, err := s.Report(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if r.Rankings != 5 || r.Pairs != 7 || r.Ties != 2 || r.Contrary != 1 || r.Compared != 4 {
			t.Errorf("%+v", r)
		}
		// Four comparisons by two raters, each seen from both sides: one of them opposite (difference 4), all values ±1 six times, 0 twice.
		want := 1 - 15.0*(2*2*4)/(6*6*4*2+6*4*1*2*2)
		if r.Alpha == nil || math.Abs(*r.Alpha-want) > 1e-12 {
			t.Errorf("alpha %v, want %v", *r.Alpha, want)
		}
		if *r.Raters[0].Agreement != 0.75 {
			t.Errorf("agreement %v", *r.Raters[0].Agreement)
		}
	})
}

func TestWrongPlacesAreNamed(t *testing.T) {
	for location, want := range map[string]string{
		"": "no file", "mysql://u:secret@h/d": "postgres://", filepath.Join(t.TempDir(), "no", "f.db"): "no directory", t.TempDir(): "is a directory",
		"postgres://u:secret@127.0.0.1:1/d?connect_timeout=2": "u:xxxxx@127.0.0.1",
	} {
		_, err := Open(context.Background(), location)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", location, err)
		}
	}
	path := filepath.Join(t.TempDir(), "f.db")
	os.WriteFile(path, bytes.Repeat([]byte("this is no database. "), 400), 0o666)
	if _, err := Open(context.Background(), path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a file of another kind: %v", err)
	}
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"prompt": "p", "answers": ["a", {"text": "b", "settings": {}}], "ranks": [1, 2], "time": "2026-01-31T12:00:00Z"}`))
	f.Add([]byte(`{"prompt": [{"role": "user", "content": "x"}], "chosen": "a", "rejected": "b"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r Record
		if json.Unmarshal(raw, &r) != nil {
			return
		}
		first, err := json.Marshal(r)
		if err != nil {
			if r.Time.Year() < 0 || r.Time.Year() > 9999 {
				return
			}
			t.Fatal(err)
		}
		var again Record
		if err := json.Unmarshal(first, &again); err != nil {
			t.Fatalf("%s: %v", first, err)
		}
		if second, _ := json.Marshal(again); !bytes.Equal(first, second) {
			t.Errorf("%s\nbecame\n%s", first, second)
		}
		r.Pairs()
	})
}

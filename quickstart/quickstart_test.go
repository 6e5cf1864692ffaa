package quickstart

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-lm/parley/train"
)

// small is the sandbox recipe, cut down to seconds: it shows the stages, and learns nothing.
func small(t *testing.T) train.Recipe {
	t.Helper()
	r, err := train.LoadRecipe("sandbox")
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range []string{
		"data.pairs=300", "data.held_out=20", "tokenizer.vocab=400", "model.width=16", "model.layers=1", "model.heads=2",
		"model.feed_forward=16", "train.updates=6", "schedule.warmup=2", "train.batch_tokens=200", "validation.every=3", "validation.limit=5",
	} {
		if err := r.Set(set); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func TestEveryStageRunsAndIsMeasured(t *testing.T) {
	var log bytes.Buffer
	o := Options{Out: filepath.Join(t.TempDir(), "run"), Threads: 2, Seed: 1, Log: &log}
	r, err := run(t.Context(), small(t), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Sentences.Of != measured || r.Combos.Of != measured || r.Parameters == 0 || len(r.Examples) == 0 {
		t.Errorf("result %+v", r)
	}
	if len(r.Phenomena) < 20 {
		t.Errorf("only %d phenomena are measured", len(r.Phenomena))
	}
	for i, p := range r.Phenomena[1:] {
		if p.Percent() < r.Phenomena[i].Percent() {
			t.Errorf("%s stands after %s, which is easier", p.Name, r.Phenomena[i].Name)
		}
	}
	for _, stage := range []string{"1. A small world", "→", "2. Training", "3. Measuring"} {
		if !strings.Contains(log.String(), stage) {
			t.Errorf("nothing is said of %q", stage)
		}
	}
	again, err := run(t.Context(), small(t), o) // of a finished run only the measuring is done again
	if err != nil || again.Sentences != r.Sentences {
		t.Errorf("called again: %v, %v", again, err)
	}
}

func TestAStoppedQuickstartGoesOn(t *testing.T) {
	o := Options{Out: filepath.Join(t.TempDir(), "run"), Threads: 1, Seed: 1}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := run(ctx, small(t), o)
	var stopped *train.Interrupted
	if !errors.As(err, &stopped) {
		t.Fatalf("a cancelled quickstart returns %v", err)
	}
	if _, err := run(t.Context(), small(t), o); err != nil {
		t.Error(err)
	}
}

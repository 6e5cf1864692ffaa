package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
)

func TestAQuickstartSaysWhatItCannotGoOnWith(t *testing.T) {
	other := filepath.Dir(write(t, "thesis.txt", ""))
	fail(t, 1, []string{"quickstart", "--out", other, "-q"}, "thesis.txt", "choose another --out")
	fail(t, 1, []string{"quickstart", "translator", "--out", other, "-q"}, "thesis.txt")

	// One that is stopped before it has done anything can only be gone on with as it was begun.
	dir := filepath.Join(t.TempDir(), "q")
	ctx, stop := context.WithCancel(t.Context())
	stop()
	status, out, problems := typedUntil(t, ctx, strings.NewReader(""), "quickstart", "--fast", "--out", dir)
	if status != 130 || out != "" || !strings.Contains(problems, "1 of 12. Texts.") || !strings.Contains(problems, "go on with the same command") {
		t.Errorf("stopped: exit %d, %q, %q", status, out, problems)
	}
	fail(t, 1, []string{"quickstart", "--out", dir, "-q"}, "--fast", "choose another --out")
	fail(t, 1, []string{"quickstart", "--fast", "--seed", "7", "--out", dir, "-q"}, "--seed 1")
}

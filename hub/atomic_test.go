package hub

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

func mustWrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func mustHold(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s holds %q (%v), want %q", path, got, err, want)
	}
}

// names lists a directory, hidden entries included.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return strings.Join(list, " ")
}

func fillWith(text string) func(string) error {
	return func(tmp string) error { return os.WriteFile(filepath.Join(tmp, "f"), []byte(text), 0o666) }
}

func TestWriteFileAtomicReplacesOrLeavesTheOld(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := WriteBytesAtomic(path, []byte("one")); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, filepath.Join(dir, ".f.tmp"), "left behind by a killed writer, and longer than the new text")
	if err := WriteBytesAtomic(path, []byte("two")); err != nil {
		t.Fatal(err)
	}
	mustHold(t, path, "two")
	err := WriteFileAtomic(path, func(w io.Writer) error {
		io.WriteString(w, strings.Repeat("three", 100_000))
		return syscall.ENOSPC
	})
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "previous version is unchanged") {
		t.Errorf("error of a full disk: %v", err)
	}
	mustHold(t, path, "two")
	if got := names(t, dir); got != "f" {
		t.Errorf("left behind: %s", got)
	}
}

func TestWriteFileAtomicFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(dir, "real"), filepath.Join(dir, "link")); err != nil {
		t.Skip("no symbolic links here: ", err)
	}
	mustWrite(t, filepath.Join(dir, "real"), "old")
	if err := WriteBytesAtomic(filepath.Join(dir, "link"), []byte("new")); err != nil {
		t.Fatal(err)
	}
	mustHold(t, filepath.Join(dir, "real"), "new")
}

func TestUnwritablePlacesAreClearErrors(t *testing.T) {
	dir := t.TempDir()
	mustWrite(t, filepath.Join(dir, "file"), "")
	for _, path := range []string{"", filepath.Join(dir, "file", "x"), filepath.Join(dir, "nowhere", "x")} {
		if err := WriteBytesAtomic(path, nil); err == nil || !strings.Contains(err.Error(), "cannot save "+path) {
			t.Errorf("file at %q: %v", path, err)
		}
	}
	for _, path := range []string{"", filepath.Join(dir, "file"), filepath.Join(dir, "file", "x")} {
		if err := WriteDirAtomic(path, fillWith("")); err == nil || !strings.Contains(err.Error(), "cannot save "+path) {
			t.Errorf("directory at %q: %v", path, err)
		}
	}
	mustHold(t, filepath.Join(dir, "file"), "")
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		return // permissions do not bind the administrator
	}
	locked := filepath.Join(dir, "locked")
	if err := os.Mkdir(locked, 0o555); err != nil {
		t.Fatal(err)
	}
	if err := WriteBytesAtomic(filepath.Join(locked, "f"), nil); !errors.Is(err, os.ErrPermission) {
		t.Errorf("read-only directory: %v", err)
	}
}

func TestWriteDirAtomicReplacesOrLeavesTheOld(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "a", "model")
	if err := WriteDirAtomic(dir, fillWith("one")); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, filepath.Join(dir, "stale"), "")
	if err := WriteDirAtomic(dir, fillWith("two")); err != nil {
		t.Fatal(err)
	}
	mustHold(t, filepath.Join(dir, "f"), "two")
	if got := names(t, dir); got != "f" {
		t.Errorf("the new directory holds %s", got)
	}
	err := WriteDirAtomic(dir, func(tmp string) error {
		mustWrite(t, filepath.Join(tmp, "f"), "thr")
		return syscall.ENOSPC
	})
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "previous version is unchanged") {
		t.Errorf("error of a full disk: %v", err)
	}
	mustHold(t, filepath.Join(dir, "f"), "two")
	if got := names(t, filepath.Dir(dir)); got != "model" {
		t.Errorf("left behind: %s", got)
	}
}

// Each case is what a killed process can leave on the disk; the directory must read as old or new, whole, and the next
// writing must succeed and tidy up.
func TestWriteDirAtomicSurvivesEveryKill(t *testing.T) {
	cases := []struct {
		name  string
		leave map[string]string // path → text
		want  string
	}{
		{"while filling", map[string]string{"model/f": "old", ".model.tmp/f": "ne"}, "old"},
		{"while filling the first", map[string]string{".model.tmp/f": "ne"}, ""},
		{"after the exchange", map[string]string{"model/f": "new", ".model.tmp/f": "old"}, "new"},
		{"between two renames", map[string]string{".model.old/f": "old", ".model.tmp/f": "new"}, "old"},
		{"after two renames", map[string]string{"model/f": "new", ".model.old/f": "old"}, "new"},
		{"while removing the old", map[string]string{"model/f": "new", ".model.old/g": "half"}, "new"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			parent := t.TempDir()
			dir := filepath.Join(parent, "model")
			for path, text := range c.leave {
				path = filepath.Join(parent, path)
				if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
					t.Fatal(err)
				}
				mustWrite(t, path, text)
			}
			if c.want != "" {
				mustHold(t, filepath.Join(ResolveDir(dir), "f"), c.want)
			}
			// A failing writer must not lose what was there.
			if err := WriteDirAtomic(dir, func(string) error { return syscall.ENOSPC }); !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
			if c.want != "" {
				mustHold(t, filepath.Join(ResolveDir(dir), "f"), c.want)
			}
			if err := WriteDirAtomic(dir, fillWith("next")); err != nil {
				t.Fatal(err)
			}
			mustHold(t, filepath.Join(dir, "f"), "next")
			if got := names(t, parent); got != "model" {
				t.Errorf("left behind: %s", got)
			}
		})
	}
}

func TestReplacingInTwoRenamesKeepsOneWhole(t *testing.T) {
	parent := t.TempDir()
	dir, temporary := filepath.Join(parent, "model"), filepath.Join(parent, ".model.tmp")
	for path, text := range map[string]string{dir: "old", temporary: "new"} {
		if err := os.Mkdir(path, 0o777); err != nil {
			t.Fatal(err)
		}
		mustWrite(t, filepath.Join(path, "f"), text)
	}
	replaced, err := takePlaceInTwoSteps(temporary, dir)
	if err != nil {
		t.Fatal(err)
	}
	mustHold(t, filepath.Join(dir, "f"), "new")
	mustHold(t, filepath.Join(replaced, "f"), "old")
	if _, err := takePlaceInTwoSteps(temporary, dir); err == nil { // temporary is gone: the second rename fails
		t.Error("replacing by nothing succeeded")
	}
	mustHold(t, filepath.Join(dir, "f"), "new")
}

package hub

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// TestMain lets the test binary stand in as a process that saves without end, to be killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("HUB_TEST_SAVE_FOREVER"); dir != "" {
		start, _ := strconv.Atoi(os.Getenv("HUB_TEST_START"))
		for version := start; ; version++ {
			if err := saveVersion(dir, version); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
	}
	os.Exit(m.Run())
}

// saveVersion writes a directory and a file that both say their version several times over.
func saveVersion(dir string, version int) error {
	text := []byte(strconv.Itoa(version))
	err := WriteDirAtomic(filepath.Join(dir, "model"), func(tmp string) error {
		for i := range 5 {
			if err := os.WriteFile(filepath.Join(tmp, strconv.Itoa(i)), text, 0o666); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return WriteBytesAtomic(filepath.Join(dir, "state"), text)
}

// version reads what saveVersion wrote, which must be whole.
func version(t *testing.T, dir string) (model, state int) {
	t.Helper()
	read := func(path string) int {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(string(data))
		if err != nil {
			t.Fatalf("%s holds %q", path, data)
		}
		return n
	}
	whole := ResolveDir(filepath.Join(dir, "model"))
	model = read(filepath.Join(whole, "0"))
	for i := range 5 {
		if n := read(filepath.Join(whole, strconv.Itoa(i))); n != model {
			t.Fatalf("file %d is of version %d, file 0 of version %d", i, n, model)
		}
	}
	return model, read(filepath.Join(dir, "state"))
}

func TestKilledAtAnyMomentTheLastVersionIsWhole(t *testing.T) {
	dir := t.TempDir()
	if err := saveVersion(dir, 0); err != nil {
		t.Fatal(err)
	}
	lastModel, lastState, advanced := 0, 0, 0
	for i := range 15 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), "HUB_TEST_SAVE_FOREVER="+dir, "HUB_TEST_START="+strconv.Itoa(lastModel+1))
		child.Stderr = os.Stderr
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(5+i*7) * time.Millisecond)
		child.Process.Kill()
		child.Wait()
		model, state := version(t, dir)
		if model < lastModel || state > model || state < lastState {
			t.Fatalf("kill %d: directory of version %d (before: %d), file of version %d (before: %d)", i, model, lastModel, state, lastState)
		}
		if model > lastModel {
			advanced++
		}
		lastModel, lastState = model, state
	}
	if advanced == 0 {
		t.Error("no version was ever saved: the test killed too early to say anything")
	}
	if err := saveVersion(dir, lastModel+1); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); got != "model state" {
		t.Errorf("left behind: %s", got)
	}
}

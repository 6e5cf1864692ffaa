package hub

import (
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A file system of 256 KB is filled for real; needs the right to mount one.
func TestFullDiskKeepsTheLastGoodVersion(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=256k"); err != nil {
		t.Skip("cannot mount a small tmpfs here: ", err)
	}
	t.Cleanup(func() { syscall.Unmount(disk, syscall.MNT_DETACH) })
	small := []Tensor{{Name: "a", DType: F32, Shape: []int{100}, Float32: make([]float32, 100)}}
	large := []Tensor{{Name: "a", DType: F32, Shape: []int{100_000}, Float32: make([]float32, 100_000)}}
	save := func(dir string, tensors []Tensor) error {
		return WriteDirAtomic(dir, func(tmp string) error {
			return SaveSafetensors(filepath.Join(tmp, "model.safetensors"), tensors, nil)
		})
	}
	dir, file := filepath.Join(disk, "model"), filepath.Join(disk, "w.safetensors")
	if err := errors.Join(save(dir, small), SaveSafetensors(file, small, nil)); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{save(dir, large), SaveSafetensors(file, large, nil)} {
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), disk) || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("error of a full disk: %v", err)
		}
	}
	for _, path := range []string{filepath.Join(dir, "model.safetensors"), file} {
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if info, _ := f.Info("a"); info.Len() != 100 {
			t.Errorf("%s: %d elements", path, info.Len())
		}
		f.Close()
	}
	if got := names(t, disk); got != "model w.safetensors" {
		t.Errorf("left behind: %s", got)
	}
	if err := save(dir, small); err != nil {
		t.Errorf("after the failure, a small one no longer fits: %v", err)
	}
}

package train

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"
)

// A small file system is filled for real; needs the right to mount one.
func TestAFullDiskLeavesTheLastCheckpointAndTheRunGoesOn(t *testing.T) {
	disk, dir := t.TempDir(), t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=900k"); err != nil {
		t.Skip("cannot mount a small tmpfs here: ", err)
	}
	t.Cleanup(func() { syscall.Unmount(disk, syscall.MNT_DETACH) })
	out := filepath.Join(disk, "run")
	recipe := toyRecipe(t, dir, "train.updates=60", "train.checkpoint_every=5", "validation.every=10", "train.average=20")
	_, err := Start(t.Context(), recipe, Options{Out: out})
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("error of a full disk: %v", err)
	}
	latest, err := latestCheckpoint(out)
	if err != nil || latest == "" {
		t.Fatalf("latest checkpoint: %q, %v", latest, err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	whole := filepath.Join(dir, "whole")
	if _, err := Resume(t.Context(), out, Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), recipe, Options{Out: whole}); err != nil {
		t.Fatal(err)
	}
	mustEqualRuns(t, whole, out)
}

//go:build !windows

package hub

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// syncFile makes sure that a file's contents are on the disk.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// syncDir makes sure that a directory's entries (names made, renamed, removed) are on the disk. File systems that
// cannot sync a directory say EINVAL or ENOTSUP; there is nothing more to do on them.
func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("syncing: %w", err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return fmt.Errorf("syncing: %w", err)
	}
	return nil
}

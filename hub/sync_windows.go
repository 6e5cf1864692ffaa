package hub

import (
	"errors"
	"os"
)

// syncFile makes sure that a file's contents are on the disk; Windows wants a handle that may write.
func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// syncDir has nothing to do: Windows has no sync of directories, and NTFS journals renames itself.
func syncDir(string) error { return nil }

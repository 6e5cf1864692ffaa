//go:build unix

package mmap

import (
	"os"

	"golang.org/x/sys/unix"
)

// Map maps size bytes of a file into memory, read only, and returns what undoes it. Without bytes, or where the file
// system cannot map, it returns nil: the file is then to be read.
func Map(f *os.File, size int64) (data []byte, unmap func() error) {
	if size <= 0 || size != int64(int(size)) {
		return nil, nil
	}
	data, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, nil
	}
	return data, func() error { return unix.Munmap(data) }
}

//go:build !unix

package mmap

import "os"

// Map maps nothing here: files are read.
func Map(*os.File, int64) (data []byte, unmap func() error) { return nil, nil }

// Package memory allocates long slices of numbers where processors read them fast: from whole cache lines on and, if the
// system will, in large pages. It knows nothing of what they hold; start from [Floats].
package memory

import "unsafe"

const (
	line  = 64      // bytes of a cache line
	page  = 2 << 20 // bytes of a large page, where there are any
	large = 1 << 18 // bytes from which large pages are asked for: the neighbours of such a piece are often such pieces, too
)

// Floats returns n zeros, the first at the beginning of a cache line. They are on the Go heap, and collected as others are.
func Floats(n int) []float32 {
	buf := make([]float32, n+line/4-1)
	skip := 0
	if r := uintptr(unsafe.Pointer(unsafe.SliceData(buf))) % line; r != 0 {
		skip = int(line-r) / 4
	}
	buf = buf[skip : skip+n : skip+n]
	if 4*n >= large {
		begin := uintptr(unsafe.Pointer(unsafe.SliceData(buf)))
		askForLargePages(begin/page*page, (begin+uintptr(4*n)+page-1)/page*page)
	}
	return buf
}

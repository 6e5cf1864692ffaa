// Package mmap maps files into memory for reading. It knows nothing of what they hold; start from [Map].
package mmap

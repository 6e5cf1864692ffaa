//go:build !linux

package memory

// askForLargePages does nothing where pages are chosen by the system alone.
func askForLargePages(begin, end uintptr) {}

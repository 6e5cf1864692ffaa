package memory

import "golang.org/x/sys/unix"

// askForLargePages advises the system to back addresses by large pages when they are first written. A walk through memory then
// misses the table of pages seldom, and processors read ahead farther; filling takes hundreds of times fewer faults. What lies
// in the first and the last page beside the slice is heap too, which grows by more than a page at a time. That it is advice
// makes every error harmless.
func askForLargePages(begin, end uintptr) {
	unix.Syscall(unix.SYS_MADVISE, begin, end-begin, unix.MADV_HUGEPAGE)
}

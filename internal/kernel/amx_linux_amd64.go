package kernel

import "golang.org/x/sys/unix"

// allowAMX asks the system for the tile registers, whose state it keeps only for processes that use them
// (Documentation/arch/x86/xstate.rst of the Linux kernel), and says whether this one may.
func allowAMX() bool {
	const requestPermission, tileData = 0x1023, 18 // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
	_, _, errno := unix.RawSyscall(unix.SYS_ARCH_PRCTL, requestPermission, tileData, 0)
	return errno == 0
}

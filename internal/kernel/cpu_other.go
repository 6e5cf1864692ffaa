//go:build !amd64

package kernel

func detectISA() (best ISA, bf16 bool) { return Portable, false }

// secondLevelCache is 0, for not known.
func secondLevelCache() int { return 0 }

//go:build !amd64

package kernel

func detectISA() (best ISA, bf16 bool) { return Portable, false }

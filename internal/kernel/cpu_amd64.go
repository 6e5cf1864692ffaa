package kernel

import "golang.org/x/sys/cpu"

// detectISA asks the processor (CPUID) and the operating system (XGETBV) what can be used.
func detectISA() (best ISA, bf16 bool) {
	x := &cpu.X86
	if !x.HasAVX2 || !x.HasFMA {
		return Portable, false
	}
	if !x.HasAVX512F || !x.HasAVX512BW || !x.HasAVX512VL || !x.HasAVX512DQ {
		return AVX2, false
	}
	if x.HasAMXTile && x.HasAMXBF16 && allowAMX() {
		return AMX, x.HasAVX512BF16
	}
	return AVX512, x.HasAVX512BF16
}

// secondLevelCache is the bytes of a processor's second-level cache, 0 if it does not say.
func secondLevelCache() int { return int(cacheInfo()>>16) << 10 }

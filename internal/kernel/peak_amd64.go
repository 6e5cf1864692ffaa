package kernel

import "runtime"

// flopsPerPeakStep is the floating-point operations of one step of peakSteps.
func flopsPerPeakStep() float64 {
	switch Active() {
	case AVX512, AMX:
		return 48 * 16 * 2
	case AVX2:
		return 48 * 8 * 2
	}
	return 8
}

func peakSteps(n int) {
	switch Active() {
	case AVX512, AMX:
		peakAVX512(n)
	case AVX2:
		peakAVX2(n)
	default:
		runtime.KeepAlive(peakPortable(n))
	}
}

// readFloats reads x, whose length is a multiple of readBlock.
func readFloats(x []float32) {
	if Active() == Portable {
		readPortable(x)
		return
	}
	readAVX2(len(x)/readBlock, &x[0])
}

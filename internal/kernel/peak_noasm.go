//go:build !amd64

package kernel

func flopsPerPeakStep() float64 { return 8 }

func peakSteps(n int) { peakPortable(n) }

func readFloats(x []float32) { readPortable(x) }

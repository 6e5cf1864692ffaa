//go:build !amd64

package kernel

func maxMean(_ bool, x []float32) (top, mean float32) { return maxMeanPortable(x) }

func expSum(_ bool, x []float32, top float32) float32 { return expSumPortable(x, top) }

func scaleShift(_ bool, x []float32, a, b float32) { scaleShiftPortable(x, a, b) }

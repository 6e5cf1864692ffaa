package kernel

func maxMean(simd bool, x []float32) (top, mean float32) { return maxMeanPortable(x) }

func expSum(simd bool, x []float32, top float32) float32 { return expSumPortable(x, top) }

func scaleShift(simd bool, x []float32, a, b float32) { scaleShiftPortable(x, a, b) }

package kernel

func maxMean(simd bool, x []float32) (top, mean float32) {
	if !simd {
		return maxMeanPortable(x)
	}
	return maxMeanAVX2(&x[0], len(x), 1/float32(len(x)))
}

func expSum(simd bool, x []float32, top float32) float32 {
	if !simd {
		return expSumPortable(x, top)
	}
	return expSumAVX2(&x[0], len(x), top)
}

func scaleShift(simd bool, x []float32, a, b float32) {
	if !simd {
		scaleShiftPortable(x, a, b)
		return
	}
	scaleShiftAVX2(&x[0], len(x), a, b)
}

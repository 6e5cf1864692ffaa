package kernel

// The row primitives: assembly where AVX2 is active, else the portable forms. In the assembly the first slice, or x of a
// reduction, says how many elements there are; the others are at least as long.

func haveAVX2() bool { return Active() >= AVX2 }

func addRow(y, a, b []float32) {
	a, b = a[:len(y)], b[:len(y)]
	if haveAVX2() {
		addAVX2(y, a, b)
		return
	}
	addRowPortable(y, a, b)
}

func scaleRow(y, x []float32, s float32) {
	x = x[:len(y)]
	if haveAVX2() {
		scaleAVX2(y, x, s)
		return
	}
	scaleRowPortable(y, x, s)
}

func scaleAddRow(y, x []float32, s float32, z []float32) {
	x, z = x[:len(y)], z[:len(y)]
	if haveAVX2() {
		scaleAddAVX2(y, x, s, z)
		return
	}
	scaleAddRowPortable(y, x, s, z)
}

func axpyRow(y, x []float32, s float32) { scaleAddRow(y, x, s, y) }

func fillRow(y []float32, v float32) {
	if haveAVX2() {
		fillAVX2(y, v)
		return
	}
	fillRowPortable(y, v)
}

func activateRow(y, x []float32, act Activation) {
	x = x[:len(y)]
	switch {
	case act == None:
		copy(y, x)
	case !haveAVX2() || act == Tanh:
		activateRowPortable(y, x, act)
	case act == ReLU:
		forwardReLUAVX2(y, x)
	case act == GELU:
		forwardGELUAVX2(y, x)
	case act == GELUTanh:
		forwardGELUTanhAVX2(y, x)
	case act == SiLU:
		forwardSiLUAVX2(y, x)
	}
}

func activateBackwardRow(dx, dy, x []float32, act Activation, acc bool) {
	dy, x = dy[:len(dx)], x[:len(dx)]
	switch {
	case !haveAVX2() || act == None || act == Tanh:
		activateBackwardRowPortable(dx, dy, x, act, acc)
	case act == ReLU && acc:
		backwardReLUAccAVX2(dx, dy, x)
	case act == ReLU:
		backwardReLUAVX2(dx, dy, x)
	case act == GELU && acc:
		backwardGELUAccAVX2(dx, dy, x)
	case act == GELU:
		backwardGELUAVX2(dx, dy, x)
	case act == GELUTanh && acc:
		backwardGELUTanhAccAVX2(dx, dy, x)
	case act == GELUTanh:
		backwardGELUTanhAVX2(dx, dy, x)
	case act == SiLU && acc:
		backwardSiLUAccAVX2(dx, dy, x)
	case act == SiLU:
		backwardSiLUAVX2(dx, dy, x)
	}
}

func gatedRow(y, gate, up []float32, act Activation) {
	gate, up = gate[:len(y)], up[:len(y)]
	switch {
	case !haveAVX2() || act == None || act == Tanh:
		gatedRowPortable(y, gate, up, act)
	case act == ReLU:
		gatedReLUAVX2(y, gate, up)
	case act == GELU:
		gatedGELUAVX2(y, gate, up)
	case act == GELUTanh:
		gatedGELUTanhAVX2(y, gate, up)
	case act == SiLU:
		gatedSiLUAVX2(y, gate, up)
	}
}

func gatedBackwardRow(dgate, dup, dy, gate, up []float32, act Activation) {
	n := len(dgate)
	dup, dy, gate, up = dup[:n], dy[:n], gate[:n], up[:n]
	switch {
	case !haveAVX2() || act == None || act == Tanh:
		gatedBackwardRowPortable(dgate, dup, dy, gate, up, act)
	case act == ReLU:
		gatedBackwardReLUAVX2(dgate, dup, dy, gate, up)
	case act == GELU:
		gatedBackwardGELUAVX2(dgate, dup, dy, gate, up)
	case act == GELUTanh:
		gatedBackwardGELUTanhAVX2(dgate, dup, dy, gate, up)
	case act == SiLU:
		gatedBackwardSiLUAVX2(dgate, dup, dy, gate, up)
	}
}

func maxRow(x []float32) float32 {
	if haveAVX2() {
		return maxAVX2(x)
	}
	return maxRowPortable(x)
}

func indexOf(x []float32, v float32) int {
	if haveAVX2() {
		return indexOfAVX2(x, v)
	}
	return indexOfPortable(x, v)
}

func nextAbove(x []float32, from int, v float32) int {
	if haveAVX2() {
		return nextAboveAVX2(x, from, v)
	}
	return nextAbovePortable(x, from, v)
}

func sumExp(x []float32, m float32) float32 {
	if haveAVX2() {
		return sumExpAVX2(x, m)
	}
	return sumExpPortable(x, m)
}

func softmaxRow(y, x []float32) {
	y = y[:len(x)]
	if haveAVX2() {
		softmaxAVX2(y, x)
		return
	}
	softmaxRowPortable(y, x)
}

func columnSum(dst []float32, x Mat) {
	if haveAVX2() && x.Rows > 0 && len(dst) > 0 {
		columnSumAVX2(dst, &x.Data[0], x.Rows, x.Stride)
		return
	}
	columnSumPortable(dst, x.Data, x.Rows, x.Stride)
}

func sumSquares(x []float32) float64 {
	if haveAVX2() {
		return sumSquaresAVX2(x)
	}
	return sumSquaresPortable(x)
}

func nonFinite(x []float32) bool {
	if haveAVX2() {
		return nonFiniteAVX2(x)
	}
	return nonFinitePortable(x)
}

func layerNormRow(y, x, gamma, beta []float32, eps float32) (mean, rstd float32) {
	if haveAVX2() {
		return layerNormAVX2(y, x, gamma, beta, eps)
	}
	return layerNormRowPortable(y, x, gamma, beta, eps)
}

func layerNormBackwardRow(dx, dy, x, gamma []float32, mean, rstd float32, acc bool) {
	switch {
	case !haveAVX2():
		layerNormBackwardRowPortable(dx, dy, x, gamma, mean, rstd, acc)
	case acc:
		layerNormBackwardAccAVX2(dx, dy, x, gamma, mean, rstd)
	default:
		layerNormBackwardAVX2(dx, dy, x, gamma, mean, rstd)
	}
}

func rmsNormRow(y, x, gamma []float32, eps float32) float32 {
	if haveAVX2() {
		return rmsNormAVX2(y, x, gamma, eps)
	}
	return rmsNormRowPortable(y, x, gamma, eps)
}

func rmsNormBackwardRow(dx, dy, x, gamma []float32, rstd float32, acc bool) {
	switch {
	case !haveAVX2():
		rmsNormBackwardRowPortable(dx, dy, x, gamma, rstd, acc)
	case acc:
		rmsNormBackwardAccAVX2(dx, dy, x, gamma, rstd)
	default:
		rmsNormBackwardAVX2(dx, dy, x, gamma, rstd)
	}
}

func normGradient(dgamma, dbeta []float32, dy, x Mat, mean, rstd []float32) {
	if haveAVX2() && x.Rows > 0 && x.Cols > 0 {
		normGradientAVX2(dgamma, dbeta, &dy.Data[0], dy.Stride, &x.Data[0], x.Stride, mean, rstd)
		return
	}
	normGradientPortable(dgamma, dbeta, dy.Data, dy.Stride, x.Data, x.Stride, mean, rstd)
}

func dropBlocks(y, x []float32, t *dropper, block uint64) {
	if !haveAVX2() {
		dropBlocksPortable(y, x, t, block)
		return
	}
	whole := len(x) &^ (philoxBlock - 1)
	if whole > 0 {
		dropBlocksAVX2(y[:whole], x[:whole], &t.round[0], uint32(block*8))
	}
	if whole < len(x) {
		var rest [philoxBlock]float32
		copy(rest[:], x[whole:])
		dropBlocksAVX2(rest[:], rest[:], &t.round[0], uint32(block*8)+uint32(whole/4))
		copy(y[whole:], rest[:])
	}
}

func adamRow(w, g, m, v []float32, s *adamStep[float32]) {
	if haveAVX2() {
		adamAVX2(w, g, m, v, &s.beta1)
		return
	}
	adamRowPortable(w, g, m, v, s)
}

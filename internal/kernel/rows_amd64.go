package kernel

// The row primitives: assembly where AVX2 is active, else the portable forms. In the assembly the first slice, or x of a
// reduction, says how many elements there are; where heads lie side by side, gamma or cos says how long one is and rstd or a
// number how many there are. The other slices are at least as long.

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

func weightedSumRow(y, a []float32, s float32, b []float32, t float32) {
	a, b = a[:len(y)], b[:len(y)]
	if haveAVX2() {
		weightedSumAVX2(y, a, s, b, t)
		return
	}
	weightedSumRowPortable(y, a, s, b, t)
}

func fillRow(y []float32, v float32) {
	if haveAVX2() {
		fillAVX2(y, v)
		return
	}
	fillRowPortable(y, v)
}

// activationRows are the forms of one activation.
type activationRows struct {
	forward               func(y, x []float32)
	biased                func(c, pre, bias []float32)
	backward, backwardAcc func(dx, dy, x []float32)
	gated                 func(y, gate, up []float32)
	gatedBackward         func(dgate, dup, dy, gate, up []float32)
}

var avx2Activations = [...]activationRows{
	ReLU:     {forwardReLUAVX2, biasedReLUAVX2, backwardReLUAVX2, backwardReLUAccAVX2, gatedReLUAVX2, gatedBackwardReLUAVX2},
	GELU:     {forwardGELUAVX2, biasedGELUAVX2, backwardGELUAVX2, backwardGELUAccAVX2, gatedGELUAVX2, gatedBackwardGELUAVX2},
	GELUTanh: {forwardGELUTanhAVX2, biasedGELUTanhAVX2, backwardGELUTanhAVX2, backwardGELUTanhAccAVX2, gatedGELUTanhAVX2, gatedBackwardGELUTanhAVX2},
	SiLU:     {forwardSiLUAVX2, biasedSiLUAVX2, backwardSiLUAVX2, backwardSiLUAccAVX2, gatedSiLUAVX2, gatedBackwardSiLUAVX2},
}

var avx512Activations = [...]activationRows{
	ReLU:     avx2Activations[ReLU],
	GELU:     {forwardGELUAVX512, biasedGELUAVX512, backwardGELUAVX512, backwardGELUAccAVX512, gatedGELUAVX512, gatedBackwardGELUAVX512},
	GELUTanh: {forwardGELUTanhAVX512, biasedGELUTanhAVX512, backwardGELUTanhAVX512, backwardGELUTanhAccAVX512, gatedGELUTanhAVX512, gatedBackwardGELUTanhAVX512},
	SiLU:     {forwardSiLUAVX512, biasedSiLUAVX512, backwardSiLUAVX512, backwardSiLUAccAVX512, gatedSiLUAVX512, gatedBackwardSiLUAVX512},
}

// activationRowsOf is the assembly of act, or nil where the portable form is to be used, as it always is for tanh.
func activationRowsOf(act Activation) *activationRows {
	switch isa := Active(); {
	case act == None || act == Tanh || isa < AVX2:
		return nil
	case isa < AVX512:
		return &avx2Activations[act]
	}
	return &avx512Activations[act]
}

func activateRow(y, x []float32, act Activation) {
	x = x[:len(y)]
	if act == None {
		copy(y, x)
	} else if a := activationRowsOf(act); a != nil {
		a.forward(y, x)
	} else {
		activateRowPortable(y, x, act)
	}
}

// biasedRow is pre = c + bias, c = act(pre), for an activation.
func biasedRow(c, pre, bias []float32, act Activation) {
	pre, bias = pre[:len(c)], bias[:len(c)]
	if a := activationRowsOf(act); a != nil {
		a.biased(c, pre, bias)
		return
	}
	addRow(pre, c, bias)
	activateRowPortable(c, pre, act)
}

func activateBackwardRow(dx, dy, x []float32, act Activation, acc bool) {
	dy, x = dy[:len(dx)], x[:len(dx)]
	switch a := activationRowsOf(act); {
	case a == nil:
		activateBackwardRowPortable(dx, dy, x, act, acc)
	case acc:
		a.backwardAcc(dx, dy, x)
	default:
		a.backward(dx, dy, x)
	}
}

func gatedRow(y, gate, up []float32, act Activation) {
	gate, up = gate[:len(y)], up[:len(y)]
	if a := activationRowsOf(act); a != nil {
		a.gated(y, gate, up)
	} else {
		gatedRowPortable(y, gate, up, act)
	}
}

func gatedBackwardRow(dgate, dup, dy, gate, up []float32, act Activation) {
	n := len(dgate)
	dup, dy, gate, up = dup[:n], dy[:n], gate[:n], up[:n]
	if a := activationRowsOf(act); a != nil {
		a.gatedBackward(dgate, dup, dy, gate, up)
	} else {
		gatedBackwardRowPortable(dgate, dup, dy, gate, up, act)
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

func rmsNormRow(y, x, gamma, rstd []float32, eps float32) {
	if haveAVX2() {
		rmsNormAVX2(y, x, gamma, rstd, eps)
		return
	}
	rmsNormRowPortable(y, x, gamma, rstd, eps)
}

func rmsNormBackwardRow(dx, dy, x, gamma, dgamma, rstd []float32, acc bool) {
	switch {
	case !haveAVX2():
		rmsNormBackwardRowPortable(dx, dy, x, gamma, dgamma, rstd, acc)
	case acc:
		rmsNormBackwardAccAVX2(dx, dy, x, gamma, dgamma, rstd)
	default:
		rmsNormBackwardAVX2(dx, dy, x, gamma, dgamma, rstd)
	}
}

func layerNormGradient(dgamma, dbeta []float32, dy, x Mat, mean, rstd []float32) {
	if haveAVX2() && x.Rows > 0 && x.Cols > 0 {
		layerNormGradientAVX2(dgamma, dbeta, &dy.Data[0], dy.Stride, &x.Data[0], x.Stride, mean, rstd)
		return
	}
	layerNormGradientPortable(dgamma, dbeta, dy.Data, dy.Stride, x.Data, x.Stride, mean, rstd)
}

func rotaryRow(x, cos, sin []float32, sign float32) {
	if haveAVX2() {
		rotaryAVX2(x, cos, sin[:len(cos)], len(x)/(2*len(cos)), sign)
		return
	}
	rotaryRowPortable(x, cos, sin, sign)
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

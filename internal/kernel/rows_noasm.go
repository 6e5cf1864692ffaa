//go:build !amd64

package kernel

func addRow(y, a, b []float32)                            { addRowPortable(y, a, b) }
func scaleRow(y, x []float32, s float32)                  { scaleRowPortable(y, x, s) }
func scaleAddRow(y, x []float32, s float32, z []float32)  { scaleAddRowPortable(y, x, s, z) }
func axpyRow(y, x []float32, s float32)                   { axpyRowPortable(y, x, s) }
func fillRow(y []float32, v float32)                      { fillRowPortable(y, v) }
func activateRow(y, x []float32, act Activation)          { activateRowPortable(y, x, act) }
func gatedRow(y, gate, up []float32, act Activation)      { gatedRowPortable(y, gate, up, act) }
func maxRow(x []float32) float32                          { return maxRowPortable(x) }
func indexOf(x []float32, v float32) int                  { return indexOfPortable(x, v) }
func nextAbove(x []float32, from int, v float32) int      { return nextAbovePortable(x, from, v) }
func sumExp(x []float32, m float32) float32               { return sumExpPortable(x, m) }
func softmaxRow(y, x []float32)                           { softmaxRowPortable(y, x) }
func columnSum(dst []float32, x Mat)                      { columnSumPortable(dst, x.Data, x.Rows, x.Stride) }
func sumSquares(x []float32) float64                      { return sumSquaresPortable(x) }
func nonFinite(x []float32) bool                          { return nonFinitePortable(x) }
func rotaryRow(x, cos, sin []float32, sign float32)       { rotaryRowPortable(x, cos, sin, sign) }
func dropBlocks(y, x []float32, t *dropper, block uint64) { dropBlocksPortable(y, x, t, block) }
func adamRow(w, g, m, v []float32, s *adamStep[float32])  { adamRowPortable(w, g, m, v, s) }
func rmsNormRow(y, x, gamma, rstd []float32, eps float32) {
	rmsNormRowPortable(y, x, gamma, rstd, eps)
}

func weightedSumRow(y, a []float32, s float32, b []float32, t float32) {
	weightedSumRowPortable(y, a, s, b, t)
}

func biasedRow(c, pre, bias []float32, act Activation) {
	addRowPortable(pre[:len(c)], c, bias[:len(c)])
	activateRowPortable(c, pre[:len(c)], act)
}

func activateBackwardRow(dx, dy, x []float32, act Activation, acc bool) {
	activateBackwardRowPortable(dx, dy, x, act, acc)
}

func gatedBackwardRow(dgate, dup, dy, gate, up []float32, act Activation) {
	gatedBackwardRowPortable(dgate, dup, dy, gate, up, act)
}

func layerNormRow(y, x, gamma, beta []float32, eps float32) (mean, rstd float32) {
	return layerNormRowPortable(y, x, gamma, beta, eps)
}

func layerNormBackwardRow(dx, dy, x, gamma []float32, mean, rstd float32, acc bool) {
	layerNormBackwardRowPortable(dx, dy, x, gamma, mean, rstd, acc)
}

func rmsNormBackwardRow(dx, dy, x, gamma, dgamma, rstd []float32, acc bool) {
	rmsNormBackwardRowPortable(dx, dy, x, gamma, dgamma, rstd, acc)
}

func layerNormGradient(dgamma, dbeta []float32, dy, x Mat, mean, rstd []float32) {
	layerNormGradientPortable(dgamma, dbeta, dy.Data, dy.Stride, x.Data, x.Stride, mean, rstd)
}

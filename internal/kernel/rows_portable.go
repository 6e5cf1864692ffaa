package kernel

import "math"

// The portable forms of the row primitives: the specification that the assembly is tested against. In float64 they are
// the truth that the float32 forms are tested against. What each does is said at its caller.

// float is the precision of a portable kernel: float32 in use, float64 as the truth in tests.
type float interface{ ~float32 | ~float64 }

func exp[T float](x T) T { return T(math.Exp(float64(x))) }

func addRowPortable[T float](y, a, b []T) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] = a[i] + b[i]
	}
}

func scaleRowPortable[T float](y, x []T, s T) {
	x = x[:len(y)]
	for i := range y {
		y[i] = x[i] * s
	}
}

func scaleAddRowPortable[T float](y, x []T, s T, z []T) {
	x, z = x[:len(y)], z[:len(y)]
	for i := range y {
		y[i] = x[i]*s + z[i]
	}
}

func axpyRowPortable[T float](y, x []T, s T) {
	x = x[:len(y)]
	for i := range y {
		y[i] += x[i] * s
	}
}

// weightedSumRowPortable rounds each product, so that every processor has the same bits.
func weightedSumRowPortable[T float](y, a []T, s T, b []T, t T) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] = T(a[i]*s) + T(b[i]*t)
	}
}

func fillRowPortable[T float](y []T, v T) {
	for i := range y {
		y[i] = v
	}
}

// activationLimit is where an activation's tail has become 0, by magnitude of x. Arguments are limited to it in
// products with the tail, so that infinities give the limits 0, x and 1 instead of Inf·0.
func activationLimit(act Activation) float64 {
	switch act {
	case GELU:
		return 14.5
	case GELUTanh:
		return 12
	}
	return 105
}

// activation gives act(x) and act'(x). GELU, GELUTanh and SiLU are x·Φ(x) with Φ(x) = 1 - Φ(-x): with the tail
// q = Φ(-|x|), small where |x| is large, nothing cancels. NaN gives NaN.
func activation[T float](x T, act Activation) (value, slope T) {
	switch act {
	case None:
		return x, 1
	case ReLU:
		if x <= 0 {
			return 0, 0
		}
		return x, 1
	case Tanh:
		y := math.Tanh(float64(x))
		return T(y), T(1 - y*y)
	}
	limit := activationLimit(act)
	a := min(math.Abs(float64(x)), limit)
	var q, density float64 // density is Φ'(x), even in x
	switch act {
	case GELU:
		q = math.Erfc(a/math.Sqrt2) / 2
		density = math.Exp(-a*a/2) / math.Sqrt(2*math.Pi)
	case GELUTanh:
		const k, c = 2 * 0.7978845608028654, 0.044715 // 2·√(2/π)
		e := math.Exp(-k * (a + c*a*a*a))
		q = e / (1 + e)
		density = q / (1 + e) * k * (1 + 3*c*a*a)
	case SiLU:
		e := math.Exp(-a)
		q = e / (1 + e)
		density = q / (1 + e)
	}
	clipped := min(max(float64(x), -limit), limit)
	if x < 0 {
		return T(-a * q), T(q + clipped*density)
	}
	return x - T(a*q), T(1 - q + clipped*density)
}

func activateRowPortable[T float](y, x []T, act Activation) {
	x = x[:len(y)]
	for i := range y {
		y[i], _ = activation(x[i], act)
	}
}

func activateBackwardRowPortable[T float](dx, dy, x []T, act Activation, acc bool) {
	dy, x = dy[:len(dx)], x[:len(dx)]
	for i := range dx {
		var d T
		if _, slope := activation(x[i], act); act != ReLU || slope != 0 {
			d = dy[i] * slope
		}
		if acc {
			d += dx[i]
		}
		dx[i] = d
	}
}

func gatedRowPortable[T float](y, gate, up []T, act Activation) {
	gate, up = gate[:len(y)], up[:len(y)]
	for i := range y {
		value, _ := activation(gate[i], act)
		y[i] = value * up[i]
	}
}

func gatedBackwardRowPortable[T float](dgate, dup, dy, gate, up []T, act Activation) {
	dup, dy, gate, up = dup[:len(dgate)], dy[:len(dgate)], gate[:len(dgate)], up[:len(dgate)]
	for i := range dgate {
		value, slope := activation(gate[i], act)
		d := dy[i]
		dgate[i], dup[i] = d*up[i]*slope, d*value
	}
}

// maxRowPortable is the maximum without NaNs, -Inf if there is nothing else.
func maxRowPortable[T float](x []T) T {
	m := T(math.Inf(-1))
	for _, v := range x {
		if v > m {
			m = v
		}
	}
	return m
}

// indexOfPortable is the first index of v in x, len(x) if it is not there.
func indexOfPortable[T float](x []T, v T) int {
	for i := range x {
		if x[i] == v {
			return i
		}
	}
	return len(x)
}

// nextAbovePortable is the first index from from on with x greater than v, len(x) if there is none.
func nextAbovePortable[T float](x []T, from int, v T) int {
	for i := from; i < len(x); i++ {
		if x[i] > v {
			return i
		}
	}
	return len(x)
}

// sumExpPortable is Σ exp(x - m).
func sumExpPortable[T float](x []T, m T) T {
	var sum T
	for _, v := range x {
		sum += exp(v - m)
	}
	return sum
}

func softmaxRowPortable[T float](y, x []T) {
	y = y[:len(x)]
	m := maxRowPortable(x)
	var sum T
	for i, v := range x {
		y[i] = exp(v - m)
		sum += y[i]
	}
	scaleRowPortable(y, y, 1/sum)
}

func columnSumPortable[T float](dst []T, x []T, rows, stride int) {
	for i := range rows {
		addRowPortable(dst, dst, x[i*stride:][:len(dst)])
	}
}

func sumSquaresPortable[T float](x []T) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return sum
}

func nonFinitePortable[T float](x []T) bool {
	for _, v := range x {
		if v-v != 0 {
			return true
		}
	}
	return false
}

func layerNormRowPortable[T float](y, x, gamma, beta []T, eps T) (mean, rstd T) {
	n := T(len(x))
	for _, v := range x {
		mean += v
	}
	mean /= n
	var variance T
	for _, v := range x {
		variance += (v - mean) * (v - mean)
	}
	rstd = T(1 / math.Sqrt(float64(variance/n+eps)))
	for i, v := range x {
		y[i] = (v - mean) * rstd * gamma[i]
	}
	if beta != nil {
		addRowPortable(y, y, beta)
	}
	return mean, rstd
}

// layerNormBackwardRowPortable: with x̂ = (x - mean)·rstd and d = dy·gamma, dx = rstd·(d - avg(d) - x̂·avg(d·x̂)).
func layerNormBackwardRowPortable[T float](dx, dy, x, gamma []T, mean, rstd T, acc bool) {
	n := T(len(x))
	var sum, dot T
	for i, v := range x {
		d := dy[i] * gamma[i]
		sum += d
		dot += d * (v - mean)
	}
	sum, dot = sum/n, dot*rstd*rstd/n
	for i, v := range x {
		d := rstd * (dy[i]*gamma[i] - sum - (v-mean)*dot)
		if acc {
			d += dx[i]
		}
		dx[i] = d
	}
}

// rmsNormRowPortable normalises heads as long as gamma that lie side by side, as many as there are rstd, which it writes.
func rmsNormRowPortable[T float](y, x, gamma, rstd []T, eps T) {
	n := len(gamma)
	for h := range rstd {
		y, x := y[h*n:][:n], x[h*n:][:n]
		var squares T
		for _, v := range x {
			squares += v * v
		}
		r := T(1 / math.Sqrt(float64(squares/T(n)+eps)))
		for i, v := range x {
			y[i] = v * r * gamma[i]
		}
		rstd[h] = r
	}
}

// rmsNormBackwardRowPortable: with x̂ = x·rstd and d = dy·gamma, dx = rstd·(d - x̂·avg(d·x̂)) in each head, and the gradient
// of its gamma, dy·x̂, is added to the head's part of dgamma, unless that is nil.
func rmsNormBackwardRowPortable[T float](dx, dy, x, gamma, dgamma, rstd []T, acc bool) {
	n := len(gamma)
	for h, r := range rstd {
		dx, dy, x := dx[h*n:][:n], dy[h*n:][:n], x[h*n:][:n]
		var dot T
		for i, v := range x {
			dot += dy[i] * gamma[i] * v
		}
		dot *= r * r / T(n)
		for i, v := range x {
			if dgamma != nil {
				dgamma[h*n+i] += dy[i] * (v * r)
			}
			d := r * (dy[i]*gamma[i] - v*dot)
			if acc {
				d += dx[i]
			}
			dx[i] = d
		}
	}
}

// layerNormGradientPortable adds the gradients of gamma, Σ dy·(x - mean)·rstd, and beta, Σ dy, over rows of the given
// strides.
func layerNormGradientPortable[T float](dgamma, dbeta, dy []T, dyStride int, x []T, xStride int, mean, rstd []T) {
	for i, r := range rstd {
		dyRow, xRow := dy[i*dyStride:][:len(dgamma)], x[i*xStride:][:len(dgamma)]
		for j, d := range dyRow {
			dgamma[j] += d * ((xRow[j] - mean[i]) * r)
			dbeta[j] += d
		}
	}
}

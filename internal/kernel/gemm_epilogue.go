package kernel

import "math"

// apply does the epilogue on a piece of row i of C that begins at column j0.
func (e *Epilogue) apply(c []float32, i, j0 int) {
	if e.Bias != nil {
		for j, b := range e.Bias[j0 : j0+len(c)] {
			c[j] += b
		}
	}
	if e.Pre.Data != nil {
		copy(e.Pre.Row(i)[j0:], c)
	}
	if e.Act != None {
		for j, x := range c {
			c[j] = activate(x, e.Act)
		}
	}
	if e.Residual.Data != nil {
		for j, r := range e.Residual.Row(i)[j0 : j0+len(c)] {
			c[j] += r
		}
	}
}

func activate(x float32, act Activation) float32 {
	v := float64(x)
	switch act {
	case ReLU:
		return max(x, 0)
	case GELU:
		return float32(0.5 * v * (1 + math.Erf(v/math.Sqrt2)))
	case GELUTanh:
		return float32(0.5 * v * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(v+0.044715*v*v*v))))
	case SiLU:
		return float32(v / (1 + math.Exp(-v)))
	}
	return x
}

package grad

import "github.com/parley-lm/parley/internal/kernel"

// CrossEntropy applies the vocabulary layer and its loss to h [N, D] in one operation: logits = h·wᵀ + bias, w [V, D],
// bias [V] or nil, then softmax and cross-entropy as o describes. It returns o.Scale·Σ weight·loss. The logits are never
// stored. rowLoss and rowNLL ([N] or nil) receive each row's smoothed and plain loss, unscaled.
//
// On a recording tape the gradients of h and w are computed in the same pass, so the result must be a term of what
// Backward differentiates, with coefficient 1: fold any other coefficient into o.Scale or o.Weights.
func (t *Tape) CrossEntropy(h Var, w *Param, bias []float32, o kernel.CrossEntropy, rowLoss, rowNLL []float32) float64 {
	mustCols("CrossEntropy", h.n.value, w.Value.Cols)
	w.mustRecord("CrossEntropy", t.mode)
	if w.packed != nil && !t.mode.Record {
		return t.Pool.LinearCrossEntropyPacked(h.n.value, w.packed, bias, o, rowLoss, rowNLL)
	}
	if !t.mode.Record {
		return t.Pool.LinearCrossEntropy(h.n.value, w.Value, bias, o, rowLoss, rowNLL, kernel.Mat{}, kernel.Mat{}, nil)
	}
	if h.n.grad.Data != nil {
		panic("grad: CrossEntropy of a value that already has a gradient")
	}
	dh, _ := t.into(h.n)
	return t.Pool.LinearCrossEntropy(h.n.value, w.Value, bias, o, rowLoss, rowNLL, dh, w.Grad, nil)
}

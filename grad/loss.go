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
	if !t.mode.Record {
		return w.crossEntropy(t, h.n.value, bias, o, rowLoss, rowNLL, kernel.Mat{})
	}
	if h.n.grad.Data != nil {
		panic("grad: CrossEntropy of a value that already has a gradient")
	}
	dh, _ := t.into(h.n)
	return w.crossEntropy(t, h.n.value, bias, o, rowLoss, rowNLL, dh)
}

// crossEntropy computes the loss and, with dh.Data, its gradients by h and, if it is trained, by the parameter.
func (p *Param) crossEntropy(t *Tape, h kernel.Mat, bias []float32, o kernel.CrossEntropy, rowLoss, rowNLL []float32, dh kernel.Mat) float64 {
	o.BF16 = p.BF16
	if p.usesPacked(t.mode) && (dh.Data == nil || p.across != nil) {
		return t.Pool.LinearCrossEntropyPacked(h, p.packed, p.across, bias, o, rowLoss, rowNLL, dh)
	}
	if p.Value.Data == nil {
		panic("grad: a vocabulary layer in bfloat16 that was not packed for the way back")
	}
	var dw kernel.Mat
	if dh.Data != nil {
		p.Clear()
		dw = p.Grad
	}
	return t.Pool.LinearCrossEntropy(h, p.Value, bias, o, rowLoss, rowNLL, dh, dw, nil)
}

package grad

import "github.com/parley-lm/parley/internal/kernel"

// logProbOp is y[i] = log p of targets[i], and beside it the entropy, of softmax(h·wᵀ + bias).
type logProbOp struct {
	h, y    *node
	w       *Param
	bias    []float32
	targets []int32
}

// LogProb applies the vocabulary layer to h [N, D], logits = h·wᵀ + bias, w [V, D], bias [V] or nil, and returns log p of
// each row's target under their softmax, [N, 1]; with entropy that of the softmax too, in nats, as a second column, [N, 2].
// A target below 0 has log p and entropy 0 and no gradient. targets must live until Backward.
//
// The logits are never stored: the backward pass computes them again. A log p has the bits of CrossEntropy's, negated.
func (t *Tape) LogProb(h Var, w *Param, bias []float32, targets []int32, entropy bool) Var {
	mustCols("LogProb", h.n.value, w.Value.Cols)
	w.mustRecord("LogProb", t.mode)
	n, cols := h.Rows(), 1
	o := kernel.CrossEntropy{Targets: targets, Scale: 1, BF16: w.BF16}
	nll := t.arena.Alloc(n)
	if entropy {
		cols, o.Entropy = 2, t.arena.Alloc(n)
	}
	w.crossEntropy(t, h.n.value, bias, o, nil, nll, kernel.Mat{})
	y := t.alloc(n, cols)
	for i := range n {
		row := y.n.value.Row(i)
		row[0] = -nll[i]
		if entropy {
			row[1] = o.Entropy[i]
		}
	}
	op := t.logProbs.next()
	*op = logProbOp{h.n, y.n, w, bias, targets}
	t.push(op)
	return y
}

func (op *logProbOp) result() *node { return op.y }

// backward is the loss's: Σ weight·nll has the derivative of Σ dy·log p where the weights are -dy.
func (op *logProbOp) backward(t *Tape) {
	dy, n := op.y.grad, op.y.grad.Rows
	weights := t.free.get(n)
	o := kernel.CrossEntropy{Targets: op.targets, Weights: weights, Scale: 1, BF16: op.w.BF16}
	if dy.Cols == 2 {
		o.EntropyWeights = t.free.get(n)
	}
	for i := range n {
		row := dy.Row(i)
		weights[i] = -row[0]
		if dy.Cols == 2 {
			o.EntropyWeights[i] = row[1]
		}
	}
	dh, acc := t.into(op.h)
	to := dh
	if acc {
		to = kernel.NewMat(t.free.get(dh.Rows*dh.Cols), dh.Rows, dh.Cols)
	}
	op.w.crossEntropy(t, op.h.value, op.bias, o, nil, nil, to)
	if acc {
		t.Pool.AddTo(dh, to)
		t.free.put(to.Data)
	}
	t.free.put(weights)
	t.free.put(o.EntropyWeights)
}

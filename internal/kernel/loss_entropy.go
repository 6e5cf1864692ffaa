package kernel

// The entropy of a row's softmax, beside its loss: H = -Σ p·log p. With x the logits less their maximum and e = exp(x),
// log p = x - log Σe, so H = log Σe - Σ e·x / Σe, and its derivative by a logit is -p·(log p + H).

func (o *CrossEntropy) wantsEntropy() bool { return o.Entropy != nil || o.EntropyWeights != nil }

// centred keeps the logits x of a row less their maximum where the entropy is wanted; x itself is overwritten afterwards.
func (t *lossTask) centred(item int, x []float32, top float32) []float32 {
	if !t.o.wantsEntropy() {
		return nil
	}
	centred := t.centredBuf[item*len(x) : (item+1)*len(x)]
	copy(centred, x)
	scaleShift(t.simd, centred, 1, -top)
	return centred
}

// entropy computes and stores that of a row, where it is wanted.
func (t *lossTask) entropy(row int, e, centred []float32, sum float32, logSum float64) float64 {
	if centred == nil {
		return 0
	}
	entropy := logSum - expected(e, centred)/float64(sum)
	if t.o.Entropy != nil {
		t.o.Entropy[row] = float32(entropy)
	}
	return entropy
}

// expected is Σ e·x. Where e is 0, x may be -Inf.
func expected(e, x []float32) float64 {
	sum := 0.0
	for j, v := range e {
		if v != 0 {
			sum += float64(v) * float64(x[j])
		}
	}
	return sum
}

// addEntropyGradient replaces e = exp(x) by e·loss - e·entropy·(x + shift), where shift = H - log Σe.
func addEntropyGradient(e, x []float32, loss, entropy, shift float32) {
	for j, v := range e {
		if v != 0 {
			e[j] = v * (loss - entropy*(x[j]+shift))
		}
	}
}

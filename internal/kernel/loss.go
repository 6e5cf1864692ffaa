package kernel

import (
	"fmt"
	"math"
	"slices"
)

const leastLossRows, mostLossRows = 256, 512

// lossRows is the number of rows, of so many with that many classes, whose logits exist at a time: all blocks alike, and
// whole tiles. Weights are read once a block, so that few rows would wait for memory; many would drive their logits out of
// the last-level cache.
func lossRows(rows, classes int) int {
	const logits = 4 << 20
	blocks := max(1, ceilDiv(rows, min(max(leastLossRows, logits/max(1, classes)), mostLossRows)))
	return ceilDiv(ceilDiv(rows, blocks), 12) * 12
}

// CrossEntropy is the loss of LinearCrossEntropy: row i should predict class Targets[i].
type CrossEntropy struct {
	Targets   []int32   // [N]; below 0: the row is ignored
	Weights   []float32 // [N], or nil for 1
	Smoothing float32   // label smoothing: this part of the target is spread evenly over all classes
	Scale     float32   // multiplies the loss and all gradients
	BF16      bool      // the products round what they multiply to bfloat16, where HasBF16

	// Entropy, [N] or nil, receives the entropy of each row's softmax, -Σ p·log p in nats, and 0 for ignored rows.
	// With EntropyWeights, [N] or nil, gradients are those of the loss plus Scale·Σ EntropyWeights·entropy.
	Entropy, EntropyWeights []float32
}

// weight is what row i's loss counts for.
func (o *CrossEntropy) weight(i int) float32 {
	if o.Weights == nil {
		return 1
	}
	return o.Weights[i]
}

// lossTask is the record of LinearCrossEntropy: the softmax, the loss and the gradient of a block of rows, one row an item.
type lossTask struct {
	simd          bool
	logits        Mat // of the block's rows; becomes their gradient
	o             CrossEntropy
	rows          []int32 // the block's rows among all
	blockRows     int     // most of them
	gradient      bool
	loss          []float64 // by row of the block
	rowLoss, nlls []float32

	logitsBuf, hBuf, dhBuf []float32
	centredBuf             []float32 // logits less their maximum, by row of the block, where the entropy is wanted
	weight                 Mat       // of LinearCrossEntropy
	wT, w                  Packed    // the same for the logits and for dh, where several blocks of rows use them
	forward, across        *Packed   // these, or what the caller packed; nil: weight is used as it is
}

// LinearCrossEntropy computes logits = h·wᵀ + bias, their softmax cross-entropy with the targets, and the gradients, in one
// pass over blocks of rows: the logits of all rows never exist, and none is computed twice.
//
// h is [N, D], w [V, D], bias [V] or nil. With p = softmax(logits), a row's loss is
// (1-Smoothing)·nll + Smoothing·mean over all classes of -log p, where nll = -log p of the target. rowLoss and rowNLL, [N]
// or nil, receive it and nll, not scaled and not weighted; 0 for ignored rows. dh, [N, D], is overwritten (zeros for
// ignored rows); dw [V, D] and dbias [V] are added to, and may be nil. Without dh.Data there is no backward pass.
//
// It returns Scale times the sum of the rows' losses times their weights.
func (p *Pool) LinearCrossEntropy(h, w Mat, bias []float32, o CrossEntropy, rowLoss, rowNLL []float32, dh, dw Mat, dbias []float32) float64 {
	w.check("weight of the loss")
	checkLoss(h, w.Rows, w.Cols, bias, &o, rowLoss, rowNLL, dh, dw, dbias)
	pool := p.orSerial()
	t := &pool.records.loss
	t.gradient, t.weight, t.forward, t.across = dh.Data != nil, w, nil, nil
	if h.Rows > lossRows(h.Rows, w.Rows) {
		pool.Repack(&t.wT, w, true, o.BF16)
		t.forward = &t.wT
		if t.gradient {
			pool.Repack(&t.w, w, false, o.BF16)
			t.across = &t.w
		}
	}
	sum := t.run(pool, h, w.Rows, bias, o, rowLoss, rowNLL, dh, dw, dbias)
	p.giveBack(pool)
	return sum
}

// LinearCrossEntropyPacked is LinearCrossEntropy for a w that does not change, packed before: forward as wᵀ, for the logits,
// and across as w, for dh; without dh.Data there is no backward pass and across may be nil. It gives the same bits. Whether
// it computes in bfloat16 was decided by Pack.
func (p *Pool) LinearCrossEntropyPacked(h Mat, forward, across *Packed, bias []float32, o CrossEntropy, rowLoss, rowNLL []float32, dh Mat) float64 {
	checkLoss(h, forward.N, forward.K, bias, &o, rowLoss, rowNLL, dh, Mat{}, nil)
	pool := p.orSerial()
	t := &pool.records.loss
	t.gradient, t.forward, t.across = dh.Data != nil, forward, across
	sum := t.run(pool, h, forward.N, bias, o, rowLoss, rowNLL, dh, Mat{}, nil)
	p.giveBack(pool)
	return sum
}

// run goes through the rows in blocks.
func (t *lossTask) run(pool *Pool, h Mat, classes int, bias []float32, o CrossEntropy, rowLoss, rowNLL []float32, dh, dw Mat, dbias []float32) float64 {
	t.simd, t.o, t.rowLoss, t.nlls = Active() >= AVX2, o, rowLoss, rowNLL
	t.blockRows = lossRows(h.Rows, classes)
	t.loss = slices.Grow(t.loss[:0], t.blockRows)[:t.blockRows]
	t.logitsBuf = slices.Grow(t.logitsBuf[:0], t.blockRows*classes)[:t.blockRows*classes]
	if o.wantsEntropy() {
		t.centredBuf = slices.Grow(t.centredBuf[:0], t.blockRows*classes)[:t.blockRows*classes]
	}
	sum := 0.0
	for at := 0; at < h.Rows; {
		first := at
		t.rows = t.rows[:0]
		for ; at < h.Rows && len(t.rows) < t.blockRows; at++ {
			if o.Targets[at] >= 0 {
				t.rows = append(t.rows, int32(at))
				continue
			}
			if t.gradient {
				clear(dh.Row(at))
			}
			if rowLoss != nil {
				rowLoss[at] = 0
			}
			if rowNLL != nil {
				rowNLL[at] = 0
			}
			if o.Entropy != nil {
				o.Entropy[at] = 0
			}
		}
		if len(t.rows) == 0 {
			continue
		}
		if len(t.rows) == at-first {
			var dhBlock Mat
			if t.gradient {
				dhBlock = dh.Slice(first, at)
			}
			t.block(pool, h.Slice(first, at), bias, dhBlock, dw, dbias)
		} else {
			t.gathered(pool, h, bias, dh, dw, dbias)
		}
		for i, row := range t.rows {
			sum += t.loss[i] * float64(o.weight(int(row)))
		}
	}
	t.forward, t.across, t.weight, t.o, t.rowLoss, t.nlls, t.logits = nil, nil, Mat{}, CrossEntropy{}, nil, nil, Mat{}
	return sum * float64(o.Scale)
}

func checkLoss(h Mat, classes, width int, bias []float32, o *CrossEntropy, rowLoss, rowNLL []float32, dh, dw Mat, dbias []float32) {
	h.check("input of the loss")
	if h.Cols != width || bias != nil && len(bias) != classes {
		panic(fmt.Sprintf("kernel: loss: %d×%d rows with %d×%d weights and %d biases", h.Rows, h.Cols, classes, width, len(bias)))
	}
	for _, n := range [...]int{len(o.Weights), len(rowLoss), len(rowNLL), len(o.Entropy), len(o.EntropyWeights)} {
		if n != 0 && n < h.Rows {
			panic(fmt.Sprintf("kernel: loss: %d values for %d rows", n, h.Rows))
		}
	}
	if len(o.Targets) != h.Rows {
		panic(fmt.Sprintf("kernel: loss: %d targets for %d rows", len(o.Targets), h.Rows))
	}
	for i, target := range o.Targets {
		if int(target) >= classes {
			panic(fmt.Sprintf("kernel: loss: target %d of row %d, of %d classes", target, i, classes))
		}
	}
	if dh.Data == nil {
		return
	}
	dh.check("gradient of the loss's input")
	dw.check("gradient of the loss's weight")
	if dh.Rows != h.Rows || dh.Cols != h.Cols || dw.Data != nil && (dw.Rows != classes || dw.Cols != width) || dbias != nil && len(dbias) != classes {
		panic(fmt.Sprintf("kernel: loss: gradients %d×%d, %d×%d and %d for inputs %d×%d and weights %d×%d", dh.Rows, dh.Cols, dw.Rows, dw.Cols, len(dbias), h.Rows, h.Cols, classes, width))
	}
}

// block does the rows h, all of them counted.
func (t *lossTask) block(p *Pool, h Mat, bias []float32, dh, dw Mat, dbias []float32) {
	o := GemmOpt{BF16: t.o.BF16, Ep: Epilogue{Bias: bias}}
	if t.forward != nil {
		t.logits = NewMat(t.logitsBuf, h.Rows, t.forward.N)
		p.GemmPacked(t.logits, h, t.forward, o)
	} else {
		t.logits = NewMat(t.logitsBuf, h.Rows, t.weight.Rows)
		p.Gemm(t.logits, h, false, t.weight, true, o)
	}
	p.Run(h.Rows, t)
	if !t.gradient {
		return
	}
	o.Ep = Epilogue{}
	if t.across != nil {
		p.GemmPacked(dh, t.logits, t.across, o)
	} else {
		p.Gemm(dh, t.logits, false, t.weight, false, o)
	}
	if dw.Data != nil {
		p.Gemm(dw, t.logits, true, h, false, GemmOpt{Acc: true, BF16: t.o.BF16})
	}
	if dbias != nil {
		p.ColumnSum(dbias, t.logits)
	}
}

// gathered does the rows of a block between which others are ignored.
func (t *lossTask) gathered(p *Pool, h Mat, bias []float32, dh, dw Mat, dbias []float32) {
	n, d := len(t.rows), h.Cols
	t.hBuf = slices.Grow(t.hBuf[:0], t.blockRows*d)[:t.blockRows*d]
	hs := NewMat(t.hBuf, n, d)
	for i, row := range t.rows {
		copy(hs.Row(i), h.Row(int(row)))
	}
	var dhs Mat
	if t.gradient {
		t.dhBuf = slices.Grow(t.dhBuf[:0], t.blockRows*d)[:t.blockRows*d]
		dhs = NewMat(t.dhBuf, n, d)
	}
	t.block(p, hs, bias, dhs, dw, dbias)
	if t.gradient {
		for i, row := range t.rows {
			copy(dh.Row(int(row)), dhs.Row(i))
		}
	}
}

// Do computes the loss of one row from its logits and, if wanted, turns them into their gradient.
func (t *lossTask) Do(_, item int) {
	x, row := t.logits.Row(item), int(t.rows[item])
	target, eps := t.o.Targets[row], t.o.Smoothing
	atTarget := x[target]
	top, mean := maxMean(t.simd, x)
	centred := t.centred(item, x, top)
	sum := expSum(t.simd, x, top)
	logSum := math.Log(float64(sum))
	nll := float64(top-atTarget) + logSum
	loss := nll
	if eps != 0 {
		loss = (1-float64(eps))*nll + float64(eps)*(float64(top-mean)+logSum)
	}
	t.loss[item] = loss
	if t.rowLoss != nil {
		t.rowLoss[row] = float32(loss)
	}
	if t.nlls != nil {
		t.nlls[row] = float32(nll)
	}
	entropy := t.entropy(row, x, centred, sum, logSum)
	if !t.gradient {
		return
	}
	c := t.o.Scale * t.o.weight(row)
	times := c / sum
	if t.o.EntropyWeights != nil {
		addEntropyGradient(x, centred, times, t.o.Scale*t.o.EntropyWeights[row]/sum, float32(entropy-logSum))
		times = 1
	}
	scaleShift(t.simd, x, times, -c*eps/float32(len(x)))
	x[target] -= c * (1 - eps)
}

// LogNormalizer returns what makes probabilities of a row of logits: log p of x[i] is -(top - x[i] + logSum), and rounded to
// float32 has the bits that LinearCrossEntropy computes. scratch, of the length of x, is overwritten.
func LogNormalizer(x, scratch []float32) (top float32, logSum float64) {
	simd := Active() >= AVX2
	copy(scratch, x)
	top, _ = maxMean(simd, scratch)
	return top, math.Log(float64(expSum(simd, scratch, top)))
}

// The passes over a row of logits, in portable form. Sums are in lossLanes lanes, element j in lane j%lossLanes.

const lossLanes = 32

func sumLanes[T float](l *[lossLanes]T) T {
	for n := lossLanes / 2; n > 0; n /= 2 {
		for j := range n {
			l[j] += l[j+n]
		}
	}
	return l[0]
}

// maxMeanPortable is the maximum and the mean of x, which is not empty.
func maxMeanPortable[T float](x []T) (top, mean T) {
	var l [lossLanes]T
	part := 1 / T(len(x))
	top = T(math.Inf(-1))
	for j, v := range x {
		top = max(top, v)
		l[j%lossLanes] += v * part
	}
	return top, sumLanes(&l)
}

// expSumPortable replaces x by exp(x-top) and returns the sum.
func expSumPortable[T float](x []T, top T) T {
	var l [lossLanes]T
	for j, v := range x {
		x[j] = T(math.Exp(float64(v - top)))
		l[j%lossLanes] += x[j]
	}
	return sumLanes(&l)
}

// scaleShiftPortable is x = x·a + b.
func scaleShiftPortable[T float](x []T, a, b T) {
	for j := range x {
		x[j] = x[j]*a + b
	}
}

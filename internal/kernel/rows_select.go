package kernel

import "math"

// MaxIndex is the index of the first maximum of x, and the maximum. A NaN is never the maximum: where there is nothing
// else, the index is 0 and the value NaN. Of an empty x it is -1 and -Inf.
func MaxIndex(x []float32) (int, float32) {
	if len(x) == 0 {
		return -1, float32(math.Inf(-1))
	}
	m := maxRow(x)
	if i := indexOf(x, m); i < len(x) {
		return i, m
	}
	return 0, x[0]
}

// LogSumExp is log Σ exp(x). It is -Inf for an empty x or one of -Inf alone, +Inf if x holds +Inf, NaN if x holds NaN.
func LogSumExp(x []float32) float32 {
	m := maxRow(x)
	if math.IsInf(float64(m), 0) {
		for _, v := range x {
			if v != v {
				return v
			}
		}
		return m
	}
	return m + float32(math.Log(float64(sumExp(x, m))))
}

// TopK fills idx and val, of equal length k, with the k greatest elements of x and where they are, greatest first; of
// equal ones the smaller index comes first. NaNs are left out. If x has fewer than k elements, the rest of idx is -1
// and of val -Inf.
func TopK(x []float32, idx []int32, val []float32) {
	k := len(idx)
	if len(val) != k {
		panic("kernel: TopK: idx and val differ in length")
	}
	if k == 0 {
		return
	}
	// The k best so far are a heap whose root is the worst of them.
	n, next := 0, 0
	for ; next < len(x) && n < k; next++ {
		if v := x[next]; v == v {
			idx[n], val[n] = int32(next), v
			n++
		}
	}
	idx, val = idx[:n], val[:n]
	for i := n/2 - 1; i >= 0; i-- {
		siftDown(idx, val, i)
	}
	for n == k {
		next = nextAbove(x, next, val[0])
		if next == len(x) {
			break
		}
		idx[0], val[0] = int32(next), x[next]
		siftDown(idx, val, 0)
		next++
	}
	for end := n - 1; end > 0; end-- {
		idx[0], idx[end] = idx[end], idx[0]
		val[0], val[end] = val[end], val[0]
		siftDown(idx[:end], val[:end], 0)
	}
	for i := n; i < k; i++ {
		idx, val = idx[:k], val[:k]
		idx[i], val[i] = -1, float32(math.Inf(-1))
	}
}

// siftDown restores the heap below i: a parent is worse (smaller, or equal with a greater index) than its children.
func siftDown(idx []int32, val []float32, i int) {
	worse := func(a, b int) bool { return val[a] < val[b] || val[a] == val[b] && idx[a] > idx[b] }
	for {
		child := 2*i + 1
		if child >= len(val) {
			return
		}
		if child+1 < len(val) && worse(child+1, child) {
			child++
		}
		if !worse(child, i) {
			return
		}
		idx[i], idx[child] = idx[child], idx[i]
		val[i], val[child] = val[child], val[i]
		i = child
	}
}

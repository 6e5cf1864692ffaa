package tokenizer

// heap is a binary heap of values; the one that comes before all others is at
// index 0. It holds values, not interfaces, so that pushing allocates nothing
// but the slice's growth.
type heap[T interface{ before(T) bool }] []T

// order makes a heap of a slice in any order.
func (h heap[T]) order() {
	for i := len(h)/2 - 1; i >= 0; i-- {
		h.down(i)
	}
}

func (h *heap[T]) push(v T) {
	*h = append(*h, v)
	s := *h
	i := len(s) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !v.before(s[parent]) {
			break
		}
		s[i] = s[parent]
		i = parent
	}
	s[i] = v
}

// pop removes and returns the first value; the heap must not be empty.
func (h *heap[T]) pop() T {
	s := *h
	first, end := s[0], len(s)-1
	s[0] = s[end]
	*h = s[:end]
	h.down(0)
	return first
}

// down moves the value at i to its place; everything below i must be in order.
func (h heap[T]) down(i int) {
	if i >= len(h) {
		return
	}
	v := h[i]
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1].before(h[child]) {
			child++
		}
		if !h[child].before(v) {
			break
		}
		h[i] = h[child]
		i = child
	}
	h[i] = v
}

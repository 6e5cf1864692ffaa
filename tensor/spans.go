package tensor

import "github.com/parley-lm/parley/internal/kernel"

// Starts holds the cumulative offsets of the sequences of a batch: sequence i is the rows [Starts[i], Starts[i+1]).
// It has one element more than there are sequences; the last is the number of rows.
type Starts []int32

// Len returns the number of sequences.
func (s Starts) Len() int { return max(0, len(s)-1) }

// Rows returns the number of rows of all sequences together.
func (s Starts) Rows() int {
	if len(s) == 0 {
		return 0
	}
	return int(s[len(s)-1])
}

// Add appends a sequence of n rows.
func (s Starts) Add(n int) Starts {
	if len(s) == 0 {
		s = append(s, 0)
	}
	return append(s, s[len(s)-1]+int32(n))
}

// Positions appends to dst the position of every row in its own sequence, counted from 0.
func (s Starts) Positions(dst []int32) []int32 {
	for i := range s.Len() {
		for p := range s[i+1] - s[i] {
			dst = append(dst, p)
		}
	}
	return dst
}

// SelfSpans appends to dst the spans by which every sequence of s looks at itself.
func SelfSpans(dst []kernel.AttnSpan, s Starts) []kernel.AttnSpan {
	return CrossSpans(dst, s, s)
}

// CrossSpans appends to dst the spans by which sequence i of the queries looks at sequence i of the keys.
// It panics if there are not as many of the one as of the other.
func CrossSpans(dst []kernel.AttnSpan, queries, keys Starts) []kernel.AttnSpan {
	if queries.Len() != keys.Len() {
		panic("tensor: CrossSpans of batches with different numbers of sequences")
	}
	for i := range queries.Len() {
		dst = append(dst, kernel.AttnSpan{Q0: queries[i], Q1: queries[i+1], K0: keys[i], K1: keys[i+1]})
	}
	return dst
}

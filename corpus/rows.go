package corpus

import "math/bits"

// Rows cuts a stream into rows of a fixed number of tokens, each of which is to be predicted once: row i holds the tokens
// from i·context on, and one more, which is the last one's target and the first of the next row. The last row may be shorter.
// A row may hold the end of one document and the beginning of others; [NextBegin] finds the borders.
type Rows struct {
	stream  *Stream
	context int
}

// NewRows cuts a stream into rows of context tokens.
func NewRows(s *Stream, context int) Rows { return Rows{s, context} }

// Context returns how many tokens a row has.
func (r Rows) Context() int { return r.context }

// Len returns the number of rows.
func (r Rows) Len() int64 {
	return max(0, r.stream.Len()-1+int64(r.context)-1) / int64(r.context)
}

// Tokens returns how many tokens are to be predicted in all rows together.
func (r Rows) Tokens() int64 { return max(0, r.stream.Len()-1) }

// Read appends row i: its tokens and the last one's target.
func (r Rows) Read(dst []int32, i int64) ([]int32, error) {
	from := i * int64(r.context)
	return r.stream.Read(dst, from, min(from+int64(r.context)+1, r.stream.Len()))
}

// NextBegin returns where in a row the document that holds position from ends: the position of the next begin after from, or
// the row's last one, which is a target alone. A row's sequences are thus row[from:to] with targets row[from+1:to+1], to
// being the next from.
func NextBegin(row []int32, begin int32, from int) int {
	for to := from + 1; to < len(row)-1; to++ {
		if row[to] == begin {
			return to
		}
	}
	return len(row) - 1
}

// Order is a permutation of 0 … n−1 that depends on a seed and an epoch alone, and of which any place can be asked for:
// nothing is stored, and an epoch is resumed in its middle. It is a Feistel network of six rounds (Luby and Rackoff 1988) on
// the next larger power of four, walked along until a number is below n (Black and Rogaway 2002).
type Order struct {
	n    uint64
	half uint // bits of each half
	keys [6]uint64
}

// NewOrder returns the order of n things in an epoch.
func NewOrder(n int64, seed uint64, epoch int) Order {
	o := Order{n: uint64(n), half: uint(bits.Len64(uint64(max(1, n)-1))+1) / 2}
	key := mix(seed+0x9e3779b97f4a7c15) ^ uint64(epoch)
	for i := range o.keys {
		key = mix(key + 0x9e3779b97f4a7c15)
		o.keys[i] = key
	}
	return o
}

// At returns what stands at place i, which must be below n.
func (o *Order) At(i int64) int64 {
	mask := uint64(1)<<o.half - 1
	for x := uint64(i); ; {
		left, right := x>>o.half, x&mask
		for _, key := range o.keys {
			left, right = right, left^mix(right^key)&mask
		}
		if x = left<<o.half | right; x < o.n {
			return int64(x)
		}
	}
}

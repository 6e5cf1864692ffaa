package eval

import (
	"fmt"
	"math"
	"slices"
)

// editOp is a step that turns a hypothesis into its reference.
type editOp byte

const (
	opNone       editOp = iota // a cell that no path reaches
	opMatch                    // the same word in both
	opSubstitute               // a word for another
	opInsert                   // a word that only the reference has
	opDelete                   // a word that only the hypothesis has
)

const (
	beamWidth   = 25      // cells on each side of the diagonal
	unreachable = 1 << 30 // cost of a cell outside the band
)

// editTable is the table of edit distances between the beginnings of a
// hypothesis and of its reference, of which only a band around the diagonal is
// computed and stored: cell (i, j) is for i words of the hypothesis and j of the
// reference. Memory is about 50 cells a word.
type editTable struct {
	ref    []int32
	n      int   // words of the hypothesis
	lo, hi []int // row i holds the cells lo[i] ≤ j < hi[i] …
	at     []int // … from at[i] on in cost and op
	cost   []int32
	op     []editOp
	row    [2][]int32 // of a hypothesis that is only measured
	trace  []editOp
}

// reset takes the sizes of the sentences and lays out the band.
func (t *editTable) reset(n int, ref []int32) {
	t.ref, t.n = ref, n
	t.lo, t.hi, t.at = t.lo[:0], t.hi[:0], t.at[:0]
	m := len(ref)
	ratio := 1.0
	if n > 0 {
		ratio = float64(m) / float64(n)
	}
	width := beamWidth
	if beamWidth < ratio/2 { // otherwise neighbouring rows would not overlap
		width = int(math.Ceil(ratio/2 + beamWidth))
	}
	size, widest := 0, 0
	for i := 0; i <= n; i++ {
		diagonal := int(math.Floor(float64(i) * ratio))
		lo, hi := max(0, diagonal-width), min(m+1, diagonal+width)
		if i == 0 {
			lo, hi = 0, m+1
		}
		if i == n {
			hi = m + 1
		}
		t.lo, t.hi, t.at = append(t.lo, lo), append(t.hi, hi), append(t.at, size)
		size += hi - lo
		widest = max(widest, hi-lo)
	}
	t.cost = slices.Grow(t.cost[:0], size)[:size]
	t.op = slices.Grow(t.op[:0], size)[:size]
	for k := range t.row {
		t.row[k] = slices.Grow(t.row[k][:0], widest)[:widest]
	}
	for j := 0; j <= m; j++ {
		t.cost[j], t.op[j] = int32(j), opInsert
	}
}

// costs are the cells of row i.
func (t *editTable) costs(i int) []int32 { return t.cost[t.at[i] : t.at[i]+t.hi[i]-t.lo[i]] }

// fill computes the whole table for a hypothesis.
func (t *editTable) fill(hyp []int32) {
	for i := 1; i <= t.n; i++ {
		ops := t.op[t.at[i] : t.at[i]+t.hi[i]-t.lo[i]]
		t.fillRow(i, hyp[i-1], t.costs(i-1), t.costs(i), ops)
	}
}

// fillRow computes row i, for a hypothesis whose i-th word is given, from row
// i-1. Of equally cheap steps it prefers match or substitution, then deletion,
// then insertion. The slice ops may be nil.
func (t *editTable) fillRow(i int, word int32, above, row []int32, ops []editOp) {
	lo, loAbove := t.lo[i], t.lo[i-1]
	left := int32(unreachable)
	for k := range row {
		j := lo + k
		cost, op := int32(unreachable), opNone
		if a := j - 1 - loAbove; j > 0 && a >= 0 && a < len(above) {
			if t.ref[j-1] == word {
				cost, op = above[a], opMatch
			} else {
				cost, op = above[a]+1, opSubstitute
			}
		}
		if a := j - loAbove; a >= 0 && a < len(above) && above[a]+1 < cost {
			cost, op = above[a]+1, opDelete
		}
		if left+1 < cost {
			cost, op = left+1, opInsert
		}
		row[k], left = cost, cost
		if ops != nil {
			ops[k] = op
		}
	}
}

// distance is the edit distance of the hypothesis that the table was filled for.
func (t *editTable) distance() int {
	last := t.costs(t.n)
	return int(last[len(last)-1])
}

// distanceOf measures a hypothesis that differs from the one in the table only
// in the words first ≤ i < last. Rows above are taken from the table; and once a
// row behind the difference equals the table's but for a constant, all further
// ones do.
func (t *editTable) distanceOf(hyp []int32, first, last int) int {
	above := t.costs(first)
	for i := first + 1; i <= t.n; i++ {
		row := t.row[i%2][:t.hi[i]-t.lo[i]]
		t.fillRow(i, hyp[i-1], above, row, nil)
		above = row
		if i < last {
			continue
		}
		if by, ok := constantDifference(row, t.costs(i)); ok {
			return t.distance() + by
		}
	}
	return int(above[len(above)-1])
}

func constantDifference(a, b []int32) (by int, ok bool) {
	difference := a[0] - b[0]
	for k := range a {
		if a[k]-b[k] != difference {
			return 0, false
		}
	}
	return int(difference), true
}

// path returns the cheapest steps from the beginning of both sentences to their
// ends. It is valid until the next call.
func (t *editTable) path() []editOp {
	t.trace = t.trace[:0]
	for i, j := t.n, len(t.ref); i > 0 || j > 0; {
		op := t.op[t.at[i]+j-t.lo[i]]
		switch op {
		case opMatch, opSubstitute:
			i, j = i-1, j-1
		case opInsert:
			j--
		case opDelete:
			i--
		default:
			panic(fmt.Sprintf("eval: no path leads to cell (%d, %d) of an edit table of %d by %d words", i, j, t.n, len(t.ref)))
		}
		t.trace = append(t.trace, op)
	}
	slices.Reverse(t.trace)
	return t.trace
}

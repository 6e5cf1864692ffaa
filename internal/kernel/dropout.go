package kernel

import "math/bits"

// Dropout says which elements of a matrix are dropped: each with probability Rate, kept ones growing by 1/(1-Rate).
// Nothing is stored: the choice is a function of Key, Ctr and the element's place, by the counter-based generator
// Philox4x32-10 (Salmon et al. 2011), so that the backward pass makes it again. Rate 0 drops nothing; 1 drops all.
//
// Element (row, col) of a matrix of cols columns has the number e = row·roundUp32(cols) + col. Its counter is
// {(e/32)·8 + e%8, Ctr[0], Ctr[1], Ctr[2]}, its word of the four is (e/8)%4, and it is dropped if the word is less than
// Rate·2³².
type Dropout struct {
	Rate float32
	Key  [2]uint32
	Ctr  [3]uint32
}

const (
	philoxBlock = 32 // elements that eight counters decide
	philoxM0    = 0xD2511F53
	philoxM1    = 0xCD9E8D57
	philoxW0    = 0x9E3779B9
	philoxW1    = 0xBB67AE85
)

// Philox is Philox4x32-10 of counter c under key k: four words that look random, and are the same every time.
func Philox(c [4]uint32, k [2]uint32) [4]uint32 {
	for range 10 {
		hi0, lo0 := bits.Mul32(philoxM0, c[0])
		hi1, lo1 := bits.Mul32(philoxM1, c[2])
		c = [4]uint32{hi1 ^ c[1] ^ k[0], lo1, hi0 ^ c[3] ^ k[1], lo0}
		k[0] += philoxW0
		k[1] += philoxW1
	}
	return c
}

func roundUp32(n int) int { return (n + 31) &^ 31 }

// dropper is a Dropout made ready for matrices of a given width. The assembly reads it up to scale, in this order.
type dropper struct {
	round     [20]uint32 // the keys of the ten rounds
	first     [4]uint32  // see share
	threshold uint32     // words below it drop
	scale     float32    // of kept values; 0 if all are dropped
	on        bool
	ctr       [3]uint32
	blocks    int // philox blocks in a row
}

// prepare makes d ready for rows of cols elements.
func (d Dropout) prepare(cols int) dropper {
	if d.Rate <= 0 {
		return dropper{}
	}
	t := dropper{ctr: d.Ctr, on: true, blocks: roundUp32(cols) / philoxBlock}
	if d.Rate < 1 {
		t.threshold = uint32(float64(d.Rate) * (1 << 32))
		t.scale = float32(1 / (1 - float64(d.Rate)))
	}
	k := d.Key
	for r := range 10 {
		t.round[2*r], t.round[2*r+1] = k[0], k[1]
		k[0] += philoxW0
		k[1] += philoxW1
	}
	t.share()
	return t
}

// share works out what three of the counter's words, the same for all elements, come to in the first rounds. With p
// the product of word 0 and the first multiplier, the state is after
//
//	round 1: {a, b, hi(p)^first[0], lo(p)}
//	round 2: {hi(q)^first[1], lo(q), lo(p)^first[2], l}, q being the product of word 2 and the second multiplier
//
// and first[3] is l with the key that round 3 adds to it.
func (t *dropper) share() {
	hi, b := bits.Mul32(philoxM1, t.ctr[1])
	a := hi ^ t.ctr[0] ^ t.round[0]
	hiA, l := bits.Mul32(philoxM0, a)
	t.first = [4]uint32{t.ctr[2] ^ t.round[1], b ^ t.round[2], hiA ^ t.round[3], l ^ t.round[5]}
}

// active says whether anything is dropped.
func (t *dropper) active() bool { return t.on }

// apply is y = dropout(x) for columns [col, col+len(x)) of a row. y may be x.
func (t *dropper) apply(y, x []float32, row, col int) {
	y = y[:len(x)]
	switch block := uint64(row)*uint64(t.blocks) + uint64(col/philoxBlock); {
	case !t.on:
		copy(y, x)
	case t.scale == 0:
		clear(y)
	default:
		if lane := col % philoxBlock; lane != 0 {
			n := min(philoxBlock-lane, len(x))
			t.applyInside(y[:n], x[:n], block, lane)
			y, x, block = y[n:], x[n:], block+1
		}
		dropBlocks(y, x, t, block)
	}
}

// applyInside is apply for elements inside one block, from its lane on.
func (t *dropper) applyInside(y, x []float32, block uint64, lane int) {
	var whole [philoxBlock]float32
	copy(whole[lane:], x)
	dropBlocks(whole[:], whole[:], t, block)
	copy(y, whole[lane:])
}

// Dropout is y = dropout(x), elements numbered by row and column of y. y may alias x.
func (p *Pool) Dropout(y, x Mat, d Dropout) {
	y.check("Dropout: y")
	sameShape("Dropout", "x", y, x)
	q := p.orSerial()
	t := &q.records.rows
	t.y, t.x, t.drop = y, x, d.prepare(y.Cols)
	if y.Cols%philoxBlock == 0 {
		if flatten(&t.y, &t.x); t.y.Cols == flatCols {
			t.drop.blocks = flatCols / philoxBlock
		}
	}
	q.runRows(t, t.y.Rows, t.y.Cols, dropoutRows)
	t.reset()
	p.giveBack(q)
}

func dropoutRows(t *rowTasks, r0, r1 int) {
	for i := r0; i < r1; i++ {
		t.drop.apply(elements(&t.y, i), elements(&t.x, i), i, 0)
	}
}

// dropBlocksPortable is y = dropout(x) for elements that begin with philox block number block.
func dropBlocksPortable[T float](y, x []T, t *dropper, block uint64) {
	for i := 0; i < len(x); i += philoxBlock {
		for lane := 0; lane < 8 && i+lane < len(x); lane++ {
			words := Philox([4]uint32{uint32(block*8) + uint32(lane), t.ctr[0], t.ctr[1], t.ctr[2]}, [2]uint32(t.round[:2]))
			for w := 0; w < 4 && i+8*w+lane < len(x); w++ {
				j := i + 8*w + lane
				if words[w] < t.threshold {
					y[j] = 0
				} else {
					y[j] = x[j] * T(t.scale)
				}
			}
		}
		block++
	}
}

package kernel

import "unsafe"

// tileFunc computes a column of tiles of C in registers, all of the height and width that the function is made for.
// Element (r, k) of A lies r·rs + k·ks bytes after a, one of rs and ks being 4; the next tile lies step bytes on in A and one
// height on in C, whose rows lie ldc bytes apart. A tile that spans several panels of B finds them bs bytes apart. Sums begin with C's values
// if load is set, else with zero. For bfloat16, k counts pairs of values.
//
// What is needed after these tiles may be brought into cache meanwhile: with each tile 4·k bytes of A from nextA on, which
// then moves by nextAStep, and 12·k of B from nextB on. Any address will do.
//
// Where B alone is bfloat16, panels hold pairs of values, but k counts single ones.
type tileFunc func(k, tiles int, a *float32, rs, ks, step uintptr, b *float32, bs uintptr, c *float32, ldc uintptr, load bool, nextA, nextAStep, nextB uintptr)

// tileSet is the inner loops of one instruction set. What is packed for one set cannot be read by another.
type tileSet struct {
	rows, width int         // of the tallest tile; width is also a panel's
	bf16        bool        // A and B are bfloat16, two to a float32's place
	byTiles     bool        // A is cut into tiles of tileRegister rows and as many pairs of k, of which those of the same rows follow each other
	half        bool        // B is, and is widened; A is float32
	tiles       []tileFunc  // by height, one panel wide
	wide        [4]tileFunc // by height, several panels wide: few rows alone cannot keep the multipliers busy
	widePanels  [4]int
	columns     [13]func(rows int, dst, src *float32, srcStride uintptr) // packing for a transposed A, by height
}

// height is the height of the next tile when left rows remain. The last two tiles are made alike where one would be too
// low to be fast.
func (s *tileSet) height(left int) int {
	switch {
	case left <= s.rows:
		return left
	case left < s.rows+s.rows/2 && !s.byTiles:
		return (left + 1) / 2
	}
	return s.rows
}

// fullTiles is how many tiles of full height come first among the given rows.
func (s *tileSet) fullTiles(rows int) int {
	n := rows / s.rows
	if rest := rows % s.rows; n > 0 && rest > 0 && rest < s.rows/2 && !s.byTiles {
		n--
	}
	return n
}

// tileRegister is how many rows, of as many places, a register for tiles has.
const tileRegister = 16

// blockK is the most k of a block, in the set's steps.
func (s *tileSet) blockK() int {
	if s.byTiles {
		return tilesBlockK
	}
	return blocks.k
}

// blockRows is the height of the blocks of A, whole tiles.
func (s *tileSet) blockRows() int {
	if s.byTiles { // processors that have them have large caches
		return tilesBlockRows
	}
	return blocks.rows / s.rows * s.rows
}

// headRows is the most height of the first items of a product of many rows.
func (s *tileSet) headRows() int {
	if s.byTiles {
		return 2 * s.blockRows()
	}
	return s.blockRows()
}

// tailRows is the height of the last items of a product of many rows, if they have all columns.
func (s *tileSet) tailRows() int { return ceilDiv(tailRows, s.rows) * s.rows }

// steps is what the inner loop counts for k values: in bfloat16, pairs.
func (s *tileSet) steps(k int) int {
	if s.bf16 {
		return (k + 1) / 2
	}
	return k
}

// places is the number of places in a panel's column for so many steps.
func (s *tileSet) places(steps int) int {
	if s.half {
		return (steps + 1) / 2
	}
	return steps
}

// depth is the number of places in a panel's column for k values.
func (s *tileSet) depth(k int) int { return s.places(s.steps(k)) }

// portableTiles is the set for processors without one of their own.
var portableTiles = tileSet{
	rows: 4, width: 4,
	tiles: []tileFunc{1: portableTile1, 2: portableTile2, 3: portableTile3, 4: portableTile4},
}

func portableTile1(k, tiles int, a *float32, rs, ks, step uintptr, b *float32, _ uintptr, c *float32, ldc uintptr, load bool, _, _, _ uintptr) {
	portableTiling(1, k, tiles, a, rs, ks, step, b, c, ldc, load)
}

func portableTile2(k, tiles int, a *float32, rs, ks, step uintptr, b *float32, _ uintptr, c *float32, ldc uintptr, load bool, _, _, _ uintptr) {
	portableTiling(2, k, tiles, a, rs, ks, step, b, c, ldc, load)
}

func portableTile3(k, tiles int, a *float32, rs, ks, step uintptr, b *float32, _ uintptr, c *float32, ldc uintptr, load bool, _, _, _ uintptr) {
	portableTiling(3, k, tiles, a, rs, ks, step, b, c, ldc, load)
}

func portableTile4(k, tiles int, a *float32, rs, ks, step uintptr, b *float32, _ uintptr, c *float32, ldc uintptr, load bool, _, _, _ uintptr) {
	portableTiling(4, k, tiles, a, rs, ks, step, b, c, ldc, load)
}

// portableTiling is a tileFunc for tiles of the given height and four columns. The slices it makes span what the tiles
// read and write, so that the loops within are checked.
func portableTiling(rows, k, tiles int, a *float32, rs, ks, step uintptr, b *float32, c *float32, ldc uintptr, load bool) {
	const size = unsafe.Sizeof(*a)
	r, s, st, ld := int(rs/size), int(ks/size), int(step/size), int(ldc/size)
	av := unsafe.Slice(a, (tiles-1)*st+(rows-1)*r+(k-1)*s+1)
	cv := unsafe.Slice(c, (tiles*rows-1)*ld+4)
	bv := unsafe.Slice(b, k*4)
	for t := range tiles {
		x, y := av[t*st:], cv[t*rows*ld:]
		if rows == 4 {
			tile4x4(k, x, r, s, bv, y, ld, load)
			continue
		}
		for i := range rows {
			tile1x4(k, x[i*r:], s, bv, y[i*ld:], load)
		}
	}
}

// tile1x4 computes one row of four columns; element k of the row is a[k·ks].
func tile1x4[T float32 | float64](k int, a []T, ks int, b []T, c []T, load bool) {
	c = c[:4]
	var s0, s1, s2, s3 T
	if load {
		s0, s1, s2, s3 = c[0], c[1], c[2], c[3]
	}
	for i, at := 0, 0; i < k; i, at = i+1, at+ks {
		x := a[at]
		y := b[4*i : 4*i+4 : 4*i+4]
		s0 += x * y[0]
		s1 += x * y[1]
		s2 += x * y[2]
		s3 += x * y[3]
	}
	c[0], c[1], c[2], c[3] = s0, s1, s2, s3
}

// tile4x4 computes four rows of four columns; element (r, k) of A is a[r·rs + k·ks].
func tile4x4[T float32 | float64](k int, a []T, rs, ks int, b []T, c []T, ldc int, load bool) {
	c0, c1, c2, c3 := c[:4], c[ldc:ldc+4], c[2*ldc:2*ldc+4], c[3*ldc:3*ldc+4]
	var s00, s01, s02, s03, s10, s11, s12, s13, s20, s21, s22, s23, s30, s31, s32, s33 T
	if load {
		s00, s01, s02, s03 = c0[0], c0[1], c0[2], c0[3]
		s10, s11, s12, s13 = c1[0], c1[1], c1[2], c1[3]
		s20, s21, s22, s23 = c2[0], c2[1], c2[2], c2[3]
		s30, s31, s32, s33 = c3[0], c3[1], c3[2], c3[3]
	}
	for i, at := 0, 0; i < k; i, at = i+1, at+ks {
		y := b[4*i : 4*i+4 : 4*i+4]
		y0, y1, y2, y3 := y[0], y[1], y[2], y[3]
		x := a[at]
		s00 += x * y0
		s01 += x * y1
		s02 += x * y2
		s03 += x * y3
		x = a[at+rs]
		s10 += x * y0
		s11 += x * y1
		s12 += x * y2
		s13 += x * y3
		x = a[at+2*rs]
		s20 += x * y0
		s21 += x * y1
		s22 += x * y2
		s23 += x * y3
		x = a[at+3*rs]
		s30 += x * y0
		s31 += x * y1
		s32 += x * y2
		s33 += x * y3
	}
	c0[0], c0[1], c0[2], c0[3] = s00, s01, s02, s03
	c1[0], c1[1], c1[2], c1[3] = s10, s11, s12, s13
	c2[0], c2[1], c2[2], c2[3] = s20, s21, s22, s23
	c3[0], c3[1], c3[2], c3[3] = s30, s31, s32, s33
}

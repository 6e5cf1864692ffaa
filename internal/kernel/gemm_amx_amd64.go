package kernel

import "unsafe"

// amxTiles is the set for the tile registers of AMX, which multiply 16 rows of 16 pairs of bfloat16 values with 16 pairs of 16
// columns at a time. A row takes as long as sixteen.
//
// An element of C is the chain of sums over groups of 16 pairs, the last group perhaps shorter; of a group, the products of
// the earlier values and those of the later ones are each summed in order, and then added.
var amxTiles = tileSet{
	rows: 2 * amxRows, width: amxWidth, bf16: true, byTiles: true,
	tiles: amxTilesOfEachHeight(),
}

const (
	amxRows  = tileRegister // of a tile register; also the pairs of k that it holds
	amxWidth = 32           // columns of a tile: two registers beside each other
)

func amxTilesOfEachHeight() []tileFunc {
	tiles := make([]tileFunc, 2*amxRows+1)
	for height := 1; height < len(tiles); height++ {
		tiles[height] = amxTile(height)
	}
	return tiles
}

// amxTile is a tileFunc for tiles of the given height. A is in the layout of byTiles, with rs its stride.
func amxTile(height int) tileFunc {
	return func(pairs, tiles int, a *float32, rs, _, _ uintptr, b *float32, _ uintptr, c *float32, ldc uintptr, load bool, _, _, nextB uintptr) {
		groups, rest := pairs/amxRows, pairs%amxRows
		two := height > amxRows
		if groups > 0 {
			shape := amxShape(height, amxRows)
			tileAMX(&shape, groups, tiles, a, rs, b, c, ldc, load, two, nextB)
		}
		if rest > 0 {
			shape := amxShape(height, rest)
			a = (*float32)(unsafe.Add(unsafe.Pointer(a), groups*amxRows*amxRows*4))
			b = (*float32)(unsafe.Add(unsafe.Pointer(b), groups*amxRows*amxWidth*4))
			tileAMX(&shape, 1, tiles, a, rs, b, c, ldc, load || groups > 0, two, nextB)
		}
	}
}

// amxShape is what configures the tile registers (palette 1) for tiles of C of the given height and so many pairs of k:
// registers 0 and 1, and 2 and 3 below them, hold C, 4 and 5 below it A, 6 and 7 B.
func amxShape(height, pairs int) (shape [64]byte) {
	upper := min(height, amxRows)
	lower := max(1, height-amxRows) // a register that is not used is configured all the same
	set := func(register, rows, bytesOfRow int) {
		shape[16+2*register] = byte(bytesOfRow)
		shape[48+register] = byte(rows)
	}
	shape[0] = 1
	set(0, upper, 64)
	set(1, upper, 64)
	set(2, lower, 64)
	set(3, lower, 64)
	set(4, upper, 4*pairs)
	set(5, lower, 4*pairs)
	set(6, pairs, 64)
	set(7, pairs, 64)
	return shape
}

package kernel

import "unsafe"

var avx2Tiles = tileSet{
	rows: 6, width: 16,
	tiles: []tileFunc{
		1: tileAVX2_1x16, 2: tileAVX2_2x16, 3: tileAVX2_3x16, 4: tileAVX2_4x16, 5: tileAVX2_5x16, 6: tileAVX2_6x16,
	},
	wide:       [4]tileFunc{1: tileAVX2_1x64, 2: tileAVX2_2x32, 3: tileAVX2_3x32},
	widePanels: [4]int{1: 4, 2: 2, 3: 2},
	columns:    columnPackers,
}

var avx512Tiles = tileSet{
	rows: 12, width: 32,
	tiles: []tileFunc{
		1: tileAVX512_1x32, 2: tileAVX512_2x32, 3: tileAVX512_3x32, 4: tileAVX512_4x32,
		5: tileAVX512_5x32, 6: tileAVX512_6x32, 7: tileAVX512_7x32, 8: tileAVX512_8x32,
		9: tileAVX512_9x32, 10: tileAVX512_10x32, 11: tileAVX512_11x32, 12: tileAVX512_12x32,
	},
	wide:       [4]tileFunc{1: tileAVX512_1x128, 2: tileAVX512_2x64, 3: tileAVX512_3x64},
	widePanels: [4]int{1: 4, 2: 2, 3: 2},
	columns:    columnPackers,
}

var bf16Tiles = tileSet{
	rows: 12, width: 32, bf16: true,
	tiles: []tileFunc{
		1: tileBF16_1x32, 2: tileBF16_2x32, 3: tileBF16_3x32, 4: tileBF16_4x32,
		5: tileBF16_5x32, 6: tileBF16_6x32, 7: tileBF16_7x32, 8: tileBF16_8x32,
		9: tileBF16_9x32, 10: tileBF16_10x32, 11: tileBF16_11x32, 12: tileBF16_12x32,
	},
	wide:       [4]tileFunc{1: tileBF16_1x128, 2: tileBF16_2x64, 3: tileBF16_3x64},
	widePanels: [4]int{1: 4, 2: 2, 3: 2},
	columns:    columnPackers,
}

var halfAVX2Tiles = tileSet{
	rows: 6, width: 16, half: true,
	tiles: []tileFunc{
		1: tileHalfAVX2_1x16, 2: tileHalfAVX2_2x16, 3: tileHalfAVX2_3x16, 4: tileHalfAVX2_4x16,
		5: tileHalfAVX2_5x16, 6: tileHalfAVX2_6x16,
	},
	wide:       [4]tileFunc{1: tileHalfAVX2_1x64, 2: tileHalfAVX2_2x32},
	widePanels: [4]int{1: 4, 2: 2},
	columns:    columnPackers,
}

var halfAVX512Tiles = tileSet{
	rows: 12, width: 32, half: true,
	tiles: []tileFunc{
		1: tileHalfAVX512_1x32, 2: tileHalfAVX512_2x32, 3: tileHalfAVX512_3x32, 4: tileHalfAVX512_4x32,
		5: tileHalfAVX512_5x32, 6: tileHalfAVX512_6x32, 7: tileHalfAVX512_7x32, 8: tileHalfAVX512_8x32,
		9: tileHalfAVX512_9x32, 10: tileHalfAVX512_10x32, 11: tileHalfAVX512_11x32, 12: tileHalfAVX512_12x32,
	},
	wide:       [4]tileFunc{1: tileHalfAVX512_1x128, 2: tileHalfAVX512_2x64, 3: tileHalfAVX512_3x64},
	widePanels: [4]int{1: 4, 2: 2, 3: 2},
	columns:    columnPackers,
}

// activeHalfTiles is the set for the active instruction set that widens B from bfloat16.
func activeHalfTiles() *tileSet {
	switch Active() {
	case AVX512, AMX:
		return &halfAVX512Tiles
	case AVX2:
		return &halfAVX2Tiles
	}
	return &portableHalfTiles
}

// activeTiles is the set for the active instruction set.
func activeTiles(bf16 bool) *tileSet {
	switch Active() {
	case AVX512, AMX:
		switch {
		case !bf16 || !HasBF16():
			return &avx512Tiles
		case Active() == AMX:
			return &amxTiles
		}
		return &bf16Tiles
	case AVX2:
		return &avx2Tiles
	}
	return &portableTiles
}

// packRowsFast copies the first columns of b, whole panels of the given width, if there is a loop for that width.
func packRowsFast(width int, dst []float32, panelStride int, b Mat, panels int) bool {
	if b.Rows == 0 || panels == 0 || Active() == Portable {
		return false
	}
	_ = dst[(panels-1)*panelStride+b.Rows*width-1]
	_ = b.Data[(b.Rows-1)*b.Stride+panels*width-1]
	switch width {
	case 6:
		packPanels6(b.Rows, panels, &dst[0], uintptr(panelStride)*4, &b.Data[0], uintptr(b.Stride)*4)
	case 12:
		packPanels12(b.Rows, panels, &dst[0], uintptr(panelStride)*4, &b.Data[0], uintptr(b.Stride)*4)
	case 16:
		packPanels16(b.Rows, panels, &dst[0], uintptr(panelStride)*4, &b.Data[0], uintptr(b.Stride)*4)
	case 32:
		packPanels32(b.Rows, panels, &dst[0], uintptr(panelStride)*4, &b.Data[0], uintptr(b.Stride)*4)
	default:
		return false
	}
	return true
}

// packTransposedFast writes columns of eight rows of b as rows of eight values, width values apart, and returns how many
// columns it did: a multiple of eight.
func packTransposedFast(dst []float32, width int, b Mat) int {
	blocks := b.Cols / 8
	if b.Rows != 8 || blocks == 0 || Active() == Portable {
		return 0
	}
	_ = dst[(blocks*8-1)*width+7]
	packTransposed8(blocks, &dst[0], uintptr(width)*4, &b.Data[0], uintptr(b.Stride)*4)
	return blocks * 8
}

// roundRowFast rounds the first values of x into y and returns how many.
func roundRowFast(y []uint16, x []float32) int {
	blocks := len(x) / 16
	if blocks == 0 || Active() < AVX512 {
		return 0
	}
	roundRow16(blocks, (*float32)(unsafe.Pointer(&y[:blocks*16][0])), &x[0])
	return blocks * 16
}

// roundTilesFast is roundToTiles for the first values of x, and returns how many.
func roundTilesFast(y, x []float32) int {
	groups := len(x) / (2 * tileRegister)
	if groups == 0 || Active() != AMX {
		return 0
	}
	_ = y[(groups-1)*tileRegister*tileRegister+tileRegister-1]
	roundTiles(groups, &y[0], &x[0])
	return groups * 2 * tileRegister
}

// roundPanelsFast rounds the pairs of rows of b's first columns, and returns how many: whole panels of 32.
func roundPanelsFast(y []float32, rowStride, panelStride, width int, b Mat) int {
	pairs, panels := b.Rows/2, b.Cols/32
	if pairs == 0 || panels == 0 || width != 32 || Active() < AVX512 {
		return 0
	}
	_ = y[(panels-1)*panelStride+(pairs-1)*rowStride+31]
	_ = b.Data[(2*pairs-1)*b.Stride+panels*32-1]
	roundPanels32(pairs, panels, &y[0], uintptr(rowStride)*4, uintptr(panelStride)*4, &b.Data[0], uintptr(b.Stride)*4)
	return panels * 32
}

var columnPackers = [13]func(rows int, dst, src *float32, srcStride uintptr){
	1: packColumns1, 2: packColumns2, 3: packColumns3, 4: packColumns4, 5: packColumns5, 6: packColumns6,
	7: packColumns7, 8: packColumns8, 9: packColumns9, 10: packColumns10, 11: packColumns11, 12: packColumns12,
}

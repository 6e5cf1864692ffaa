//go:build !amd64

package kernel

func activeTiles(bool) *tileSet { return &portableTiles }

func activeHalfTiles() *tileSet { return &portableHalfTiles }

func packRowsFast(int, []float32, int, Mat, int) bool { return false }

func packTransposedFast([]float32, int, Mat) int { return 0 }

func roundRowFast([]uint16, []float32) int { return 0 }

func roundPanelsFast([]float32, int, int, int, Mat) int { return 0 }

func roundTilesFast(_, _ []float32) int { return 0 }

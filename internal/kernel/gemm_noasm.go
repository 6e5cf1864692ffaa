//go:build !amd64

package kernel

func activeTiles(bool) *tileSet { return &portableTiles }

func (s *tileSet) packColumnsFast([]float32, Mat) bool { return false }

func (s *tileSet) packRowsFast([]float32, int, Mat, int) bool { return false }

func packTransposedFast([]float32, int, Mat) int { return 0 }

package kernel

import "fmt"

// Mat is a row-major matrix, a view on memory that somebody else owns: element (i, j) is Data[i*Stride+j].
// The zero Mat, with nil Data, stands for "no matrix" where an argument is optional.
type Mat struct {
	Data               []float32
	Rows, Cols, Stride int
}

// NewMat views data, which must hold rows*cols values, as a matrix without gaps.
func NewMat(data []float32, rows, cols int) Mat {
	if rows < 0 || cols < 0 || len(data) < rows*cols {
		panic(fmt.Sprintf("kernel: %d values cannot be a %d×%d matrix", len(data), rows, cols))
	}
	return Mat{Data: data[:rows*cols], Rows: rows, Cols: cols, Stride: cols}
}

// Slice is the view of rows r0 to r1 (r1 excluded).
func (m Mat) Slice(r0, r1 int) Mat {
	if r0 < 0 || r1 < r0 || r1 > m.Rows {
		panic(fmt.Sprintf("kernel: rows %d to %d of a matrix of %d rows", r0, r1, m.Rows))
	}
	v := Mat{Rows: r1 - r0, Cols: m.Cols, Stride: m.Stride}
	if r1 > r0 && m.Cols > 0 {
		v.Data = m.Data[r0*m.Stride : (r1-1)*m.Stride+m.Cols]
	} else {
		v.Data = m.Data[:0]
	}
	return v
}

// ColSlice is the view of columns c0 to c1 (c1 excluded).
func (m Mat) ColSlice(c0, c1 int) Mat {
	if c0 < 0 || c1 < c0 || c1 > m.Cols {
		panic(fmt.Sprintf("kernel: columns %d to %d of a matrix of %d columns", c0, c1, m.Cols))
	}
	v := Mat{Rows: m.Rows, Cols: c1 - c0, Stride: m.Stride}
	if m.Rows > 0 && c1 > c0 {
		v.Data = m.Data[c0 : (m.Rows-1)*m.Stride+c1]
	} else {
		v.Data = m.Data[:0]
	}
	return v
}

// Row is row i, Cols values long.
func (m Mat) Row(i int) []float32 {
	return m.Data[i*m.Stride : i*m.Stride+m.Cols : i*m.Stride+m.Cols]
}

// check panics unless m's memory holds its shape.
func (m Mat) check(name string) {
	if m.Rows < 0 || m.Cols < 0 || m.Rows > 0 && m.Cols > 0 && (m.Stride < m.Cols && m.Rows > 1 || len(m.Data) < (m.Rows-1)*m.Stride+m.Cols) {
		panic(fmt.Sprintf("kernel: %s: %d values cannot hold %d×%d with stride %d", name, len(m.Data), m.Rows, m.Cols, m.Stride))
	}
}

// Activation names a function applied to each element.
type Activation uint8

// The activations. GELU is exact (by erf); GELUTanh is its approximation by tanh, as GPT-2 uses it; SiLU is x·sigmoid(x). Tanh
// has no assembly: models that are published hardly use it.
const (
	None Activation = iota
	ReLU
	GELU
	GELUTanh
	SiLU
	Tanh
)

package kernel

import "fmt"

// Epilogue is what is done to each element of a product while it is still in cache, in the order of the fields.
type Epilogue struct {
	Bias     []float32  // [N] or nil: added to every row
	Act      Activation // applied to the sum
	Pre      Mat        // [M, N] if Data is not nil: receives the values before Act
	Drop     Dropout    // applied after Act; the element's row and column are those of C
	Residual Mat        // [M, N] if Data is not nil: added last; may be C's own memory only when C is not accumulated into
}

// empty says whether nothing is left to do after the product.
func (e *Epilogue) empty() bool {
	return e.Bias == nil && e.Act == None && e.Pre.Data == nil && e.Drop.Rate == 0 && e.Residual.Data == nil
}

// GemmOpt is how a product is computed.
type GemmOpt struct {
	Acc  bool // C += A·B instead of C = A·B; the epilogue sees the sum
	BF16 bool // round A and B to bfloat16 and add in float32, where HasBF16; elsewhere plain float32
	Ep   Epilogue
}

// Gemm computes C[M, N] = op(A)[M, K]·op(B)[K, N], where op(X) is X, or its transpose if transX, and then the epilogue.
// C may not overlap A or B.
//
// Every element of C is one sequential chain of fused multiply-adds over k = 0 … K-1, beginning with zero or, when
// accumulating, with C's old value. So its bits do not depend on the other rows or columns, the threads, or whether B was
// packed before. (The portable form rounds products where the platform's Go does not fuse them.)
func (p *Pool) Gemm(c, a Mat, transA bool, b Mat, transB bool, o GemmOpt) {
	m, k, n := productShape(c, a, transA, b, transB)
	checkEpilogue(c, &o.Ep)
	if m == 0 || n == 0 {
		return
	}
	used := p.orSerial()
	used.gemmPortable(c, a, transA, b, transB, o, m, k, n)
	p.giveBack(used)
}

// productShape checks that the shapes of a product fit and returns its dimensions.
func productShape(c, a Mat, transA bool, b Mat, transB bool) (m, k, n int) {
	c.check("C of a product")
	a.check("A of a product")
	b.check("B of a product")
	m, k = a.Rows, a.Cols
	if transA {
		m, k = k, m
	}
	kb, n := b.Rows, b.Cols
	if transB {
		kb, n = n, kb
	}
	if k != kb || c.Rows != m || c.Cols != n {
		panic(fmt.Sprintf("kernel: product of %d×%d and %d×%d into %d×%d", m, k, kb, n, c.Rows, c.Cols))
	}
	return m, k, n
}

// checkEpilogue panics unless the parts of the epilogue have C's shape.
func checkEpilogue(c Mat, e *Epilogue) {
	if e.Bias != nil && len(e.Bias) != c.Cols {
		panic(fmt.Sprintf("kernel: bias of %d values for %d columns", len(e.Bias), c.Cols))
	}
	for _, x := range [...]*Mat{&e.Pre, &e.Residual} {
		if x.Data != nil {
			x.check("matrix of an epilogue")
			if x.Rows != c.Rows || x.Cols != c.Cols {
				panic(fmt.Sprintf("kernel: epilogue of %d×%d for a product of %d×%d", x.Rows, x.Cols, c.Rows, c.Cols))
			}
		}
	}
}

type gemmTask struct {
	c, a, b        Mat
	transA, transB bool
	o              GemmOpt
	m, k, n        int
}

func (p *Pool) gemmPortable(c, a Mat, transA bool, b Mat, transB bool, o GemmOpt, m, k, n int) {
	t := &p.gemm
	*t = gemmTask{c, a, b, transA, transB, o, m, k, n}
	p.Run(m, t)
	*t = gemmTask{}
}

func (t *gemmTask) Do(_, i int) {
	row := t.c.Row(i)
	if !t.o.Acc {
		clear(row)
	}
	for k := range t.k {
		var x float32
		if t.transA {
			x = t.a.Data[k*t.a.Stride+i]
		} else {
			x = t.a.Data[i*t.a.Stride+k]
		}
		if t.transB {
			for j := range row {
				row[j] += x * t.b.Data[j*t.b.Stride+k]
			}
		} else {
			for j, y := range t.b.Row(k) {
				row[j] += x * y
			}
		}
	}
	t.o.Ep.apply(row, i, 0)
}

// Packed is the right-hand side B[K, N] of products, in the order in which the inner loop reads it. It does not change
// and may be used by several Pools at once.
type Packed struct {
	K, N int
	b    Mat
}

// Pack reorders op(B) for any number of products with GemmPacked. It copies: b is not referred to afterwards. With bf16
// the copy holds bfloat16 values where HasBF16, and takes half the memory.
func (p *Pool) Pack(b Mat, transB bool, bf16 bool) *Packed {
	b.check("B to be packed")
	k, n := b.Rows, b.Cols
	if transB {
		k, n = n, k
	}
	pk := &Packed{K: k, N: n, b: NewMat(make([]float32, k*n), k, n)}
	for i := range k {
		for j := range n {
			if transB {
				pk.b.Data[i*n+j] = b.Data[j*b.Stride+i]
			} else {
				pk.b.Data[i*n+j] = b.Data[i*b.Stride+j]
			}
		}
	}
	return pk
}

// GemmPacked is Gemm with B packed before, and A not transposed: the same bits.
func (p *Pool) GemmPacked(c, a Mat, b *Packed, o GemmOpt) {
	p.Gemm(c, a, false, b.b, false, o)
}

package kernel

//go:generate go run -C _asm ./gemm -out ../gemm_amd64.s -stubs ../gemm_stubs_amd64.go -pkg kernel

import (
	"fmt"

	"github.com/parley-lm/parley/internal/memory"
)

// Epilogue is what is done to each element of a product while it is still in cache, in the order of the fields.
type Epilogue struct {
	Bias     []float32  // [N] or nil: added to every row
	Act      Activation // applied to the sum
	Pre      Mat        // [M, N] if Data is not nil: receives the values before Act
	Drop     Dropout    // applied after Act; an element's row and column are those of C
	Residual Mat        // [M, N] if Data is not nil: added last; may not overlap C
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
// accumulating, with C's old value. So its bits do not depend on the other rows or columns, on the threads, or on
// whether B was packed before. The portable form rounds products where Go does not fuse them (on amd64); the chain of
// bfloat16 products goes by pairs of k.
//
// The plan is that of BLIS (Van Zee and van de Geijn, 2015): B is packed into panels as wide as a register tile, blocks
// of A that stay in the second-level cache pass along them, and C's tile is summed in registers.
func (p *Pool) Gemm(c, a Mat, transA bool, b Mat, transB bool, o GemmOpt) {
	b.check("B of a product")
	p.packAndMultiply(c, a, transA, rightSide{mat: b}, transB, o)
}

// GemmHalf is Gemm with B in bfloat16, which is widened as it is packed: the same bits as with the widened values, in
// either direction, for the memory of B and of what is packed at a time.
func (p *Pool) GemmHalf(c, a Mat, transA bool, b Half, transB bool, o GemmOpt) {
	b.check()
	p.packAndMultiply(c, a, transA, rightSide{mat: Mat{Rows: b.Rows, Cols: b.Cols}, half: b}, transB, o)
}

func (p *Pool) packAndMultiply(c, a Mat, transA bool, b rightSide, transB bool, o GemmOpt) {
	m, k, n := productShape(c, a, transA, b.mat, transB)
	checkEpilogue(c, &o.Ep)
	if m == 0 || n == 0 {
		return
	}
	q := p.orSerial()
	set := activeTiles(o.BF16)
	if q.packsAsItGoes(set, m, k, n, b, transB) {
		q.multiply(product{set: set, b: b, transB: transB, k: k, cols: n, c: c, a: a, transA: transA, load: o.Acc, finish: true, ep: o.Ep})
		p.giveBack(q)
		return
	}
	kStep, nStep := packingRound(set, k, n)
	for n0 := 0; n0 < n; n0 += nStep {
		n1 := min(n0+nStep, n)
		for k0 := 0; k0 == 0 || k0 < k; k0 += kStep {
			k1 := min(k0+kStep, k)
			stride := panelFloats(set, k1-k0)
			panels := q.panels(stride * ceilDiv(n1-n0, set.width))
			q.packPanels(set, panels, stride, b.view(transB, k0, k1, n0, n1), transB)
			q.multiply(product{
				set: set, panels: panels, panelStride: stride, k: k1 - k0, col0: n0, cols: n,
				c: c.ColSlice(n0, n1), a: opView(a, transA, 0, m, k0, k1), transA: transA,
				load: o.Acc || k0 > 0, finish: k1 == k, ep: o.Ep,
			})
		}
	}
	p.giveBack(q)
}

// Packed is the right-hand side B[K, N] of products, in the order in which the inner loop reads it. It may be used by
// several Pools at once.
type Packed struct {
	K, N int

	set    *tileSet
	stride int // floats from panel to panel
	data   []float32
}

// Pack reorders op(B) for any number of products with GemmPacked. It copies: b is not referred to afterwards. With bf16
// the copy holds bfloat16 values where HasBF16, in half the memory.
func (p *Pool) Pack(b Mat, transB bool, bf16 bool) *Packed {
	pk := new(Packed)
	p.Repack(pk, b, transB, bf16)
	return pk
}

// Repack is Pack into pk, whose memory it uses again if that is large enough. No product with pk may be running.
func (p *Pool) Repack(pk *Packed, b Mat, transB bool, bf16 bool) {
	b.check("B to be packed")
	pk.K, pk.N = b.Rows, b.Cols
	if transB {
		pk.K, pk.N = b.Cols, b.Rows
	}
	pk.set = activeTiles(bf16)
	pk.stride = panelFloats(pk.set, pk.K)
	size := pk.stride * ceilDiv(pk.N, pk.set.width)
	if cap(pk.data) < size {
		pk.data = memory.Floats(size)
	}
	pk.data = pk.data[:size]
	q := p.orSerial()
	q.packPanels(pk.set, pk.data, pk.stride, rightSide{mat: b}, transB)
	p.giveBack(q)
}

// GemmPacked is Gemm with B packed before, and A not transposed: the same bits. Whether it computes in bfloat16 was
// decided by Pack; o.BF16 is not looked at.
func (p *Pool) GemmPacked(c, a Mat, b *Packed, o GemmOpt) {
	c.check("C of a product")
	a.check("A of a product")
	if a.Cols != b.K || c.Rows != a.Rows || c.Cols != b.N {
		panic(fmt.Sprintf("kernel: product of %d×%d and packed %d×%d into %d×%d", a.Rows, a.Cols, b.K, b.N, c.Rows, c.Cols))
	}
	checkEpilogue(c, &o.Ep)
	if c.Rows == 0 || c.Cols == 0 {
		return
	}
	q := p.orSerial()
	q.multiply(product{
		set: b.set, panels: b.data, panelStride: b.stride, k: b.K, cols: b.N,
		c: c, a: a, load: o.Acc, finish: true, ep: o.Ep,
	})
	p.giveBack(q)
}

// productShape checks that the shapes of a product fit and returns its dimensions.
func productShape(c, a Mat, transA bool, b Mat, transB bool) (m, k, n int) {
	c.check("C of a product")
	a.check("A of a product")
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

// opView is rows i0 to i1 and columns j0 to j1 of op(x), as a part of x.
func opView(x Mat, trans bool, i0, i1, j0, j1 int) Mat {
	if trans {
		return x.Slice(j0, j1).ColSlice(i0, i1)
	}
	return x.Slice(i0, i1).ColSlice(j0, j1)
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

package grad

import (
	"fmt"

	"github.com/parley-lm/parley/internal/kernel"
)

// Param is a matrix that training changes, with its gradient. A vector is a matrix of one row. Operations add to Grad
// and never clear it, but for what is Stale; where Grad.Data is nil the matrix is frozen, and nothing is computed for it.
type Param struct {
	Value, Grad kernel.Mat // Value.Data is nil where the value is held in bfloat16
	// BF16 has products with Value, and for Grad, round both sides to bfloat16 and add in float32, where kernel.HasBF16;
	// elsewhere nothing changes. It is set before anything is packed.
	BF16 bool

	// Stale says that Grad holds what is over: the next gradient is written instead of added, which saves clearing it and
	// reading it back.
	Stale bool

	packed  *kernel.Packed // Value in the layout of the product x·Wᵀ; only while it does not change
	across  *kernel.Packed // Value in the layout of the product dy·W; only while it does not change
	rows    kernel.Half    // where it is held in bfloat16 and looked up, or packed as products go
	updates []*LowRank
}

// Pack lays out the value for repeated products. The value must not change until Unpack.
func (p *Param) Pack(pool *kernel.Pool) {
	if p.Value.Data != nil {
		p.packed = pool.Pack(p.Value, true, p.BF16)
	}
}

// PackAcross is Pack for the way back too: for a vocabulary layer that is frozen while others learn.
func (p *Param) PackAcross(pool *kernel.Pool) {
	switch {
	case p.Value.Data != nil:
		p.packed, p.across = pool.Pack(p.Value, true, p.BF16), pool.Pack(p.Value, false, p.BF16)
	case p.rows.Data != nil:
		p.packed, p.across = pool.PackHalf(p.rows), pool.PackHalfAcross(p.rows)
		if p.BF16 {
			p.packed, p.across = p.packed.InBF16(), p.across.InBF16()
		}
	default:
		panic("grad: PackAcross of a value that is held for use only")
	}
}

// Unpack drops what Pack and PackAcross made.
func (p *Param) Unpack() {
	if p.Value.Data != nil || p.across != nil {
		p.packed, p.across = nil, nil
	}
}

// HoldHalf takes a value in bfloat16 instead of Value, laid out for products if multiplied, and as it is if looked up, when
// the parameter keeps h. With what is laid out for products alone nothing can be recorded. What is computed has the same
// bits as with the widened value.
func (p *Param) HoldHalf(pool *kernel.Pool, h kernel.Half, multiplied, lookedUp bool) {
	p.Value, p.packed, p.rows = kernel.Mat{Rows: h.Rows, Cols: h.Cols, Stride: h.Cols}, nil, kernel.Half{}
	if multiplied {
		p.packed = pool.PackHalf(h)
		if p.BF16 {
			p.packed = p.packed.InBF16()
		}
	}
	if lookedUp {
		p.rows = h
	}
}

// mustRecord panics if the pass records and the value is held in bfloat16 for use only: a gradient could not go back
// through it.
func (p *Param) mustRecord(op string, m Mode) {
	if m.Record && p.Value.Data == nil && p.rows.Data == nil {
		panic(fmt.Sprintf("grad: %s: a parameter that is held in bfloat16 for use only on a recording tape", op))
	}
}

// addTo says whether a product adds to Grad, as it does unless that is stale, and that it is no longer.
func (p *Param) addTo() bool {
	stale := p.Stale
	p.Stale = false
	return !stale
}

// Clear makes a stale gradient zero.
func (p *Param) Clear() {
	if !p.addTo() {
		clear(p.Grad.Data)
	}
}

// usesPacked says whether products go by what Pack made: the value is the same as long as it is not trained.
func (p *Param) usesPacked(m Mode) bool { return p.packed != nil && (!m.Record || p.Grad.Data == nil) }

// multiply is y = x·Wᵀ and what o asks for.
func (p *Param) multiply(t *Tape, y, x kernel.Mat, o kernel.GemmOpt) {
	o.BF16 = p.BF16
	switch {
	case p.usesPacked(t.mode):
		t.Pool.GemmPacked(y, x, p.packed, o)
	case p.Value.Data == nil:
		t.Pool.GemmHalf(y, x, false, p.rows, true, o)
	default:
		t.Pool.Gemm(y, x, false, p.Value, true, o)
	}
}

// multiplyAcross is dx = dy·W and what o asks for.
func (p *Param) multiplyAcross(t *Tape, dx, dy kernel.Mat, o kernel.GemmOpt) {
	o.BF16 = p.BF16
	switch {
	case p.across != nil && p.Grad.Data == nil:
		t.Pool.GemmPacked(dx, dy, p.across, o)
	case p.Value.Data == nil:
		t.Pool.GemmHalf(dx, dy, false, p.rows, false, o)
	default:
		t.Pool.Gemm(dx, dy, false, p.Value, false, o)
	}
}

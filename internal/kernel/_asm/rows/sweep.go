package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

type (
	vec = reg.VecVirtual
	gp  = reg.GPVirtual
)

// lanes is the number of float32 values in a vector: those of AVX2, unless a function is made in wide form.
var lanes = 8

const wideLanes = 16

// wide emits functions for AVX-512. Only what activations use has such a form.
func wide(emit func()) {
	lanes = wideLanes
	emit()
	lanes = 8
}

// vector is a new register.
func vector() vec {
	if lanes == wideLanes {
		return ZMM()
	}
	return YMM()
}

// function begins a function that the Go side may call with slices that do not escape.
func function(name, signature, doc string) {
	TEXT(name, NOSPLIT, signature)
	Pragma("noescape")
	Doc(doc)
}

// finish ends it.
func finish() {
	VZEROUPPER()
	RET()
}

// base and length load a slice argument.
func base(name string) gp   { return Load(Param(name).Base(), GP64()).(gp) }
func length(name string) gp { return Load(Param(name).Len(), GP64()).(gp) }

// splat is a float32 argument in all lanes.
func splat(name string) vec {
	a, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	y := vector()
	VBROADCASTSS(a.Addr, y)
	return y
}

// result stores lane 0 of v as the named float32 result.
func result(v vec, name string) {
	a, err := Return(name).Resolve()
	if err != nil {
		panic(err)
	}
	VMOVSS(v.AsX(), a.Addr)
}

var constants = map[string]Mem{}

// u32 is a constant in all lanes, in memory.
func u32(v uint32) Mem {
	name := fmt.Sprintf("all_%08x", v)
	m, ok := constants[name]
	if !ok {
		m = GLOBL(name, attr.RODATA|attr.NOPTR)
		for i := range wideLanes {
			DATA(4*i, U32(v))
		}
		constants[name] = m
	}
	return m
}

func f32(v float64) Mem { return u32(math.Float32bits(float32(v))) }

// held is a constant in a register.
func held(m Mem) vec {
	y := vector()
	VMOVUPS(m, y)
	return y
}

func zero() vec {
	y := vector()
	VXORPS(y, y, y)
	return y
}

// maskTable holds ones, then zeros: reading it r values before the middle gives a mask of the first r lanes.
func maskTable() Mem {
	m, ok := constants["mask"]
	if !ok {
		m = GLOBL("mask", attr.RODATA|attr.NOPTR)
		for i := range 2 * lanes {
			DATA(4*i, U32(uint32(int32(i/lanes)-1)))
		}
		constants["mask"] = m
	}
	return m
}

// place is where in its rows a vector lies: at element index + lanes·number, all of it or the lanes of mask.
type place struct {
	index  gp
	number int
	masked bool
	mask   reg.Register // a vector of ones and zeros or, in wide form, a mask register
}

func (p place) at(row gp) Mem {
	return Mem{Base: row, Index: p.index, Scale: 4, Disp: 4 * lanes * p.number}
}

// load reads the vector of row; lanes outside it are 0.
func (p place) load(row gp) vec {
	y := vector()
	switch {
	case p.masked && lanes == wideLanes:
		VMOVUPS_Z(p.at(row), p.mask, y)
	case p.masked:
		VMASKMOVPS(p.at(row), p.mask, y)
	default:
		VMOVUPS(p.at(row), y)
	}
	return y
}

func (p place) store(y vec, row gp) {
	switch {
	case p.masked && lanes == wideLanes:
		VMOVUPS(y, p.mask, p.at(row))
	case p.masked:
		VMASKMOVPS(y, p.mask, p.at(row))
	default:
		VMOVUPS(y, p.at(row))
	}
}

// clip sets the lanes of y outside the row to 0.
func (p place) clip(y vec) {
	if p.masked {
		VANDPS(p.mask, y, y)
	}
}

var sweeps int

// sweep emits body for all of n elements: unroll vectors at a time, then one, then the lanes that are left.
func sweep(n gp, unroll int, body func(ps []place)) {
	i := GP64()
	XORQ(i, i)
	sweepFrom(i, n, unroll, body)
}

// sweepFrom is sweep that begins at element i and leaves i at n or behind it.
func sweepFrom(i, n gp, unroll int, body func(ps []place)) {
	sweeps++
	label := func(s string) string { return fmt.Sprintf("%s%d", s, sweeps) }
	id := sweeps
	name := func(s string, k int) string { return fmt.Sprintf("%s%d_%d", s, id, k) }
	done := label("done")
	for _, k := range []int{unroll, 1} {
		end := GP64()
		LEAQ(Mem{Base: i, Disp: lanes * k}, end)
		CMPQ(end, n)
		JGT(LabelRef(name("skip", k)))
		Label(name("loop", k))
		ps := make([]place, k)
		for u := range ps {
			ps[u] = place{index: i, number: u}
		}
		body(ps)
		ADDQ(U8(lanes*k), i)
		LEAQ(Mem{Base: i, Disp: lanes * k}, end)
		CMPQ(end, n)
		JLE(LabelRef(name("loop", k)))
		Label(name("skip", k))
		if k == 1 {
			break
		}
	}
	CMPQ(i, n)
	JGE(LabelRef(done))
	body([]place{{index: i, masked: true, mask: firstLanes(i, n)}})
	Label(done)
}

// firstLanes emits the mask of the first n - i lanes.
func firstLanes(i, n gp) reg.Register {
	rest := GP64()
	MOVQ(i, rest)
	if lanes == wideLanes {
		SUBQ(n, rest)
		NEGQ(rest)
		ones, mask := GP64(), K()
		MOVQ(I32(-1), ones)
		BZHIQ(rest, ones, ones)
		KMOVW(ones.As32(), mask)
		return mask
	}
	SUBQ(n, rest) // minus the number of lanes left
	table, mask := GP64(), YMM()
	LEAQ(maskTable(), table)
	VMOVUPS(Mem{Base: table, Index: rest, Scale: 4, Disp: 4 * lanes}, mask)
	return mask
}

// each turns a body for one vector into one for several.
func each(body func(p place)) func(ps []place) {
	return func(ps []place) {
		for _, p := range ps {
			body(p)
		}
	}
}

// accumulators are n zeroed registers.
func accumulators(n int) []vec {
	a := make([]vec, n)
	for i := range a {
		a[i] = zero()
	}
	return a
}

// total adds accumulators and then lanes: every lane of the result holds the sum.
func total(a []vec) vec {
	for ; len(a) > 1; a = a[:len(a)/2] {
		for i := range len(a) / 2 {
			VADDPS(a[i+len(a)/2], a[i], a[i])
		}
	}
	foldLanes(a[0], func(x, y vec) { VADDPS(x, y, y) })
	return a[0]
}

// foldLanes combines all lanes of y: op(x, y) is y = y∘x, commutative.
func foldLanes(y vec, op func(x, y vec)) {
	t := YMM()
	VPERM2F128(U8(1), y, y, t)
	op(t, y)
	VPERMILPS(U8(0x4E), y, t)
	op(t, y)
	VPERMILPS(U8(0xB1), y, t)
	op(t, y)
}

package kernel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// headNorms are the arguments and results of HeadNorm and its derivative.
type headNorms struct {
	s            AttnShape
	x, y, dy, dx Mat
	q, k, dq, dk []float32
	rstd         []float32
}

func newHeadNorms(rows, gap int, s AttnShape) *headNorms {
	r := rand.New(rand.NewPCG(uint64(rows), uint64(s.HeadDim)))
	m := func() Mat { return randomRows(r, rows, (s.Heads+2*s.KVHeads)*s.HeadDim, gap) }
	v := func(n int) []float32 { return randomRows(r, 1, n, 0).Data[:n] }
	return &headNorms{s: s, x: m(), y: m(), dy: m(), dx: m(), q: v(s.HeadDim), k: v(s.HeadDim), dq: v(s.HeadDim), dk: v(s.HeadDim),
		rstd: v(rows * (s.Heads + s.KVHeads))}
}

func (o *headNorms) run(p *Pool) {
	p.HeadNorm(o.y, o.x, o.q, o.k, o.rstd, o.s, 1e-6)
	p.HeadNormBackward(o.dx, o.dq, o.dk, o.dy, o.x, o.q, o.k, o.rstd, o.s)
}

// headByHead computes the same by RMSNorm of one head of all rows after the other.
func (o *headNorms) headByHead() {
	n, hd := o.s.Heads+o.s.KVHeads, o.s.HeadDim
	for h := range n {
		gamma, dgamma := o.q, o.dq
		if h >= o.s.Heads {
			gamma, dgamma = o.k, o.dk
		}
		head := func(m Mat) Mat { return m.ColSlice(h*hd, (h+1)*hd) }
		rstd := make([]float32, o.x.Rows)
		(*Pool)(nil).RMSNorm(head(o.y), head(o.x), gamma, rstd, 1e-6)
		(*Pool)(nil).RMSNormBackward(head(o.dx), dgamma, head(o.dy), head(o.x), gamma, rstd, false)
		for i, r := range rstd {
			o.rstd[i*n+h] = r
		}
	}
	values := n * hd
	(*Pool)(nil).Copy(o.y.ColSlice(values, o.y.Cols), o.x.ColSlice(values, o.x.Cols))
	(*Pool)(nil).Copy(o.dx.ColSlice(values, o.dx.Cols), o.dy.ColSlice(values, o.dy.Cols))
}

func (o *headNorms) same(t *testing.T, what string, want *headNorms) {
	t.Helper()
	for name, pair := range map[string][2][]float32{"y": {o.y.Data, want.y.Data}, "dx": {o.dx.Data, want.dx.Data}, "rstd": {o.rstd, want.rstd},
		"dq": {o.dq, want.dq}, "dk": {o.dk, want.dk}} {
		sameBits(t, what+": "+name, pair[0], pair[1])
	}
}

var headShapes = []AttnShape{{Heads: 4, KVHeads: 4, HeadDim: 32}, {Heads: 6, KVHeads: 2, HeadDim: 5}, {Heads: 1, KVHeads: 1, HeadDim: 1}, {Heads: 3, KVHeads: 1, HeadDim: 75}}

// What lies between the rows of wider matrices is compared as well: it stays.
func TestHeadNormIsRMSNormOfEachHead(t *testing.T) {
	for _, isa := range Available() {
		t.Run(isa.String(), func(t *testing.T) {
			defer SetISA(isa)()
			pools := []*Pool{nil, NewPool(1), NewPool(2), NewPool(3), NewPool(8)}
			for _, s := range headShapes {
				for _, rows := range []int{0, 1, 31, 33, 700, 2100} {
					want := newHeadNorms(rows, 3, s)
					want.headByHead()
					for _, p := range pools {
						got := newHeadNorms(rows, 3, s)
						got.run(p)
						got.same(t, fmt.Sprintf("%d rows of %v, %d threads", rows, s, p.Threads()), want)
					}
				}
			}
			for _, p := range pools {
				p.Close()
			}
		})
	}
}

func TestHeadNormInPlaceAndWithoutGradientsOfGamma(t *testing.T) {
	var p *Pool
	for _, s := range headShapes {
		apart, inPlace := newHeadNorms(90, 0, s), newHeadNorms(90, 0, s)
		apart.run(p)
		dq := slices.Clone(inPlace.dq)
		p.HeadNormBackward(inPlace.dy, nil, inPlace.dk, inPlace.dy, inPlace.x, inPlace.q, inPlace.k, apart.rstd, s)
		p.HeadNorm(inPlace.x, inPlace.x, inPlace.q, inPlace.k, inPlace.rstd, s, 1e-6)
		sameBits(t, "y", inPlace.x.Data, apart.y.Data)
		sameBits(t, "dx", inPlace.dy.Data, apart.dx.Data)
		sameBits(t, "dk", inPlace.dk, apart.dk)
		sameBits(t, "dq that is not wanted", inPlace.dq, dq)
	}
}

func TestHeadNormDoesNotDependOnOtherRows(t *testing.T) {
	for _, isa := range Available() {
		t.Run(isa.String(), func(t *testing.T) {
			defer SetISA(isa)()
			for _, s := range headShapes {
				o, n := newHeadNorms(70, 2, s), s.Heads+s.KVHeads
				o.run(nil)
				alone := newHeadNorms(70, 2, s)
				for i := range 70 {
					one := *alone
					one.x, one.y, one.dy, one.dx = one.x.Slice(i, i+1), one.y.Slice(i, i+1), one.dy.Slice(i, i+1), one.dx.Slice(i, i+1)
					one.rstd = one.rstd[i*n : (i+1)*n]
					one.run(nil)
				}
				sameBits(t, "y", alone.y.Data, o.y.Data)
				sameBits(t, "dx", alone.dx.Data, o.dx.Data)
			}
		})
	}
}

func TestHeadNormDoesNotAllocate(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	o := newHeadNorms(300, 2, headShapes[1])
	if n := testing.AllocsPerRun(20, func() { o.run(p) }); n != 0 {
		t.Errorf("allocates %v times", n)
	}
}

package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// truthGemm adds the product in float64, summed in order of k, to c, and the sums of magnitudes to bound.
func truthGemm(c, bound []float64, a Mat, transA bool, b Mat, transB bool, m, k, n int) {
	for i := range m {
		for j := range n {
			for l := range k {
				x := float64(element(a, transA, i, l)) * float64(element(b, transB, l, j))
				c[i*n+j] += x
				bound[i*n+j] += math.Abs(x)
			}
		}
	}
}

// element is element (i, j) of op(x).
func element(x Mat, trans bool, i, j int) float32 {
	if trans {
		i, j = j, i
	}
	return x.Data[i*x.Stride+j]
}

// randomOperand is a matrix whose op is rows×cols, with a stride beyond its columns and an unaligned begin if gap is not 0.
func randomOperand(rng *rand.Rand, rows, cols int, trans bool, gap int) Mat {
	if trans {
		rows, cols = cols, rows
	}
	stride := cols + gap
	data := make([]float32, rows*stride+gap)
	for i := range data {
		data[i] = float32(rng.NormFloat64())
	}
	return Mat{Data: data[gap:], Rows: rows, Cols: cols, Stride: stride}
}

// precisions is the values of GemmOpt.BF16 that make a difference.
func precisions() []bool {
	if HasBF16() {
		return []bool{false, true}
	}
	return []bool{false}
}

func sameMatBits(a, b Mat) error {
	for i := range a.Rows {
		for j, x := range a.Row(i) {
			y := b.Row(i)[j]
			if math.Float32bits(x) != math.Float32bits(y) && (x == x || y == y) {
				return fmt.Errorf("element (%d, %d) is %v and %v", i, j, x, y)
			}
		}
	}
	return nil
}

// dims are the sizes that each of M, N and K takes in tests: nothing, one, all remainders of all tiles, several blocks.
var (
	testRows  = []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 17, 18, 19, 23, 24, 25, 97, 110}
	testCols  = []int{0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 130}
	testDepth = []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 17, 255, 256, 257, 600}
)

func TestGemmIsTheProduct(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	onEveryISA(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 2))
		check := func(m, k, n int, variant int) {
			t.Helper()
			if m*k*n > 400_000 && k > 300 {
				k %= 50 // large in one dimension at a time, to be quick
			}
			transA, transB, acc, gap := variant&1 != 0, variant&2 != 0, variant&4 != 0, variant>>3&1*5
			a, b, c := randomOperand(rng, m, k, transA, gap), randomOperand(rng, k, n, transB, gap), randomOperand(rng, m, n, false, gap)
			want := make([]float64, m*n)
			bound := make([]float64, m*n)
			if acc {
				for i := range m {
					for j, x := range c.Row(i) {
						want[i*n+j] = float64(x)
					}
				}
			}
			truthGemm(want, bound, a, transA, b, transB, m, k, n)
			before := cloneMat(c)
			pool.Gemm(c, a, transA, b, transB, GemmOpt{Acc: acc})
			for i := range m {
				for j, got := range c.Row(i) {
					tol := 1e-6 + 1e-6*bound[i*n+j]
					if d := math.Abs(float64(got) - want[i*n+j]); !(d <= tol) {
						t.Fatalf("%d×%d×%d, variant %04b: C[%d,%d] = %v, want %v", m, k, n, variant, i, j, got, want[i*n+j])
					}
				}
			}
			// Nothing beside C may change.
			for i := range c.Data {
				if c.Stride > 0 && i%c.Stride >= c.Cols && c.Data[i] != before.Data[i] {
					t.Fatalf("%d×%d×%d, variant %04b: the gap of C's rows was written", m, k, n, variant)
				}
			}
		}
		variant := 0
		for _, m := range testRows {
			for _, n := range testCols {
				check(m, testDepth[variant%len(testDepth)], n, variant%16)
				variant += 7
			}
			for _, k := range testDepth {
				check(m, k, testCols[variant%len(testCols)], variant%16)
				variant += 5
			}
		}
		for variant := range 16 {
			check(37, 261, 83, variant)
			check(6, 8, 16, variant)
			check(150, 257, 40, variant)
			check(14, 1100, 70, variant)
			check(1, 129, 200, variant)
			if variant&8 == 0 {
				check(15, 261, 1024, variant) // rows of C, or A, that alias in cache go through a copy
				check(13, 1024, 66, variant)
				check(531, 260, 18, variant) // a wide transposed A is packed
			}
		}
	})
}

func TestGemmSameBitsOnEveryISAWithFMA(t *testing.T) {
	isas := Available()
	if len(isas) < 3 {
		t.Skip("this processor has one instruction set with fused multiply-add only")
	}
	rng := rand.New(rand.NewPCG(3, 4))
	a, b := randomOperand(rng, 61, 300, false, 1), randomOperand(rng, 300, 77, true, 3)
	var first Mat
	for _, isa := range isas[1:] {
		restore := SetISA(isa)
		c := NewMat(make([]float32, 61*77), 61, 77)
		(*Pool)(nil).Gemm(c, a, false, b, true, GemmOpt{})
		restore()
		if first.Data == nil {
			first = c
		} else if err := sameMatBits(first, c); err != nil {
			t.Fatalf("%v: %v", isa, err)
		}
	}
}

// fullEpilogue is an epilogue with all its parts for an m×n product.
func fullEpilogue(rng *rand.Rand, m, n int, act Activation) Epilogue {
	bias := make([]float32, n)
	for i := range bias {
		bias[i] = float32(rng.NormFloat64())
	}
	return Epilogue{
		Bias: bias, Act: act,
		Pre:      NewMat(make([]float32, m*n), m, n),
		Drop:     Dropout{Rate: 0.3, Key: [2]uint32{1, 2}, Ctr: [3]uint32{3, 4, 5}},
		Residual: randomOperand(rng, m, n, false, 2),
	}
}

func TestGemmEpilogue(t *testing.T) {
	onEveryISA(t, func(t *testing.T) {
		pool := NewPool(2)
		defer pool.Close()
		rng := rand.New(rand.NewPCG(5, 6))
		for _, s := range [][3]int{{1, 5, 3}, {7, 40, 33}, {130, 300, 700}, {3, 1, 16}, {50, 0, 20}} {
			m, k, n := s[0], s[1], s[2]
			for act := None; act <= Tanh; act++ {
				a, b := randomOperand(rng, m, k, false, 0), randomOperand(rng, k, n, true, 0)
				ep := fullEpilogue(rng, m, n, act)
				want, pre := NewMat(make([]float32, m*n), m, n), NewMat(make([]float32, m*n), m, n)
				pool.Gemm(want, a, false, b, true, GemmOpt{})
				for i := range m {
					pool.Add(want.Slice(i, i+1), want.Slice(i, i+1), NewMat(ep.Bias, 1, n))
				}
				pool.Copy(pre, want)
				pool.Activate(want, want, act)
				pool.Dropout(want, want, ep.Drop)
				pool.Add(want, want, ep.Residual)
				got := NewMat(make([]float32, m*n), m, n)
				pool.Gemm(got, a, false, b, true, GemmOpt{Ep: ep})
				if err := sameMatBits(want, got); err != nil {
					t.Fatalf("%v, activation %d: result: %v", s, act, err)
				}
				if err := sameMatBits(pre, ep.Pre); err != nil {
					t.Fatalf("%v, activation %d: before the activation: %v", s, act, err)
				}
			}
		}
	})
}

// Law 1, and packed against unpacked.
func TestGemmRowAloneHasTheBitsOfItsBatch(t *testing.T) {
	onEveryISA(t, func(t *testing.T) {
		for _, bf16 := range precisions() {
			pool := NewPool(2)
			defer pool.Close()
			rng := rand.New(rand.NewPCG(7, 8))
			for _, s := range [][3]int{{40, 300, 83}, {100, 128, 130}, {9, 5, 16}, {36, 2047, 66}, {1100, 700, 35}} {
				m, k, n := s[0], s[1], s[2]
				a, b := randomOperand(rng, m, k, false, 1), randomOperand(rng, k, n, true, 0)
				ep := fullEpilogue(rng, m, n, GELU)
				ep.Pre, ep.Drop = Mat{}, Dropout{}
				all := NewMat(make([]float32, m*n), m, n)
				pool.Gemm(all, a, false, b, true, GemmOpt{Ep: ep, BF16: bf16})
				packed := pool.Pack(b, true, bf16)
				part := NewMat(make([]float32, m*n), m, n)
				for _, rows := range []int{1, 2, 3, 4, 5, 7, 11, 13, 25, m} {
					clear(part.Data)
					for r := 0; r < m; r += rows {
						r1 := min(r+rows, m)
						if m > 200 && r > 40 && rows < m {
							copy(part.Data[r*n:r1*n], all.Data[r*n:])
							continue
						}
						e := ep
						e.Residual = ep.Residual.Slice(r, r1)
						pool.GemmPacked(part.Slice(r, r1), a.Slice(r, r1), packed, GemmOpt{Ep: e})
					}
					if err := sameMatBits(all, part); err != nil {
						t.Fatalf("%v in parts of %d rows: %v", s, rows, err)
					}
				}
			}
		}
	})
}

// Law 2.
func TestGemmSameBitsOnAnyNumberOfThreads(t *testing.T) {
	onEveryISA(t, func(t *testing.T) {
		for _, bf16 := range precisions() {
			for variant := range 8 {
				transA, transB, acc := variant&1 != 0, variant&2 != 0, variant&4 != 0
				for _, s := range [][3]int{{150, 260, 83}, {1, 700, 500}, {900, 33, 40}, {20, 257, 1024}, {14, 1300, 300}} {
					rng := rand.New(rand.NewPCG(9, 10))
					m, k, n := s[0], s[1], s[2]
					a, b := randomOperand(rng, m, k, transA, 0), randomOperand(rng, k, n, transB, 1)
					start := randomOperand(rng, m, n, false, 0)
					ep := fullEpilogue(rng, m, n, ReLU)
					var first Mat
					for _, threads := range []int{1, 2, 3, 8} {
						pool := NewPool(threads)
						c := cloneMat(start)
						pool.Gemm(c, a, transA, b, transB, GemmOpt{Acc: acc, BF16: bf16, Ep: ep})
						pool.Close()
						if first.Data == nil {
							first = c
						} else if err := sameMatBits(first, c); err != nil {
							t.Fatalf("%v, variant %03b, %d threads: %v", s, variant, threads, err)
						}
					}
				}
			}
		}
	})
}

func TestGemmSameBitsForEveryBlocking(t *testing.T) {
	chosen := blocks
	defer func() { blocks = chosen }()
	pool := NewPool(2)
	defer pool.Close()
	onEveryISA(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(19, 20))
		for _, s := range [][3]int{{310, 70, 83}, {700, 40, 96}, {20, 300, 1024}, {160, 1100, 135}} {
			m, k, n := s[0], s[1], s[2]
			for variant := range 8 {
				transA, transB, acc := variant&1 != 0, variant&2 != 0, variant&4 != 0
				a, b := randomOperand(rng, m, k, transA, 0), randomOperand(rng, k, n, transB, 1)
				start := randomOperand(rng, m, n, false, 0)
				ep := fullEpilogue(rng, m, n, ReLU)
				var first Mat
				for _, blocks = range []blocking{{16, 24, 1, 16, 16}, blockingFor(0), blockingFor(2 << 20)} {
					c := cloneMat(start)
					pool.Gemm(c, a, transA, b, transB, GemmOpt{Acc: acc, Ep: ep})
					if first.Data == nil {
						first = c
					} else if err := sameMatBits(first, c); err != nil {
						t.Fatalf("%v, variant %03b, %+v: %v", s, variant, blocks, err)
					}
				}
			}
		}
	})
}

// A product that Gemm has to pack in several rounds, of columns and of k.
func TestGemmInRounds(t *testing.T) {
	for _, s := range [][3]int{{3, 300, 9000}, {5, roundFloats/16 + 700, 20}} {
		rng := rand.New(rand.NewPCG(11, 12))
		m, k, n := s[0], s[1], s[2]
		a, b := randomOperand(rng, m, k, false, 0), randomOperand(rng, k, n, false, 0)
		ep := fullEpilogue(rng, m, n, SiLU)
		ep.Pre = Mat{}
		c, d := NewMat(make([]float32, m*n), m, n), NewMat(make([]float32, m*n), m, n)
		pool := NewPool(2)
		pool.Gemm(c, a, false, b, false, GemmOpt{Ep: ep})
		pool.GemmPacked(d, a, pool.Pack(b, false, false), GemmOpt{Ep: ep})
		pool.Close()
		if err := sameMatBits(c, d); err != nil {
			t.Fatalf("%v: %v", s, err)
		}
	}
}

func TestGemmPropagatesNaNAndInf(t *testing.T) {
	onEveryISA(t, func(t *testing.T) {
		const m, k, n = 13, 37, 35
		for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
			a, b := NewMat(make([]float32, m*k), m, k), NewMat(make([]float32, k*n), k, n)
			for i := range a.Data {
				a.Data[i] = 1
			}
			for i := range b.Data {
				b.Data[i] = 1
			}
			a.Row(5)[36] = bad
			b.Row(11)[34] = bad
			c := NewMat(make([]float32, m*n), m, n)
			(*Pool)(nil).Gemm(c, a, false, b, false, GemmOpt{})
			for i := range m {
				for j, got := range c.Row(i) {
					want := float32(k)
					if i == 5 || j == 34 {
						want = bad + 36
					}
					if got != want && !(want != want && got != got) {
						t.Fatalf("with %v, C[%d,%d] = %v, want %v", bad, i, j, got, want)
					}
				}
			}
		}
	})
}

func TestGemmAllocatesNothingOnceWarm(t *testing.T) {
	onEveryISA(t, func(t *testing.T) {
		pool := NewPool(2)
		defer pool.Close()
		rng := rand.New(rand.NewPCG(13, 14))
		m, k, n := 60, 300, 130
		a, b := randomOperand(rng, m, k, false, 0), randomOperand(rng, k, n, true, 0)
		aT := randomOperand(rng, m, k, true, 0)
		c := NewMat(make([]float32, m*n), m, n)
		packed := pool.Pack(b, true, false)
		ep := fullEpilogue(rng, m, n, GELU)
		if got := testing.AllocsPerRun(20, func() {
			pool.Gemm(c, a, false, b, true, GemmOpt{Ep: ep})
			pool.Gemm(c, aT, true, b, true, GemmOpt{Acc: true})
			pool.GemmPacked(c, a, packed, GemmOpt{})
			pool.Repack(packed, b, true, false)
		}); got != 0 {
			t.Errorf("%v allocations", got)
		}
	})
}

func TestGemmPanicsOnShapesThatDoNotFit(t *testing.T) {
	mat := func(r, c int) Mat { return NewMat(make([]float32, r*c), r, c) }
	for name, f := range map[string]func(){
		"inner": func() { (*Pool)(nil).Gemm(mat(2, 2), mat(2, 3), false, mat(4, 2), false, GemmOpt{}) },
		"outer": func() { (*Pool)(nil).Gemm(mat(2, 3), mat(2, 3), false, mat(3, 2), false, GemmOpt{}) },
		"bias": func() {
			(*Pool)(nil).Gemm(mat(2, 2), mat(2, 3), false, mat(3, 2), false, GemmOpt{Ep: Epilogue{Bias: make([]float32, 3)}})
		},
		"residual": func() {
			(*Pool)(nil).Gemm(mat(2, 2), mat(2, 3), false, mat(3, 2), false, GemmOpt{Ep: Epilogue{Residual: mat(1, 2)}})
		},
		"memory": func() {
			(*Pool)(nil).Gemm(Mat{Data: make([]float32, 3), Rows: 2, Cols: 2, Stride: 2}, mat(2, 3), false, mat(3, 2), false, GemmOpt{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}

// Where the processor has no bfloat16 the option changes nothing; where it has, the result is that of the product of the
// rounded operands up to the rounding of sums.
func TestGemmBF16(t *testing.T) {
	onEveryISA(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(15, 16))
		for _, s := range [][3]int{{1, 1, 1}, {3, 5, 33}, {40, 301, 83}, {13, 512, 130}} {
			for variant := range 4 {
				m, k, n := s[0], s[1], s[2]
				transA, transB := variant&1 != 0, variant&2 != 0
				a, b := randomOperand(rng, m, k, transA, 1), randomOperand(rng, k, n, transB, 1)
				got, want := NewMat(make([]float32, m*n), m, n), NewMat(make([]float32, m*n), m, n)
				(*Pool)(nil).Gemm(got, a, transA, b, transB, GemmOpt{BF16: true})
				if HasBF16() {
					for _, x := range []Mat{a, b} {
						for i, v := range x.Data {
							x.Data[i] = math.Float32frombits(uint32(roundBF16(v)) << 16)
						}
					}
				}
				(*Pool)(nil).Gemm(want, a, transA, b, transB, GemmOpt{})
				if !HasBF16() {
					if err := sameMatBits(got, want); err != nil {
						t.Fatal(err)
					}
					continue
				}
				for i, x := range got.Data {
					if d := math.Abs(float64(x - want.Data[i])); !(d <= 1e-4*float64(k)) {
						t.Fatalf("%v, variant %02b: element %d is %v, want %v", s, variant, i, x, want.Data[i])
					}
				}
			}
		}
	})
}

// The fast forms of rounding give the bits of the plain one, whatever the shape and the values.
func TestRoundingOfRowsIsThatOfValues(t *testing.T) {
	onEveryISA(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(17, 18))
		inRows, inTiles := tileSet{}, tileSet{byTiles: true}
		for _, rows := range []int{0, 1, 2, 3, 35} {
			for _, cols := range []int{0, 1, 2, 15, 16, 17, 31, 32, 33, 100, 520} {
				x := randomOperand(rng, rows, cols, false, 3)
				for i := range x.Data {
					if i%3 == 0 {
						x.Data[i] = math.Float32frombits(rng.Uint32()) // of any kind
					}
				}
				y := (*Pool)(nil).orSerial().round(&inRows, x, false)
				for i := range rows {
					for j, got := range halves(y.Row(i)) {
						if want := roundedAt(x, i, j); got != want {
							t.Fatalf("%d×%d: (%d, %d) is %#x, want %#x", rows, cols, i, j, got, want)
						}
					}
				}
				y = (*Pool)(nil).orSerial().round(&inRows, x, true)
				for i := range y.Rows {
					for j, got := range halves(y.Row(i)) {
						if want := roundedAt(x, 2*i+j%2, j/2); got != want {
							t.Fatalf("%d×%d transposed: (%d, %d) is %#x, want %#x", rows, cols, 2*i+j%2, j/2, got, want)
						}
					}
				}
				for i := range x.Data {
					if math.Abs(float64(x.Data[i])) < 2e-38 {
						x.Data[i] = 0 // which tiles take such values for
					}
				}
				for _, trans := range []bool{false, true} {
					y = (*Pool)(nil).orSerial().round(&inTiles, x, trans)
					m, k := x.Rows, x.Cols
					if trans {
						m, k = k, m
					}
					for i := range m {
						for j := range (k + 1) / 2 * 2 {
							want := roundedAt(x, i, j)
							if trans {
								want = roundedAt(x, j, i)
							}
							if got := halves(y.Row(i / 16)[j/32*256+i%16*16:])[j%32]; got != want {
								t.Fatalf("%d×%d in tiles, transposed %v: (%d, %d) is %#x, want %#x", rows, cols, trans, i, j, got, want)
							}
						}
					}
				}
			}
		}
	})
}

// roundedAt is element (i, j) rounded, 0 outside of x.
func roundedAt(x Mat, i, j int) uint16 {
	if i >= x.Rows || j >= x.Cols {
		return 0
	}
	return roundBF16(x.Row(i)[j])
}

func TestRoundBF16(t *testing.T) {
	for _, c := range []struct{ in, want uint32 }{
		{0x3f800000, 0x3f80}, {0x3f808000, 0x3f80}, {0x3f818000, 0x3f82}, {0x3f808001, 0x3f81}, {0x3f807fff, 0x3f80},
		{0x7f7fffff, 0x7f80}, {0x7f800000, 0x7f80}, {0xff800000, 0xff80}, {0x80000000, 0x8000}, {0x00000001, 0},
		{0x7fc00000, 0x7fc0}, {0x7f800001, 0x7fc0}, {0xffffffff, 0xffff},
	} {
		if got := roundBF16(math.Float32frombits(c.in)); uint32(got) != c.want {
			t.Errorf("%#x is rounded to %#x, want %#x", c.in, got, c.want)
		}
	}
}

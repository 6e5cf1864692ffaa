package nn

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/internal/memory"
)

// Param is a named parameter as a checkpoint stores it. Data and Grad are views into the memory of its [Store], row-major.
type Param struct {
	Name  string
	Shape []int // [out, in] for a matrix, [n] for a vector
	Data  []float32
	Grad  []float32 // nil until Store.Trainable
	// Lookup says that rows are looked up by id: an embedding, or the output layer. Optimisers that see a matrix as a map
	// of vectors leave these alone.
	Lookup bool
	// Aside says that the parameter serves training alone, and has no place in the files of a model.
	Aside bool
	// Rate is what the learning rate is multiplied by for this parameter where Adam moves it; 0: 1.
	Rate float64
	// Transposed says that checkpoints store the transpose, [in, out], as GPT-2's Conv1D does. Shape and Data do not.
	Transposed bool
	init       Init
}

// StoredShape returns the shape in a checkpoint.
func (p *Param) StoredShape() []int {
	if p.Transposed {
		return []int{p.Shape[1], p.Shape[0]}
	}
	return p.Shape
}

// Decays reports whether weight decay applies: to matrices, not to vectors.
func (p *Param) Decays() bool { return len(p.Shape) >= 2 }

// LearningRate returns what the learning rate is multiplied by for this parameter.
func (p *Param) LearningRate() float64 {
	if p.Rate == 0 {
		return 1
	}
	return p.Rate
}

// Size returns the number of elements.
func (p *Param) Size() int {
	n := 1
	for _, d := range p.Shape {
		n *= d
	}
	return n
}

// Init fills a fresh parameter of rows × cols elements.
type Init func(rng *rand.Rand, data []float32, rows, cols int)

// Zeros and Ones are the starts of biases and of the weights of norms.
func Zeros(_ *rand.Rand, data []float32, _, _ int) { clear(data) }

// Ones fills with 1.
func Ones(_ *rand.Rand, data []float32, _, _ int) {
	for i := range data {
		data[i] = 1
	}
}

// Normal draws from a normal distribution around 0.
func Normal(std float64) Init {
	return func(rng *rand.Rand, data []float32, _, _ int) {
		for i := range data {
			data[i] = float32(std * rng.NormFloat64())
		}
	}
}

// Xavier draws uniformly from ±gain·√(6/(in+out)) (Glorot and Bengio 2010).
func Xavier(gain float64) Init {
	return func(rng *rand.Rand, data []float32, rows, cols int) {
		a := gain * math.Sqrt(6/float64(rows+cols))
		for i := range data {
			data[i] = float32(a * (2*rng.Float64() - 1))
		}
	}
}

// Store owns the parameters of one model in one piece of memory, and their gradients in another, in the order in which
// layers asked for them. Layers ask while the model is built; [Store.Allocate] then gives them memory.
type Store struct {
	params []*Param
	blocks []block
	values []float32
	grads  []float32
	half   bool // matrices are held in bfloat16
}

// block is one matrix that operations use; it may hold several parameters one under the other.
type block struct {
	whole      *grad.Param
	parts      []*Param
	rows, cols int
	use        Use
	start      int // in Store.values
}

// Use says what is done with a matrix.
type Use uint8

// The uses of a table, of which it may have several: rows are looked up by id; it is multiplied with, as an output layer is;
// rows are looked up by position and added to others. One that is Small besides is held in float32 in any case.
const (
	LookedUp Use = 1 << iota
	Multiplied
	Added
	Small
)

// Matrix asks for a parameter of shape [rows, cols].
func (s *Store) Matrix(name string, rows, cols int, init Init) *grad.Param {
	return s.Stacked([]string{name}, []int{rows}, cols, init)
}

// Table is Matrix for parameters that are a row for each id or position, and says what they are used for.
func (s *Store) Table(name string, rows, cols int, use Use, init Init) *grad.Param {
	m := s.Matrix(name, rows, cols, init)
	s.params[len(s.params)-1].Lookup = true
	s.blocks[len(s.blocks)-1].use = use
	return m
}

// Conv1D is Matrix for parameters that checkpoints store transposed, [cols, rows].
func (s *Store) Conv1D(name string, rows, cols int, init Init) *grad.Param {
	m := s.Matrix(name, rows, cols, init)
	s.params[len(s.params)-1].Transposed = true
	return m
}

// Aside is Matrix for a parameter that serves training alone.
func (s *Store) Aside(name string, rows, cols int, init Init) *grad.Param {
	m := s.Table(name, rows, cols, Multiplied, init)
	s.params[len(s.params)-1].Aside = true
	return m
}

// Vector asks for a parameter of shape [n].
func (s *Store) Vector(name string, n int, init Init) *grad.Param {
	return s.StackedVectors([]string{name}, []int{n}, init)
}

// Stacked asks for several matrices of equal width that one product uses together, such as the projections to queries,
// keys and values. They are parameters of their own in files, and one matrix to the operations.
func (s *Store) Stacked(names []string, rows []int, cols int, init Init) *grad.Param {
	parts, total := make([]*Param, len(names)), 0
	for i, name := range names {
		parts[i] = &Param{Name: name, Shape: []int{rows[i], cols}, init: init}
		total += rows[i]
	}
	return s.add(parts, total, cols)
}

// StackedVectors is Stacked for vectors laid end to end.
func (s *Store) StackedVectors(names []string, sizes []int, init Init) *grad.Param {
	parts, total := make([]*Param, len(names)), 0
	for i, name := range names {
		parts[i] = &Param{Name: name, Shape: []int{sizes[i]}, init: init}
		total += sizes[i]
	}
	return s.add(parts, 1, total)
}

func (s *Store) add(parts []*Param, rows, cols int) *grad.Param {
	b := block{whole: new(grad.Param), parts: parts, rows: rows, cols: cols}
	if len(parts[0].Shape) == 2 {
		b.use = Multiplied
	}
	s.blocks = append(s.blocks, b)
	s.params = append(s.params, parts...)
	return b.whole
}

// Allocate gives every parameter its memory, all zero. It is called once, when the model is built.
func (s *Store) Allocate() {
	total := 0
	for i := range s.blocks {
		s.blocks[i].start = total
		total += (s.blocks[i].rows*s.blocks[i].cols + 15) / 16 * 16
	}
	s.values = memory.Floats(total)
	for _, b := range s.blocks {
		s.place(b)
	}
}

// AllocateMore is Allocate for a store that had its memory before more parameters were asked for: the others keep their values.
func (s *Store) AllocateMore() {
	if s.half || s.grads != nil {
		panic("nn: more parameters in a store that is trained, or held in bfloat16")
	}
	before := s.values
	s.Allocate()
	copy(s.values, before)
}

// place points a block and its parts to their memory.
func (s *Store) place(b block) {
	b.whole.Value = kernel.NewMat(s.values[b.start:b.start+b.rows*b.cols], b.rows, b.cols)
	at := b.start
	for _, p := range b.parts {
		p.Data = s.values[at : at+p.Size() : at+p.Size()]
		at += p.Size()
	}
}

// AllocateHalf is Allocate for a model that is only used, with its matrices held in bfloat16: laid out for products or
// lookups, whichever they serve. fill writes each of these parameters, [out, in], and its Data stays nil; all others get
// memory as in Allocate, for the caller to fill. The bits that the model computes are those of the widened values.
func (s *Store) AllocateHalf(pool *kernel.Pool, fill func(p *Param, to kernel.Half) error) error {
	return s.allocateHalf(fill, func(b *block, h kernel.Half) (kept bool) {
		b.whole.HoldHalf(pool, h, b.use&Multiplied != 0, b.use&LookedUp != 0)
		return b.use&LookedUp != 0
	})
}

// AllocateFrozenHalf is [Store.AllocateHalf] for a model that does not change while a LoRA learns: gradients can go back
// through its matrices. Each lies in memory once, and is laid out for products as they go.
func (s *Store) AllocateFrozenHalf(fill func(p *Param, to kernel.Half) error) error {
	return s.allocateHalf(fill, func(b *block, h kernel.Half) (kept bool) {
		b.whole.HoldHalf(nil, h, false, true)
		return true
	})
}

func (s *Store) allocateHalf(fill func(p *Param, to kernel.Half) error, hold func(b *block, h kernel.Half) (kept bool)) error {
	total := 0
	for i := range s.blocks {
		if b := &s.blocks[i]; b.staysFloat() {
			b.start = total
			total += (b.rows*b.cols + 15) / 16 * 16
		}
	}
	s.values, s.half = memory.Floats(total), true
	var spare kernel.Half // of a matrix that is only multiplied, which packing copies
	for i := range s.blocks {
		b := &s.blocks[i]
		if b.staysFloat() {
			s.place(*b)
			continue
		}
		h := kernel.Half{Data: spare.Data, Rows: b.rows, Cols: b.cols}
		if places := b.rows * ((b.cols + 1) / 2); b.use&LookedUp != 0 || len(spare.Data) < places || b.cols%2 == 1 {
			h = kernel.NewHalf(b.rows, b.cols)
		}
		row := 0
		for _, p := range b.parts {
			if err := fill(p, h.Slice(row, row+p.Shape[0])); err != nil {
				return err
			}
			row += p.Shape[0]
		}
		if kept := hold(b, h); !kept && len(h.Data) > len(spare.Data) {
			spare = h
		}
	}
	return nil
}

// staysFloat says whether a block is float32 in any case: vectors, what is added as it is, and what is small.
func (b *block) staysFloat() bool { return b.use&^Added == 0 || b.use&Small != 0 }

// Initialize fills every parameter as its layer wants it. Each parameter has its own random numbers, from the seed and
// its place, so that adding a layer leaves the others' values alone.
func (s *Store) Initialize(seed uint64) {
	for i, p := range s.params {
		rows, cols := 1, p.Shape[0]
		if len(p.Shape) == 2 {
			rows, cols = p.Shape[0], p.Shape[1]
		}
		p.init(rand.New(rand.NewPCG(seed, uint64(i))), p.Data, rows, cols)
	}
}

// Trainable gives every parameter a gradient, zero.
func (s *Store) Trainable() {
	if s.grads != nil {
		return
	}
	if s.half {
		panic("nn: gradients of parameters that are held in bfloat16")
	}
	s.grads = memory.Floats(len(s.values))
	for _, b := range s.blocks {
		b.whole.Grad = kernel.NewMat(s.grads[b.start:b.start+b.rows*b.cols], b.rows, b.cols)
		at := b.start
		for _, p := range b.parts {
			p.Grad = s.grads[at : at+p.Size() : at+p.Size()]
			at += p.Size()
		}
	}
}

// UseBF16 has products with matrices computed in bfloat16, training and using alike: twice as fast, where [kernel.HasBF16].
// Elsewhere it changes nothing. It is called before AllocateHalf, Pack or PackAcross.
func (s *Store) UseBF16() {
	for _, b := range s.blocks {
		b.whole.BF16 = true
	}
}

// UsesBF16 says whether products with matrices are computed in bfloat16.
func (s *Store) UsesBF16() bool { return len(s.blocks) > 0 && s.blocks[0].whole.BF16 }

// Half says whether matrices are held in bfloat16.
func (s *Store) Half() bool { return s.half }

// Pack lays all matrices out for repeated products with unchanging weights; Unpack drops that.
func (s *Store) Pack(pool *kernel.Pool) {
	for _, b := range s.blocks {
		if b.use&Multiplied != 0 {
			b.whole.Pack(pool)
		}
	}
}

// Unpack drops what Pack made.
func (s *Store) Unpack() {
	for _, b := range s.blocks {
		b.whole.Unpack()
	}
}

// Params returns the parameters in the order of their memory.
func (s *Store) Params() []*Param { return s.params }

// Values returns the memory of all parameters, and Grads of all gradients (nil before Trainable). Both have the same
// layout: parameter after parameter, with up to 15 floats of zero between.
func (s *Store) Values() []float32 { return s.values }

// Grads is explained at Values.
func (s *Store) Grads() []float32 {
	for _, b := range s.blocks {
		b.whole.Clear()
	}
	return s.grads
}

// ClearGrads makes all gradients zero, as far as operations and Grads are concerned: those of layers' matrices stay as they are
// until they are written.
func (s *Store) ClearGrads() {
	for _, b := range s.blocks {
		if b.whole.Grad.Data == nil {
			continue
		}
		if b.whole.Stale = b.use == Multiplied && !b.parts[0].Lookup; !b.whole.Stale {
			clear(b.whole.Grad.Data)
		}
	}
}

// Offset returns where p begins in Values.
func (s *Store) Offset(p *Param) int {
	for _, b := range s.blocks {
		at := b.start
		for _, q := range b.parts {
			if q == p {
				return at
			}
			at += q.Size()
		}
	}
	panic(fmt.Sprintf("nn: parameter %s of another store", p.Name))
}

// Count returns the number of trained numbers.
func (s *Store) Count() int {
	n := 0
	for _, p := range s.params {
		n += p.Size()
	}
	return n
}

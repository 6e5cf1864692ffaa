package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/parley-lm/parley/grad"
	"github.com/parley-lm/parley/internal/kernel"
)

// LoRA is a low-rank update of some matrices of a store that stays as it is (Hu et al. 2021): linear layers compute with
// W + Scale·B·A, where A is [rank, in] and B is [out, rank], and W itself is neither changed nor differentiated. Several may
// act on a store at a time; what they add, adds up.
//
// Its own parameters are a store like that of a model: to be trained, averaged and written in the same way. They are named
// as PEFT names them in files.
type LoRA struct {
	Params  Store
	Modules []LoRAModule

	updates  []loraUpdate
	replaced []replacement
	vectors  []exchanged
	weight   float64 // while attached
}

// LoRAModule is a linear layer that a LoRA updates.
type LoRAModule struct {
	Name  string // of its weight, less ".weight"
	Rank  int
	Scale float64 // alpha/rank, or alpha/√rank (Kalajdzievski 2023)
	// Decomposed has the lengths of the rows of W + Scale·B·A learned apart from their directions (DoRA, Liu et al. 2024). It holds for
	// all modules or none.
	Decomposed bool
}

// loraUpdate is the update of one matrix, whose parts are modules.
type loraUpdate struct {
	of      *grad.Param
	low     *grad.LowRank
	modules []int    // of each part
	weights []*Param // that each part updates
}

// replacement is a parameter in whose place the model computes with another one.
type replacement struct {
	base  *Param
	copy  *Param        // that is trained instead; nil where there is a table
	table *lowRankTable // of which that is the sum
	used  **grad.Param  // where the model finds what it computes with
	idle  *grad.Param   // the other one or, while that is used, the base's own
	whole *grad.Param   // the other one
	packs bool          // it is multiplied with
}

// exchanged is a vector whose numbers are those of the store's while the LoRA is attached, and the other way round.
type exchanged struct{ base, own *Param }

// MaxRank is the largest rank that a module may have.
const MaxRank = 1 << 14

// Names of a module's parameters.
const (
	loraPrefix = "base_model.model."
	loraA      = ".lora_A.weight"
	loraB      = ".lora_B.weight"
	magnitude  = ".lora_magnitude_vector"
)

// LoRANames returns the names of A and B of a module.
func LoRANames(module string) (a, b string) {
	return loraPrefix + module + loraA, loraPrefix + module + loraB
}

// NewLoRA describes a LoRA for a store. Its parameters have names and shapes, but no memory before Params.Allocate, and it
// does nothing before Attach. A module that is no linear layer of the store is an error that names it.
func NewLoRA(base *Store, modules []LoRAModule, dropout float32) (*LoRA, error) {
	l, place := &LoRA{Modules: modules}, map[string]int{}
	for i, m := range modules {
		if _, twice := place[m.Name+".weight"]; twice {
			return nil, fmt.Errorf("module %q is given twice", m.Name)
		}
		if m.Rank < 1 || m.Rank > MaxRank {
			return nil, fmt.Errorf("module %q has rank %d, must be from 1 to %d", m.Name, m.Rank, MaxRank)
		}
		place[m.Name+".weight"] = i
	}
	for i := range base.blocks {
		l.describe(&base.blocks[i], place, dropout)
	}
	for _, m := range modules {
		if _, left := place[m.Name+".weight"]; left {
			return nil, fmt.Errorf("module %q is not a linear layer of the model", m.Name)
		}
	}
	return l, nil
}

// IsLinear says whether p is the matrix of a linear layer, which a LoRA may update.
func (p *Param) IsLinear() bool { return len(p.Shape) == 2 && !p.Lookup }

// describe asks for the parameters of the modules in a block, and takes these out of place.
func (l *LoRA) describe(b *block, place map[string]int, dropout float32) {
	u := loraUpdate{of: b.whole, low: &grad.LowRank{Dropout: dropout}}
	var names []string
	var ranks []int
	row := 0
	for _, p := range b.parts {
		if i, wanted := place[p.Name]; wanted && p.IsLinear() {
			delete(place, p.Name)
			a, _ := LoRANames(l.Modules[i].Name)
			names, ranks = append(names, a), append(ranks, l.Modules[i].Rank)
			u.modules, u.weights = append(u.modules, i), append(u.weights, p)
			u.low.Parts = append(u.low.Parts, grad.LowRankPart{Row: row})
		}
		row += p.Shape[0]
	}
	if len(names) == 0 {
		return
	}
	u.low.A = l.Params.Stacked(names, ranks, b.cols, uniformByWidth)
	for i, p := range u.weights {
		module := l.Modules[u.modules[i]]
		_, name := LoRANames(module.Name)
		u.low.Parts[i].B = l.Params.Matrix(name, p.Shape[0], module.Rank, Zeros)
		if module.Decomposed {
			of, row := b.whole, u.low.Parts[i].Row
			u.low.Parts[i].Magnitude = l.Params.Vector(loraPrefix+module.Name+magnitude, p.Shape[0], func(_ *rand.Rand, data []float32, _, _ int) {
				of.RowLengths(data, row)
			})
		}
	}
	l.updates = append(l.updates, u)
}

// uniformByWidth draws from ±1/√in, as PEFT begins A: it is torch's default for linear layers.
func uniformByWidth(rng *rand.Rand, data []float32, _, cols int) {
	a := 1 / math.Sqrt(float64(cols))
	for i := range data {
		data[i] = float32(a * (2*rng.Float64() - 1))
	}
}

// Replace has a copy of a parameter of the store trained beside the updates, of a head that begins from nothing for instance (PEFT's
// modules_to_save). It is called before Params.Allocate. parameter is its name, used where the model finds its matrix or vector, and
// finds the copy from Attach to Detach; name is the copy's in files, less the prefix of all. [Store.Initialize] gives the copy the
// parameter's values, where these are held in float32, and else such as a new model begins with.
func (l *LoRA) Replace(base *Store, parameter string, used **grad.Param, name string) {
	b := base.blockOf(parameter)
	of := b.parts[0]
	own := *of
	own.Name, own.Data, own.Grad = loraPrefix+name, nil, nil
	own.init = func(rng *rand.Rand, data []float32, rows, cols int) {
		if of.Data == nil {
			of.init(rng, data, rows, cols)
		}
		copy(data, of.Data)
	}
	whole := l.Params.add([]*Param{&own}, b.rows, b.cols)
	l.Params.blocks[len(l.Params.blocks)-1].use = b.use
	l.replaced = append(l.replaced, replacement{base: of, copy: &own, used: used, idle: whole, whole: whole, packs: b.use&Multiplied != 0})
}

// ExchangeVector has a vector of the store, a bias, take other numbers while the LoRA is attached. It is called before
// Params.Allocate; such a LoRA is for use, not for training. name is that in files, less the prefix of all.
func (l *LoRA) ExchangeVector(of *Param, name string) {
	l.Params.Vector(loraPrefix+name, of.Size(), func(_ *rand.Rand, data []float32, _, _ int) { copy(data, of.Data) })
	l.vectors = append(l.vectors, exchanged{of, l.Params.params[len(l.Params.params)-1]})
}

// ForUse says whether the LoRA cannot be trained, by what it holds besides updates of linear layers.
func (l *LoRA) ForUse() bool {
	return len(l.vectors) > 0 || slices.ContainsFunc(l.replaced, func(r replacement) bool { return r.table != nil })
}

// blockOf returns the block of a parameter that has one for itself.
func (s *Store) blockOf(parameter string) *block {
	i := slices.IndexFunc(s.blocks, func(b block) bool { return len(b.parts) == 1 && b.parts[0].Name == parameter })
	if i < 0 {
		panic("nn: " + parameter + " is no parameter of its own in the store")
	}
	return &s.blocks[i]
}

// Fits says whether the LoRA can act on the store as that is held: a decomposed update, or that of an embedding or an output layer,
// reads the matrix itself.
func (l *LoRA) Fits() bool {
	for _, u := range l.updates {
		if l.Decomposed() && !u.of.ReadsRows() {
			return false
		}
	}
	for _, r := range l.replaced {
		if r.table != nil && !r.table.base.ReadsRows() {
			return false
		}
	}
	return true
}

// Replaces says whether others take the places of some of the store's parameters. Only one such LoRA can act on a store at a time,
// and only with weight 1.
func (l *LoRA) Replaces() bool { return len(l.replaced)+len(l.vectors) > 0 }

// ReplacesTables says whether embedding or output layer are among these.
func (l *LoRA) ReplacesTables() bool { return len(l.replaced) > 0 }

// Decomposed says whether the updates are those of DoRA. Then no other LoRA can act on the store at the same time, and it only
// with weight 1.
func (l *LoRA) Decomposed() bool { return len(l.Modules) > 0 && l.Modules[0].Decomposed }

// Pack prepares for repeated products with unchanging weights, the store's included; Unpack drops that.
func (l *LoRA) Pack(pool *kernel.Pool) {
	for _, u := range l.updates {
		u.low.Settle(pool, u.of)
	}
	for _, r := range l.replaced {
		if r.packs {
			r.whole.Pack(pool)
		}
	}
}

// Unpack drops what Pack made.
func (l *LoRA) Unpack() {
	for _, u := range l.updates {
		u.low.Unsettle()
	}
	for _, r := range l.replaced {
		r.whole.Unpack()
	}
}

// exchange puts copies in the places of the store's parameters, or these back.
func (l *LoRA) exchange() {
	for i := range l.replaced {
		r := &l.replaced[i]
		*r.used, r.idle = r.idle, *r.used
	}
	for _, v := range l.vectors {
		for i, x := range v.own.Data {
			v.own.Data[i], v.base.Data[i] = v.base.Data[i], x
		}
	}
}

// Attach makes the layers of the store, which it must fit, compute with the update, its effect multiplied by weight.
func (l *LoRA) Attach(weight float64) {
	if l.weight != 0 {
		panic("nn: a LoRA that is attached already")
	}
	l.weight = weight
	for _, u := range l.updates {
		for i := range u.low.Parts {
			u.low.Parts[i].Scale = float32(l.Modules[u.modules[i]].Scale * weight)
		}
		u.of.Attach(u.low)
	}
	for _, r := range l.replaced {
		if r.table != nil && r.whole.Value.Data == nil {
			r.whole.Value = r.table.sum()
		}
	}
	l.exchange()
}

// Detach undoes Attach.
func (l *LoRA) Detach() {
	l.weight = 0
	for _, u := range l.updates {
		u.of.Detach(u.low)
	}
	l.exchange()
}

// Merge adds weight times the update to the matrices of the store, which must hold them in float32, and overwrites the parameters
// of which there are copies. The LoRA should not be attached then.
func (l *LoRA) Merge(pool *kernel.Pool, weight float64) {
	for _, v := range l.vectors {
		copy(v.base.Data, v.own.Data)
	}
	for _, r := range l.replaced {
		if r.table != nil {
			r.table.addTo(pool, kernel.NewMat(r.base.Data, r.base.Shape[0], r.base.Shape[1]), weight)
		} else {
			copy(r.base.Data, r.copy.Data)
		}
	}
	for _, u := range l.updates {
		row := 0
		for i, p := range u.weights {
			if p.Data == nil {
				panic("nn: a LoRA cannot be merged into " + p.Name + ", which is held in bfloat16")
			}
			part := &u.low.Parts[i]
			b := part.B.Value
			a := u.low.A.Value.Slice(row, row+b.Cols)
			w := kernel.NewMat(p.Data, p.Shape[0], p.Shape[1])
			pool.Gemm(w, multiplied(b, l.Modules[u.modules[i]].Scale*weight), false, a, false, kernel.GemmOpt{Acc: true})
			row += b.Cols
			if part.Magnitude != nil {
				setLengths(w, part.Magnitude.Value.Data)
			}
		}
	}
}

// multiplied returns a copy of a matrix, multiplied by a number.
func multiplied(m kernel.Mat, by float64) kernel.Mat {
	product := kernel.NewMat(make([]float32, m.Rows*m.Cols), m.Rows, m.Cols)
	for i, v := range m.Data {
		product.Data[i] = v * float32(by)
	}
	return product
}

// setLengths multiplies each row so that it has the given length. One of zeros stays.
func setLengths(w kernel.Mat, lengths []float32) {
	own := make([]float32, w.Rows)
	(&grad.Param{Value: w}).RowLengths(own, 0)
	for i, n := range own {
		if n == 0 {
			continue
		}
		row := w.Row(i)
		for j := range row {
			row[j] *= lengths[i] / n
		}
	}
}

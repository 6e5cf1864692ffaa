package grad

import (
	"fmt"

	"github.com/parley-lm/parley/internal/kernel"
	"github.com/parley-lm/parley/tensor"
)

// Var is a matrix [rows, cols] on a tape: what an operation returned. It is valid until the tape's next Begin.
type Var struct{ n *node }

type node struct {
	value kernel.Mat
	grad  kernel.Mat // Data is nil until something flows in
	fixed bool       // nothing that is trained went into it: no gradient need flow there
}

// Value returns the numbers. They belong to the tape and must not be changed.
func (v Var) Value() kernel.Mat { return v.n.value }

// Rows returns the number of rows.
func (v Var) Rows() int { return v.n.value.Rows }

// Cols returns the number of columns.
func (v Var) Cols() int { return v.n.value.Cols }

// operation is the record of one operation: everything that its derivative needs.
type operation interface {
	// backward adds to the gradients of the operation's inputs and parameters.
	backward(t *Tape)
	// result is the node whose gradient backward reads.
	result() *node
}

// Observer is told of what a pass computes and a kernel never keeps. Names are those of the layers that ask.
type Observer interface {
	// Attention is called for each attention with its queries and keys as projected.
	Attention(name string, q, k kernel.Mat, spans []kernel.AttnSpan, shape kernel.AttnShape)
	// Output is called with what a layer hands to the next.
	Output(name string, x kernel.Mat)
}

// Tape runs operations and, if it records, differentiates them. It serves one goroutine; the zero value with a Pool is
// ready after Begin.
type Tape struct {
	Pool     *kernel.Pool
	Observer Observer // nil: nobody looks

	mode  Mode
	arena tensor.Arena
	free  freeList
	ops   []operation
	site  uint32 // dropout calls so far in this pass

	nodes          slab[node]
	embeds         slab[embedOp]
	linears        slab[linearOp]
	updates        slab[updateUse]
	decompositions slab[decomposedUse]
	norms          slab[normOp]
	activations    slab[activateOp]
	attentions     slab[attentionOp]
	adds           slab[addOp]
	dropouts       slab[dropoutOp]
	selects        slab[selectOp]
	sums           slab[sumOp]
	headNorms      slab[headNormOp]
	rotaries       slab[rotaryOp]
	gates          slab[gatedOp]
	logProbs       slab[logProbOp]
	checkpoints    slab[checkpointOp]
}

// Mode says what a pass is for.
type Mode struct {
	Record     bool    // keep what Backward needs
	Dropout    float32 // the share of every dropout rate that applies: 0 none of it, 1 all
	Seed       uint64  // with Step and Micro, the key of every random number of the pass
	Step       uint32  // optimiser step
	Micro      uint32  // micro-batch within the step
	Checkpoint bool    // with Record: keep but the inputs of parts that ask for it; see Tape.Checkpoint
	Plain      bool    // leave low-rank updates out: compute with the frozen matrices alone
}

// Begin starts a pass. Every Var of an earlier pass becomes invalid.
func (t *Tape) Begin(m Mode) {
	t.mode = m
	t.site = 0
	t.arena.Reset()
	t.ops = t.ops[:0]
	for i := range t.nodes.used { // gradients left by a pass that was not differentiated
		t.free.put(t.nodes.records[i].grad.Data)
		t.nodes.records[i].grad.Data = nil
	}
	t.nodes.reset()
	t.embeds.reset()
	t.linears.reset()
	t.updates.reset()
	t.decompositions.reset()
	t.norms.reset()
	t.activations.reset()
	t.attentions.reset()
	t.adds.reset()
	t.dropouts.reset()
	t.selects.reset()
	t.sums.reset()
	t.headNorms.reset()
	t.rotaries.reset()
	t.gates.reset()
	t.logProbs.reset()
	t.checkpoints.reset()
}

// Recording reports whether the present pass can be differentiated.
func (t *Tape) Recording() bool { return t.mode.Record }

// Bytes returns the memory that the tape holds for values and gradients.
func (t *Tape) Bytes() int { return t.arena.Bytes() + t.free.bytes }

// Input puts numbers from outside on the tape; nothing flows back to them. m must outlive the pass.
func (t *Tape) Input(m kernel.Mat) Var {
	n := t.nodes.next()
	*n = node{value: m}
	return Var{n}
}

// Seed adds g to the gradient of v: the derivative by v of a loss that was computed from v's numbers outside of the tape.
// g is copied. It is called before Backward.
func (t *Tape) Seed(v Var, g kernel.Mat) {
	mustSameShape("Seed", v.n.value, g)
	if to, accumulate := t.into(v.n); accumulate {
		t.Pool.AddTo(to, g)
	} else {
		t.Pool.Copy(to, g)
	}
}

// Backward differentiates the pass: from the gradients that Seed and loss operations have left, through every operation in
// reverse order, into the parameters' Grad. It can be called once a pass.
func (t *Tape) Backward() {
	if !t.mode.Record {
		panic("grad: Backward on a tape that does not record")
	}
	t.differentiate(0)
}

// differentiate goes back through the operations from the given one on, and forgets them.
func (t *Tape) differentiate(first int) {
	for i := len(t.ops) - 1; i >= first; i-- {
		op := t.ops[i]
		if out := op.result(); out.grad.Data != nil {
			op.backward(t)
			t.drop(out)
		}
	}
	t.ops = t.ops[:first]
}

// Mark, Release and Compact keep the memory of a pass that does not record at what one block needs: x's numbers move to where
// the arena stood at m, and everything else since is given back. On a recording tape, and while somebody observes, x
// stays where it is.
func (t *Tape) Mark() tensor.Mark { return t.arena.Mark() }

// Release gives back what was made since m, none of which may be used any more.
func (t *Tape) Release(m tensor.Mark) { t.arena.Release(m) }

// Compact is explained at Mark. Of the Vars made since m only the returned one may be used.
func (t *Tape) Compact(m tensor.Mark, x Var) Var {
	if t.mode.Record {
		return x
	}
	old := x.n.value
	if old.Stride != old.Cols {
		panic("grad: Compact of a view")
	}
	t.arena.Release(m)
	moved := t.alloc(old.Rows, old.Cols)
	copy(moved.n.value.Data, old.Data[:old.Rows*old.Cols])
	return moved
}

// alloc makes a Var with undefined contents.
func (t *Tape) alloc(rows, cols int) Var {
	n := t.nodes.next()
	*n = node{value: kernel.NewMat(t.arena.Alloc(rows*cols), rows, cols)}
	return Var{n}
}

// scratch returns a matrix from the arena that no Var holds.
func (t *Tape) scratch(rows, cols int) kernel.Mat {
	return kernel.NewMat(t.arena.Alloc(rows*cols), rows, cols)
}

func (t *Tape) push(op operation) {
	if t.mode.Record {
		t.ops = append(t.ops, op)
	}
}

// into returns the gradient of n to write to, and whether there is something in it already that must be added to.
func (t *Tape) into(n *node) (g kernel.Mat, accumulate bool) {
	if n.grad.Data != nil {
		return n.grad, true
	}
	rows, cols := n.value.Rows, n.value.Cols
	n.grad = kernel.NewMat(t.free.get(rows*cols), rows, cols)
	return n.grad, false
}

// pass hands the gradient of from on to n unchanged: the buffer itself if n has none yet, otherwise its sum. The
// gradient of from must not be needed any more.
func (t *Tape) pass(from, n *node) {
	if n.fixed {
		return
	}
	if n.grad.Data == nil {
		n.grad, from.grad = from.grad, kernel.Mat{}
		return
	}
	t.Pool.AddTo(n.grad, from.grad)
}

// drop gives the gradient of n back to the free list.
func (t *Tape) drop(n *node) {
	t.free.put(n.grad.Data)
	n.grad = kernel.Mat{}
}

// mask returns the dropout of the next call site; every site of a pass has its own random numbers.
func (t *Tape) mask(rate float32) kernel.Dropout {
	rate *= t.mode.Dropout
	if rate == 0 {
		return kernel.Dropout{}
	}
	site := t.site
	t.site++
	return kernel.Dropout{
		Rate: rate,
		Key:  [2]uint32{uint32(t.mode.Seed), uint32(t.mode.Seed >> 32)},
		Ctr:  [3]uint32{t.mode.Step, t.mode.Micro, site},
	}
}

// Observe shows x to the observer, if there is one.
func (t *Tape) Observe(name string, x Var) {
	if t.Observer != nil {
		t.Observer.Output(name, x.n.value)
	}
}

func mustCols(op string, x kernel.Mat, cols int) {
	if x.Cols != cols {
		panic(fmt.Sprintf("grad: %s: input is [%d, %d], want %d columns", op, x.Rows, x.Cols, cols))
	}
}

func mustSameShape(op string, a, b kernel.Mat) {
	if a.Rows != b.Rows || a.Cols != b.Cols {
		panic(fmt.Sprintf("grad: %s: [%d, %d] against [%d, %d]", op, a.Rows, a.Cols, b.Rows, b.Cols))
	}
}

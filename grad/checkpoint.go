package grad

import "github.com/parley-lm/parley/internal/kernel"

// Part is a part of a model, a block for instance, that computes the same from the same numbers each time.
type Part interface {
	Forward(t *Tape, x Var) Var
}

// checkpointOp is y = part(x), of which nothing is kept but x.
type checkpointOp struct {
	x, y *node
	part Part
	site uint32 // of its first dropout
}

// Checkpoint returns part.Forward(x). Where the mode asks for it, a recording tape keeps x and the result alone, and Backward
// computes the part once more for what lies between (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"): a
// third more arithmetic, and the memory of one part instead of all. The bits are the same, dropout included. The part must be
// as it is until Backward.
func (t *Tape) Checkpoint(x Var, part Part) Var {
	if !t.Checkpoints() {
		return part.Forward(t, x)
	}
	op := t.checkpoints.next()
	*op = checkpointOp{x: x.n, part: part, site: t.site}
	mark := t.arena.Mark()
	t.mode.Record = false
	y := part.Forward(t, x)
	fixed := y.n.fixed
	y = t.Compact(mark, y)
	t.mode.Record = true
	op.y, y.n.fixed = y.n, fixed
	t.push(op)
	return y
}

// Checkpoints reports whether the present pass keeps but the inputs of parts.
func (t *Tape) Checkpoints() bool { return t.mode.Record && t.mode.Checkpoint }

func (op *checkpointOp) result() *node { return op.y }

func (op *checkpointOp) backward(t *Tape) {
	if op.y.fixed {
		return
	}
	mark, first, site := t.arena.Mark(), len(t.ops), t.site
	t.site = op.site
	y := op.part.Forward(t, Var{op.x})
	y.n.grad, op.y.grad = op.y.grad, kernel.Mat{}
	t.differentiate(first)
	t.site = site
	t.arena.Release(mark)
}

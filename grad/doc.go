// Package grad is the tape: operations on matrices that remember how to differentiate themselves.
//
// A model calls operations ([Tape.Linear], [Tape.LayerNorm], [Tape.SelfAttention], [Tape.CrossEntropy] …) and never
// touches the numbers. Each operation lives with its derivative in one file. Operations are coarse, a whole attention or
// a whole linear layer with its epilogue, so the tape is short. When the tape does not record, the same calls only
// compute.
//
// The package knows shapes and derivatives; it does not know layers, models, optimisers or data. Nothing is allocated on
// the Go heap once every operation has been seen at its largest size: values come from an arena, gradients from a free
// list, records from slabs. Start at [Tape].
package grad

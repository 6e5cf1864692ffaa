// Package kernel is Parley's arithmetic on plain float32 slices: matrix multiplication with fused epilogues, attention,
// normalisation, activations, loss and optimiser steps, forward and backward.
//
// It knows nothing of models, tapes, tokens or files: an operation takes matrices ([Mat]: a slice, a shape and a
// stride) and writes matrices. Start with [Pool], on which the kernels are methods: it splits the work over threads.
// A nil *Pool is valid and works on the calling goroutine alone.
//
// Two laws hold for every kernel, and each is a test:
//
//  1. The bits of an output row do not depend on which, or how many, other rows are computed with it.
//  2. The bits do not depend on the number of threads: work is split by output, or into blocks of constant size whose
//     partial results are added in a fixed order.
//
// Every kernel has a portable form in Go. On amd64, forms in assembly (AVX2 with FMA; AVX-512 and AMX for the matrix product)
// are chosen at start by what the processor has; the environment variable PARLEY_ISA=portable|avx2|avx512|amx asks for a
// lower one. The assembly is generated: see the module in _asm. Bits may differ between instruction sets.
//
// Nothing is allocated on the Go heap once a Pool is warm. Shapes that do not fit together are a programmer's mistake
// and panic.
package kernel

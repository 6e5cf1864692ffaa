// Command rows generates the AVX2 forms of the row-wise kernels: ../../rows_amd64.s and its Go declarations.
//
//	go generate ../../rows.go
package main

import . "github.com/mmcloughlin/avo/build"

func main() {
	ConstraintExpr("amd64")
	elementwise()
	activations()
	selections()
	reductions()
	norms()
	rotary()
	dropout()
	adam()
	Generate()
}

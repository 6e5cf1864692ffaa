// Command rows generates the AVX2 forms of the row-wise kernels: ../../rows_amd64.s and its Go declarations.
//
//	go run ./rows -out ../rows_amd64.s -stubs ../rows_stubs_amd64.go -pkg kernel
package main

import . "github.com/mmcloughlin/avo/build"

func main() {
	ConstraintExpr("amd64")
	elementwise()
	activations()
	selections()
	reductions()
	norms()
	dropout()
	adam()
	Generate()
}

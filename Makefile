# Everything that a contributor does has a command here.
.PHONY: build test lint portable race cross generate bench ci fuzz cover

build:            ## the program, as ./parley
	CGO_ENABLED=0 go build -o parley ./cmd/parley

test:             ## all tests, with the best kernels of this processor
	go test ./...

lint:             ## formatting, vet, staticcheck
	.ci/run format lint

portable:         ## the portable kernels
	.ci/run portable

race:             ## the race detector, where there is concurrency (needs a C compiler)
	.ci/run race

cross:            ## every platform builds
	.ci/run cross

generate:         ## print the assembly again from its generators
	cd internal/kernel && go generate ./...

bench:            ## kernels, training, decoding, tokenizing, as shares of what this processor can do
	go run ./cmd/parley bench

fuzz:             ## every fuzz test for 20 seconds
	@for p in $$(go list ./...); do for f in $$(go test -list '^Fuzz' $$p | grep '^Fuzz'); do go test -run '^$$' -fuzz "^$$f$$" -fuzztime 20s $$p || exit 1; done; done

cover:            ## which lines the tests reach
	go test -coverprofile=cover.out ./... && go tool cover -html=cover.out

ci:               ## what every submission must pass
	.ci/run

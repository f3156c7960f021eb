// Package bindings holds what abigen, the generator of go-ethereum, makes of the
// token of test/contracts, as a team's Go program would have it. `go test
// ./test/toolchain -run TestBindings -update` makes it again.
package bindings

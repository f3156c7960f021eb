// Package tracer watches a transaction run and writes down what it saw, with the
// names, options and results of go-ethereum's native tracers.
//
// They are our own because go-ethereum's come with its node: its peer-to-peer
// network would be linked into the trusted process. A test compares the results
// with those of go-ethereum's, byte for byte, over random programs (evm,
// TestTraces). And they know when to stop: what a tracer keeps is counted against
// a Budget while the transaction runs, because a contract can show the same
// megabyte to a thousand calls for little gas.
//
// The steps of the interpreter are go-ethereum's own (eth/tracers/logger).
//
// It does not do: running transactions (evm), choosing them (api), JavaScript.
package tracer

// Package simulated is a ledger in memory for tests: a ledger.Driver that runs
// real EVM code, whose blocks are made and replaced when a test says so, and
// which can be cut off, asked twice, and forgetful of old state. Nothing of the
// product imports it.
package simulated

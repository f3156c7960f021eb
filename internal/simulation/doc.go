// Package simulation runs a whole network in one process, on simulated time.
//
// It drives the product's own code: consensus.Driver, ledger.Log and lineage,
// sequencer.Sequencer, membership.Keeper, kv.Store, envelopes. What surrounds
// them is simulated: the network, the disks (package disk/crash), the clocks,
// the machines and the people who restart them. One seed decides everything that
// happens, so that a failure is repeated by its seed.
//
// After every event the invariants of invariant.go are checked against what a
// bystander who sees every node knows. A run ends with all faults healed: the
// network must then make progress, and all ledgers become the same bytes.
//
// Only tests import the package. Run wants deterministic cryptographic
// randomness, see testing/cryptotest.SetGlobalRandom: Raft's timeouts come from
// it as well.
package simulation

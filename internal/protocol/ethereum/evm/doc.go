// Package evm runs Ethereum transactions on the ledger's state.
//
// It is the only package that executes with go-ethereum's core/vm. State is its
// own vm.StateDB over a kv transaction: flat, without a trie, journaled, its
// read and write sets those of the kv.Tx underneath. A machine of New has Osaka's
// rules from the first block on and free gas: fees are checked for form by
// whoever admits a transaction and are zero here, so that nobody pays and nobody
// needs a balance. Rules give a chain other forks, or gas that is paid for.
//
// What it promises:
//   - An Executor applies one transaction after the other; a transaction that
//     cannot be applied leaves the kv.Tx without a write of its own.
//   - Call and EstimateGas run on any kv.Reader, change nothing, and end when
//     their context does.
//   - Trace tells a tracer what go-ethereum would tell it (see TestTraces), for
//     transactions that are run again on an Overlay.
//   - Every state that passes ethereum/tests passes here (see TestStateTests).
//
// It does not do: admission, blocks, receipts, persistence, parallel execution.
//
// # Tables
//
// All three are point tables, sealed, and written by this package alone.
//
//	eth.accounts  address (20 bytes)         → account, see encodeAccount
//	eth.storage   address ‖ slot (52 bytes)  → value without leading zeros; zero is absent
//	eth.code      code hash (32 bytes)       → code
//
// Code is kept for ever: it is named by its hash and may be shared.
//
// # Accounts that end
//
// A flat store cannot drop an account's slots without knowing them. It need not:
// since Cancun (EIP-6780) only an account created in the same transaction ends,
// and its slots have not reached the store. An empty account (EIP-161) has no
// slots either, because whatever has written storage has code or a nonce. Under
// older rules, which exist for state tests of one transaction, slots of an
// account that ended would stay behind unreachable until it is created anew.
package evm

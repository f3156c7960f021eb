// Package pool admits Ethereum transactions: it decides whether a signed
// transaction may go to the sequencer, and keeps those that came before their
// turn for a little while.
//
// What it promises:
//   - What is admitted has a good form, signature and chain id, a nonce that is
//     the sender's next one or at most 64 ahead, and a sender who can pay its
//     value in the speculative state.
//   - A sender's transactions reach the sequencer in the order of their nonces,
//     in whatever order they arrive. One that waits for an earlier nonce is given
//     up after 60 seconds; what became of it can be asked for ten minutes more.
//   - An admitted transaction is found by its hash until it is committed or
//     refused.
//   - Its memory is bounded, and a refusal says what geth says, in geth's words,
//     because clients act on them.
//
// Check is the part that needs no state; it recovers the signature and is meant
// to run on all cores at once. Admit is the short part behind one lock.
//
// It is no mempool: nothing is sorted by fee, because gas is free, and a
// transaction that was handed to the sequencer cannot be replaced.
package pool

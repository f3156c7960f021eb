// Package chain knows the committed Ethereum blocks: by number, by hash, by
// transaction, by what they logged, and as they come.
//
// What it promises:
//   - From the moment Committed has returned, every method shows the block.
//   - The newest blocks are answered from memory (the tail), older ones through
//     the history index and the ledger; which it was cannot be told from the
//     answer. Some heights that the index has not reached yet are read from the
//     ledger; if they are too many, whatever may lie there is refused as
//     history.ErrBehind, and is never said not to exist.
//   - Where the ledger is damaged, whatever may lie there is refused with the
//     ledger's problem. Everything else is answered.
//   - An answer has a bound: too wide a question is refused, not cut short, and the
//     refusal says how much of it can be asked for.
//   - A subscriber that does not keep up is cut off with an error. It holds up
//     nobody.
//
// It does not do: execution, pending transactions, who may see what.
package chain

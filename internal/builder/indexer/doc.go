// Package indexer takes a ledger's blocks in: what happened on the ledger becomes
// rows of the off-chain database.
//
//   - An action that was asked for here is settled when its transaction is in a
//     block: committed, or reverted with the contract's reason.
//   - A call of a known contract that was sent past the gateway becomes an action
//     of the person with that account, or of nobody.
//   - A call that another contract made becomes an action too, with its caller, of
//     the person who sent the transaction.
//   - A contract that a contract made is recognised by its code and becomes a
//     contract with an action of its constructor. So does one that a person
//     deployed past the gateway, if that person may create contracts there.
//     Strangers cannot put contracts into an application that way.
//   - Every contract that a block touched has its properties read as they were
//     after that block. A getter that fails leaves the old value.
//
// What the ledger said is written down in the entry itself (facts.go), because a
// ledger keeps old state and traces for a while only, and a reorganisation takes
// blocks away. Therefore Source makes the same rows on any day, and rebuilding
// the database asks no ledger.
//
// State after an action is the state after its block: ledgers tell of no state
// between two transactions of a block.
package indexer

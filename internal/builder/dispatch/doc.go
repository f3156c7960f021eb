// Package dispatch sends what people asked for: it signs each action with the
// person's key and submits it to the ledger.
//
//   - Each person's actions on a ledger are sent in the order in which they were
//     asked for. People do not wait for each other.
//   - A transaction is journaled before it is sent. After a restart what was
//     signed and is in no block is submitted again, the same bytes: a ledger
//     takes a transaction once.
//   - It is signed anew only when another transaction has its nonce, because
//     then the first can never take effect. So an action happens at most once.
//   - What the contract would refuse is found when gas is estimated, and ends
//     with status 3 and the contract's reason. While earlier actions of the
//     person, or others on the contract, are on their way, that answer may be
//     about a state that is not there yet: then the action waits for them.
//   - While the ledger or the vault is down everything waits and State says why.
//     What is wrong with one action ends that action alone.
package dispatch

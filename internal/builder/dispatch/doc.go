// Package dispatch sends what people asked for: it signs each action with the
// person's key and submits it to the ledger.
//
//   - On one contract a person's actions go one after the other: each when the
//     earlier ones are settled and what they did was taken in. Rights then says
//     whether the person may still do it; if not, it ends with status 3 and what
//     changed. Other contracts and other people do not wait.
//   - A transaction is journaled before it is sent. After a restart what was
//     signed and is in no block is submitted again, the same bytes: a ledger
//     takes a transaction once.
//   - It is signed anew only when another transaction has its nonce in a block that
//     will never be replaced, because only then the first can never take effect. So
//     an action happens at most once, whatever a reorganisation frees.
//   - What was signed never ends as if it had not been sent. When it cannot go on an
//     empty transaction takes its nonce, and when that one is final it ends with
//     status 4; if its own was first in a block, with what became of it there.
//   - What the contract would refuse is found when gas is estimated, and ends
//     with status 3 and the contract's reason. While earlier actions of the
//     person, or others on the contract, are on their way, that answer may be
//     about a state that is not there yet: then the action waits for them.
//   - While the ledger or the vault is down everything waits, and Waits says of each
//     action why. What is wrong with one action ends that action alone.
package dispatch

package ledger

import (
	"fmt"

	"github.com/coco-consortium/coco/internal/problem"
)

// What drivers give. The cause, where there is one, holds the node's own words.
var (
	ErrUnavailable = problem.New("LEDGER_UNAVAILABLE", "the ledger cannot be reached, or takes nothing now",
		"wait: it is tried again; see whether the node runs and its address is right")
	ErrAnswer = problem.New("LEDGER_ANSWER", "the ledger's answer cannot be used",
		"check that the connection names a node of that kind and that nothing between changes its answers")
	ErrForeign = problem.New("LEDGER_FOREIGN", "the node belongs to another ledger than before",
		"name a node of the same ledger, or add the other as a connection of its own")
	ErrBlockTooLarge = problem.New("LEDGER_BLOCK_TOO_LARGE", "a block is larger than App Builder takes",
		"report it: no block of a consortium should be")
	ErrReplaced = problem.New("LEDGER_BLOCK_REPLACED", "the ledger has no such block, or has replaced it",
		"read its blocks again from the last common one")
	ErrStateGone = problem.New("LEDGER_STATE_GONE", "the node no longer keeps the state after that block",
		"use a node that keeps old state for longer (coco start --state-blocks), or read a newer block")
	ErrCall = problem.New("LEDGER_CALL_FAILED", "the call failed without a reason of its contract",
		"see the cause: the contract may need more gas than a call has, or not be there")
	ErrNonceUsed = problem.New("LEDGER_NONCE_USED", "another transaction of the account has that nonce",
		"wait until that one is final; then sign it again with the account's next nonce")
	ErrUnderpriced = problem.New("LEDGER_UNDERPRICED", "the ledger wants a higher fee for the transaction",
		"prepare and sign it again, at today's price")
	ErrUnfunded = problem.New("LEDGER_UNFUNDED", "the account cannot pay for the transaction, and no funds could be given to it",
		"name a funding account that has funds in the connection's settings, or send the account funds")
	ErrRefused = problem.New("LEDGER_REFUSED", "the ledger refused the transaction",
		"see the cause")
	ErrNoProof = problem.New("LEDGER_NO_PROOF", "the ledger has no proof of that transaction",
		"a ledger of coco gives one when the transaction is committed; others do not")
	ErrProof = problem.New("LEDGER_PROOF_WRONG", "the ledger's proof of that transaction does not hold",
		"do not rely on the transaction; check that the pinned service certificate is that ledger's, then ask its operator")
)

// Reverted says that a contract refused: its words, and the data that it gave for
// programs to read (an error of its interface).
type Reverted struct {
	Reason string // empty when Data is no Error(string) and no Panic(uint256)
	Data   []byte
}

// Error gives the contract's words.
func (r *Reverted) Error() string {
	switch {
	case r.Reason != "":
		return "the contract refused: " + r.Reason
	case len(r.Data) >= 4:
		return fmt.Sprintf("the contract refused with its error %#x", r.Data[:4])
	}
	return "the contract refused without a reason"
}

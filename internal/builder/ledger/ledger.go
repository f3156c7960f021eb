// Package ledger is what App Builder knows of a ledger: blocks in order with
// everything that happened in them, reads at a block, and transactions that are
// prepared, submitted and followed. Its drivers speak with a node of coco
// (package ledger/coco) or with an Ethereum node from elsewhere (package
// ledger/ethereum), over JSON-RPC only. ledger/ledgertest is what each must do.
package ledger

import (
	"context"
	"encoding/json"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// Driver speaks with one ledger through one endpoint. Its methods may be called
// from several goroutines. They end with ctx, and each by itself when the endpoint
// keeps silent; they try again for a few seconds what is safe to try again and then
// give ErrUnavailable. Errors are problems (see errors.go), *Reverted, or ctx's.
type Driver interface {
	// Info says what the ledger is and what its endpoint can do.
	Info(ctx context.Context) (Info, error)

	// Head is the newest block that a reader may rely on: on a ledger that is final
	// the last committed one, elsewhere the newest, which may be replaced.
	Head(ctx context.Context) (Ref, error)

	// Watch calls changed, one call at a time, once at the start and then whenever
	// the head may have become another; from is the block that is waited for. It
	// connects again by itself and calls changed after that too, so whoever asks Head
	// or Blocks after each call misses nothing. It ends with ctx's error only.
	Watch(ctx context.Context, from uint64, changed func()) error

	// Blocks gives the blocks from one number on, in order and without gaps, each
	// complete: at most limit of them, about 8 MiB, and none that is newer than the
	// head. There are none when from is beyond the head. That a ledger replaced
	// blocks shows in the first one's Parent being another than the caller's last.
	// ErrBlockTooLarge: one block alone is more than is ever taken.
	Blocks(ctx context.Context, from uint64, limit int) ([]Block, error)

	// Read runs calls on the state after a block, all on the same state. A call that
	// fails does so alone, in its Result. ErrReplaced: at is no block of the ledger
	// (any more); ErrStateGone: the endpoint no longer keeps that state.
	Read(ctx context.Context, at Ref, calls []Call) ([]Result, error)

	// Prepare makes the transaction that is to be signed: gas estimated on the newest
	// state, with what is pending, and fees where there are any. Whom the ledger's fees
	// need funds is given them from the funding account first. *Reverted: it would fail;
	// ErrReplaced: there is no contract to call now, for its block was replaced.
	Prepare(ctx context.Context, r Request) (*types.Transaction, error)

	// NextNonce is the account's next nonce, counting what is pending.
	NextNonce(ctx context.Context, account common.Address) (uint64, error)

	// FinalNonce is the account's next nonce after a block that will never be replaced:
	// the newest such one whose number is at most most. What has a lower nonce is
	// decided for ever. It gives that block too.
	FinalNonce(ctx context.Context, account common.Address, most uint64) (uint64, Ref, error)

	// Submit hands over a signed transaction. It may be called again with the same one
	// at any time: that it is known or committed already is no error. ErrNonceUsed:
	// another transaction has the nonce; when that one is final (FinalNonce), this one
	// can never take effect. ErrUnderpriced, ErrUnfunded, ErrRefused: it was not taken. ErrUnavailable: it is
	// not known whether it was taken; submit the same one again.
	Submit(ctx context.Context, tx *types.Transaction) error

	// Status says what is known of a transaction.
	Status(ctx context.Context, hash common.Hash) (Status, error)

	// Proof is the ledger's proof that a transaction is committed, verified before
	// it is given where a service certificate is pinned. ErrNoProof: this ledger has
	// none, or none yet.
	Proof(ctx context.Context, hash common.Hash) (json.RawMessage, error)

	// Close gives the connections back.
	Close()
}

// Info is what a ledger is and can do.
type Info struct {
	ChainID *big.Int
	Client  string // the node's software, as it says itself
	Traces  bool   // calls inside transactions are known; else only the outer ones
	Proofs  bool   // Proof has something to give
	Final   bool   // a block that was seen is never replaced
	Fees    bool   // gas is paid for
}

// Ref names a block.
type Ref struct {
	Number uint64
	Hash   common.Hash
}

// Block is a block with everything that happened in it.
type Block struct {
	Ref
	Parent       common.Hash
	Time         time.Time
	Transactions []Transaction
	// Traced says that every transaction has all its Calls. It is false where the
	// endpoint offers no traces and for blocks whose old state it no longer keeps, unless
	// nothing in them can call: then Calls are the outer ones alone. So the same block
	// may say more when it is new than later.
	Traced bool
}

// Transaction is a transaction with what became of it.
type Transaction struct {
	Hash         common.Hash
	From         common.Address
	To           *common.Address // nil: it creates a contract
	Value        *big.Int
	Nonce        uint64
	Input        []byte
	Failed       bool // in the block, but without effect
	RevertReason string
	RevertData   []byte
	Created      *common.Address // by the transaction itself
	TxID         string          // the ledger's own name of it, if it has one
	// Calls are the transaction's own call and those inside it, in the order in which
	// they began, failed ones too. The first is the transaction itself.
	Calls []CallFrame
}

// CallFrame is one call of a contract or an account.
type CallFrame struct {
	Depth  int    // 0: the transaction itself
	Kind   string // CALL, CALLCODE, DELEGATECALL, STATICCALL, CREATE, CREATE2, SELFDESTRUCT
	From   common.Address
	To     common.Address // of a creation what was created; zero if that failed
	Input  []byte         // nil for creations
	Code   []byte         // of creations: the init code
	Failed bool           // it, or one around it, was undone
}

// Call is a call that changes nothing.
type Call struct {
	From common.Address
	To   common.Address
	Data []byte
}

// Result is what a Call gave: what it returned, or *Reverted or a problem.
type Result struct {
	Data []byte
	Err  error
}

// Request is a transaction that is to be made. To is nil for a creation.
type Request struct {
	From  common.Address
	To    *common.Address
	Data  []byte
	Nonce uint64
}

// State is how far a transaction came.
type State string

// Committed, Invalid and Refused are the end: they never change (on a ledger that
// is not final Committed may). The words are those of coco's JSON-RPC.
const (
	Unknown   State = "Unknown"   // the endpoint has not heard of it, or has forgotten
	Pending   State = "Pending"   // taken, not in a block that counts yet
	Committed State = "Committed" // in a block
	Invalid   State = "Invalid"   // rolled back: it must be sent again to take effect
	Refused   State = "Refused"   // not taken, for a Reason
)

// Status is what is known of a transaction.
type Status struct {
	State  State
	TxID   string // the ledger's own name of it, if it has one
	Reason string // why it was refused, or failed though it is committed
}

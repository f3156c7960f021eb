package offchain

import (
	"context"

	"github.com/ethereum/go-ethereum/common"
)

// Source computes the rows of a range of blocks from the ledger and from the
// state of the fold at that point, which view reads. The same input gives the
// same rows, on any day. It is called in the writer's turn: what is slow should
// be fetched beforehand. b has its first ids; the source numbers the rows of
// each kind first, first+1, ... in their order and refers to them by these ids.
type Source interface {
	Rows(ctx context.Context, view Reader, b *BlocksTaken) (*Rows, error)
}

// Rows are what a range of blocks changes, each kind in the order of the ledger.
type Rows struct {
	Blocks       []Block       // one per block of the range
	Transactions []Transaction // those worth a row
	Contracts    []Contract    // found on the ledger, not asked for here
	Settled      []Settled     // actions that were asked for here
	Actions      []Action      // found on the ledger: direct calls, calls by contracts, constructors of found contracts
	Properties   []PropertySet // read at the end of a block
}

// Settled is an action that was asked for here and is now in a block.
type Settled struct {
	ActionID      int
	TransactionID int
	Status        int            // StatusCommitted or StatusReverted
	Sequence      int            // 1-based order of known calls in the transaction
	StateID       int            // state after the block; 0 unknown
	Address       common.Address // of the contract that a constructor's action made; zero otherwise
	ErrorCode     string
	ErrorMessage  string
	RevertReason  string
}

// PropertySet is what one contract's getters said at the end of a block.
type PropertySet struct {
	ContractID int
	BlockID    int
	Values     []Value // those that could be read
	Unread     []int   // properties whose getter failed: the older value stays
}

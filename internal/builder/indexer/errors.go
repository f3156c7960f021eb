package indexer

import (
	"errors"

	"github.com/coco-consortium/coco/internal/problem"
)

var (
	// ErrFacts says that an entry of the journal cannot be made into rows.
	ErrFacts = problem.New("INDEX_FACTS", "what the journal says of these blocks cannot be read",
		"use the newest version of coco; if it is the newest, restore the journal from a backup")
	// ErrReverted is the code of an action that is in a block without effect.
	ErrReverted = problem.New("ACTION_REVERTED", "the contract refused the action in its block",
		"look at the contract: its state may have changed since the action was asked for")
	// errRange says that a range of blocks is to be taken in smaller parts.
	errRange = errors.New("the blocks have too many values for one entry")
	// errBlockText is why a property of a block keeps its older value.
	errBlockText = errors.New("the block's contracts have more text than is kept of one block")
	// ErrMissed is the code of an action that reached no contract.
	ErrMissed = problem.New("ACTION_MISSED", "the ledger replaced the block that the contract was created in, and the contract is at another address now",
		"ask for the action again")
)

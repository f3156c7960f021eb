package indexer

import "github.com/coco-consortium/coco/internal/problem"

var (
	// ErrFacts says that an entry of the journal cannot be made into rows.
	ErrFacts = problem.New("INDEX_FACTS", "what the journal says of these blocks cannot be read",
		"use the newest version of coco; if it is the newest, restore the journal from a backup")
	// ErrReverted is the code of an action that is in a block without effect.
	ErrReverted = problem.New("ACTION_REVERTED", "the contract refused the action in its block",
		"look at the contract: its state may have changed since the action was asked for")
	// ErrMissed is the code of an action that reached no contract.
	ErrMissed = problem.New("ACTION_MISSED", "the ledger replaced the block that the contract was created in, and the contract is at another address now",
		"ask for the action again")
)

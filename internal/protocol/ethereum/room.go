package ethereum

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/evm"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// Protocol is the id of this protocol in effects, block sections and artefacts.
const Protocol = "ethereum"

// blockHashes is how many blocks back contracts can ask for a block's hash.
const blockHashes = 256

// Room executes Ethereum transactions for the sequencer.
type Room struct {
	machine   *evm.Machine
	chainID   uint64
	committed func(height uint64) (common.Hash, error)

	view   uint64                 // of the blocks in sealed
	sealed map[uint64]common.Hash // hashes of blocks that this room closed, by height

	entries []entry // empty room for those of the next part
}

var _ sequencer.Protocol = (*Room)(nil)

// NewRoom makes the room of a chain. committed gives the hash of the Ethereum
// block at a committed height; Open asks for the block before a view's first,
// contracts for the last 256.
func NewRoom(machine *evm.Machine, chainID uint64, committed func(height uint64) (common.Hash, error)) *Room {
	return &Room{machine: machine, chainID: chainID, committed: committed, sealed: make(map[uint64]common.Hash)}
}

// Effect implements sequencer.Protocol.
func (r *Room) Effect() format.Effect { return format.Effect{Protocol: Protocol, Version: 1} }

// Room implements sequencer.Protocol: the tables of package evm.
func (r *Room) Room() string { return "eth" }

// Open implements sequencer.Protocol. It panics when the hash of the block
// before cannot be read: nothing can be sealed on top of a damaged ledger.
func (r *Room) Open(slot sequencer.Slot) sequencer.Part {
	if slot.View != r.view { // what an earlier view sealed may not have been committed
		r.view = slot.View
		clear(r.sealed)
	}
	parent, err := r.hash(slot.Height - 1)
	if err != nil {
		panic(fmt.Sprintf("ethereum: the hash of block %d cannot be read: %v", slot.Height-1, err))
	}
	delete(r.sealed, slot.Height-1-blockHashes)
	return newPart(r, &slot, parent)
}

// Rollback implements sequencer.Protocol.
func (r *Room) Rollback(height uint64) {
	for h := range r.sealed {
		if h > height {
			delete(r.sealed, h)
		}
	}
}

// hash is the hash of the Ethereum block at a height below the open one.
func (r *Room) hash(height uint64) (common.Hash, error) {
	if hash, ok := r.sealed[height]; ok {
		return hash, nil
	}
	return r.committed(height)
}

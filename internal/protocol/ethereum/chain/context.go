package chain

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/evm"
)

// A call needs a state and a block. The state of the last committed block is
// kv.Store.Pin, that of what is not committed yet kv.Store.Speculative; the
// block is one of these.

// At is a committed block as a contract called in it would see it.
func (c *Chain) At(m *evm.Machine, b *ethereum.Block) *evm.Block {
	return m.Block(b.Header, c.blockHash)
}

// Pending is the block after the head as far as it can be told: its time is now
// (seconds since 1970), unless the head's is later, and its random value is not
// the one it will have.
func (c *Chain) Pending(m *evm.Machine, now uint64) *evm.Block {
	head := c.head()
	b := m.Block(head.Header, c.blockHash)
	b.Number++
	b.Time = max(b.Time, now)
	b.Random = crypto.Keccak256Hash(head.Hash[:])
	return b
}

// blockHash answers BLOCKHASH in calls: zero above the head, whatever number the
// call gives its block, and when the block cannot be read.
func (c *Chain) blockHash(number uint64) common.Hash {
	if number > c.Number() {
		return common.Hash{}
	}
	hash, err := c.Hash(number)
	if err != nil {
		return common.Hash{}
	}
	return hash
}

package chain

import (
	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/protocol/ethereum"
)

// Limits of the tail. It always holds the head.
const (
	tailBlocks = 1024
	tailBytes  = 64 << 20 // about, see weight
)

// tail is the newest blocks, in memory.
type tail struct {
	maxBlocks     int
	maxBytes      uint64
	list          []*ethereum.Block
	bytes         uint64
	byHash        map[common.Hash]*ethereum.Block
	byTransaction map[common.Hash]place
}

// place is a transaction's place in a block.
type place struct {
	block *ethereum.Block
	index int
}

func newTail() tail {
	return tail{maxBlocks: tailBlocks, maxBytes: tailBytes, byHash: make(map[common.Hash]*ethereum.Block), byTransaction: make(map[common.Hash]place)}
}

func (t *tail) head() *ethereum.Block { return t.list[len(t.list)-1] }

// first is the number of the oldest block.
func (t *tail) first() uint64 { return t.list[0].Number() }

// at gives the block of a number, nil if the tail does not hold it.
func (t *tail) at(number uint64) *ethereum.Block {
	first := t.first()
	if number < first || number-first >= uint64(len(t.list)) {
		return nil
	}
	return t.list[number-first]
}

// push adds the new head and lets the oldest blocks go.
func (t *tail) push(b *ethereum.Block) {
	t.list = append(t.list, b)
	t.bytes += weight(b)
	t.byHash[b.Hash] = b
	for i, r := range b.Receipts {
		t.byTransaction[r.TxHash] = place{b, i}
	}
	drop := 0
	for len(t.list)-drop > 1 && (len(t.list)-drop > t.maxBlocks || t.bytes > t.maxBytes) {
		old := t.list[drop]
		t.bytes -= weight(old)
		delete(t.byHash, old.Hash)
		for _, r := range old.Receipts {
			delete(t.byTransaction, r.TxHash)
		}
		t.list[drop] = nil
		drop++
	}
	t.list = t.list[drop:]
}

// weight is about the memory that a block takes, in bytes.
func weight(b *ethereum.Block) uint64 {
	const perBlock, perTransaction, perLog = 2 << 10, 2 << 10, 300
	n := uint64(perBlock) + 2*b.Size + perTransaction*uint64(len(b.Receipts))
	for _, r := range b.Receipts {
		for _, l := range r.Logs {
			n += perLog + uint64(len(l.Data))
		}
	}
	return n
}

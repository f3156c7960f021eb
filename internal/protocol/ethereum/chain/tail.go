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

// tail is the newest blocks, in memory. They are decoded without its lock.
type tail struct {
	maxBlocks     int
	maxBytes      uint64
	list          []*ethereum.LazyBlock
	bytes         uint64
	byHash        map[common.Hash]*ethereum.LazyBlock
	byTransaction map[common.Hash]place
}

// place is a transaction's place in a block.
type place struct {
	block *ethereum.LazyBlock
	index int
}

func newTail() tail {
	return tail{maxBlocks: tailBlocks, maxBytes: tailBytes, byHash: make(map[common.Hash]*ethereum.LazyBlock), byTransaction: make(map[common.Hash]place)}
}

func (t *tail) head() *ethereum.LazyBlock { return t.list[len(t.list)-1] }

// first is the number of the oldest block.
func (t *tail) first() uint64 { return t.list[0].Number() }

// at gives the block of a number, nil if the tail does not hold it.
func (t *tail) at(number uint64) *ethereum.LazyBlock {
	first := t.first()
	if number < first || number-first >= uint64(len(t.list)) {
		return nil
	}
	return t.list[number-first]
}

// push adds the new head and lets the oldest blocks go.
func (t *tail) push(b *ethereum.LazyBlock) {
	t.list = append(t.list, b)
	t.bytes += weight(b)
	t.byHash[b.Hash] = b
	for i := range b.Count() {
		t.byTransaction[b.TxHash(i)] = place{b, i}
	}
	drop := 0
	for len(t.list)-drop > 1 && (len(t.list)-drop > t.maxBlocks || t.bytes > t.maxBytes) {
		old := t.list[drop]
		t.bytes -= weight(old)
		delete(t.byHash, old.Hash)
		for i := range old.Count() {
			delete(t.byTransaction, old.TxHash(i))
		}
		t.list[drop] = nil
		drop++
	}
	t.list = t.list[drop:]
}

// weight is about the memory that a block takes once it is decoded, in bytes.
func weight(b *ethereum.LazyBlock) uint64 {
	const perBlock, perTransaction, perLog = 2 << 10, 2 << 10, 300
	return perBlock + 2*b.Bytes + perTransaction*uint64(b.Count()) + perLog*b.Logs
}

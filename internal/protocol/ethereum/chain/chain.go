package chain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/lru"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/coco-consortium/coco/internal/history"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// ErrUnknown says that there is no such block or transaction.
var ErrUnknown = problem.New("NOT_FOUND", "there is no such block or transaction",
	"check the number or hash; a transaction is found once it is committed")

// Blocks reads committed blocks of the ledger.
type Blocks interface {
	Block(ctx context.Context, height uint64) (*envelope.Block, error)
}

// Index finds where terms occur; history.Index implements it. It holds all blocks
// up to its height. One that may be made again while it is asked refuses, with
// history.ErrBehind, to find up to a height that it does not hold any more.
type Index interface {
	Find(term []byte, from, to uint64, limit int, reverse bool) ([]history.Found, error)
	// Height is the last height that the index holds; ok is false if it holds none.
	Height() (height uint64, ok bool)
}

// How many blocks that are neither in the index nor in the tail are read from the
// ledger for one question, and how many bytes of them for a hash.
const (
	maxBehind      = 1000
	maxBehindBytes = 16 << 20
)

// findTime bounds Find.
const findTime = time.Second

// decodedBlocks is how many old blocks are kept decoded.
const decodedBlocks = 16

// Chain is the committed Ethereum blocks. It is safe for concurrent use.
type Chain struct {
	blocks Blocks
	index  Index
	old    *lru.Cache[uint64, *ethereum.Block]
	hashes *lru.Cache[uint64, common.Hash]
	limits limits

	mu    sync.RWMutex
	tail  tail
	fault error // why the chain has no block that was committed

	indexing indexing
	subs     subscriptions
}

var _ sequencer.Follower = (*Chain)(nil)

// Open makes the chain of a ledger whose last committed block has the given height.
func Open(ctx context.Context, blocks Blocks, index Index, height uint64) (*Chain, error) {
	c := open(blocks, index)
	head, err := c.read(ctx, height)
	if err != nil {
		return nil, err
	}
	c.begin(head)
	return c, nil
}

// OpenAt makes a chain whose last committed block is head, which need not be of
// the ledger's own making.
func OpenAt(head *ethereum.Block, blocks Blocks, index Index) *Chain {
	c := open(blocks, index)
	c.begin(head)
	return c
}

// begin makes a block the head, of which nobody need be told.
func (c *Chain) begin(head *ethereum.Block) {
	c.tail.push(ethereum.Ready(head))
	c.subs.last = head.Number()
}

func open(blocks Blocks, index Index) *Chain {
	return &Chain{
		blocks: blocks, index: index, tail: newTail(),
		old: lru.NewCache[uint64, *ethereum.Block](decodedBlocks), hashes: lru.NewCache[uint64, common.Hash](512),
		limits: limits{MaxLogs, MaxLogBytes, MaxScan, maxBehind, maxBehindBytes}, indexing: indexing{changed: make(chan struct{})},
	}
}

// Committed implements sequencer.Follower. A block of another node is decoded when
// somebody asks for what is in it (ethereum.LazyBlock). One that does not decode
// ends the subscriptions and refuses every question that it could answer.
func (c *Chain) Committed(committed *sequencer.Committed) {
	b, err := ethereum.LazyOf(committed)
	c.mu.Lock()
	if err == nil && b.Number() != c.tail.head().Number()+1 {
		err = fmt.Errorf("chain: block %d follows %d", b.Number(), c.tail.head().Number())
	}
	if err != nil && c.fault == nil {
		c.fault = err
	}
	if c.fault != nil {
		c.mu.Unlock()
		c.subs.end(c.fault)
		return
	}
	c.tail.push(b)
	c.mu.Unlock()
	c.Indexing()
	c.subs.tell(b)
}

// Head is the last committed block, or its header, hash and nothing else where its
// transactions cannot be decoded: ByNumber tells why.
func (c *Chain) Head() *ethereum.Block {
	head := c.head()
	b, err := head.Block()
	if err != nil {
		return &ethereum.Block{Header: head.Header, Hash: head.Hash}
	}
	return b
}

// Number is the number of the last committed block, at hardly any cost.
func (c *Chain) Number() uint64 { return c.head().Number() }

// Header is the header of the last committed block, at hardly any cost.
func (c *Chain) Header() *types.Header { return c.head().Header }

func (c *Chain) head() *ethereum.LazyBlock {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.tail.head()
}

// Fault is why the chain has stopped following: a committed block whose header it
// cannot read. It is nil while all is well.
func (c *Chain) Fault() error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.fault
}

// ByNumber gives a committed block.
func (c *Chain) ByNumber(ctx context.Context, number uint64) (*ethereum.Block, error) {
	c.mu.RLock()
	b, head := c.tail.at(number), c.tail.head().Number()
	c.mu.RUnlock()
	switch {
	case b != nil:
		return b.Block()
	case number > head:
		return nil, ErrUnknown
	}
	return c.read(ctx, number)
}

// ByHash gives a committed block.
func (c *Chain) ByHash(ctx context.Context, hash common.Hash) (*ethereum.Block, error) {
	c.mu.RLock()
	recent, first := c.tail.byHash[hash], c.tail.first()
	c.mu.RUnlock()
	if recent != nil {
		return recent.Block()
	}
	number, _, err := c.find(ctx, blockTerm(hash), first, func(b *ethereum.Block) (uint32, bool) { return 0, b.Hash == hash })
	if err != nil {
		return nil, err
	}
	b, err := c.read(ctx, number)
	if err == nil && b.Hash != hash {
		return nil, ErrUnknown
	}
	return b, err
}

// Recent is Transaction among the newest blocks, which are in memory; nil if it is
// not there, or not in a block that can be decoded.
func (c *Chain) Recent(hash common.Hash) (*ethereum.Block, int) {
	c.mu.RLock()
	at, ok := c.tail.byTransaction[hash]
	c.mu.RUnlock()
	if !ok {
		return nil, 0
	}
	b, err := at.block.Block()
	if err != nil {
		return nil, 0
	}
	return b, at.index
}

// Transaction gives the block of a committed transaction and its place there.
func (c *Chain) Transaction(ctx context.Context, hash common.Hash) (*ethereum.Block, int, error) {
	c.mu.RLock()
	at, ok := c.tail.byTransaction[hash]
	first := c.tail.first()
	c.mu.RUnlock()
	if ok {
		b, err := at.block.Block()
		return b, at.index, err
	}
	number, position, err := c.find(ctx, transactionTerm(hash), first, func(b *ethereum.Block) (uint32, bool) {
		for i, r := range b.Receipts {
			if r.TxHash == hash {
				return uint32(i), true
			}
		}
		return 0, false
	})
	if err != nil {
		return nil, 0, err
	}
	b, err := c.read(ctx, number)
	if err != nil {
		return nil, 0, err
	}
	if i := int(position); i < len(b.Receipts) && b.Receipts[i].TxHash == hash {
		return b, i, nil
	}
	return nil, 0, ErrUnknown
}

// Find gives the TxID of a committed transaction by its native id, its hash. While
// the index cannot tell, it is not found.
func (c *Chain) Find(id []byte) (sequencer.TxID, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), findTime)
	defer cancel()
	b, i, err := c.Transaction(ctx, common.BytesToHash(id))
	if err != nil {
		return sequencer.TxID{}, false
	}
	return b.TxIDs[i], true
}

// Hash is the hash of the block at a height that the caller knows to be
// committed, also of one that this chain has not been told of yet. What lies above
// the head is not remembered: the ledger may still put another block there.
func (c *Chain) Hash(height uint64) (common.Hash, error) {
	c.mu.RLock()
	recent, head := c.tail.at(height), c.tail.head().Number()
	c.mu.RUnlock()
	if recent != nil {
		return recent.Hash, nil
	}
	if hash, ok := c.hashes.Get(height); ok {
		return hash, nil
	}
	read := c.read
	if height > head {
		read = c.load
	}
	b, err := read(context.Background(), height)
	if err != nil {
		return common.Hash{}, err
	}
	return b.Hash, nil
}

// load reads a block from the ledger.
func (c *Chain) load(ctx context.Context, number uint64) (*ethereum.Block, error) {
	opened, err := c.blocks.Block(ctx, number)
	if err != nil {
		return nil, err
	}
	return ethereum.Decode(opened)
}

// read reads a block that is not above the head, unless it was read a moment ago.
func (c *Chain) read(ctx context.Context, number uint64) (*ethereum.Block, error) {
	if b, ok := c.old.Get(number); ok {
		return b, nil
	}
	b, err := c.load(ctx, number)
	if err != nil {
		return nil, err
	}
	c.old.Add(number, b)
	c.hashes.Add(number, b.Hash)
	if number > 0 {
		c.hashes.Add(number-1, b.Header.ParentHash)
	}
	return b, nil
}

// find looks for a term below the tail, which starts at first: in the index, then
// with match in the blocks that the index does not hold, or holds unread.
func (c *Chain) find(ctx context.Context, term []byte, first uint64, match func(*ethereum.Block) (uint32, bool)) (uint64, uint32, error) {
	next := min(c.next(), first)
	if next > 0 {
		found, err := c.occurrences(term, 0, next-1, 1, true)
		if err != nil {
			return 0, 0, err
		}
		if len(found) > 0 {
			return found[0].Height, found[0].Position, nil
		}
	}
	if first-next > c.limits.behind {
		return 0, 0, c.behind()
	}
	unread, err := c.unread(next)
	if err != nil {
		return 0, 0, err
	}
	for number := next; number < first; number++ {
		unread = append(unread, number)
	}
	bytes := uint64(0)
	for i, number := range slices.Backward(unread) {
		if uint64(len(unread)-i) > c.limits.behind+1 || bytes > c.limits.behindBytes {
			return 0, 0, c.behind()
		}
		b, err := c.read(ctx, number)
		if err != nil {
			return 0, 0, err
		}
		if position, ok := match(b); ok {
			return number, position, nil
		}
		bytes += b.Size
	}
	return 0, 0, ErrUnknown
}

// unread gives the newest blocks below next that the index holds unread, in order.
func (c *Chain) unread(next uint64) (numbers []uint64, err error) {
	if next == 0 {
		return nil, nil
	}
	found, err := c.occurrences(unreadTerm(), 0, next-1, int(c.limits.behind)+1, true)
	for _, f := range slices.Backward(found) {
		numbers = append(numbers, f.Height)
	}
	return numbers, err
}

// occurrences asks the index.
func (c *Chain) occurrences(term []byte, from, to uint64, limit int, reverse bool) ([]history.Found, error) {
	found, err := c.index.Find(term, from, to, limit, reverse)
	if errors.Is(err, history.ErrBehind) {
		err = c.behind()
	}
	return found, err
}

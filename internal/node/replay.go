package node

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/ledger"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/planted"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// base is where replaying begins: the state after a block, verified.
type base struct {
	line *lineage.Lineage // verify moves it on
	at   uint64           // index of that block's entry, 0 when nothing is restored
}

// replay brings the state from the base to the log's last block: each block is
// verified, then opened, then applied and told to the followers, and the ones behind
// it are on their way meanwhile. Nothing is executed.
func (n *Node) replay(ctx context.Context, b *base) error {
	n.arrival.replays(n.log.Head().Height)
	const ahead = 4 // blocks that wait between two of the three: few, for they may be large
	blocks, opened := make(chan verified, ahead), make(chan *envelope.Block, ahead)
	ring := n.bundle.Ring()
	work, ctx := errgroup.WithContext(ctx)
	work.Go(func() error {
		defer close(blocks)
		return n.verify(ctx, b, blocks)
	})
	work.Go(func() error {
		defer close(opened)
		for v := range blocks {
			block, err := envelope.Reopen(ring, v.index, v.block)
			if err == nil {
				err = give(ctx, opened, block)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	work.Go(func() error {
		for block := range opened {
			if err := n.replayBlock(block); err != nil {
				return err
			}
		}
		return nil
	})
	return work.Wait()
}

// verified is a block that is the next right one.
type verified struct {
	index uint64 // of its entry
	block *format.Parsed
}

// give hands something on, unless ctx ends before it is taken.
func give[T any](ctx context.Context, to chan<- T, what T) error {
	select {
	case to <- what:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// verify follows the log from the base to its last entry, and hands on each block
// that is the next right one.
func (n *Node) verify(ctx context.Context, b *base, blocks chan<- verified) error {
	prefix, err := n.prefix(b.at)
	if err != nil {
		return err
	}
	t := trail{prefix: prefix}
	last := n.log.Head().LastIndex
	for index := b.at + 1; index <= last; {
		entries, err := n.log.Entries(index, last+1, 8<<20)
		if err != nil {
			return err
		}
		for i := range entries {
			e := &entries[i]
			prefix, err := t.before(e)
			if err != nil {
				return err
			}
			if e.Kind != format.EntryBlock {
				err = b.line.Pass(e, prefix)
			} else {
				var block *format.Parsed
				if block, err = b.line.Read(e, prefix); err == nil {
					err = give(ctx, blocks, verified{e.Index, block})
				}
			}
			if err != nil {
				return err
			}
		}
		index += uint64(len(entries))
	}
	return nil
}

// trail gives prefix hashes of a log that is read from its beginning to its end.
type trail struct {
	prefix format.Hash   // before last; after everything when that is nil
	last   *format.Entry // what was read last
}

// before is the prefix hash before the next entry. Between two blocks it is what the
// second one names: every byte of the first is held by the second's link to it, by its
// own header and by its signature, and hashing all of it once more would be a sixth of
// a replay. The bytes of everything else are hashed.
func (t *trail) before(e *format.Entry) (format.Hash, error) {
	switch {
	case t.last == nil:
	case t.last.Kind == format.EntryBlock && e.Kind == format.EntryBlock:
		h, err := format.PeekHeader(e.Body)
		if err != nil {
			return t.prefix, err
		}
		t.prefix = h.Prefix
	default:
		t.prefix = format.NextPrefix(t.prefix, t.last)
	}
	t.last = e
	return t.prefix, nil
}

func (n *Node) prefix(index uint64) (format.Hash, error) {
	if index == 0 {
		return format.Hash{}, nil
	}
	return n.log.Prefix(index)
}

func (n *Node) replayBlock(b *envelope.Block) error {
	if err := sequencer.Apply(n.state, b); err != nil {
		return err
	}
	if planted.Is(planted.ApplyTwice) {
		if err := sequencer.Apply(n.state, b); err != nil {
			return err
		}
	}
	for i, f := range n.followers {
		if i > 0 && b.Header.Height == 0 {
			break // only the tiles begin before genesis
		}
		f.Committed(&sequencer.Committed{Block: b})
	}
	n.arrival.height.Store(b.Header.Height)
	return nil
}

// archive reads committed blocks back from the log.
type archive struct {
	log  *ledger.Log
	open func(*format.Entry) (*envelope.Block, error)
}

// Block is the opened block of a height.
func (a *archive) Block(ctx context.Context, height uint64) (*envelope.Block, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	index, err := a.index(height)
	if err != nil {
		return nil, err
	}
	e, err := a.log.Entry(index)
	if err != nil {
		return nil, err
	}
	return a.open(e)
}

// index is the index of the block of a height.
func (a *archive) index(height uint64) (uint64, error) {
	index, ok := a.log.IndexOf(height)
	if ok {
		return index, nil
	}
	first, known := a.log.FirstHeight()
	if head := a.log.Head(); head.HasBlock && height <= head.Height && (!known || height >= first) {
		return 0, ledger.ErrDamaged.From(fmt.Errorf("block %d", height))
	}
	return 0, ledger.ErrAbsent.From(fmt.Errorf("block %d", height))
}

// heightOf finds the block that holds a seqno, among those up to a height.
func (a *archive) heightOf(seqno, upTo uint64) (uint64, error) {
	low, high := uint64(0), upTo // the block is in [low, high]
	for low < high {
		mid := (low + high + 1) / 2
		h, err := a.header(mid)
		if err != nil {
			return 0, err
		}
		if h.FirstSeqno <= seqno {
			low = mid
		} else {
			high = mid - 1
		}
	}
	return low, nil
}

func (a *archive) header(height uint64) (*format.Header, error) {
	index, err := a.index(height)
	if err != nil {
		return nil, err
	}
	e, err := a.log.Entry(index)
	if err != nil {
		return nil, err
	}
	return format.PeekHeader(e.Body)
}

// serviceTables are the tables of the node's own public documents.
func serviceTables() []kv.Table {
	return []kv.Table{{Name: format.TableService, Kind: kv.Ordered}, {Name: format.TableFormat, Kind: kv.Ordered},
		{Name: format.TableNodes, Kind: kv.Ordered}}
}

package node

import (
	"context"
	"errors"
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

	prefix format.Hash // the prefix hash after it
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
	t := trail{prefix: b.prefix}
	last := n.log.Head().LastIndex
	for index := b.at + 1; index <= last; {
		entries, err := n.log.Entries(index, last+1, 8<<20)
		if errors.Is(err, ledger.ErrDamaged) { // nothing can be served without it
			err = ledger.ErrCorrupt.From(errors.Unwrap(err))
		}
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
	return t.end()
}

// trail gives prefix hashes of a log that is read from its beginning to its end.
//
// Between two blocks it is what the second one names: hashing all of the first one
// again would be a sixth of a replay, and its bytes are held by its own header and
// signature and by the second one's link to it. What these do not hold is that nothing
// stood between them. A log from which something was taken has other indices from there
// on, which are hashed into every prefix, and what is no block is always hashed; so it
// is enough that the last pair of blocks is hashed too.
type trail struct {
	prefix format.Hash   // before last; after everything when that is nil
	last   *format.Entry // what was read last

	claimed *format.Entry // the first one of the newest pair that was not hashed
	prior   format.Hash   // the prefix hash before it
	claim   format.Hash   // what the second one names
}

// before is the prefix hash before the next entry.
func (t *trail) before(e *format.Entry) (format.Hash, error) {
	switch {
	case t.last == nil:
	case t.last.Kind == format.EntryBlock && e.Kind == format.EntryBlock:
		h, err := format.PeekHeader(e.Body)
		if err != nil {
			return t.prefix, err
		}
		t.claimed, t.prior, t.claim = t.last, t.prefix, h.Prefix
		t.prefix = h.Prefix
	default:
		t.prefix = format.NextPrefix(t.prefix, t.last)
	}
	t.last = e
	return t.prefix, nil
}

// end is called behind the last entry.
func (t *trail) end() error {
	if t.claimed == nil || format.NextPrefix(t.prior, t.claimed) == t.claim {
		return nil
	}
	return lineage.ErrChain.From(fmt.Errorf("entry %d is not the one before the next block: something was taken out of the log", t.claimed.Index))
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

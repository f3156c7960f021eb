package node

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coco-consortium/coco/internal/history"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/ledger"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/chain"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// terms says under which terms a block is to be found.
type terms func(*sequencer.Committed) ([]history.Entry, error)

// indexer keeps the history index: it opens it, feeds it with committed blocks,
// from the ledger when it lacks older ones, and makes it again when it is missing
// or damaged. It never holds up a commit, and nobody waits for it: it is asked as
// it stands (chain.Index).
type indexer struct {
	options history.Options
	terms   terms
	archive *archive
	logger  *slog.Logger
	moved   func() // is told when the index has come further, or is gone
	parcel  int    // see parcelBytes
	off     bool   // none is kept
	pace    pace

	index  atomic.Pointer[history.Index] // nil while there is none
	lag    chan struct{}
	remove bool // the files are of no use; for run alone

	mu      sync.Mutex // nobody waits for a disk who holds it
	retired *retired   // what run closes before it opens another; index is nil then
	behind  bool       // blocks are fed from the ledger, by run, until it has caught up
	head    uint64     // last committed height
}

// retired is an index that is out of service, not closed yet, and why.
type retired struct {
	*history.Index
	err error
}

// indexOptions are those of an index whose key has a label.
func indexOptions(c Config, ring *keys.Ring, label string) history.Options {
	return history.Options{Log: c.Logger, FS: c.FS,
		Epoch: func(uint64) uint64 { return ring.Newest(format.ServiceDomain) },
		Key: func(epoch uint64) ([32]byte, error) {
			return ring.Derive(keys.Epoch{Domain: format.ServiceDomain, Number: epoch}, label)
		}}
}

// tailBytes bounds what waits to be written. Blocks beyond it are fed from the
// ledger.
const tailBytes = 32 << 20

// openIndexer opens the index below the data directory if it is good, for a
// ledger that ends at head. All else is left to run.
func openIndexer(ctx context.Context, c Config, ring *keys.Ring, a *archive, of terms, head uint64) *indexer {
	x := &indexer{options: indexOptions(c, ring, "index"), terms: of, archive: a, logger: c.Logger, moved: func() {}, parcel: parcelBytes,
		lag: make(chan struct{}, 1), behind: true, head: head}
	x.pace.patience.Store(mostPatience)
	x.options.TailBytes = tailBytes
	if x.off = c.NoIndex; x.off {
		if err := history.Remove(dirIndex, c.FS); err != nil {
			c.Logger.Warn("a history index that is not wanted any more is still there", "err", err)
		}
		return x
	}
	if err := x.open(ctx); err != nil {
		x.logger.Debug("the history index cannot be used as it is", "err", err)
	}
	return x
}

// open takes an index into service. The problem is history.ErrDamaged or
// ErrForeign when the files are of no use.
func (x *indexer) open(ctx context.Context) error {
	index, err := history.Open(dirIndex, x.options)
	if err != nil {
		return err
	}
	if err := x.follows(ctx, index); err != nil {
		return errors.Join(err, index.Close())
	}
	x.index.Store(index)
	return nil
}

// follows makes sure that the index is of this ledger: it must not know more
// blocks, and it must know the last one that it has. Otherwise the ledger is an
// older copy than the index. Nor may it lack what was damaged in the ledger and is
// whole again.
func (x *indexer) follows(ctx context.Context, index *history.Index) error {
	height, ok := index.Height()
	if !ok {
		return nil
	}
	x.mu.Lock()
	head := x.head
	x.mu.Unlock()
	if height > head {
		return history.ErrForeign.From(errors.New("it knows more blocks than the ledger"))
	}
	b, err := x.archive.Block(ctx, height)
	if errors.Is(err, ledger.ErrDamaged) {
		return nil // nothing speaks against it
	} else if err != nil {
		return err
	}
	entries, err := x.terms(&sequencer.Committed{Block: b})
	if err != nil {
		return err
	}
	for _, e := range entries {
		found, err := index.Find(e.Term, height, height, 1, false)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return history.ErrForeign.From(errors.New("its last block is not the ledger's"))
		}
	}
	unread, err := index.Find(chain.Unread()[0].Term, 0, height, 1, false)
	if err != nil || len(unread) == 0 {
		return err
	}
	if _, err := x.archive.Block(ctx, unread[0].Height); err == nil {
		return history.ErrDamaged.From(errors.New("it lacks blocks that the ledger has again"))
	}
	return nil
}

// of is the index as the chain asks it.
func (x *indexer) of() chain.Index {
	if x.off {
		return chain.NoIndex
	}
	return x
}

// Height implements chain.Index.
func (x *indexer) Height() (uint64, bool) {
	index := x.index.Load()
	if index == nil {
		return 0, false
	}
	return index.Height()
}

// Find implements chain.Index. Whoever asked for Height and finds another index
// since is told that it is behind.
func (x *indexer) Find(term []byte, from, to uint64, limit int, reverse bool) ([]history.Found, error) {
	index := x.index.Load()
	if index == nil {
		return nil, history.ErrBehind
	}
	if height, ok := index.Height(); !ok || height < to {
		return nil, history.ErrBehind
	}
	found, err := index.Find(term, from, to, limit, reverse)
	switch {
	case errors.Is(err, history.ErrDamaged):
		x.retire(index, err)
	case errors.Is(err, history.ErrClosed) && x.index.Load() != index:
		err = history.ErrBehind
	}
	return found, err
}

// retire takes an index out of service that cannot be read or written any more.
func (x *indexer) retire(index *history.Index, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.index.CompareAndSwap(index, nil) {
		x.retired = &retired{index, err}
		x.signal()
	}
}

// current gives the index in service, or one that was retired, which is the
// caller's to close.
func (x *indexer) current() (*history.Index, *retired) {
	x.mu.Lock()
	defer x.mu.Unlock()
	old := x.retired
	x.retired = nil
	return x.index.Load(), old
}

func (x *indexer) signal() {
	select {
	case x.lag <- struct{}{}:
	default:
	}
}

// Committed indexes a block, or leaves it to run.
func (x *indexer) Committed(c *sequencer.Committed) {
	if x.off {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.head = c.Header.Height
	x.pace.commit(c.Header.LastSeqno())
	index := x.index.Load()
	if x.behind || index == nil {
		x.behind = true
		return
	}
	entries, err := x.terms(c)
	if err == nil {
		err = index.Add(x.head, entries)
	}
	if err != nil {
		x.behind = true
		x.logger.Warn("the history index falls behind and is fed from the ledger", "height", x.head, "err", err)
		x.signal()
	}
}

// How long run waits before it tries again what failed: at first, and at most.
const (
	firstPause = time.Second
	longPause  = time.Minute
)

// run keeps the index up to date until ctx ends.
func (x *indexer) run(ctx context.Context) {
	if x.off {
		return
	}
	for pause := firstPause; ctx.Err() == nil; {
		index, err := x.ready(ctx)
		if err == nil {
			err = x.catchUp(ctx, index)
		}
		if err == nil {
			pause = firstPause
			select {
			case <-ctx.Done():
			case <-x.lag:
			}
		} else if ctx.Err() == nil {
			x.logger.Warn("the history index is not up to date; trying again", "in", pause, "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
			pause = min(2*pause, longPause)
		}
	}
}

// ready gives the index to feed. It closes one that was retired, and begins an
// empty one when the files are of no use: it is only a copy.
func (x *indexer) ready(ctx context.Context) (*history.Index, error) {
	index, old := x.current()
	if index != nil {
		return index, nil
	}
	if old != nil {
		x.moved()
		x.remove = useless(old.err)
		x.logger.Warn("the history index is out of service", "err", old.err)
		if err := old.Close(); err != nil {
			x.logger.Debug("the history index was closed before it was on disk", "err", err)
		}
	}
	x.mu.Lock()
	x.behind = true
	x.mu.Unlock()
	if !x.remove {
		err := x.open(ctx)
		if x.remove = useless(err); !x.remove {
			return x.index.Load(), err
		}
		x.logger.Warn("the history index cannot be used", "err", err)
	}
	if err := history.Remove(dirIndex, x.options.FS); err != nil {
		return nil, err
	}
	x.remove = false
	x.logger.Warn("the history index is made again from the ledger")
	err := x.open(ctx)
	return x.index.Load(), err
}

func useless(err error) bool {
	return errors.Is(err, history.ErrDamaged) || errors.Is(err, history.ErrForeign)
}

// Flush makes durable what the index holds.
func (x *indexer) Flush(ctx context.Context) error {
	if index := x.index.Load(); index != nil {
		return index.Flush(ctx)
	}
	return nil
}

// close flushes and closes the index, after run has ended. What it could not
// write it takes from the ledger at the next start.
func (x *indexer) close(ctx context.Context) error {
	index, old := x.current()
	if old != nil {
		index = old.Index
	}
	if index == nil {
		return nil
	}
	err := errors.Join(index.Flush(ctx), index.Close())
	if errors.Is(err, history.ErrUnavailable) || useless(err) {
		x.logger.Warn("the history index is not up to date on disk; the next start catches up", "err", err)
		return nil
	}
	return err
}

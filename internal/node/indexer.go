package node

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/coco-consortium/coco/internal/history"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// terms says under which terms a block is to be found.
type terms func(*sequencer.Committed) ([]history.Entry, error)

// indexer feeds the history index with committed blocks. It never holds up a
// commit: when the index cannot take a block at once, the indexer falls back to
// feeding it from the ledger.
type indexer struct {
	*history.Index
	again   func() (*history.Index, error) // removes the index and opens an empty one
	terms   terms
	archive *archive
	logger  *slog.Logger

	mu     sync.Mutex // guards Add, which one goroutine may call at a time
	behind bool       // blocks are fed from the ledger until it has caught up
	head   uint64     // last committed height
	lag    chan struct{}
}

// indexOptions are those of an index whose key has a label.
func indexOptions(c Config, ring *keys.Ring, label string) history.Options {
	return history.Options{Log: c.Logger, FS: c.IndexFS,
		Epoch: func(uint64) uint64 { return ring.Newest(format.ServiceDomain) },
		Key: func(epoch uint64) [32]byte {
			key, err := ring.Derive(keys.Epoch{Domain: format.ServiceDomain, Number: epoch}, label)
			if err != nil {
				return [32]byte{} // an epoch that is not held indexes nothing
			}
			return key
		}}
}

// openIndexer opens the index below the data directory. An index that is damaged
// or another network's is removed and made again: it is only a copy.
func openIndexer(c Config, ring *keys.Ring, a *archive, of terms) (*indexer, error) {
	options := indexOptions(c, ring, "index")
	x := &indexer{terms: of, archive: a, logger: c.Logger, lag: make(chan struct{}, 1)}
	x.again = func() (*history.Index, error) {
		if err := history.Remove(c.Index, options.FS); err != nil {
			return nil, err
		}
		return history.Open(c.Index, options)
	}
	var err error
	x.Index, err = history.Open(c.Index, options)
	if errors.Is(err, history.ErrDamaged) || errors.Is(err, history.ErrForeign) {
		c.Logger.Warn("the history index is made again from the ledger", "err", err)
		x.Index, err = x.again()
	}
	if err != nil {
		return nil, err
	}
	return x, nil
}

// follows makes sure that the index is of this ledger: it must not know more
// blocks, and it must know the last one that it has. Otherwise the ledger is an
// older copy than the index, and the index is made again.
func (x *indexer) follows(ctx context.Context, head uint64) error {
	height, ok := x.Height()
	if !ok {
		return nil
	}
	if height <= head {
		b, err := x.archive.Block(ctx, height)
		if err != nil {
			return err
		}
		entries, err := x.terms(&sequencer.Committed{Block: b})
		if err != nil {
			return err
		}
		missing := false
		for _, e := range entries {
			found, err := x.Find(e.Term, height, height, 1, false)
			if err != nil {
				return err
			}
			missing = missing || len(found) == 0
		}
		if !missing {
			return nil
		}
	}
	x.logger.Warn("the history index is of another ledger and is made again", "index", height, "ledger", head)
	if err := x.Close(); err != nil {
		return err
	}
	index, err := x.again()
	if err == nil {
		x.Index = index
	}
	return err
}

// Committed indexes a block, or leaves it to run.
func (x *indexer) Committed(c *sequencer.Committed) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.head = c.Header.Height
	if height, ok := x.Height(); x.behind || ok && height >= x.head {
		return
	}
	if err := x.add(c); err != nil {
		x.behind = true
		x.logger.Warn("the history index falls behind and is fed from the ledger", "height", x.head, "err", err)
		select {
		case x.lag <- struct{}{}:
		default:
		}
	}
}

func (x *indexer) add(c *sequencer.Committed) error {
	entries, err := x.terms(c)
	if err != nil {
		return err
	}
	return x.Add(c.Header.Height, entries)
}

// catchUp feeds the index from the ledger up to a height.
func (x *indexer) catchUp(ctx context.Context, to uint64) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	next := uint64(0)
	if height, ok := x.Height(); ok {
		next = height + 1
	}
	for ; next <= to; next++ {
		b, err := x.archive.Block(ctx, next)
		if err != nil {
			return err
		}
		if err := x.feed(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// feed adds a block, waiting until the index has room for it.
func (x *indexer) feed(ctx context.Context, b *envelope.Block) error {
	for {
		err := x.add(&sequencer.Committed{Block: b})
		if !errors.Is(err, history.ErrBehind) {
			return err
		}
		if err := x.Room(ctx); err != nil {
			return err
		}
	}
}

// run brings an index that fell behind up to date again.
func (x *indexer) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-x.lag:
		}
		for {
			more, err := x.advance(ctx)
			if err == nil && !more {
				break
			}
			if err == nil {
				continue
			}
			x.logger.Warn("the history index cannot be brought up to date; trying again", "err", err)
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Second):
			}
		}
	}
}

// advance feeds one block and reports whether more are missing.
func (x *indexer) advance(ctx context.Context) (more bool, err error) {
	if err := x.Room(ctx); err != nil {
		return false, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	next := uint64(0)
	if height, ok := x.Height(); ok {
		next = height + 1
	}
	if next > x.head {
		x.behind = false
		return false, nil
	}
	b, err := x.archive.Block(ctx, next)
	if err == nil {
		err = x.add(&sequencer.Committed{Block: b})
	}
	if errors.Is(err, history.ErrBehind) {
		err = nil
	}
	return true, err
}

// close flushes and closes the index. What it could not write it takes from the
// ledger at the next start.
func (x *indexer) close(ctx context.Context) error {
	err := errors.Join(x.Flush(ctx), x.Close())
	if errors.Is(err, history.ErrUnavailable) {
		x.logger.Warn("the history index is not up to date on disk; the next start catches up", "err", err)
		return nil
	}
	return err
}

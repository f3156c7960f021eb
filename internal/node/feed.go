package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/coco-consortium/coco/internal/history"
	"github.com/coco-consortium/coco/internal/ledger"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/chain"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// A parcel is some blocks that are read, opened and decoded together, ahead of
// being indexed: about parcelBytes of the ledger, or one block. At most two
// parcels are made while a third is indexed and one waits, which bounds memory.
const (
	parcelBytes = 256 << 10
	parcelQueue = 1
)

// parcel is the entries of a run of blocks.
type parcel struct {
	first   uint64 // height
	entries [][]history.Entry
	bytes   int // in the ledger
	records uint64
	last    uint64 // seqno of the last of them
	err     error
}

// errRetired ends the feeding of an index that went out of service.
var errRetired = errors.New("it has to be made again")

// catchUp feeds an index from the ledger until it has all that is committed, and
// hands it over to Committed.
func (x *indexer) catchUp(ctx context.Context, index *history.Index) error {
	p := newFeeding(x.logger)
	for {
		from, to, ok := x.missing(index)
		if !ok {
			x.moved()
			p.end()
			return nil
		}
		if err := x.feed(ctx, index, from, to, p); err != nil {
			return err
		}
	}
}

// missing gives the blocks that the index lacks. If there are none, Committed
// adds the next one.
func (x *indexer) missing(index *history.Index) (from, to uint64, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if height, ok := index.Height(); ok {
		from = height + 1
	}
	x.behind = from <= x.head
	return from, x.head, x.behind
}

// feed indexes the blocks between two heights, both included.
func (x *indexer) feed(ctx context.Context, index *history.Index, from, to uint64, p *feeding) error {
	var readers sync.WaitGroup
	defer readers.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	parcels := make(chan chan parcel, parcelQueue)
	readers.Go(func() { x.read(ctx, from, to, parcels, &readers) })
	for coming := range parcels {
		var got parcel
		select {
		case got = <-coming:
		case <-ctx.Done():
			return ctx.Err()
		}
		if got.err != nil {
			return got.err
		}
		for i, entries := range got.entries {
			if err := x.add(ctx, index, got.first+uint64(i), entries); err != nil {
				return err
			}
		}
		x.moved()
		if x.index.Load() != index {
			return errRetired
		}
		if got.records > 0 {
			p.progress(&got, x.committed(), x.pace.last.Load())
			x.pace.reach(got.last)
		}
	}
	return ctx.Err()
}

func (x *indexer) committed() uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.head
}

// add adds a block, waiting until the index has room for it. An index that fails
// is retired.
func (x *indexer) add(ctx context.Context, index *history.Index, height uint64, entries []history.Entry) error {
	for {
		err := index.Add(height, entries)
		if errors.Is(err, history.ErrBehind) {
			if err = index.Room(ctx); err == nil {
				continue
			}
		}
		if err != nil && ctx.Err() == nil {
			x.retire(index, err)
		}
		return err
	}
}

// read sends the parcels of the blocks between two heights in order, each on a
// channel of its own. What the ledger cannot give any more is passed over.
func (x *indexer) read(ctx context.Context, from, to uint64, parcels chan<- chan parcel, readers *sync.WaitGroup) {
	defer close(parcels)
	passing := false // over damage
	for from <= to {
		made := make(chan parcel, 1)
		blocks, err := x.archive.entries(from, to, x.parcel)
		if errors.Is(err, ledger.ErrDamaged) {
			blocks, err = x.archive.entries(from, from, 0) // the damage may lie further on
		}
		first, damaged := from, errors.Is(err, ledger.ErrDamaged)
		switch {
		case damaged:
			if !passing {
				x.logger.Error("a part of the ledger is damaged and is not in the history index", "block", from, "err", err)
			}
			made <- parcel{first: first, entries: [][]history.Entry{chain.Unread()}}
			from, err = from+1, nil
		case err != nil:
			made <- parcel{err: err}
		default:
			readers.Go(func() { made <- x.decode(ctx, first, blocks) })
			from += uint64(len(blocks))
		}
		passing = damaged
		select {
		case parcels <- made:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// decode opens and decodes blocks.
func (x *indexer) decode(ctx context.Context, first uint64, blocks []format.Entry) parcel {
	p := parcel{first: first, entries: make([][]history.Entry, len(blocks))}
	for i := range blocks {
		began := time.Now()
		b, err := x.archive.open(&blocks[i])
		if err == nil {
			p.entries[i], err = x.terms(&sequencer.Committed{Block: b})
		}
		if err != nil {
			p.err = err
			return p
		}
		p.bytes += len(blocks[i].Body)
		p.records += b.Header.Count
		p.last = b.Header.LastSeqno()
		if p.err = x.pace.yield(ctx, time.Since(began)); p.err != nil {
			return p
		}
	}
	return p
}

// entries gives some block entries from a height on, up to another one: at least
// one, and as many as fit in so many bytes.
func (a *archive) entries(from, to uint64, bytes int) ([]format.Entry, error) {
	lo, err := a.index(from)
	if err != nil {
		return nil, err
	}
	for end := a.log.Head().LastIndex + 1; lo < end; {
		entries, err := a.log.Entries(lo, end, bytes)
		if err != nil {
			return nil, err
		}
		lo += uint64(len(entries))
		blocks := entries[:0]
		for _, e := range entries {
			if e.Kind == format.EntryBlock {
				blocks = append(blocks, e)
			}
		}
		if len(blocks) > 0 {
			return blocks[:min(uint64(len(blocks)), to-from+1)], nil
		}
	}
	return nil, ledger.ErrAbsent.From(fmt.Errorf("block %d", from))
}

// feeding tells people how it goes, when it takes long.
type feeding struct {
	logger         *slog.Logger
	began, told    time.Time
	blocks         uint64
	records, bytes uint64
}

// When the first word is said, and how often from then on.
const (
	silence  = 3 * time.Second
	interval = 10 * time.Second
)

func newFeeding(l *slog.Logger) *feeding { return &feeding{logger: l, began: time.Now()} }

// progress notes that the index has a parcel, of a ledger that ends with a block
// and a seqno. Blocks differ in size, so time is reckoned by records.
func (f *feeding) progress(p *parcel, head, last uint64) {
	f.blocks, f.records, f.bytes = f.blocks+uint64(len(p.entries)), f.records+p.records, f.bytes+uint64(p.bytes)
	now := time.Now()
	if now.Sub(f.began) < silence || now.Sub(f.told) < interval {
		return
	}
	f.told = now
	seconds := now.Sub(f.began).Seconds()
	last = max(last, p.last, 1)
	remaining := time.Duration(float64(last-p.last) / float64(f.records) * seconds * float64(time.Second))
	f.logger.Warn("the history index is being made from the ledger; the node serves meanwhile",
		"block", p.first+uint64(len(p.entries)), "of", head+1, "percent", p.last*100/last, "transactions/s", int(float64(f.records)/seconds),
		"MB/s", fmt.Sprintf("%.1f", float64(f.bytes)/seconds/1e6), "remaining", remaining.Round(time.Second))
}

func (f *feeding) end() {
	if !f.told.IsZero() {
		f.logger.Warn("the history index is complete", "blocks", f.blocks, "took", time.Since(f.began).Round(time.Second))
	}
}

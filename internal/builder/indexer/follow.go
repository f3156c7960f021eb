package indexer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/problem"
)

// How long to wait before what failed is tried again.
const (
	shortPause = 100 * time.Millisecond
	longPause  = 5 * time.Second
)

// Follow takes the blocks of one connection in until ctx ends. Whatever goes wrong is
// tried again, also that the node is of another ledger (LEDGER_FOREIGN), of which
// nothing is taken in; State says what it is.
func (x *Indexer) Follow(ctx context.Context, connectionID int, driver ledger.Driver) error {
	ctx, end := context.WithCancel(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer end()
	f := &follower{Indexer: x, id: connectionID, driver: driver, changed: make(chan struct{}, 1),
		known: &known{store: x.Store, book: x.Book, connection: connectionID, at: map[common.Address]*target{}}}
	for pause, started := shortPause, false; ; pause = min(2*pause, longPause) {
		err := f.begin(ctx)
		if err == nil && !started {
			started = true
			from := f.next
			watching.Go(func() { driver.Watch(ctx, from, f.wake) })
		}
		for err == nil {
			if err = f.step(ctx); err == nil {
				pause = shortPause
			}
		}
		f.forget()
		switch fresh := x.stuck(connectionID, err); {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ledger.ErrForeign):
			if pause = longPause; fresh {
				x.Log.Error("the node is of another ledger; nothing more is taken in", "connection", connectionID, "why", err)
			}
		case fresh:
			x.Log.Warn("blocks cannot be taken in; trying again", "connection", connectionID, "block", f.next, "why", err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// follower takes in one connection's blocks.
type follower struct {
	*Indexer
	*known
	id      int
	driver  ledger.Driver
	changed chan struct{} // the head may be another
	next    uint64
	last    common.Hash // of the block before next; zero: none was taken in
	ahead   *fetch      // what comes next, on its way
	final   bool        // no block is ever replaced
	short   time.Time   // since when the ledger has fewer blocks than were taken in; zero: it has them
}

func (f *follower) wake() {
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// begin reads where the connection stands and makes sure that the node is of its
// ledger.
func (f *follower) begin(ctx context.Context) error {
	f.ahead = nil
	info, err := f.driver.Info(ctx)
	if err != nil {
		return err
	}
	f.final = info.Final
	row, err := f.Store.Connection(ctx, f.id)
	if err != nil {
		return err
	}
	if row.ChainID != 0 && info.ChainID != nil && (!info.ChainID.IsUint64() || info.ChainID.Uint64() != row.ChainID) {
		return ledger.ErrForeign.From(fmt.Errorf("chain id %s instead of %d", info.ChainID, row.ChainID))
	}
	if row.Genesis != (common.Hash{}) {
		zero, err := f.driver.Blocks(ctx, 0, 1)
		if err != nil {
			return err
		}
		if len(zero) > 0 && zero[0].Hash != row.Genesis {
			return ledger.ErrForeign.From(fmt.Errorf("block 0 is %s instead of %s", zero[0].Hash, row.Genesis))
		}
	}
	return f.place(ctx)
}

// place reads the cursor.
func (f *follower) place(ctx context.Context) error {
	cursor, err := f.Store.Cursor(ctx, f.id)
	if err != nil {
		return err
	}
	f.next, f.last = cursor.Next, cursor.Hash
	f.stands(f.id, f.next)
	return nil
}

// fetch is blocks on their way.
type fetch struct {
	blocks []ledger.Block
	err    error
	done   chan struct{}
}

func (f *follower) fetch(ctx context.Context, from uint64) *fetch {
	r := &fetch{done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.blocks, r.err = f.driver.Blocks(ctx, from, f.Batch)
	}()
	return r
}

// step takes in what there is, or waits for more. The blocks after those that it
// takes in are fetched meanwhile.
func (f *follower) step(ctx context.Context) error {
	if f.ahead == nil {
		f.ahead = f.fetch(ctx, f.next)
	}
	got := f.ahead
	f.ahead = nil
	select {
	case <-got.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if got.err != nil {
		return got.err
	}
	if len(got.blocks) == 0 {
		f.taken(f.id, f.next, time.Time{})
		gone, err := f.gone(ctx)
		if err != nil {
			return err
		}
		if gone {
			return f.rewind(ctx)
		}
		var again <-chan time.Time
		if !f.short.IsZero() {
			again = time.After(f.Patience)
		}
		select {
		case <-f.changed:
			return nil
		case <-again:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	f.short = time.Time{}
	if got.blocks[0].Parent != f.last && f.last != (common.Hash{}) {
		return f.rewind(ctx)
	}
	if err := consecutive(f.next, got.blocks); err != nil {
		return err
	}
	f.ahead = f.fetch(ctx, f.next+uint64(len(got.blocks)))
	err := f.take(ctx, got.blocks)
	if errors.Is(err, ledger.ErrReplaced) { // between fetching and reading
		f.ahead = nil
		f.forget()
		return f.rewind(ctx)
	}
	return err
}

// gone says whether the newest block that was taken in is none of the ledger's any
// more, though no other came after it: a chain that was set back, or a node that lost
// its last blocks with its machine. One that is only shorter may be behind, and is
// given a while.
func (f *follower) gone(ctx context.Context) (bool, error) {
	if f.final || f.next == 0 || f.last == (common.Hash{}) {
		return false, nil
	}
	there, err := f.driver.Blocks(ctx, f.next-1, 1)
	switch {
	case err != nil:
		return false, err
	case len(there) > 0:
		f.short = time.Time{}
		return there[0].Hash != f.last, nil
	case f.short.IsZero():
		f.short = time.Now()
	}
	return time.Since(f.short) >= f.Patience, nil
}

func consecutive(from uint64, blocks []ledger.Block) error {
	for i := range blocks {
		if blocks[i].Number != from+uint64(i) || i > 0 && blocks[i].Parent != blocks[i-1].Hash {
			return ledger.ErrAnswer.From(fmt.Errorf("block %d is not the one after %d", blocks[i].Number, from+uint64(i)-1))
		}
	}
	return nil
}

// take makes one entry of a range of blocks, or several when one cannot hold what
// they say.
func (f *follower) take(ctx context.Context, blocks []ledger.Block) error {
	err := f.takeWhole(ctx, blocks)
	if n := len(blocks); n > 1 && (errors.Is(err, errRange) || problem.CodeOf(err) == "ENTRY_TOO_LARGE") {
		if err = f.take(ctx, blocks[:n/2]); err == nil {
			err = f.take(ctx, blocks[n/2:])
		}
	}
	return err
}

func (f *follower) takeWhole(ctx context.Context, blocks []ledger.Block) error {
	p, err := newPlan(ctx, f.known)
	if err != nil {
		return err
	}
	if err := p.blocks(ctx, blocks); err != nil {
		return err
	}
	if err := p.snapshots(ctx, f.driver, f.Log); err != nil {
		return err
	}
	newest := &blocks[len(blocks)-1]
	e := &offchain.BlocksTaken{ConnectionID: f.id, From: blocks[0].Number, To: newest.Number}
	for i := range blocks {
		e.Hashes = append(e.Hashes, blocks[i].Hash)
	}
	if e.Facts, err = p.facts.encode(); err != nil {
		return err
	}
	if _, err := f.Store.Do(ctx, e); err != nil {
		return err
	}
	p.settle(e)
	f.next, f.last = newest.Number+1, newest.Hash
	f.taken(f.id, f.next, newest.Time)
	return nil
}

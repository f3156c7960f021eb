package kv

import (
	"fmt"
	"slices"
)

// Block is a block that is being built on the speculative state. Its methods are
// for one goroutine.
type Block struct {
	s       *Store
	height  uint64
	changes []*change // one for each key, by committed transactions
	pieces  pieces    // for its transactions' changes
	last    *work     // its newest transaction, whose sets the next one takes
	rooms   []string  // asked for last, and
	own     []bool    // their tables
}

// Begin opens a block on top of the tail, whose height must be one less.
func (s *Store) Begin(height uint64) (*Block, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open != nil {
		return nil, fmt.Errorf("%w: height %d", ErrOpen, s.open.height)
	}
	if next := s.next + uint64(len(s.tail)); height != next {
		return nil, fmt.Errorf("%w: begin %d, next is %d", ErrHeight, height, next)
	}
	s.open = &Block{s: s, height: height}
	return s.open, nil
}

// Height is the block's height.
func (b *Block) Height() uint64 { return b.height }

// Tx opens a transaction that sees the block's earlier ones. It may write the
// tables of the given rooms alone; of all rooms, if none is given. A block has
// one transaction at a time.
func (b *Block) Tx(rooms ...string) *Tx {
	w := &work{b: b}
	if b.last != nil && b.last.finished {
		w.sets, b.last.sets = b.last.sets, nil
		w.sets.clear()
	} else {
		w.sets = new(sets)
	}
	b.last = w
	w.tx.work = w
	if len(rooms) > 0 {
		w.tx.own = b.owned(rooms)
	}
	return &w.tx
}

// owned says by TableID which tables belong to the rooms. It must not be changed.
func (b *Block) owned(rooms []string) []bool {
	if b.own == nil || !slices.Equal(b.rooms, rooms) {
		b.rooms, b.own = slices.Clone(rooms), b.s.owned(rooms)
	}
	return b.own
}

// Seal ends the block and makes it the newest of the tail.
func (b *Block) Seal() (*Delta, error) {
	sortChanges(b.changes)
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	if b.s.open != b {
		return nil, b.dropped()
	}
	d := &Delta{height: b.height, changes: b.changes}
	b.s.tail = append(b.s.tail, d)
	b.s.open = nil
	return d, nil
}

// Discard drops the block: nothing of it remains. After Seal it does nothing.
func (b *Block) Discard() {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	if b.s.open == b {
		b.s.open = nil
		b.s.restack()
	}
}

// merge takes over the changes of a transaction.
func (b *Block) merge(changes []*change) error {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	if b.s.open != b {
		return b.dropped()
	}
	for _, c := range changes {
		c.height, c.place = b.height, len(b.changes)
		if old := b.s.tip.set(b.s.tables, c); old != nil && old.height == b.height {
			c.place = old.place
			b.changes[c.place] = c
		} else {
			b.changes = append(b.changes, c)
		}
	}
	return nil
}

// fill writes all of a block's writes in one transaction.
func (b *Block) fill(writes []Write) error {
	tx := b.Tx()
	for _, w := range writes {
		var err error
		if w.Delete {
			err = tx.Delete(w.Table, w.Key)
		} else {
			err = tx.Put(w.Table, w.Key, w.Value)
		}
		if err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (b *Block) dropped() error { return fmt.Errorf("%w: height %d", ErrDropped, b.height) }

// Delta is what a sealed block changes.
type Delta struct {
	height  uint64
	changes []*change // sorted by table and key
}

// Height is the block's height.
func (d *Delta) Height() uint64 { return d.height }

// Writes lists the block's writes, one for each key, by table and key.
func (d *Delta) Writes() []Write { return writesOf(d.changes) }

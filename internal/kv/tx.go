package kv

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
)

// Tx is a transaction on a block. It reads the newest speculative state with its
// own writes on top, and remembers what it read and wrote. Nobody else sees its
// writes before Commit. It is for the block's goroutine.
type Tx struct {
	*work
	own  []bool // by TableID: the tables it may write; nil for all
	part bool   // made by Scope
}

// work is what a transaction shares with its scopes.
type work struct {
	b        *Block
	tx       Tx // itself
	scope    Tx // the first
	*sets       // nil once the block's next transaction has them
	finished bool
}

// sets are what a transaction read and wrote.
type sets struct {
	reads   index  // a change that is deleted was absent
	notes   pieces // for reads
	writes  layer
	changes []*change // those of writes
	sorted  bool
}

func (s *sets) clear() {
	s.reads.clear()
	s.notes.changes = s.notes.changes[:0]
	s.writes.clear()
	clear(s.changes)
	s.changes, s.sorted = s.changes[:0], false
}

// Scope is the same transaction as seen by the given rooms: it may write their
// tables alone, and neither commit nor discard.
func (t *Tx) Scope(rooms ...string) *Tx {
	own := t.b.owned(rooms)
	if t.own != nil {
		own = slices.Clone(own)
		for id := range t.own {
			own[id] = own[id] && t.own[id]
		}
	}
	scope := &t.scope
	if scope.work != nil {
		scope = new(Tx)
	}
	*scope = Tx{work: t.work, own: own, part: true}
	return scope
}

// Get implements Reader.
func (t *Tx) Get(table TableID, key []byte) ([]byte, bool) {
	return fresh(t.GetInto(nil, table, key))
}

// GetInto implements Reader. Keys that the transaction wrote itself do not count
// as read.
func (t *Tx) GetInto(dst []byte, table TableID, key []byte) ([]byte, bool) {
	s := t.b.s
	if int(table) >= len(s.tables) {
		return dst, false
	}
	hash := s.hash(key)
	if c := t.wrote(table, hash, key); c != nil {
		return c.append(dst)
	}
	value, ok := s.current(dst, table, hash, key)
	t.noteRead(table, hash, key, ok)
	return value, ok
}

// Range implements Reader. The keys that it shows count as read. Whether it shows
// a key that fn writes is not said.
func (t *Tx) Range(table TableID, from, to []byte, fn func(key, value []byte) bool) error {
	s := t.b.s
	trees := func(into []*tree) []*tree {
		if t.sets != nil {
			into = append(into, t.writes.tree(table))
		}
		return append(into, s.tip.tree(table), s.tables[table].ordered)
	}
	return s.scan(table, from, to, trees, func(key, value []byte) bool {
		if hash := s.hash(key); t.wrote(table, hash, key) == nil {
			t.noteRead(table, hash, key, true)
		}
		return fn(key, value)
	})
}

// Put sets a key. It fails for a table that is not the transaction's own, and
// for a key or value over the limit.
func (t *Tx) Put(table TableID, key, value []byte) error {
	return t.change(table, key, value, false)
}

// Delete removes a key. Deleting an absent key is a write all the same.
func (t *Tx) Delete(table TableID, key []byte) error {
	return t.change(table, key, nil, true)
}

// Reads lists what was read below the transaction's own writes, by table and key.
// There are none once the block has another transaction.
func (t *Tx) Reads() []Read {
	if t.sets == nil {
		return nil
	}
	var reads []Read
	for _, c := range t.reads.slots {
		if c != nil {
			reads = append(reads, Read{Table: c.table, Key: []byte(c.key), Found: !c.deleted})
		}
	}
	slices.SortFunc(reads, func(a, b Read) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), bytes.Compare(a.Key, b.Key))
	})
	return reads
}

// Writes lists what was written, one write for each key, by table and key. There
// are none once the block has another transaction.
func (t *Tx) Writes() []Write {
	if t.sets == nil {
		return nil
	}
	if !t.sorted {
		sortChanges(t.changes)
		t.sorted = true
	}
	return writesOf(t.changes)
}

// Commit hands the writes to the block. It fails if the block was sealed,
// discarded or rolled back, or the transaction is finished or a scope of another.
func (t *Tx) Commit() error {
	if err := t.end(); err != nil {
		return err
	}
	return t.b.merge(t.changes)
}

// Discard ends the transaction without a trace. After Commit it does nothing.
func (t *Tx) Discard() {
	if t.end() == nil {
		t.sets.clear()
	}
}

func (t *Tx) end() error {
	if t.part {
		return fmt.Errorf("%w: a scope cannot end its transaction", ErrForeign)
	}
	if t.finished {
		return ErrTxFinished
	}
	t.finished = true
	return nil
}

// change puts a change into the writes, in place of an earlier one of its key.
func (t *Tx) change(table TableID, key, value []byte, deleted bool) error {
	if t.finished {
		return ErrTxFinished
	}
	if err := t.b.s.check(table, key, value); err != nil {
		return err
	}
	if t.own != nil && !t.own[table] {
		return fmt.Errorf("%w: %s", ErrForeign, t.b.s.Name(table))
	}
	t.set(table, key, value, deleted)
	return nil
}

// set copies a write. What goes to ordered tables has memory of its own, for it
// stays there when the block is gone.
func (t *Tx) set(table TableID, key, value []byte, deleted bool) {
	s, p := t.b.s, &t.b.pieces
	hash, ordered := s.hash(key), s.tables[table].Kind == Ordered
	c := t.writes.find(table, hash, key)
	if c == nil {
		if ordered {
			c = &change{key: string(key)}
		} else {
			c = p.change()
			if read := t.reads.find(table, hash, key); read != nil {
				c.key = read.key
			} else {
				c.key = p.key(key)
			}
		}
		c.table, c.hash = table, hash
		t.writes.set(s.tables, c)
		t.changes, t.sorted = append(t.changes, c), false
	}
	switch c.deleted = deleted; {
	case deleted:
		c.value = nil
	case ordered:
		c.value = append([]byte{}, value...)
	default:
		c.value = p.value(value)
	}
}

// wrote is the transaction's own word about a key, nil for none.
func (t *Tx) wrote(table TableID, hash uint64, key []byte) *change {
	if t.sets == nil {
		return nil
	}
	return t.writes.find(table, hash, key)
}

// noteRead remembers the first read of a key.
func (t *Tx) noteRead(table TableID, hash uint64, key []byte, found bool) {
	if t.sets == nil || t.reads.find(table, hash, key) != nil {
		return
	}
	c := t.notes.change()
	c.table, c.hash, c.key, c.deleted = table, hash, t.notes.key(key), !found
	t.reads.set(c)
}

// fresh makes the result of GetInto(nil, ...) one of Get.
func fresh(value []byte, ok bool) ([]byte, bool) {
	if ok && value == nil {
		value = []byte{}
	}
	return value, ok
}

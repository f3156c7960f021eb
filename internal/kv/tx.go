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
	reads    []map[string]bool // by TableID; key to found
	writes   layer
	finished bool
}

// Scope is the same transaction as seen by the given rooms: it may write their
// tables alone, and neither commit nor discard.
func (t *Tx) Scope(rooms ...string) *Tx {
	own := t.b.s.owned(rooms)
	for id := range t.own {
		own[id] = own[id] && t.own[id]
	}
	return &Tx{work: t.work, own: own, part: true}
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
	if c := t.writes.get(table, key); c != nil {
		return c.append(dst)
	}
	value, ok := s.current(dst, table, key)
	t.noteRead(table, key, ok)
	return value, ok
}

// Range implements Reader. The keys that it shows count as read. Whether it shows
// a key that fn writes is not said.
func (t *Tx) Range(table TableID, from, to []byte, fn func(key, value []byte) bool) error {
	s := t.b.s
	trees := func(into []*tree) []*tree {
		return append(into, t.writes[table].ordered, s.tip[table].ordered, s.tables[table].ordered)
	}
	return s.scan(table, from, to, trees, func(key, value []byte) bool {
		if t.writes.get(table, key) == nil {
			t.noteRead(table, key, true)
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
func (t *Tx) Reads() []Read {
	var reads []Read
	for id, keys := range t.reads {
		for key, found := range keys {
			reads = append(reads, Read{Table: TableID(id), Key: []byte(key), Found: found})
		}
	}
	slices.SortFunc(reads, func(a, b Read) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), bytes.Compare(a.Key, b.Key))
	})
	return reads
}

// Writes lists what was written, one write for each key, by table and key.
func (t *Tx) Writes() []Write { return writesOf(t.sorted()) }

// Commit hands the writes to the block. It fails if the block was sealed,
// discarded or rolled back, or the transaction is finished or a scope of another.
func (t *Tx) Commit() error {
	if err := t.end(); err != nil {
		return err
	}
	return t.b.merge(t.sorted())
}

// Discard ends the transaction without a trace. After Commit it does nothing.
func (t *Tx) Discard() {
	if t.end() == nil {
		clear(t.writes)
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
	t.writes.set(t.b.s.tables[table].Kind, newChange(table, key, value, deleted))
	return nil
}

// sorted lists the changes by table and key.
func (t *Tx) sorted() []*change {
	n := 0
	for i := range t.writes {
		n += t.writes[i].len()
	}
	changes := make([]*change, 0, n)
	for i := range t.writes {
		for _, c := range t.writes[i].points {
			changes = append(changes, c)
		}
		if ordered := t.writes[i].ordered; ordered != nil {
			changes = append(changes, ordered.Values()...)
		}
	}
	sortChanges(changes)
	return changes
}

func (t *Tx) noteRead(table TableID, key []byte, found bool) {
	if t.reads == nil {
		t.reads = make([]map[string]bool, len(t.b.s.tables))
	}
	keys := t.reads[table]
	if _, known := keys[string(key)]; known {
		return
	}
	if keys == nil {
		keys = make(map[string]bool)
		t.reads[table] = keys
	}
	keys[string(key)] = found
}

// fresh makes the result of GetInto(nil, ...) one of Get.
func fresh(value []byte, ok bool) ([]byte, bool) {
	if ok && value == nil {
		value = []byte{}
	}
	return value, ok
}

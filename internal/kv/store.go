package kv

import (
	"fmt"
	"hash/maphash"
	"sync"
)

// Store is the state of one node. Its methods are safe for concurrent use.
type Store struct {
	// settling is held while the published height or the row of sealed blocks
	// changes, observer included. It is taken before mu.
	settling sync.Mutex
	observer func(height uint64, images []BeforeImage)

	// mu guards what follows. Readers hold it for one lookup or one batch.
	mu     sync.RWMutex
	tables []table  // by TableID; the first is no table
	next   uint64   // the height that is published next
	tail   []*Delta // sealed and not published, heights from next on
	open   *Block   // being built on the tail
	tip    layer    // what tail and open say, the newest word per key
	oldest *version // pinned versions
	newest *version // collects the before-images of what is published

	ids     map[string]TableID
	seed    maphash.Seed
	narrow  uint64 // the bits of a hash that count; tests take some away
	scratch []byte // the publisher's, as is scratchImage

	scratchImage []byte
}

// table is a table's published version.
type table struct {
	Table
	point   *point // one of the two
	ordered *tree

	orderedBytes int // in keys and values of ordered
}

// Shape of point tables: shards by powers of two, and bytes in an arena's chunk
// by powers of two. Before-images have a table for every pinned version, so
// theirs start small.
const (
	baseBits  = 12
	baseChunk = 20
	undoBits  = 6
	undoChunk = 14
)

// New makes a store of empty tables, of which no version is published. The
// first height is 0.
func New(tables ...Table) (*Store, error) {
	sorted, err := schema(tables)
	if err != nil {
		return nil, err
	}
	s := &Store{
		tables: make([]table, 1, len(sorted)+1),
		ids:    make(map[string]TableID, len(sorted)),
		seed:   maphash.MakeSeed(),
		narrow: ^uint64(0),
	}
	for i, t := range sorted {
		s.ids[t.Name] = TableID(i + 1)
		s.tables = append(s.tables, table{Table: t})
	}
	s.clear()
	s.tip = make(layer, len(s.tables))
	return s, nil
}

// Table gives the ID of a table.
func (s *Store) Table(name string) (TableID, bool) {
	id, ok := s.ids[name]
	return id, ok
}

// Name gives a table's name, "" for an ID that is none.
func (s *Store) Name(id TableID) string {
	if int(id) >= len(s.tables) {
		return ""
	}
	return s.tables[id].Name
}

// Tables lists the schema in the order of IDs.
func (s *Store) Tables() []Table {
	list := make([]Table, 0, len(s.tables)-1)
	for _, t := range s.tables[1:] {
		list = append(list, t.Table)
	}
	return list
}

// Height is the height of the published version; ok is false if there is none yet.
func (s *Store) Height() (height uint64, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.next - 1, s.next > 0
}

// Tail is the height of the newest sealed block, or else of the published
// version; ok is false if there is neither.
func (s *Store) Tail() (height uint64, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	after := s.next + uint64(len(s.tail))
	return after - 1, after > 0
}

// Observe makes Publish hand the before-images of each block to fn: one for each
// key that the block wrote, in the order of table and key. fn returns before the
// block is published and must not call Publish, Apply, Rollback or Load. A nil
// fn ends it.
func (s *Store) Observe(fn func(height uint64, images []BeforeImage)) {
	s.settling.Lock()
	defer s.settling.Unlock()
	s.observer = fn
}

// Publish makes the oldest sealed block, which must have the given height, the
// published version.
func (s *Store) Publish(height uint64) error {
	s.settling.Lock()
	defer s.settling.Unlock()
	return s.publish(height)
}

// Rollback drops every sealed block above the given height, and the open block.
// What is published stays.
func (s *Store) Rollback(height uint64) {
	s.settling.Lock()
	defer s.settling.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := len(s.tail); n > 0 && s.tail[n-1].height > height; n-- {
		s.tail[n-1] = nil
		s.tail = s.tail[:n-1]
	}
	s.open = nil
	s.restack()
}

// Apply publishes the writes of a block that was built elsewhere: on a backup, or
// read back from the ledger. Of several writes of a key the last counts. A height
// other than the next one is refused, and so is every block while others are
// sealed or open. On an error nothing is changed.
func (s *Store) Apply(height uint64, writes []Write) error {
	s.settling.Lock()
	defer s.settling.Unlock()
	if n, ok := s.pending(); ok {
		return fmt.Errorf("%w: %d of them", ErrPending, n)
	}
	b, err := s.Begin(height)
	if err != nil {
		return err
	}
	if err := b.fill(writes); err != nil {
		b.Discard()
		return err
	}
	if _, err := b.Seal(); err != nil {
		return err
	}
	return s.publish(height)
}

// Load fills an unused store with the version of the given height. fill calls put
// for every entry and nothing else of the store; if fill fails the store is empty
// again.
func (s *Store) Load(height uint64, fill func(put func(table TableID, key, value []byte) error) error) error {
	s.settling.Lock()
	defer s.settling.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next != 0 || len(s.tail) > 0 || s.open != nil || s.newest != nil {
		return ErrNotEmpty
	}
	err := fill(func(id TableID, key, value []byte) error {
		if err := s.check(id, key, value); err != nil {
			return err
		}
		if p := s.tables[id].point; p != nil {
			p.put(s.hash(key), key, value)
		} else {
			s.fold(newChange(id, key, value, false), nil)
		}
		return nil
	})
	if err != nil {
		s.clear()
		return err
	}
	s.next = height + 1
	return nil
}

// publish does Publish. The before-images are read ahead of the write lock:
// nothing else changes what is published.
func (s *Store) publish(height uint64) error {
	s.mu.RLock()
	if len(s.tail) == 0 || s.next != height {
		next, sealed := s.next, len(s.tail)
		s.mu.RUnlock()
		return fmt.Errorf("%w: publish %d, next is %d and %d sealed", ErrHeight, height, next, sealed)
	}
	d := s.tail[0]
	var images []BeforeImage
	if s.observer != nil {
		images = s.before(d)
	}
	s.mu.RUnlock()
	if s.observer != nil {
		s.observer(height, images)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range d.changes {
		s.fold(c, s.newest)
		s.tip.drop(c)
	}
	s.tail[0] = nil
	s.tail = s.tail[1:]
	s.next++
	return nil
}

// fold makes c part of the published version and keeps what it replaces in
// the pinned version, if there is one.
func (s *Store) fold(c *change, pinned *version) {
	t := &s.tables[c.table]
	if t.ordered != nil {
		var old *change
		if c.deleted {
			old, _ = t.ordered.Delete(c.key)
		} else {
			old, _ = t.ordered.Set(c.key, c)
			t.orderedBytes += len(c.key) + len(c.value)
		}
		if old != nil {
			t.orderedBytes -= len(old.key) + len(old.value)
		}
		if pinned != nil {
			pinned.keepOrdered(c, old)
		}
		return
	}
	s.scratch = append(s.scratch[:0], c.key...)
	hash := s.hash(s.scratch)
	if pinned != nil {
		pinned.keepPoint(c, hash, s.scratch)
	}
	if c.deleted {
		t.point.delete(hash, s.scratch)
	} else {
		t.point.put(hash, s.scratch, c.value)
	}
}

// before reads the before-images of a block.
func (s *Store) before(d *Delta) []BeforeImage {
	images := make([]BeforeImage, len(d.changes))
	for i, c := range d.changes {
		key := []byte(c.key)
		value, ok := s.published(nil, c.table, key)
		images[i] = BeforeImage{Table: c.table, Key: key, Value: value, Present: ok}
	}
	return images
}

// published appends the published value to dst, current the newest one. Both
// want the lock.
func (s *Store) published(dst []byte, id TableID, key []byte) ([]byte, bool) {
	t := &s.tables[id]
	switch {
	case t.point != nil:
		return t.point.get(dst, s.hash(key), key)
	case t.ordered != nil:
		if c, ok := t.ordered.Get(string(key)); ok {
			return c.append(dst)
		}
	}
	return dst, false
}

func (s *Store) current(dst []byte, id TableID, key []byte) ([]byte, bool) {
	if c := s.tip.get(id, key); c != nil {
		return c.append(dst)
	}
	return s.published(dst, id, key)
}

// pending counts the blocks that are sealed or open.
func (s *Store) pending() (int, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	n := len(s.tail)
	if s.open != nil {
		n++
	}
	return n, n > 0
}

// restack makes the tip anew from the sealed blocks.
func (s *Store) restack() {
	s.tip = make(layer, len(s.tables))
	for _, d := range s.tail {
		for _, c := range d.changes {
			s.tip.set(s.tables[c.table].Kind, c)
		}
	}
}

func (s *Store) clear() {
	for i := range s.tables {
		switch t := &s.tables[i]; t.Kind {
		case Point:
			t.point = newPoint(baseBits, baseChunk)
		case Ordered:
			t.ordered, t.orderedBytes = new(tree), 0
		}
	}
}

// check holds a write to the schema and the limits.
func (s *Store) check(id TableID, key, value []byte) error {
	if _, err := s.kind(id); err != nil {
		return err
	}
	if len(key) > MaxKey {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrKeySize, len(key), MaxKey)
	}
	if len(value) > MaxValue {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrValueSize, len(value), MaxValue)
	}
	return nil
}

func (s *Store) kind(id TableID) (Kind, error) {
	if id == 0 || int(id) >= len(s.tables) {
		return 0, ErrTable
	}
	return s.tables[id].Kind, nil
}

func (s *Store) hash(key []byte) uint64 { return maphash.Bytes(s.seed, key) & s.narrow }

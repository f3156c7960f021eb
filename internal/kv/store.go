package kv

import (
	"fmt"
	"hash/maphash"
	"slices"
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
	newest *version // that is pinned; it collects what Publish replaces

	ids    map[string]TableID
	seed   maphash.Seed
	narrow uint64 // the bits of a hash that count; tests take some away

	keyBuf, imageBuf []byte // of whoever holds mu for writing
}

// table is a table's published version.
type table struct {
	Table
	room    string
	point   *point // or
	ordered *tree

	orderedBytes int // keys and values in ordered
}

// Shape of point tables: shards by powers of two, and bytes in an arena's chunk
// by powers of two. Before-images have a table for every pinned version, so
// theirs start small.
const (
	baseBits  = 14
	baseChunk = 20
	undoBits  = 8
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
		s.tables = append(s.tables, table{Table: t, room: Room(t.Name)})
	}
	s.clear()
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

// published appends the published value to dst. It wants the lock.
func (s *Store) published(dst []byte, id TableID, hash uint64, key []byte) ([]byte, bool) {
	t := &s.tables[id]
	switch {
	case t.point != nil:
		return t.point.get(dst, hash, key)
	case t.ordered != nil:
		if c, ok := t.ordered.Get(string(key)); ok {
			return c.append(dst)
		}
	}
	return dst, false
}

// current appends the newest value to dst.
func (s *Store) current(dst []byte, id TableID, hash uint64, key []byte) ([]byte, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if c := s.tip.find(id, hash, key); c != nil {
		return c.append(dst)
	}
	return s.published(dst, id, hash, key)
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

// owned says by TableID which tables belong to the rooms.
func (s *Store) owned(rooms []string) []bool {
	own := make([]bool, len(s.tables))
	for id := range own {
		own[id] = slices.Contains(rooms, s.tables[id].room)
	}
	return own
}

func (s *Store) hash(key []byte) uint64 { return maphash.Bytes(s.seed, key) & s.narrow }

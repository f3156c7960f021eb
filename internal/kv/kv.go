// Package kv is a node's state: named tables of keys and values, kept in memory
// in versions. A version is the state after one block and is named by the
// block's height.
//
// One version is published; that is what the world may see. On top of it lie
// the speculative changes: blocks that are sealed but not committed, and the one
// block that is being built. Below it lie the versions that readers still pin.
//
//	Tx ──Commit──▶ Block ──Seal──▶ Delta ──Publish──▶ published version
//
// What the package promises:
//   - A View sees exactly the version it pinned, whatever is published later.
//   - Readers never hold up the writer for longer than one lookup or one small
//     batch; a pinned version costs the writer one before-image for each key that
//     is written for the first time after it.
//   - A block that is discarded or rolled back leaves nothing behind.
//   - Publish and Apply take heights without gap or repetition.
//
// Tables are of two kinds. A Point table is read by key alone and holds its
// entries without a pointer for each (docs/adr/0002-kv.md has the measurements);
// an Ordered table can be ranged over.
//
// It does not do: disk, encryption, replication, or conflict detection. Blocks
// are built by one goroutine, one transaction at a time.
package kv

import (
	"errors"
	"fmt"
	"sort"
	"strings"
)

// Limits of what a table holds.
const (
	MaxKey       = 1 << 10  // bytes in a key
	MaxValue     = 32 << 20 // bytes in a value
	MaxTableName = 128      // bytes in a table's name
	MaxTables    = 1 << 12  // tables in a store
)

// The errors of this package. They are wrapped with what was asked for.
var (
	ErrSchema     = errors.New("kv: invalid table schema")
	ErrTable      = errors.New("kv: no such table")
	ErrKind       = errors.New("kv: a point table cannot be ranged over")
	ErrForeign    = errors.New("kv: table belongs to another room")
	ErrKeySize    = errors.New("kv: key too long")
	ErrValueSize  = errors.New("kv: value too long")
	ErrHeight     = errors.New("kv: height out of order")
	ErrOpen       = errors.New("kv: a block is open")
	ErrPending    = errors.New("kv: sealed blocks are pending")
	ErrNotEmpty   = errors.New("kv: store was used before")
	ErrDropped    = errors.New("kv: block was dropped")
	ErrTxFinished = errors.New("kv: transaction is finished")
)

// Kind is how a table may be read.
type Kind uint8

// The kinds of tables.
const (
	Point   Kind = iota + 1 // by key only
	Ordered                 // by key and in ranges
)

// Table declares a table. Its name is the name of the room that owns it, a dot,
// and the room's own name for it, such as "eth.accounts". Before that may stand
// "public:" (see Public).
type Table struct {
	Name string
	Kind Kind
}

// TableID names a table of one store. IDs follow the order of names, so that
// sorting by ID is sorting by name. The zero ID is no table.
type TableID uint16

// Write is the last word of a block or transaction about one key. Key and Value
// must not be modified.
type Write struct {
	Table  TableID
	Key    []byte
	Value  []byte
	Delete bool
}

// Read is one key that a transaction looked up, and whether it was there.
type Read struct {
	Table TableID
	Key   []byte
	Found bool
}

// BeforeImage is what a key held before a block first wrote it. Present is false
// if it held nothing.
type BeforeImage struct {
	Table   TableID
	Key     []byte
	Value   []byte
	Present bool
}

// Reader reads some state: a View, the Speculative state, or a Tx. An unknown
// table reads as empty.
type Reader interface {
	// Get returns a copy of key's value, never nil if ok.
	Get(table TableID, key []byte) (value []byte, ok bool)
	// GetInto appends key's value to dst, so that a caller with a buffer reads
	// without allocating. If the key is absent it returns dst and false.
	GetInto(dst []byte, table TableID, key []byte) (value []byte, ok bool)
	// Range calls fn for the keys from <= key < to of an Ordered table in
	// order until fn returns false. A nil to means the table's end. No lock is
	// held while fn runs; its arguments are valid until it returns.
	Range(table TableID, from, to []byte, fn func(key, value []byte) bool) error
}

const publicPrefix = "public:"

// Public reports that a table's content is readable by whoever holds the files
// of the ledger.
func Public(name string) bool { return strings.HasPrefix(name, publicPrefix) }

// Room is the room that owns the table of the given name.
func Room(name string) string {
	room, _, _ := strings.Cut(strings.TrimPrefix(name, publicPrefix), ".")
	return room
}

// schema checks table declarations and returns them in the order of names.
func schema(tables []Table) ([]Table, error) {
	if len(tables) > MaxTables {
		return nil, fmt.Errorf("%w: %d tables, at most %d", ErrSchema, len(tables), MaxTables)
	}
	sorted := append([]Table(nil), tables...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].Name < sorted[j].Name })
	for i, t := range sorted {
		_, own, dot := strings.Cut(strings.TrimPrefix(t.Name, publicPrefix), ".")
		switch {
		case !dot || own == "" || Room(t.Name) == "" || len(t.Name) > MaxTableName:
			return nil, fmt.Errorf("%w: name %q is not room.table", ErrSchema, t.Name)
		case t.Kind != Point && t.Kind != Ordered:
			return nil, fmt.Errorf("%w: table %q has no kind", ErrSchema, t.Name)
		case i > 0 && sorted[i-1].Name == t.Name:
			return nil, fmt.Errorf("%w: table %q is declared twice", ErrSchema, t.Name)
		}
	}
	return sorted, nil
}

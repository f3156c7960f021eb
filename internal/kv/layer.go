package kv

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tidwall/btree"
)

// change is one key's state in a layer: a value, or deleted. Once its transaction
// is committed it is constant, so that layers and ordered tables share it.
type change struct {
	table   TableID
	deleted bool
	hash    uint64 // of the key
	height  uint64 // of the block that it is committed to
	place   int    // among the changes of that block, until it is sealed
	key     string
	value   []byte
}

func (c *change) append(dst []byte) ([]byte, bool) {
	if c.deleted {
		return dst, false
	}
	return append(dst, c.value...), true
}

// sortChanges sorts by table and key.
func sortChanges(changes []*change) {
	slices.SortFunc(changes, func(a, b *change) int {
		if a.table != b.table {
			return cmp.Compare(a.table, b.table)
		}
		return strings.Compare(a.key, b.key)
	})
}

// writesOf lists changes as writes, with one slice of bytes for all keys.
func writesOf(changes []*change) []Write {
	size := 0
	for _, c := range changes {
		size += len(c.key)
	}
	writes, keys := make([]Write, len(changes)), make([]byte, 0, size)
	for i, c := range changes {
		at := len(keys)
		keys = append(keys, c.key...)
		writes[i] = Write{Table: c.table, Key: keys[at:len(keys):len(keys)], Value: c.value, Delete: c.deleted}
	}
	return writes
}

// tree holds an ordered table, or a layer of one.
type tree = btree.Map[string, *change]

// layer holds changes that lie over a version: those of one transaction, or of
// all blocks that are not published.
type layer struct {
	index
	ordered []*tree // by TableID: the changes of ordered tables again; nil if there are none
}

// tree is the layer of an ordered table, nil if it is empty.
func (l *layer) tree(table TableID) *tree {
	if l.ordered == nil {
		return nil
	}
	return l.ordered[table]
}

// set makes c the layer's word about its key and returns what was, nil for
// none. tables are the store's.
func (l *layer) set(tables []table, c *change) (old *change) {
	if tables[c.table].Kind == Ordered {
		if l.ordered == nil {
			l.ordered = make([]*tree, len(tables))
		}
		if l.ordered[c.table] == nil {
			l.ordered[c.table] = new(tree)
		}
		l.ordered[c.table].Set(c.key, c)
	}
	return l.index.set(c)
}

// drop removes c unless a later change took its place.
func (l *layer) drop(c *change) {
	if !l.index.drop(c) {
		return
	}
	if t := l.tree(c.table); t != nil {
		t.Delete(c.key)
	}
}

// clear empties the layer.
func (l *layer) clear() {
	l.index.clear()
	clear(l.ordered)
}

// merge calls fn in key order, from the first key not below from, for every key
// of the trees; of a key in several trees it takes the change of the first. Nil
// trees are empty.
func merge(trees []*tree, from string, fn func(*change) bool) {
	cursors := make([]btree.MapIter[string, *change], 0, len(trees))
	for _, t := range trees {
		if t == nil {
			continue
		}
		if c := t.Iter(); c.Seek(from) {
			cursors = append(cursors, c)
		}
	}
	for len(cursors) > 0 {
		first := 0
		for i := range cursors {
			if cursors[i].Key() < cursors[first].Key() {
				first = i
			}
		}
		c := cursors[first].Value()
		if !fn(c) {
			return
		}
		live := cursors[:0]
		for i := range cursors {
			if cursors[i].Key() != c.key || cursors[i].Next() {
				live = append(live, cursors[i])
			}
		}
		cursors = live
	}
}

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
	height  uint64 // of the block that it is committed to
	place   int    // among the changes of that block, until it is sealed
	key     string
	value   []byte
}

// newChange makes a change of copies of its arguments.
func newChange(id TableID, key, value []byte, deleted bool) *change {
	c := &change{table: id, key: string(key), deleted: deleted}
	if !deleted {
		c.value = append([]byte{}, value...)
	}
	return c
}

func (c *change) append(dst []byte) ([]byte, bool) {
	if c.deleted {
		return dst, false
	}
	return append(dst, c.value...), true
}

func (c *change) write() Write {
	return Write{Table: c.table, Key: []byte(c.key), Value: c.value, Delete: c.deleted}
}

// sortChanges sorts by table and key.
func sortChanges(changes []*change) {
	slices.SortFunc(changes, func(a, b *change) int {
		return cmp.Or(cmp.Compare(a.table, b.table), strings.Compare(a.key, b.key))
	})
}

func writesOf(changes []*change) []Write {
	writes := make([]Write, len(changes))
	for i, c := range changes {
		writes[i] = c.write()
	}
	return writes
}

// tree holds an ordered table, or a layer of one.
type tree = btree.Map[string, *change]

// layer holds changes that lie over a version: those of one transaction, or of
// all blocks that are not published.
type layer []tableLayer // by TableID

type tableLayer struct {
	points  map[string]*change
	ordered *tree
}

func (t *tableLayer) len() int {
	if t.ordered != nil {
		return t.ordered.Len()
	}
	return len(t.points)
}

func (l layer) get(table TableID, key []byte) *change {
	t := &l[table]
	if t.ordered != nil {
		c, _ := t.ordered.Get(string(key))
		return c
	}
	return t.points[string(key)]
}

// find is get for a key at hand as a string.
func (l layer) find(table TableID, key string) *change {
	t := &l[table]
	if t.ordered != nil {
		c, _ := t.ordered.Get(key)
		return c
	}
	return t.points[key]
}

// set makes c the layer's word about its key.
func (l layer) set(kind Kind, c *change) {
	t := &l[c.table]
	if kind == Ordered {
		if t.ordered == nil {
			t.ordered = new(tree)
		}
		t.ordered.Set(c.key, c)
		return
	}
	if t.points == nil {
		t.points = make(map[string]*change)
	}
	t.points[c.key] = c
}

// drop removes c unless a later change took its place.
func (l layer) drop(c *change) {
	if l.find(c.table, c.key) != c {
		return
	}
	if t := &l[c.table]; t.ordered != nil {
		t.ordered.Delete(c.key)
	} else {
		delete(t.points, c.key)
	}
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

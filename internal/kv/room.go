package kv

import "strings"

// room is memory for the changes of one block, cut from few large pieces. What is
// cut from a piece keeps the whole of it alive.
type room struct {
	changes []change
	keys    strings.Builder
	values  []byte
}

// Pieces of a room grow from the first size to the last.
const (
	firstChanges, lastChanges = 16, 128
	firstBytes, lastBytes     = 512, 16 << 10
	largeValue                = 1 << 10 // is a piece of its own
)

func (r *room) change() *change {
	if len(r.changes) == cap(r.changes) {
		r.changes = make([]change, 0, min(max(2*cap(r.changes), firstChanges), lastChanges))
	}
	n := len(r.changes)
	r.changes = r.changes[:n+1]
	c := &r.changes[n]
	*c = change{}
	return c
}

// key copies a key.
func (r *room) key(key []byte) string {
	if r.keys.Cap()-r.keys.Len() < len(key) {
		size := max(min(2*r.keys.Cap(), lastBytes), firstBytes, len(key))
		r.keys.Reset() // leaves the old piece to its strings
		r.keys.Grow(size)
	}
	at := r.keys.Len()
	r.keys.Write(key)
	return r.keys.String()[at:]
}

// value copies a value; the copy is not nil.
func (r *room) value(value []byte) []byte {
	if len(value) > largeValue {
		return append([]byte(nil), value...)
	}
	if r.values == nil || cap(r.values)-len(r.values) < len(value) {
		r.values = make([]byte, 0, max(min(2*cap(r.values), lastBytes), firstBytes, len(value)))
	}
	at := len(r.values)
	r.values = append(r.values, value...)
	return r.values[at:len(r.values):len(r.values)]
}

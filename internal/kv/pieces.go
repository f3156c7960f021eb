package kv

import "strings"

// pieces are memory for the changes of one block, cut from few large pieces. What is
// cut from a piece keeps the whole of it alive.
type pieces struct {
	changes []change
	keys    strings.Builder
	values  []byte
}

// Pieces grow from the first size to the last.
const (
	firstChanges, lastChanges = 16, 128
	firstBytes, lastBytes     = 512, 16 << 10
	largeValue                = 1 << 10 // is a piece of its own
)

func (p *pieces) change() *change {
	if len(p.changes) == cap(p.changes) {
		p.changes = make([]change, 0, min(max(2*cap(p.changes), firstChanges), lastChanges))
	}
	n := len(p.changes)
	p.changes = p.changes[:n+1]
	c := &p.changes[n]
	*c = change{}
	return c
}

// key copies a key.
func (p *pieces) key(key []byte) string {
	if p.keys.Cap()-p.keys.Len() < len(key) {
		size := max(min(2*p.keys.Cap(), lastBytes), firstBytes, len(key))
		p.keys.Reset() // leaves the old piece to its strings
		p.keys.Grow(size)
	}
	at := p.keys.Len()
	p.keys.Write(key)
	return p.keys.String()[at:]
}

// value copies a value; the copy is not nil.
func (p *pieces) value(value []byte) []byte {
	if len(value) > largeValue {
		return append([]byte(nil), value...)
	}
	if p.values == nil || cap(p.values)-len(p.values) < len(value) {
		p.values = make([]byte, 0, max(min(2*cap(p.values), lastBytes), firstBytes, len(value)))
	}
	at := len(p.values)
	p.values = append(p.values, value...)
	return p.values[at:len(p.values):len(p.values)]
}

package kv

// Speculative is the newest state there is: the published version, all sealed
// blocks, and the committed transactions of the open block. It moves while it is
// read: two reads may see different moments, and one Range may see several.
type Speculative struct{ s *Store }

// Speculative returns the newest state, for concurrent use.
func (s *Store) Speculative() *Speculative { return &Speculative{s} }

// Get implements Reader.
func (p *Speculative) Get(table TableID, key []byte) ([]byte, bool) {
	return fresh(p.GetInto(nil, table, key))
}

// GetInto implements Reader.
func (p *Speculative) GetInto(dst []byte, table TableID, key []byte) ([]byte, bool) {
	if int(table) >= len(p.s.tables) {
		return dst, false
	}
	return p.s.current(dst, table, p.s.hash(key), key)
}

// Range implements Reader.
func (p *Speculative) Range(table TableID, from, to []byte, fn func(key, value []byte) bool) error {
	s := p.s
	return s.scan(table, from, to, func(into []*tree) []*tree {
		return append(into, s.tip.tree(table), s.tables[table].ordered)
	}, fn)
}

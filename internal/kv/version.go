package kv

import "encoding/binary"

// version is a published version that somebody pins. The pinned versions form a
// chain by height. Each holds the before-images of the keys that were first
// written between it and the next newer one: what a key held at a version is
// what the first before-image says from that version on, or else what is
// published. So a block costs one before-image a key, however many versions are
// pinned, and none if none is.
type version struct {
	s            *Store
	next         uint64 // the height after it
	pins         int
	older, newer *version
	undo         []undo // by TableID; nil until the first before-image
}

// undo holds a version's before-images of one table, in a table of its kind.
type undo struct {
	point   *point // values are encoded images
	ordered *tree
}

// pin returns the published version with one more pin. The lock is held.
func (s *Store) pin() *version {
	if s.newest == nil || s.newest.next != s.next {
		v := &version{s: s, next: s.next, older: s.newest}
		if s.newest != nil {
			s.newest.newer = v
		}
		s.newest = v
	}
	s.newest.pins++
	return s.newest
}

// unpin takes a pin away. With the last one the version leaves the chain, and
// the next older one needs its before-images. The lock is held.
func (s *Store) unpin(v *version) {
	if v.pins--; v.pins > 0 {
		return
	}
	if v.newer == nil {
		s.newest = v.older
	} else {
		v.newer.older = v.older
	}
	if v.older != nil {
		v.older.newer = v.newer
		v.older.absorb(v)
	}
}

// keepPoint remembers what the table holds for the key of c, which is about to
// be folded into it.
func (v *version) keepPoint(c *change, hash uint64, key []byte) {
	u := v.undoOf(c.table)
	if u.point == nil {
		u.point = newPoint(undoBits, undoChunk)
	}
	if u.point.find(hash, key) != 0 {
		return
	}
	m := image{height: c.height}
	base := v.s.tables[c.table].point
	if ref := base.find(hash, key); ref != 0 {
		m.present, m.value = true, base.arena.value(ref)
	}
	v.s.imageBuf = m.append(v.s.imageBuf[:0])
	u.point.put(hash, key, v.s.imageBuf)
}

// keepOrdered remembers old, nil for none, which c replaced.
func (v *version) keepOrdered(c, old *change) {
	u := v.undoOf(c.table)
	if u.ordered == nil {
		u.ordered = new(tree)
	}
	if _, known := u.ordered.Get(c.key); known {
		return
	}
	if old == nil {
		old = &change{table: c.table, key: c.key, deleted: true}
	}
	u.ordered.Set(c.key, old)
}

func (v *version) undoOf(id TableID) *undo {
	if v.undo == nil {
		v.undo = make([]undo, len(v.s.tables))
	}
	return &v.undo[id]
}

// before is the version's before-image of a key of a point table.
func (v *version) before(id TableID, hash uint64, key []byte) (m image, known bool) {
	images := v.point(id)
	if images == nil {
		return image{}, false
	}
	ref := images.find(hash, key)
	if ref == 0 {
		return image{}, false
	}
	return decodeImage(images.arena.value(ref)), true
}

// point and ordered are the version's before-images of a table, nil for none.
func (v *version) point(id TableID) *point {
	if v.undo == nil {
		return nil
	}
	return v.undo[id].point
}

func (v *version) ordered(id TableID) *tree {
	if v.undo == nil {
		return nil
	}
	return v.undo[id].ordered
}

// absorb takes over the before-images of the next newer version. Where both have
// one, its own came first and stays. The larger set takes in the smaller.
func (v *version) absorb(newer *version) {
	if newer.undo == nil {
		return
	}
	if v.undo == nil {
		v.undo = newer.undo
		return
	}
	for id := range v.undo {
		mine, its := &v.undo[id], &newer.undo[id]
		mine.point = v.s.joinPoints(mine.point, its.point)
		mine.ordered = joinTrees(mine.ordered, its.ordered)
	}
}

// joinPoints and joinTrees unite before-images; of two of one key the first's stays.
func (s *Store) joinPoints(first, second *point) *point {
	if first == nil || second == nil {
		return either(first, second)
	}
	into, from, replace := first, second, false
	if second.count > first.count {
		into, from, replace = second, first, true
	}
	for shard := range from.shards {
		from.each(shard, func(key, value []byte) {
			hash := s.hash(key)
			if replace || into.find(hash, key) == 0 {
				into.put(hash, key, value)
			}
		})
	}
	return into
}

func joinTrees(first, second *tree) *tree {
	if first == nil || second == nil {
		return either(first, second)
	}
	into, from, replace := first, second, false
	if second.Len() > first.Len() {
		into, from, replace = second, first, true
	}
	from.Scan(func(key string, c *change) bool {
		if _, known := into.Get(key); replace || !known {
			into.Set(key, c)
		}
		return true
	})
	return into
}

func either[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

// image is a before-image in a point table: what a key held until the block of
// the given height.
type image struct {
	height  uint64
	present bool
	value   []byte
}

func (m image) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, m.height)
	if m.present {
		return append(append(dst, 1), m.value...)
	}
	return append(dst, 0)
}

func decodeImage(b []byte) image {
	return image{height: binary.LittleEndian.Uint64(b), present: b[8] == 1, value: b[9:]}
}

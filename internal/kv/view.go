package kv

// View is a published version, pinned: it does not change until Release, and is
// for concurrent use. Using it after Release is a fault of the caller and panics.
type View struct {
	s        *Store
	version  *version
	released bool
}

// Pin returns the newest published version. What is published while it is pinned
// costs memory, so it must be released.
func (s *Store) Pin() *View {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &View{s: s, version: s.pin()}
}

// Height is the version's height. It is 0 also for the empty state before the
// first block, which Store.Height tells apart.
func (v *View) Height() uint64 { return max(v.version.next, 1) - 1 }

// Release ends the view. Releasing it again does nothing.
func (v *View) Release() {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	if !v.released {
		v.released = true
		v.s.unpin(v.version)
	}
}

// Get implements Reader.
func (v *View) Get(table TableID, key []byte) ([]byte, bool) {
	return fresh(v.GetInto(nil, table, key))
}

// GetInto implements Reader.
func (v *View) GetInto(dst []byte, table TableID, key []byte) ([]byte, bool) {
	if int(table) >= len(v.s.tables) {
		return dst, false
	}
	v.s.mu.RLock()
	defer v.s.mu.RUnlock()
	v.check()
	t := &v.s.tables[table]
	if t.point == nil {
		return v.getOrdered(dst, table, key)
	}
	hash := v.s.hash(key)
	for at := v.version; at != nil; at = at.newer {
		if m, known := at.before(table, hash, key); known {
			return append(dst, m.value...), m.present
		}
	}
	return t.point.get(dst, hash, key)
}

// Range implements Reader.
func (v *View) Range(table TableID, from, to []byte, fn func(key, value []byte) bool) error {
	return v.s.scan(table, from, to, func(into []*tree) []*tree {
		v.check()
		for at := v.version; at != nil; at = at.newer {
			into = append(into, at.ordered(table))
		}
		return append(into, v.s.tables[table].ordered)
	}, fn)
}

// Each calls fn for every entry of a table until fn returns false: in the order
// of keys if the table is ordered, else in no order. No lock is held while fn
// runs; its arguments are valid until it returns.
func (v *View) Each(table TableID, fn func(key, value []byte) bool) error {
	kind, err := v.s.kind(table)
	if err != nil {
		return err
	}
	if kind == Ordered {
		return v.Range(table, nil, nil, fn)
	}
	v.eachPoint(table, fn)
	return nil
}

func (v *View) getOrdered(dst []byte, table TableID, key []byte) ([]byte, bool) {
	for at := v.version; at != nil; at = at.newer {
		if images := at.ordered(table); images != nil {
			if c, known := images.Get(string(key)); known {
				return c.append(dst)
			}
		}
	}
	return v.s.published(dst, table, 0, key)
}

// eachPoint scans the table shard by shard, while the writer goes on. A key that
// has a before-image when its shard is scanned is left out there, and is shown
// from its before-image when a group of shards is done; a before-image made
// later is of a key that was shown, and the heights tell the two apart.
func (v *View) eachPoint(table TableID, fn func(key, value []byte) bool) {
	const shards = 1 << (baseBits - undoBits) // of the table for one of a before-image's
	var b batch
	var scanned [shards]uint64 // the height that was next when the shard was scanned
	for group := range 1 << undoBits {
		for done := 0; done < shards; {
			done += v.scanShards(&b, table, group*shards+done, scanned[done:])
			if !b.show(fn) {
				return
			}
		}
		v.scanImages(&b, table, group, scanned[:])
		if !b.show(fn) {
			return
		}
	}
}

// scanShards fills b with the entries of some shards that have no before-image,
// notes for each which height is next, and returns how many shards it did: no
// more than scanned has room for.
func (v *View) scanShards(b *batch, table TableID, first int, scanned []uint64) (n int) {
	v.s.mu.RLock()
	defer v.s.mu.RUnlock()
	v.check()
	b.reset()
	for n < len(scanned) && !b.full() {
		v.s.tables[table].point.each(first+n, func(key, value []byte) {
			if !v.imaged(v.version, nil, table, key) {
				b.add(key, value)
			}
		})
		scanned[n] = v.s.next
		n++
	}
	return n
}

// scanImages fills b with the before-images of one shard of theirs that were
// made before the height at which scanned says that the key's shard was scanned.
func (v *View) scanImages(b *batch, table TableID, shard int, scanned []uint64) {
	v.s.mu.RLock()
	defer v.s.mu.RUnlock()
	v.check()
	b.reset()
	base := v.s.tables[table].point
	for at := v.version; at != nil; at = at.newer {
		images := at.point(table)
		if images == nil {
			continue
		}
		images.each(shard, func(key, value []byte) {
			m := decodeImage(value)
			late := m.height >= scanned[base.shardOf(v.s.hash(key))%len(scanned)]
			if m.present && !late && !v.imaged(v.version, at, table, key) {
				b.add(key, m.value)
			}
		})
	}
}

// imaged reports whether a version from the first on, and before the last, has a
// before-image of a key of a point table.
func (v *View) imaged(first, last *version, table TableID, key []byte) bool {
	hash := v.s.hash(key)
	for at := first; at != last; at = at.newer {
		if _, known := at.before(table, hash, key); known {
			return true
		}
	}
	return false
}

// check wants the lock.
func (v *View) check() {
	if v.released {
		panic("kv: view used after Release")
	}
}

package kv

import "fmt"

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
// for every entry and nothing else of the store; of several entries of a key the
// last counts. If fill fails the store is empty again.
func (s *Store) Load(height uint64, fill func(put func(table TableID, key, value []byte) error) error) error {
	s.settling.Lock()
	defer s.settling.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next != 0 || len(s.tail) > 0 || s.open != nil || s.newest != nil {
		return ErrNotEmpty
	}
	bulks := make([]*bulk, len(s.tables))
	for i := range s.tables {
		if p := s.tables[i].point; p != nil {
			bulks[i] = newBulk(p)
		}
	}
	err := fill(func(id TableID, key, value []byte) error {
		if err := s.check(id, key, value); err != nil {
			return err
		}
		if b := bulks[id]; b != nil {
			b.add(s.hash(key), key, value)
		} else {
			s.fold(&change{table: id, key: string(key), value: append([]byte{}, value...)}, nil)
		}
		return nil
	})
	if err != nil {
		s.clear()
		return err
	}
	for _, b := range bulks {
		if b != nil {
			b.settle()
		}
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
	s.keyBuf = append(s.keyBuf[:0], c.key...)
	key, hash := s.keyBuf, c.hash
	if pinned != nil {
		pinned.keepPoint(c, hash, key)
	}
	if c.deleted {
		t.point.delete(hash, key)
	} else {
		t.point.put(hash, key, c.value)
	}
}

// before reads the before-images of a block, into one slice of bytes for all.
func (s *Store) before(d *Delta) []BeforeImage {
	const value = 32 // bytes, about
	size := 0
	for _, c := range d.changes {
		size += len(c.key) + value
	}
	images, room := make([]BeforeImage, len(d.changes)), make([]byte, 0, size)
	for i, c := range d.changes {
		at := len(room)
		room = append(room, c.key...)
		key := room[at:len(room):len(room)]
		image := BeforeImage{Table: c.table, Key: key}
		at = len(room)
		if room, image.Present = s.published(room, c.table, c.hash, key); image.Present {
			image.Value = room[at:len(room):len(room)]
		}
		images[i] = image
	}
	return images
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
	s.tip.clear()
	for _, d := range s.tail {
		for _, c := range d.changes {
			s.tip.set(s.tables, c)
		}
	}
}

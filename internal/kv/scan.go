package kv

import "fmt"

// A scan holds the store's lock for one batch at a time.
const (
	batchKeys  = 256
	batchBytes = 1 << 20
)

// batch holds copies of entries, so that they can be shown without the lock.
type batch struct {
	bytes []byte
	ends  []int // of key, value, key, value ... in bytes
}

func (b *batch) reset() { b.bytes, b.ends = b.bytes[:0], b.ends[:0] }

func (b *batch) full() bool { return len(b.ends) >= 2*batchKeys || len(b.bytes) > batchBytes }

func (b *batch) add(key, value []byte) {
	b.bytes = append(b.bytes, key...)
	b.ends = append(b.ends, len(b.bytes))
	b.bytes = append(b.bytes, value...)
	b.ends = append(b.ends, len(b.bytes))
}

// addChange is add for a key at hand as a string.
func (b *batch) addChange(c *change) {
	b.bytes = append(b.bytes, c.key...)
	b.ends = append(b.ends, len(b.bytes))
	b.bytes = append(b.bytes, c.value...)
	b.ends = append(b.ends, len(b.bytes))
}

// show calls fn for each entry and reports whether fn wants more.
func (b *batch) show(fn func(key, value []byte) bool) bool {
	start := 0
	for i := 0; i < len(b.ends); i += 2 {
		k, v := b.ends[i], b.ends[i+1]
		if !fn(b.bytes[start:k:k], b.bytes[k:v:v]) {
			return false
		}
		start = v
	}
	return true
}

// scan calls fn for the present keys from <= key < to of an ordered table. trees
// appends what to merge, the first word first; it runs under the lock, once for
// each batch.
func (s *Store) scan(id TableID, from, to []byte, trees func(into []*tree) []*tree, fn func(key, value []byte) bool) error {
	kind, err := s.kind(id)
	if err != nil {
		return err
	}
	if kind != Ordered {
		return fmt.Errorf("%w: %s", ErrKind, s.Name(id))
	}
	var b batch
	next := string(from)
	for more := true; more; {
		b.reset()
		next, more = s.scanBatch(&b, next, to, trees)
		if !b.show(fn) {
			return nil
		}
	}
	return nil
}

// scanBatch fills b and tells where the next batch begins, if there is more.
func (s *Store) scanBatch(b *batch, from string, to []byte, trees func(into []*tree) []*tree) (next string, more bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	seen := 0
	merge(trees(nil), from, func(c *change) bool {
		if to != nil && c.key >= string(to) {
			return false
		}
		if seen++; seen > batchKeys || b.full() {
			next, more = c.key, true
			return false
		}
		if !c.deleted {
			b.addChange(c)
		}
		return true
	})
	return next, more
}

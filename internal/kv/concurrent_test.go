package kv

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// TestReadersAndPublisher runs pinned readers, speculative readers and scans
// against a publisher that writes the block's height into every key, so that a
// reader of one version must see one number everywhere.
func TestReadersAndPublisher(t *testing.T) {
	const (
		keys   = 100
		blocks = 100
	)
	s := open(t)
	point, ordered := s.must("eth.storage"), s.must("coco.members")
	key := func(i int) []byte { return fmt.Appendf(nil, "key-%04d", i) }
	build := func(height uint64) {
		b, err := s.Begin(height)
		if err != nil {
			t.Error(err)
			return
		}
		for part := range 3 {
			tx := b.Tx()
			for i := part; i < keys; i += 3 {
				value := binary.BigEndian.AppendUint64(nil, height)
				if i%7 == 0 { // comes and goes
					if height%2 == 1 {
						tx.Delete(point, key(i))
						continue
					}
				}
				tx.Put(point, key(i), value)
				tx.Put(ordered, key(i), value)
			}
			if err := tx.Commit(); err != nil {
				t.Error(err)
			}
		}
		if _, err := b.Seal(); err != nil {
			t.Error(err)
		}
	}
	build(0)
	if err := s.Publish(0); err != nil {
		t.Fatal(err)
	}

	var done atomic.Bool
	var readers, writers sync.WaitGroup
	sealed := make(chan uint64, 3)
	writers.Go(func() { // the sequencer, which loses leadership now and then
		for height := uint64(1); height <= blocks; height++ {
			build(height)
			if height%10 == 0 {
				s.Rollback(height - 1)
				build(height)
			}
			sealed <- height
		}
		close(sealed)
	})
	writers.Go(func() {
		for height := range sealed {
			if err := s.Publish(height); err != nil {
				t.Error(err)
			}
		}
	})
	expect := func(v *View, k, value []byte) {
		if got := binary.BigEndian.Uint64(value); got != v.Height() {
			t.Errorf("view of %d reads %s of %d", v.Height(), k, got)
		}
	}
	present := func(v *View) int {
		if v.Height()%2 == 1 {
			return keys - (keys+6)/7
		}
		return keys
	}
	for range 2 {
		readers.Go(func() {
			for !done.Load() {
				v := s.Pin()
				for i := range keys {
					if value, ok := v.Get(point, key(i)); ok {
						expect(v, key(i), value)
					}
				}
				v.Release()
			}
		})
	}
	readers.Go(func() { // scans, with pins that overlap and are released out of order
		older := s.Pin()
		for !done.Load() {
			v := s.Pin()
			n := 0
			v.Each(point, func(k, value []byte) bool { n++; expect(v, k, value); return true })
			if n != present(v) {
				t.Errorf("view of %d shows %d keys, want %d", v.Height(), n, present(v))
			}
			n = 0
			older.Each(point, func(k, value []byte) bool { n++; expect(older, k, value); return true })
			if n != present(older) {
				t.Errorf("view of %d shows %d keys, want %d", older.Height(), n, present(older))
			}
			if v.Height()%3 == 0 {
				v.Release()
			} else {
				older.Release()
				older = v
			}
		}
		older.Release()
	})
	readers.Go(func() {
		spec := s.Speculative()
		var buf []byte
		for !done.Load() {
			published, _ := s.Height()
			for i := 1; i < 7; i++ {
				value, ok := spec.GetInto(buf[:0], point, key(i))
				if buf = value; !ok || binary.BigEndian.Uint64(value) < published {
					t.Errorf("speculative read older than what was published")
				}
			}
			spec.Range(ordered, key(1), key(5), func(k, value []byte) bool {
				if binary.BigEndian.Uint64(value) < published {
					t.Errorf("speculative range older than what was published")
				}
				return true
			})
			s.Stats()
		}
	})
	writers.Wait()
	done.Store(true)
	readers.Wait()
	if st := s.Stats(); st.Pinned != 0 || st.Images != 0 || st.Sealed != 0 {
		t.Errorf("left over: %+v", st)
	}
}

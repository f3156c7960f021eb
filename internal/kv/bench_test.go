package kv

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
)

// The benchmarks run on 10,000 slots; COCO_KV_SLOTS=10000000 sets another number
// (10 million take some 2 GB, the candidates up to 4 GB):
//
//	go test ./internal/kv -run '^$' -bench . -benchtime 1000000x
//	COCO_KV_SLOTS=10000000 go test ./internal/kv -run '^$' -bench . -benchtime 1000000x
func benchSlots(b *testing.B) int {
	n, err := strconv.Atoi(os.Getenv("COCO_KV_SLOTS"))
	if err != nil {
		return 10_000
	}
	return n
}

// slotKey is the key of an Ethereum storage slot: an address and a hash.
func slotKey(dst []byte, i int) []byte {
	dst = append(dst[:0], "twenty byte address."...)
	x := uint64(i)
	for range 4 { // splitmix64
		x += 0x9e3779b97f4a7c15
		z := (x ^ x>>30) * 0xbf58476d1ce4e5b9
		dst = binary.BigEndian.AppendUint64(dst, z^z>>27)
	}
	return dst
}

func benchStore(b *testing.B) (s *Store, id TableID, slots int) {
	s, id, slots = open(b), 0, benchSlots(b)
	id = s.must("eth.storage")
	err := s.Load(0, func(put func(TableID, []byte, []byte) error) error {
		var key []byte
		value := make([]byte, 32)
		for i := range slots {
			key = slotKey(key, i)
			if err := put(id, key, value); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return s, id, slots
}

// block seals a block of 300 transactions that write three random slots each.
func benchBlock(b *testing.B, s *Store, id TableID, slots int, height uint64) {
	block, err := s.Begin(height)
	if err != nil {
		b.Fatal(err)
	}
	var key []byte
	value := make([]byte, 32)
	for range 300 {
		tx := block.Tx()
		for range 3 {
			key = slotKey(key, rand.IntN(slots))
			tx.Put(id, key, value)
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := block.Seal(); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkGet(b *testing.B) {
	s, id, slots := benchStore(b)
	benchBlock(b, s, id, slots, 1)
	view := s.Pin()
	block, _ := s.Begin(2)
	tx := block.Tx()
	tx.Put(id, slotKey(nil, 1), make([]byte, 32))
	tx.Commit()
	tx = block.Tx()
	buf := make([]byte, 0, 32)
	key := make([]byte, 0, 64)
	for name, r := range map[string]Reader{"tx": tx, "speculative": s.Speculative(), "view": view} {
		hot := slotKey(nil, 1)
		b.Run(name+"/hot", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.GetInto(buf, id, hot)
			}
		})
		b.Run(name+"/hot-copy", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.Get(id, hot)
			}
		})
		b.Run(name+"/any", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				key = slotKey(key, rand.IntN(slots))
				r.GetInto(buf, id, key)
			}
		})
	}
}

// BenchmarkTx is one transaction as an ERC-20 transfer makes it: five reads and
// three writes.
func BenchmarkTx(b *testing.B) {
	s, id, slots := benchStore(b)
	block, _ := s.Begin(1)
	key, buf, value := make([]byte, 0, 64), make([]byte, 0, 32), make([]byte, 32)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		tx := block.Tx("eth")
		for i := range 5 {
			key = slotKey(key, rand.IntN(slots))
			tx.GetInto(buf, id, key)
			if i < 3 {
				tx.Put(id, key, value)
			}
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
		if n%1000 == 999 {
			block.Discard()
			block, _ = s.Begin(1)
		}
	}
}

// BenchmarkPublish publishes blocks of 900 writes: with no pin; with a pin of
// each block that is released two blocks later; and with one pin that stays, as
// a snapshot's does.
func BenchmarkPublish(b *testing.B) {
	s, id, slots := benchStore(b)
	height := uint64(1)
	run := func(name string, each func(i int)) {
		b.Run(name, func(b *testing.B) {
			for i := range b.N {
				b.StopTimer()
				each(i)
				benchBlock(b, s, id, slots, height)
				b.StartTimer()
				if err := s.Publish(height); err != nil {
					b.Fatal(err)
				}
				height++
			}
		})
	}
	run("unpinned", func(int) {})
	var views []*View
	run("pinned-each-block", func(int) {
		if views = append(views, s.Pin()); len(views) > 2 {
			views[0].Release()
			views = views[1:]
		}
	})
	for _, v := range views {
		v.Release()
	}
	long := s.Pin()
	run("pinned-for-long", func(int) {})
	st := s.Stats()
	b.Logf("the long pin holds %d before-images in %d KiB", st.Images, st.ImageBytes>>10)
	start := time.Now()
	long.Release()
	b.Logf("released in %v", time.Since(start))
}

// BenchmarkEach streams a table, and says how long it holds the lock at a time:
// the middle value and one of a hundred.
func BenchmarkEach(b *testing.B) {
	s, id, slots := benchStore(b)
	view := s.Pin()
	for b.Loop() {
		n := 0
		view.Each(id, func(_, _ []byte) bool { n++; return true })
		if n != slots {
			b.Fatalf("%d entries of %d", n, slots)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*slots), "ns/entry")
	var batch batch
	var held []time.Duration
	scanned := make([]uint64, 1<<baseBits)
	for done := 0; done < len(scanned); {
		start := time.Now()
		done += view.scanShards(&batch, id, done, scanned[done:])
		held = append(held, time.Since(start))
	}
	slices.Sort(held)
	b.ReportMetric(float64(held[len(held)/2].Nanoseconds())/1000, "µs-locked-p50")
	b.ReportMetric(float64(held[len(held)*99/100].Nanoseconds())/1000, "µs-locked-p99")
}

// TestAllocations counts what reading allocates, which is a promise, unlike time.
func TestAllocations(t *testing.T) {
	s := open(t)
	id := s.must("eth.storage")
	published, sealed := []byte("published: longer than what the compiler keeps on the stack"), []byte("sealed")
	value := make([]byte, 32)
	if err := s.Apply(0, []Write{{Table: id, Key: published, Value: value}}); err != nil {
		t.Fatal(err)
	}
	view := s.Pin()
	if err := s.Apply(1, []Write{{Table: id, Key: published, Value: value}}); err != nil {
		t.Fatal(err)
	}
	b, _ := s.Begin(2)
	tx := b.Tx()
	tx.Put(id, sealed, value)
	tx.Commit()
	tx = b.Tx()
	buf := make([]byte, 0, 32)
	for name, r := range map[string]Reader{"tx": tx, "speculative": s.Speculative(), "view": view} {
		for _, key := range [][]byte{published, sealed, []byte("absent")} {
			r.Get(id, key) // a transaction notes the first read
			if n := testing.AllocsPerRun(100, func() { r.GetInto(buf, id, key) }); n != 0 {
				t.Errorf("%s: GetInto of %s allocates %v times", name, key, n)
			}
			if n := testing.AllocsPerRun(100, func() { r.Get(id, key) }); n > 1 {
				t.Errorf("%s: Get of %s allocates %v times", name, key, n)
			}
		}
	}
	p := newPoint(baseBits, baseChunk)
	p.put(1, published, value)
	if n := testing.AllocsPerRun(100, func() { p.put(1, published, value) }); n != 0 {
		t.Errorf("overwriting allocates %v times", n)
	}
}

// TestBeforeImagesAllocateOnce: the images of a block are two allocations, however
// many there are, and those that the table's own reading needs are none.
func TestBeforeImagesAllocateOnce(t *testing.T) {
	s := open(t)
	id := s.must("eth.storage")
	writes := func(value string) (w []Write) {
		for i := range 300 {
			w = append(w, Write{Table: id, Key: slotKey(nil, i), Value: []byte(value)})
		}
		return append(w, Write{Table: id, Key: []byte(value), Value: []byte{}})
	}
	if err := s.Apply(0, writes("a value as long as a slot's is, 32")); err != nil {
		t.Fatal(err)
	}
	b, _ := s.Begin(1)
	if err := b.fill(writes("another")); err != nil {
		t.Fatal(err)
	}
	d, err := b.Seal()
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(20, func() { s.before(d) }); n > 3 {
		t.Errorf("before-images of %d writes allocate %v times", len(d.changes), n)
	}
	for i, image := range s.before(d) {
		present := string(image.Key) != "another"
		if image.Present != present || string(image.Key) != d.changes[i].key || present && string(image.Value) != "a value as long as a slot's is, 32" {
			t.Fatalf("image %d: %q %q %v", i, image.Key, image.Value, image.Present)
		}
	}
}

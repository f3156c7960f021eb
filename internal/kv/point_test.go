package kv

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"testing"

	"pgregory.net/rapid"
)

// TestPointModel compares a point table with a map, over many keys and sizes and
// with hashes from perfect to useless.
func TestPointModel(t *testing.T) {
	seed := maphash.MakeSeed()
	rapid.Check(t, func(t *rapid.T) {
		narrow := rapid.SampledFrom([]uint64{^uint64(0), 0xff, 7<<61 | 0xf, 1, 0}).Draw(t, "hash bits")
		p := newPoint(rapid.SampledFrom([]uint8{0, 1, 6, 12}).Draw(t, "bits"), minChunk)
		want := map[string]string{}
		keys := rapid.IntRange(1, 400).Draw(t, "keys")
		for range rapid.IntRange(0, 600).Draw(t, "steps") {
			key := fmt.Appendf(nil, "k%d", rapid.IntRange(0, keys).Draw(t, "key"))
			hash := maphash.Bytes(seed, key) & narrow
			if size := rapid.IntRange(-1, 5).Draw(t, "size"); size < 0 {
				p.delete(hash, key)
				delete(want, string(key))
			} else {
				value := bytes.Repeat(key, size*size*size*size) // up to 625 times the key, past the arena's largest entry
				p.put(hash, key, value)
				want[string(key)] = string(value)
			}
		}
		for i := range keys + 2 {
			key := fmt.Appendf(nil, "k%d", i)
			got, ok := p.get(nil, maphash.Bytes(seed, key)&narrow, key)
			if w, present := want[string(key)]; ok != present || string(got) != w {
				t.Fatalf("%s: got %.30q %v, want %.30q %v", key, got, ok, w, present)
			}
		}
		seen := 0
		for shard := range p.shards {
			p.each(shard, func(key, value []byte) {
				if seen++; want[string(key)] != string(value) {
					t.Fatalf("each: %s", key)
				}
			})
		}
		if seen != len(want) || p.count != len(want) {
			t.Fatalf("each shows %d, count says %d, want %d", seen, p.count, len(want))
		}
	})
}

// Memory that is freed is used again: rewriting and replacing entries must not
// make the arena grow.
func TestArenaReuse(t *testing.T) {
	p := newPoint(2, minChunk)
	seed := maphash.MakeSeed()
	fill := func(round int) {
		for i := range 1000 {
			key := binary.BigEndian.AppendUint32(nil, uint32(i))
			p.put(maphash.Bytes(seed, key), key, make([]byte, (i+round)%300))
		}
	}
	drain := func() {
		for i := range 1000 {
			key := binary.BigEndian.AppendUint32(nil, uint32(i))
			p.delete(maphash.Bytes(seed, key), key)
		}
	}
	for round := range 400 { // until each size has been needed as often as it ever is
		fill(round)
	}
	chunks := len(p.arena.chunks)
	for round := range 400 {
		if fill(round); round%10 == 0 {
			drain()
			fill(round)
		}
	}
	if len(p.arena.chunks) > chunks {
		t.Errorf("%d chunks became %d", chunks, len(p.arena.chunks))
	}
	key := []byte("outside")
	hash := maphash.Bytes(seed, key)
	before := p.size()
	for range 10 {
		p.put(hash, key, make([]byte, 1<<20))
	}
	if len(p.arena.outside) > 2 || p.size()-before > 1<<20+100 {
		t.Errorf("%d outside values in %d bytes for one key", len(p.arena.outside), p.size()-before)
	}
	p.delete(hash, key)
	if p.arena.outsideSize != 0 {
		t.Errorf("%d bytes outside without a key", p.arena.outsideSize)
	}
}

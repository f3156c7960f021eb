package kv

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// bulk fills an unused point table. Entry by entry that would cost some misses of
// the caches for each: the place of its word is anywhere. So the words are gathered
// first, by the top bits of the hash, and then settled part by part, each of which
// fits into a cache; a home follows from the word, so that no entry is touched.
type bulk struct {
	point *point
	shift uint8 // from a shard's number to its part
	parts []part
}

type part struct {
	words  []uint64
	shards []uint8 // of the words, within the part
}

const partBits = 8

func newBulk(p *point) *bulk {
	return &bulk{point: p, shift: p.bits - partBits, parts: make([]part, 1<<partBits)}
}

// add adds an entry.
func (b *bulk) add(hash uint64, key, value []byte) {
	shard := b.point.shardOf(hash)
	p := &b.parts[shard>>b.shift]
	if n := len(p.words); n == cap(p.words) { // append would leave more garbage
		p.words = append(make([]uint64, 0, max(64, 2*n)), p.words...)
		p.shards = append(make([]uint8, 0, max(64, 2*n)), p.shards...)
	}
	p.words = append(p.words, tag(hash)<<refBits|b.point.arena.add(key, value))
	p.shards = append(p.shards, uint8(shard&(1<<b.shift-1)))
}

// settle makes the table, on all processors. Of entries of one key the last stays.
func (b *bulk) settle() {
	var next, count atomic.Int64
	var mu sync.Mutex
	var replaced []uint64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			var mine []uint64
			for i := next.Add(1) - 1; i < int64(len(b.parts)); i = next.Add(1) - 1 {
				shards := b.point.shards[i<<b.shift:][:1<<b.shift]
				mine = b.parts[i].settle(&b.point.arena, shards, mine)
				b.parts[i] = part{}
				for s := range shards {
					count.Add(int64(shards[s].used))
				}
			}
			mu.Lock()
			defer mu.Unlock()
			replaced = append(replaced, mine...)
		})
	}
	workers.Wait()
	b.point.count = int(count.Load())
	for _, ref := range replaced {
		b.point.arena.remove(ref)
	}
}

// settle makes the tables of a part's shards and appends the refs that are replaced.
func (p *part) settle(a *arena, shards []shard, replaced []uint64) []uint64 {
	sizes := make([]int, len(shards))
	for _, s := range p.shards {
		sizes[s]++
	}
	for i, n := range sizes {
		if n == 0 {
			continue
		}
		size := firstSize
		for n*4 > size*3 {
			size *= 2
		}
		shards[i].words = make([]uint64, size)
	}
	for i, w := range p.words {
		s := &shards[p.shards[i]]
		at := s.place(a, w)
		if old := s.words[at] & refMask; old != 0 {
			replaced = append(replaced, old)
		} else {
			s.used++
		}
		s.words[at] = w
	}
	return replaced
}

// place returns where a word belongs: a free place, or that of the word of the same
// key.
func (s *shard) place(a *arena, word uint64) int {
	mask := len(s.words) - 1
	for i := int(word>>refBits) & mask; ; i = (i + 1) & mask {
		w := s.words[i]
		if w == 0 || w>>refBits == word>>refBits && string(a.key(w&refMask)) == string(a.key(word&refMask)) {
			return i
		}
	}
}

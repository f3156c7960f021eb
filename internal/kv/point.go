package kv

// point is a hash table without a pointer for each entry: open addressing over
// words that hold 24 bits of the key's hash and the entry's place in an arena.
//
// The table is cut into shards by the hash's top bits, so that growing moves one
// shard at a time and a scan can hold the lock for one shard at a time. Within a
// shard an entry's home is found from the word alone: growing and deleting touch
// no entry.
//
// Callers give the hash along with the key; it must be the same for the same key
// and, where outsiders choose the keys, keyed by a secret.
type point struct {
	bits   uint8 // of the hash that choose the shard
	shards []shard
	arena  arena
	count  int
}

type shard struct {
	words []uint64 // tag<<refBits | ref, 0 if free; a power of two of them
	used  int
}

const (
	refBits   = 40 // 16 TiB of entries
	refMask   = 1<<refBits - 1
	firstSize = 4 // words of a shard's first table
)

func newPoint(bits, chunkBits uint8) *point {
	return &point{bits: bits, shards: make([]shard, 1<<bits), arena: newArena(chunkBits)}
}

// get appends the key's value to dst.
func (p *point) get(dst []byte, hash uint64, key []byte) ([]byte, bool) {
	ref := p.find(hash, key)
	if ref == 0 {
		return dst, false
	}
	return append(dst, p.arena.value(ref)...), true
}

// find returns the key's entry, or 0. Its value is p.arena.value.
func (p *point) find(hash uint64, key []byte) uint64 {
	s := &p.shards[p.shardOf(hash)]
	if s.used == 0 {
		return 0
	}
	return s.words[s.search(&p.arena, hash, key)] & refMask
}

func (p *point) put(hash uint64, key, value []byte) {
	s := &p.shards[p.shardOf(hash)]
	if (s.used+1)*4 > len(s.words)*3 {
		s.grow()
	}
	i := s.search(&p.arena, hash, key)
	if ref := s.words[i] & refMask; ref != 0 {
		s.words[i] = s.words[i]&^refMask | p.arena.set(ref, value)
		return
	}
	s.words[i] = tag(hash)<<refBits | p.arena.add(key, value)
	s.used++
	p.count++
}

// delete removes the key, if it is there.
func (p *point) delete(hash uint64, key []byte) {
	s := &p.shards[p.shardOf(hash)]
	if s.used == 0 {
		return
	}
	i := s.search(&p.arena, hash, key)
	ref := s.words[i] & refMask
	if ref == 0 {
		return
	}
	p.arena.remove(ref)
	s.close(i)
	s.used--
	p.count--
}

// each calls fn for the entries of one shard.
func (p *point) each(shard int, fn func(key, value []byte)) {
	for _, w := range p.shards[shard].words {
		if ref := w & refMask; ref != 0 {
			fn(p.arena.key(ref), p.arena.value(ref))
		}
	}
}

// size is the memory that the table holds, in bytes.
func (p *point) size() int {
	n := p.arena.size()
	for i := range p.shards {
		n += len(p.shards[i].words) * 8
	}
	return n
}

func (p *point) shardOf(hash uint64) int { return int(hash >> (64 - p.bits)) }

// tag is the part of the hash that a word keeps.
func tag(hash uint64) uint64 { return hash & (1<<(64-refBits) - 1) }

// search returns the place of the key's word, or the free place where it belongs.
func (s *shard) search(a *arena, hash uint64, key []byte) int {
	t, mask := tag(hash), len(s.words)-1
	for i := int(t) & mask; ; i = (i + 1) & mask {
		w := s.words[i]
		if w == 0 || w>>refBits == t && string(a.key(w&refMask)) == string(key) {
			return i
		}
	}
}

// grow doubles the shard.
func (s *shard) grow() {
	old := s.words
	s.words = make([]uint64, max(firstSize, 2*len(old)))
	mask := len(s.words) - 1
	for _, w := range old {
		if w == 0 {
			continue
		}
		i := int(w>>refBits) & mask
		for s.words[i] != 0 {
			i = (i + 1) & mask
		}
		s.words[i] = w
	}
}

// close fills the gap at i with the words that lie behind it because of it.
func (s *shard) close(i int) {
	mask := len(s.words) - 1
	for j := i; ; {
		j = (j + 1) & mask
		w := s.words[j]
		if w == 0 {
			break
		}
		if home := int(w>>refBits) & mask; (j-home)&mask >= (j-i)&mask {
			s.words[i] = w
			i = j
		}
	}
	s.words[i] = 0
}

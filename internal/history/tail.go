package history

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"slices"
)

// tail is a run of the newest blocks in memory. Its postings are one slice in
// the order of arrival, and those of one term are chained through it from the
// newest to the oldest. Terms and values are copied into one slice of bytes: of a
// tail the garbage collector sees a few large objects without a pointer in them.
type tail struct {
	seed     maphash.Seed
	blocks   []tailBlock
	postings []posting
	data     []byte
	newest   map[uint64]int32 // hash of a term -> its newest posting
	bytes    int
	note     []byte // as of the last block
}

type tailBlock struct {
	height, epoch uint64
	end           int // its postings end before this index
}

type posting struct {
	at       int    // of the term in data, and behind it the value
	term     uint32 // bytes
	value    uint32 // bytes
	height   uint64
	position uint32
	earlier  int32 // the posting before it with the same hash, -1 for none
}

// Bookkeeping per posting and per block, as counted against Options.TailBytes.
const (
	postingBytes = 64
	blockBytes   = 48
)

// newTail makes room for about as much as the tail before it had.
func newTail(before *tail) *tail {
	postings, data := 0, 0
	if before != nil {
		postings, data = min(len(before.postings), maxRoom/postingBytes), min(len(before.data), maxRoom)
	}
	return &tail{
		seed:     maphash.MakeSeed(),
		postings: make([]posting, 0, postings),
		data:     make([]byte, 0, data),
		newest:   make(map[uint64]int32, postings),
	}
}

// maxRoom bounds what newTail makes room for, in bytes.
const maxRoom = 8 << 20

func sizeOf(entries []Entry) int {
	n := blockBytes
	for i := range entries {
		n += postingBytes + len(entries[i].Term) + len(entries[i].Value)
	}
	return n
}

func (t *tail) add(height, epoch uint64, entries []Entry, note []byte) {
	for i := range entries {
		e := &entries[i]
		h := maphash.Bytes(t.seed, e.Term)
		earlier, ok := t.newest[h]
		if !ok {
			earlier = -1
		}
		t.newest[h] = int32(len(t.postings))
		t.postings = append(t.postings, posting{at: len(t.data), term: uint32(len(e.Term)), value: uint32(len(e.Value)),
			height: height, position: e.Position, earlier: earlier})
		t.data = append(append(t.data, e.Term...), e.Value...)
	}
	t.blocks = append(t.blocks, tailBlock{height, epoch, len(t.postings)})
	t.bytes += sizeOf(entries)
	t.note = note
}

func (t *tail) termOf(p *posting) []byte { return t.data[p.at : p.at+int(p.term)] }

func (t *tail) valueOf(p *posting) []byte {
	at := p.at + int(p.term)
	return t.data[at : at+int(p.value)]
}

// view is one term's postings in a tail at one moment. It may be read while
// the tail goes on growing, because postings never change.
type view struct {
	term     []byte
	postings []posting
	data     []byte
	newest   int32
}

func (t *tail) view(term []byte) view {
	newest, ok := t.newest[maphash.Bytes(t.seed, term)]
	if !ok {
		newest = -1
	}
	return view{term: term, postings: t.postings, data: t.data, newest: newest}
}

// find gives the occurrences at heights from to to, limited and ordered as
// Index.Find says.
func (v view) find(from, to uint64, limit int, reverse bool) []Found {
	var kept []*posting // newest first
	block := 0          // where the postings of the block at hand begin
	for i := v.newest; i >= 0; i = v.postings[i].earlier {
		p := &v.postings[i]
		if p.height < from {
			break
		}
		if p.height > to || !bytes.Equal(v.data[p.at:p.at+int(p.term)], v.term) {
			continue
		}
		if block < len(kept) && kept[block].height != p.height {
			kept = settle(kept, block)
			if limit > 0 && reverse && len(kept) >= limit {
				break
			} else if limit > 0 && len(kept) >= 2*limit { // the oldest count
				kept = append(kept[:0], kept[len(kept)-limit:]...)
			}
			block = len(kept)
		}
		kept = append(kept, p)
	}
	kept = settle(kept, block)
	if !reverse {
		slices.Reverse(kept)
	}
	if limit > 0 {
		kept = kept[:min(limit, len(kept))]
	}
	found := make([]Found, len(kept))
	for i, p := range kept {
		at := p.at + int(p.term)
		found[i] = Found{Height: p.height, Position: p.position, Value: bytes.Clone(v.data[at : at+int(p.value)])}
	}
	return found
}

// settle orders the postings of one block, which come newest first, from the last
// position to the first: of two at one position the first that came counts.
func settle(kept []*posting, block int) []*posting {
	of := kept[block:]
	slices.SortStableFunc(of, func(a, b *posting) int { return cmp.Compare(b.position, a.position) })
	of = slices.CompactFunc(of, func(a, b *posting) bool { return a.position == b.position })
	return kept[:block+len(of)]
}

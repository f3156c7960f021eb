package history

import (
	"cmp"
	"hash/maphash"
	"slices"
)

// tail is a run of the newest blocks in memory. Its postings are one slice in
// the order of arrival, and those of one term are chained through it from the
// newest to the oldest, so that adding allocates nothing but the slice's growth.
type tail struct {
	seed     maphash.Seed
	blocks   []tailBlock
	postings []posting
	newest   map[uint64]int32 // hash of a term -> its newest posting
	bytes    int
}

type tailBlock struct {
	state     // after it
	end   int // its postings end before this index
}

type posting struct {
	Entry
	height  uint64
	earlier int32 // the posting before it with the same hash, -1 for none
}

// Bookkeeping per posting and per block, as counted against Options.TailBytes.
const (
	postingBytes = 96
	blockBytes   = 128
)

// newTail makes room for about as many postings as the tail before it had.
func newTail(postings int) *tail {
	return &tail{
		seed:     maphash.MakeSeed(),
		postings: make([]posting, 0, postings),
		newest:   make(map[uint64]int32, postings),
	}
}

func sizeOf(entries []Entry) int {
	n := blockBytes
	for _, e := range entries {
		n += postingBytes + len(e.Term) + len(e.Value)
	}
	return n
}

func (t *tail) add(s state, entries []Entry) {
	for _, e := range entries {
		h := maphash.Bytes(t.seed, e.Term)
		earlier, ok := t.newest[h]
		if !ok {
			earlier = -1
		}
		t.newest[h] = int32(len(t.postings))
		t.postings = append(t.postings, posting{Entry: e, height: s.Height, earlier: earlier})
	}
	t.blocks = append(t.blocks, tailBlock{state: s, end: len(t.postings)})
	t.bytes += sizeOf(entries)
}

// view is one term's postings in a tail at one moment. It may be read while
// the tail goes on growing, because postings never change.
type view struct {
	term     []byte
	postings []posting
	newest   int32
}

func (t *tail) view(term []byte) view {
	newest, ok := t.newest[maphash.Bytes(t.seed, term)]
	if !ok {
		newest = -1
	}
	return view{term: term, postings: t.postings, newest: newest}
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
		if p.height > to || string(p.Term) != string(v.term) {
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
		found[i] = Found{Height: p.height, Position: p.Position, Value: slices.Clone(p.Value)}
	}
	return found
}

// settle orders the postings of one block, which come newest first, from the last
// position to the first: of two at one position the first that came counts.
func settle(kept []*posting, block int) []*posting {
	of := kept[block:]
	slices.SortStableFunc(of, func(a, b *posting) int { return cmp.Compare(b.Position, a.Position) })
	of = slices.CompactFunc(of, func(a, b *posting) bool { return a.Position == b.Position })
	return kept[:block+len(of)]
}

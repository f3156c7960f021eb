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

// find gives the occurrences at heights from to to, in order.
func (v view) find(from, to uint64) []Found {
	var found []Found
	for i := v.newest; i >= 0; i = v.postings[i].earlier {
		p := &v.postings[i]
		if p.height < from {
			break
		}
		if p.height <= to && string(p.Term) == string(v.term) {
			found = append(found, Found{Height: p.height, Position: p.Position, Value: slices.Clone(p.Value)})
		}
	}
	// Newest first so far: of two at one place the first is the one that counts.
	slices.SortStableFunc(found, byPlace)
	return slices.CompactFunc(found, func(a, b Found) bool { return byPlace(a, b) == 0 })
}

func byPlace(a, b Found) int {
	return cmp.Or(cmp.Compare(a.Height, b.Height), cmp.Compare(a.Position, b.Position))
}

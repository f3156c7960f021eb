package ledger

import (
	"sort"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// table says where the entries of one chunk lie.
type table struct {
	first   uint64   // index of the first entry
	offsets []uint32 // of each entry, in units of format.FrameAlign
	end     int64    // behind the last frame, in bytes
	terms   []termRun
	blocks  []uint32 // which entries are blocks, counted from first
	height  uint64   // of the first block
}

// termRun is a run of entries of one term.
type termRun struct {
	from uint32 // counted from first
	term uint64
}

// add takes a frame of size bytes behind the last one. height is a block's.
func (t *table) add(size int64, term uint64, block bool, height uint64) {
	n := uint32(len(t.offsets))
	t.offsets = append(t.offsets, uint32(t.end/format.FrameAlign))
	t.end += size
	if len(t.terms) == 0 || t.terms[len(t.terms)-1].term != term {
		t.terms = append(t.terms, termRun{n, term})
	}
	if block {
		if len(t.blocks) == 0 {
			t.height = height
		}
		t.blocks = append(t.blocks, n)
	}
}

// len is the number of entries.
func (t *table) len() uint64 { return uint64(len(t.offsets)) }

// span is the bytes of an entry's frame.
func (t *table) span(index uint64) (from, to int64) {
	i := index - t.first
	to = t.end
	if i+1 < t.len() {
		to = int64(t.offsets[i+1]) * format.FrameAlign
	}
	return int64(t.offsets[i]) * format.FrameAlign, to
}

func (t *table) term(index uint64) uint64 {
	n := uint32(index - t.first)
	i := sort.Search(len(t.terms), func(i int) bool { return t.terms[i].from > n })
	return t.terms[i-1].term
}

// block is the index of the block of a height.
func (t *table) block(height uint64) (uint64, bool) {
	if height < t.height || height-t.height >= uint64(len(t.blocks)) {
		return 0, false
	}
	return t.first + uint64(t.blocks[height-t.height]), true
}

// heightFrom is the height of the first block at or behind index.
func (t *table) heightFrom(index uint64) (uint64, bool) {
	n := uint32(index - t.first)
	i := sort.Search(len(t.blocks), func(i int) bool { return t.blocks[i] >= n })
	return t.height + uint64(i), i < len(t.blocks)
}

// upTo is a copy that ends before index.
func (t *table) upTo(index uint64) *table {
	n := index - t.first
	c := &table{first: t.first, height: t.height, end: t.end}
	if n < t.len() {
		c.end = int64(t.offsets[n]) * format.FrameAlign
	}
	c.offsets = append(c.offsets, t.offsets[:n]...)
	for _, r := range t.terms {
		if uint64(r.from) < n {
			c.terms = append(c.terms, r)
		}
	}
	for _, b := range t.blocks {
		if uint64(b) < n {
			c.blocks = append(c.blocks, b)
		}
	}
	return c
}

package chain

import (
	"sync"

	"github.com/coco-consortium/coco/internal/history"
	"github.com/coco-consortium/coco/internal/problem"
)

// Progress is how far the index has come.
type Progress struct {
	Start   uint64 // the first block that was missing when it fell behind
	Indexed uint64 // blocks below this number are in the index
	Head    uint64 // the last committed block
}

// Percent is the part of the chain that is indexed.
func (p Progress) Percent() int { return int(p.Indexed * 100 / (p.Head + 1)) }

// indexing is whether the index is being made: from when it is so far behind that
// every question about what it lacks is refused, or from the first that was for
// other reasons, until it has reached the tail.
type indexing struct {
	mu      sync.Mutex
	busy    bool
	start   uint64
	changed chan struct{}
}

// Indexing tells how far the index has come. It is busy while it is being made:
// whoever is refused with history.ErrBehind finds it busy until it has reached the
// tail, unless it did so in between.
func (c *Chain) Indexing() (p Progress, busy bool) { return c.progress(false) }

// progress is Indexing, after a question was refused or not.
func (c *Chain) progress(refused bool) (p Progress, busy bool) {
	i := &c.indexing
	i.mu.Lock()
	defer i.mu.Unlock()
	c.mu.RLock()
	first, head := c.tail.first(), c.tail.head().Number()
	c.mu.RUnlock()
	indexed := min(c.next(), head+1)
	was := i.busy
	switch {
	case c.index == NoIndex:
	case !was && indexed < first && (refused || indexed+c.limits.behind < first):
		i.busy, i.start = true, indexed
	case was && indexed >= first:
		i.busy = false
	}
	if was != i.busy {
		close(i.changed)
		i.changed = make(chan struct{})
	}
	return Progress{Start: min(i.start, indexed), Indexed: indexed, Head: head}, i.busy
}

// IndexMoved is for whoever feeds the index: it has come further, or is gone.
func (c *Chain) IndexMoved() { c.Indexing() }

// IndexingChanged is closed when Indexing begins or ceases to be busy. Take it
// before asking, so that no change is missed.
func (c *Chain) IndexingChanged() <-chan struct{} {
	c.indexing.mu.Lock()
	defer c.indexing.mu.Unlock()
	return c.indexing.changed
}

// next is the first height that the index does not hold.
func (c *Chain) next() uint64 {
	if height, ok := c.index.Height(); ok {
		return height + 1
	}
	return 0
}

// NoIndex is the index of a node that keeps none. What is not found in the newest
// blocks without one is refused with history.ErrOff.
var NoIndex Index = noIndex{}

type noIndex struct{}

func (noIndex) Height() (uint64, bool) { return 0, false }

func (noIndex) Find([]byte, uint64, uint64, int, bool) ([]history.Found, error) {
	return nil, history.ErrOff
}

// behind is history.ErrBehind with what is known of it, or history.ErrOff.
func (c *Chain) behind() error {
	if c.index == NoIndex {
		return history.ErrOff
	}
	p, _ := c.progress(true)
	return problem.Newf(history.ErrBehind.Code, history.ErrBehind.Next,
		"the history index is still being made: %d of %d blocks are indexed, about %d percent", p.Indexed, p.Head+1, p.Percent())
}

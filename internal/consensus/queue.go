package consensus

import (
	"sync"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// queue hands committed entries to the goroutine that publishes them, without
// ever making the goroutine that drives Raft wait. It is bounded by what the
// sequencer lets in flight.
type queue struct {
	mu      sync.Mutex
	wake    *sync.Cond
	entries []format.Entry
	closed  bool
}

func newQueue() *queue {
	q := &queue{}
	q.wake = sync.NewCond(&q.mu)
	return q
}

func (q *queue) put(entries []format.Entry) {
	q.mu.Lock()
	q.entries = append(q.entries, entries...)
	q.mu.Unlock()
	q.wake.Signal()
}

func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.wake.Signal()
}

// take waits for entries; it reports false when the queue is closed and empty.
func (q *queue) take() ([]format.Entry, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.entries) == 0 && !q.closed {
		q.wake.Wait()
	}
	entries := q.entries
	q.entries = nil
	return entries, len(entries) > 0
}

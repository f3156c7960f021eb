package consensus

import "sync"

// queue hands work from the goroutine that drives Raft to another one, without
// ever making the first wait. What lies in it is bounded elsewhere: a leader's by
// what is sealed and not committed, a follower's by full.
type queue[T any] struct {
	size func(*T) int

	mu     sync.Mutex
	wake   *sync.Cond
	items  []T
	bytes  int
	closed bool
}

func newQueue[T any](size func(*T) int) *queue[T] {
	q := &queue[T]{size: size}
	q.wake = sync.NewCond(&q.mu)
	return q
}

func (q *queue[T]) put(items []T) {
	q.mu.Lock()
	for i := range items {
		q.bytes += q.size(&items[i])
	}
	q.items = append(q.items, items...)
	q.mu.Unlock()
	q.wake.Broadcast()
}

func (q *queue[T]) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.wake.Broadcast()
}

// take waits for items and gives all there are; it reports false when the queue
// is closed and empty.
func (q *queue[T]) take() ([]T, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.items) == 0 && !q.closed {
		q.wake.Wait()
	}
	items := q.items
	q.items, q.bytes = nil, 0
	q.wake.Broadcast()
	return items, len(items) > 0
}

// full reports whether more than so many bytes wait.
func (q *queue[T]) full(limit int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes > limit
}

// room waits until no more than so many bytes wait, or the queue is closed.
func (q *queue[T]) room(limit int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.bytes > limit && !q.closed {
		q.wake.Wait()
	}
}

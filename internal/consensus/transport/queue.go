package transport

import (
	"sync"

	"go.etcd.io/raft/v3/raftpb"
)

// item is what waits to be sent: a message, or a notice of a refused block.
type item struct {
	message *raftpb.Message
	refusal *refusal
	size    int
}

type refusal struct {
	term, index uint64
	reason      string
}

// sizeOf is about what a message takes in memory and on the wire.
func sizeOf(m *raftpb.Message) int {
	n := 64 + len(m.Context)
	for _, e := range m.Entries {
		n += 32 + len(e.Data)
	}
	return n
}

// queue is what waits for one stream, bounded by count and bytes. Put never
// waits. When it is full, a queue that keeps the oldest refuses the new item: of
// appends that follow each other, those behind a gap are worthless. The other
// kind gives up its oldest, which a newer control message most likely overtook.
type queue struct {
	count, bytes int // limits
	keepOldest   bool
	wake         chan struct{}

	mu    sync.Mutex
	items []item
	head  int
	size  int
}

func newQueue(count, bytes int, keepOldest bool) *queue {
	return &queue{count: count, bytes: bytes, keepOldest: keepOldest, wake: make(chan struct{}, 1)}
}

// put gives the number of items that were dropped for it, itself included. An
// item bigger than the bound has its place in an empty queue.
func (q *queue) put(i item) (dropped int) {
	q.mu.Lock()
	for n := len(q.items) - q.head; n > 0 && (n >= q.count || q.size+i.size > q.bytes); n-- {
		dropped++
		if q.keepOldest {
			q.mu.Unlock()
			return dropped
		}
		q.pop()
	}
	if q.head > 0 && len(q.items) == cap(q.items) {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, i)
	q.size += i.size
	q.mu.Unlock()
	q.poke()
	return dropped
}

// poke wakes whoever serves the queue.
func (q *queue) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) pop() item {
	i := q.items[q.head]
	q.items[q.head] = item{}
	q.head++
	q.size -= i.size
	if q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	return i
}

// take moves items of about that many bytes, at least one, to the end of batch.
func (q *queue) take(batch []item, bytes int) []item {
	q.mu.Lock()
	defer q.mu.Unlock()
	for taken := 0; q.head < len(q.items) && taken < bytes; {
		i := q.pop()
		taken += i.size
		batch = append(batch, i)
	}
	return batch
}

// clear drops what waits and gives its number.
func (q *queue) clear() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := len(q.items) - q.head
	q.items, q.head, q.size = nil, 0, 0
	return n
}

func (q *queue) length() (count, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items) - q.head, q.size
}

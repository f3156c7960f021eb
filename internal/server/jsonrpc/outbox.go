package jsonrpc

import (
	"context"
	"sync"
)

// outbox holds what waits to be written on one session, bounded in items and
// bytes. Notifications share their payload with other sessions.
type outbox struct {
	mu       sync.Mutex
	items    []parcel
	bytes    int
	maxItems int
	maxBytes int
	added    chan struct{} // holds one token when something was added
	taken    chan struct{} // holds one token when something was taken
}

// parcel is one message in up to three parts, or, with passed, none: a mark
// that is closed when the writer comes to it.
type parcel struct {
	head, body, tail []byte
	passed           chan struct{}
	room             *Room // freed when the parcel is written or given up
}

func (p parcel) len() int { return len(p.head) + len(p.body) + len(p.tail) }

func newOutbox(l Limits) *outbox {
	return &outbox{
		maxItems: l.QueueItems, maxBytes: l.QueueBytes,
		added: make(chan struct{}, 1), taken: make(chan struct{}, 1),
	}
}

// offer adds p and reports false when there is no room. Into an empty box
// everything fits.
func (o *outbox) offer(p parcel) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.items) > 0 && (len(o.items) >= o.maxItems || o.bytes+p.len() > o.maxBytes) {
		return false
	}
	o.items = append(o.items, p)
	o.bytes += p.len()
	signal(o.added)
	return true
}

// put adds p as soon as there is room.
func (o *outbox) put(ctx context.Context, p parcel) error {
	for !o.offer(p) {
		select {
		case <-o.taken:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	signal(o.taken) // another one may fit too
	return nil
}

// take gives everything that waits, as soon as there is something.
func (o *outbox) take(ctx context.Context, into []parcel) ([]parcel, error) {
	for {
		o.mu.Lock()
		into = append(into, o.items...)
		clear(o.items)
		o.items, o.bytes = o.items[:0], 0
		o.mu.Unlock()
		if len(into) > 0 {
			signal(o.taken)
			return into, nil
		}
		select {
		case <-o.added:
		case <-ctx.Done():
			return into, ctx.Err()
		}
	}
}

// drop gives up what waits.
func (o *outbox) drop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range o.items {
		p.room.Free()
	}
	o.items = nil
}

// flush waits until everything put before has been written.
func (o *outbox) flush(ctx context.Context) {
	passed := make(chan struct{})
	if o.put(ctx, parcel{passed: passed}) != nil {
		return
	}
	select {
	case <-passed:
	case <-ctx.Done():
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

package jsonrpc

import (
	"context"
	"sync"
)

// outbox holds what waits to be written on one session. Answers and notifications
// are bounded in items and bytes each, so that a large answer to a client does not
// end its subscriptions.
type outbox struct {
	mu      sync.Mutex
	items   []parcel
	answers load
	news    load
	most    load
	added   chan struct{} // holds one token when something was added
	gone    chan struct{} // holds one token when something was written
}

// load is what is in the outbox or with the writer.
type load struct{ items, bytes int }

// parcel is one message in parts, or, with passed, none: a mark that is closed
// when the writer comes to it. Notifications share parts with other sessions.
type parcel struct {
	parts  [][]byte
	news   bool // a notification
	passed chan struct{}
	room   *Room // freed when the parcel is written or given up
}

func (p parcel) len() (n int) {
	for _, part := range p.parts {
		n += len(part)
	}
	return n
}

func newOutbox(l Limits) *outbox {
	return &outbox{
		most:  load{l.QueueItems, l.QueueBytes},
		added: make(chan struct{}, 1), gone: make(chan struct{}, 1),
	}
}

func (o *outbox) load(p parcel) *load {
	if p.news {
		return &o.news
	}
	return &o.answers
}

// offer adds p and reports false when there is no room. Where there is nothing of
// its kind everything fits.
func (o *outbox) offer(p parcel) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	l, n := o.load(p), p.len()
	if l.items > 0 && (l.items >= o.most.items || l.bytes+n > o.most.bytes) {
		return false
	}
	o.items = append(o.items, p)
	l.items++
	l.bytes += n
	signal(o.added)
	return true
}

// put adds p as soon as there is room.
func (o *outbox) put(ctx context.Context, p parcel) error {
	return o.insist(ctx, func() bool { return o.offer(p) })
}

// insist offers until there is room.
func (o *outbox) insist(ctx context.Context, offer func() bool) error {
	for !offer() {
		select {
		case <-o.gone:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	signal(o.gone) // another one may fit too
	return nil
}

// take gives everything that waits, as soon as there is something. It counts until
// it is written.
func (o *outbox) take(ctx context.Context, into []parcel) ([]parcel, error) {
	for {
		o.mu.Lock()
		into = append(into, o.items...)
		clear(o.items)
		o.items = o.items[:0]
		o.mu.Unlock()
		if len(into) > 0 {
			return into, nil
		}
		select {
		case <-o.added:
		case <-ctx.Done():
			return into, ctx.Err()
		}
	}
}

// written notes that the writer is done with p.
func (o *outbox) written(p parcel) {
	o.mu.Lock()
	defer o.mu.Unlock()
	l := o.load(p)
	l.items--
	l.bytes -= p.len()
	p.room.Free()
	signal(o.gone)
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

package forward

import (
	"context"
	"time"

	"github.com/coco-consortium/coco/internal/sequencer"
)

// signal wakes whoever waits on a channel with room for one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// add appends a ticket to the list; mu is held.
func (f *Forwarder) add(t *Ticket) {
	f.last++
	t.number, t.kept, t.prev = f.last, true, f.tail
	if f.tail != nil {
		f.tail.next = t
	} else {
		f.head = t
		signal(f.first)
	}
	f.tail = t
	f.byID[t.id] = t
	f.bytes += size(t.request)
	f.counts.Kept++
}

// remove takes a ticket out of the list; mu is held.
func (f *Forwarder) remove(t *Ticket) {
	if !t.kept {
		return
	}
	if r := t.route; r != nil && r.asked[t.number].ticket == t {
		r.asked[t.number] = place{bytes: size(t.request)}
	}
	if f.cursor == t {
		f.cursor = t.next
	}
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		f.head = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	} else {
		f.tail = t.prev
	}
	t.kept, t.prev, t.next = false, nil, nil
	delete(f.byID, t.id)
	f.bytes -= size(t.request)
	f.counts.Kept--
	if f.head == nil && f.idle != nil {
		close(f.idle)
		f.idle = nil
	}
}

// name notes a TxID; mu is held.
func (f *Forwarder) name(t *Ticket, tx sequencer.TxID) {
	if t.tx == tx {
		return
	}
	first := t.tx.Seqno == 0
	t.tx = tx
	told := tx // so that the heap has it only here
	t.latest.Store(&told)
	if first {
		close(t.named)
	}
}

// settle ends a request; mu is held.
func (f *Forwarder) settle(t *Ticket, err error) {
	if !t.kept {
		return
	}
	f.remove(t)
	t.err = err
	if t.tx.Seqno == 0 {
		close(t.named)
	}
	close(t.done)
}

// mark notes that a request goes out on a route; mu is held.
func (f *Forwarder) mark(t *Ticket, r *route) {
	if t.route != nil && !r.local {
		f.counts.Again++
	}
	t.route, t.before, t.sent = r, t.sent, max(t.sent, r.view)
	if !r.local {
		r.asked[t.number] = place{t, size(t.request)}
		r.bytes += size(t.request)
	}
}

// putBack makes a request that the intake did not take the next to be sent. A
// route that took the place of this one has all requests before it anyway.
func (f *Forwarder) putBack(t *Ticket, r *route) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t.kept && t.route == r {
		t.sent = t.before
		if f.route == r {
			f.cursor = t
		}
	}
}

// pick gives the requests that go out next on a route, in order: those that it
// has not seen, without those that were executed in its view.
func (f *Forwarder) pick(r *route, most int) (list []*Ticket) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.route != r {
		return nil
	}
	bytes := 0
	for t := f.cursor; t != nil && len(list) < most; t = t.next {
		if t.tx.View != r.view {
			n := size(t.request)
			if len(list) > 0 && bytes+n > roomOfFrame || !r.local && r.full(n) {
				f.cursor = t
				return list
			}
			bytes += n
			f.mark(t, r)
			list = append(list, t)
		}
		f.cursor = t.next
	}
	return list
}

// full reports that the stream's window has no room for a request of a size.
func (r *route) full(n int) bool {
	return len(r.asked) >= r.window || len(r.asked) > 0 && r.bytes+n > r.windowBytes
}

// expire settles what is too old, and when the forwarder ends all that is left.
func (f *Forwarder) expire(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		f.mu.Lock()
		oldest := f.head
		f.mu.Unlock()
		wait := time.Hour
		if oldest != nil {
			if wait = time.Until(oldest.expires); wait <= 0 {
				f.end(oldest)
				continue
			}
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-f.first:
		case <-ctx.Done():
			return
		}
	}
}

// end settles a request that is kept no longer, with what can be said of it.
func (f *Forwarder) end(t *Ticket) {
	f.mu.Lock()
	if !t.kept {
		f.mu.Unlock()
		return
	}
	if f.cursor == t {
		f.cursor = t.next // not sent from now on
	}
	sent, tx := t.sent, t.tx
	f.mu.Unlock()
	err := f.fate(sent, tx)
	brought := false
	if err != nil {
		if tx, brought = f.find(t.request); brought {
			err = nil
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !t.kept {
		return
	}
	f.counts.Expired++
	if err != nil && t.sent > sent { // it was sent meanwhile
		err = sequencer.ErrOutcomeUnknown
	}
	if brought {
		f.name(t, tx)
	}
	f.settle(t, err)
}

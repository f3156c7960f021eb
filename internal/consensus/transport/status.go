package transport

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// PeerStatus is what is known of the traffic with one node. Counters begin at 0
// with the process.
type PeerStatus struct {
	ID        uint64
	Address   string // "" when unknown
	Connected bool   // the stream to it for small messages stands
	Appending bool   // the stream to it for MsgApp stands
	// Queued messages and bytes wait to be sent; Dropped ones never were, for
	// want of a connection or a place in the queue.
	Queued, QueuedBytes     int
	Dropped                 uint64
	Cut                     uint64 // messages, either way, that isolation held back
	Sent, SentBytes         uint64 // messages and refusals, and their frames
	Received, ReceivedBytes uint64
	RTT                     time.Duration // of the last ping, 0 when there was no answer yet
	Skew                    time.Duration // how far its clock was ahead of this one at the last ping; right to half of RTT
	LastHeard               time.Time     // zero: never
	IsolatedIn, IsolatedOut bool
	Failure                 string // why there is no connection; "" when there is or none was tried
}

// Totals are counters that belong to no peer.
type Totals struct {
	Unknown   uint64 // messages to nodes whose address was not known
	Malformed uint64 // connections that ended with a malformed frame
	Refused   uint64 // connections whose handshake failed or that had no place
	Crowded   uint64 // connections that were closed at once: too many
}

type counts struct{ unknown, malformed, refused, crowded atomic.Uint64 }

// Status lists the nodes that were sent to or heard of, by id.
func (t *Transport) Status() []PeerStatus {
	var all []PeerStatus
	for _, p := range t.everyPeer() {
		now, _ := t.config.Peers(p.id)
		w := t.walls.of(p.id)
		s := PeerStatus{ID: p.id, Address: now.Address, Connected: p.control.connected.Load(), Appending: p.append.connected.Load(),
			Dropped: p.dropped.Load(), Cut: p.cut.Load(), Sent: p.sent.Load(), SentBytes: p.sentBytes.Load(),
			Received: p.received.Load(), ReceivedBytes: p.receivedBytes.Load(),
			RTT: time.Duration(p.rtt.Load()), Skew: time.Duration(p.skew.Load()), IsolatedIn: w.in, IsolatedOut: w.out}
		for _, x := range []*stream{p.control, p.append} {
			count, bytes := x.queue.length()
			s.Queued, s.QueuedBytes = s.Queued+count, s.QueuedBytes+bytes
			if why := x.failure.Load(); why != nil && s.Failure == "" {
				s.Failure = *why
			}
		}
		if heard := p.heard.Load(); heard != 0 {
			s.LastHeard = time.Unix(0, heard)
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b PeerStatus) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// Totals gives the counters that belong to no peer.
func (t *Transport) Totals() Totals {
	return Totals{t.counts.unknown.Load(), t.counts.malformed.Load(), t.counts.refused.Load(), t.counts.crowded.Load()}
}

// notices calls Config's callbacks from a goroutine of its own, so that the one
// who drives Raft may send from where they lead.
type notices struct {
	mu            sync.Mutex
	lost          map[uint64]struct{}
	retired, told bool
	wake          chan struct{}
}

func newNotices() *notices {
	return &notices{lost: map[uint64]struct{}{}, wake: make(chan struct{}, 1)}
}

func (n *notices) unreachable(id uint64) {
	n.mu.Lock()
	n.lost[id] = struct{}{}
	n.mu.Unlock()
	n.poke()
}

func (n *notices) retire() {
	n.mu.Lock()
	n.retired = true
	n.mu.Unlock()
	n.poke()
}

func (n *notices) poke() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

func (n *notices) run(ctx context.Context, c Config) {
	for {
		select {
		case <-n.wake:
		case <-ctx.Done():
			return
		}
		n.mu.Lock()
		lost, retired := n.lost, n.retired && !n.told
		n.lost, n.told = map[uint64]struct{}{}, n.told || retired
		n.mu.Unlock()
		if retired && c.Retired != nil {
			c.Retired()
		}
		for id := range lost {
			if c.Unreachable != nil {
				c.Unreachable(id)
			}
		}
	}
}

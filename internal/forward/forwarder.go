package forward

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net"
	"sync"
	"time"

	"github.com/coco-consortium/coco/internal/sequencer"
)

// Config is what a Forwarder is made of. Limits may be left out.
type Config struct {
	Intake *Intake // of this node
	// Leader is the raft id of the node that leads as far as this one knows, 0
	// for none; whether that is this node; and a channel that is closed when this
	// answer changes.
	Leader func() (id uint64, self bool, changed <-chan struct{})
	// Dial opens a stream of Protocol to a node's Intake.
	Dial   func(ctx context.Context, leader uint64) (net.Conn, error)
	Limits Limits
	Logger *slog.Logger
}

// Forwarder keeps the requests that a node got until their fate is known. See
// the package comment. It is to be told of committed blocks after everyone else
// (sequencer.Attach), and to Run.
type Forwarder struct {
	Config
	sequencer Sequencer
	wake      chan struct{} // there is something to send
	first     chan struct{} // the list is empty no more

	// order is held while something is handed to the intake beside this, so that
	// requests reach it in order. It is taken before mu.
	order sync.Mutex

	mu     sync.Mutex
	head   *Ticket // oldest
	tail   *Ticket
	cursor *Ticket // the first that the route has not seen, nil for none
	byID   map[string]*Ticket
	bytes  int
	last   uint64    // number given last
	route  *route    // to the primary, nil while there is none
	lost   time.Time // since when there is none
	closed bool
	idle   chan struct{} // closed when the list is empty; nil while nobody asks
	counts Counts
}

// Counts are figures since the start, and what is kept now.
type Counts struct {
	Kept, Bytes int
	Sent        uint64 // over streams
	Again       uint64 // of them, those that were sent before
	Expired     uint64
	Streams     uint64 // opened
}

var _ sequencer.Follower = (*Forwarder)(nil)

// New makes a forwarder; Run makes it work.
func New(c Config) *Forwarder {
	c.Limits = c.Limits.withDefaults()
	return &Forwarder{Config: c, sequencer: c.Intake.sequencer, wake: make(chan struct{}, 1), first: make(chan struct{}, 1),
		byID: make(map[string]*Ticket), lost: time.Now()}
}

// Submit takes a request in. It never waits: BUSY when there is no room for it,
// NO_PRIMARY when there has been no primary for a while. A request that is on its
// way from here already, by its ID, gives that ticket. When it returns, requests
// submitted later stand behind this one.
func (f *Forwarder) Submit(r *sequencer.Request) (*Ticket, error) {
	if err := check(r); err != nil {
		return nil, err
	}
	f.order.Lock()
	defer f.order.Unlock()
	t, direct, err := f.keep(r)
	if err != nil || direct == nil {
		return t, err
	}
	if _, err := f.Intake.submit(direct.view, t.id, r, &local{f, t, direct}); errors.Is(err, sequencer.ErrNotPrimary) {
		f.putBack(t, direct)
	} else if err != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		if t.kept { // else it was found to be committed meanwhile
			f.remove(t)
			return nil, err
		}
	}
	return t, nil
}

// keep makes a ticket. It gives the route when the request is to be handed over
// at once.
func (f *Forwarder) keep(r *sequencer.Request) (t *Ticket, direct *route, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	switch t := f.byID[string(r.ID)]; {
	case t != nil:
		return t, nil, nil
	case f.closed:
		return nil, nil, ErrNoPrimary
	case f.counts.Kept >= f.Limits.Requests || f.bytes+size(r) > f.Limits.Bytes:
		return nil, nil, sequencer.ErrBusy
	case f.route == nil && now.Sub(f.lost) > f.Limits.Patience:
		return nil, nil, ErrNoPrimary
	}
	t = &Ticket{request: r, id: string(r.ID), expires: now.Add(f.Limits.Expiry), named: make(chan struct{}), done: make(chan struct{})}
	f.add(t)
	if f.cursor == nil {
		if f.route != nil && f.route.local {
			f.mark(t, f.route)
			return t, f.route, nil
		}
		f.cursor = t
	}
	signal(f.wake)
	return t, nil, nil
}

// Primary is the view in which requests find the primary now, 0 while they do
// not, and since when they do not.
func (f *Forwarder) Primary() (view uint64, lost time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.route != nil {
		return f.route.view, time.Time{}
	}
	return 0, f.lost
}

// Counts are this moment's figures.
func (f *Forwarder) Counts() Counts {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.counts
	c.Bytes = f.bytes
	return c
}

// Drain waits until every request has an outcome, or the context ends.
func (f *Forwarder) Drain(ctx context.Context) error {
	f.mu.Lock()
	if f.head == nil {
		f.mu.Unlock()
		return nil
	}
	if f.idle == nil {
		f.idle = make(chan struct{})
	}
	idle := f.idle
	f.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Committed settles the requests that a published block holds.
func (f *Forwarder) Committed(c *sequencer.Committed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.head == nil {
		return
	}
	for i := range c.Records {
		p := c.Records[i].Private
		if p == nil {
			continue // a record of the network's own, without a sealed section
		}
		if t := f.byID[string(p.NativeID)]; t != nil {
			f.name(t, sequencer.TxID{View: c.Header.View, Seqno: c.Header.FirstSeqno + uint64(i)})
			f.settle(t, nil)
		}
	}
}

// TxID is the transaction's name as far as it is known. It may change until Done
// is closed: a request whose block was lost with its primary is executed again.
func (t *Ticket) TxID() (sequencer.TxID, bool) {
	select {
	case <-t.named:
	default:
		return sequencer.TxID{}, false
	}
	tx := t.latest.Load()
	if tx == nil {
		return sequencer.TxID{}, false
	}
	return *tx, true
}

// executed takes note of a TxID. One that is committed and published here ends
// the request; it was executed before it came here.
func (f *Forwarder) executed(t *Ticket, tx sequencer.TxID) {
	status := f.sequencer.StatusOf(tx)
	f.mu.Lock()
	defer f.mu.Unlock()
	if !t.kept || tx.View < t.tx.View {
		return
	}
	f.name(t, tx)
	if status == sequencer.StatusCommitted {
		f.settle(t, nil)
	}
}

// ended takes note of a primary's word that is not a TxID.
func (f *Forwarder) ended(t *Ticket, r *route, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case !t.kept:
	case errors.Is(err, sequencer.ErrNotCommitted):
		if t.sent == r.view { // before that view nothing was either: its primary looked
			t.sent = 0
		}
	default:
		f.settle(t, err)
	}
}

// local follows a request in the intake of this node.
type local struct {
	f     *Forwarder
	t     *Ticket
	route *route
}

func (l *local) executed(tx sequencer.TxID) { l.f.executed(l.t, tx) }
func (l *local) ended(err error)            { l.f.ended(l.t, l.route, err) }

// fate is what can be said of this node's attempts at a request that is sent no
// more. mu is not held.
func (f *Forwarder) fate(sent uint64, tx sequencer.TxID) error {
	if tx.Seqno != 0 && f.sequencer.StatusOf(tx) == sequencer.StatusCommitted {
		return nil
	}
	// Every attempt was for one view. When an entry of a later one is committed
	// and all before it is published here, none of them can have an effect any more.
	if sent == 0 || f.sequencer.StatusOf(sequencer.TxID{View: sent, Seqno: math.MaxUint64}) == sequencer.StatusInvalid {
		return ErrExpired // of other nodes' attempts this one does not know
	}
	return sequencer.ErrOutcomeUnknown
}

// find looks for a request in the ledger, where another node may have brought it.
func (f *Forwarder) find(r *sequencer.Request) (tx sequencer.TxID, found bool) {
	if p := f.Intake.protocols[r.Protocol]; p != nil {
		return p.Find(r.ID)
	}
	return tx, false
}

package replicated

import (
	"errors"
	"math/rand/v2"

	"github.com/coco-consortium/coco/internal/protocol/ethereum/pool"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// forwarder keeps the requests of a node until their fate is known and sends them
// to the leader, when it is told to; it is the leader's intake too.
type forwarder struct {
	node    *node
	refuse  error // answer to submissions
	kept    map[string]*ticket
	order   []*ticket
	intake  *pool.Intake
	works   map[string]*sequencer.Ticket // in the sequencer of this node, by ID
	arrived int                          // requests that were handed to this node's sequencer
}

// ticket follows one request.
type ticket struct {
	request        *sequencer.Request
	executed, done chan struct{}
	tx             sequencer.TxID
	err            error
	work           *sequencer.Ticket // of the attempt that is under way
}

func (t *ticket) Executed() <-chan struct{}    { return t.executed }
func (t *ticket) Done() <-chan struct{}        { return t.done }
func (t *ticket) TxID() (sequencer.TxID, bool) { return t.tx, t.tx.Seqno != 0 }
func (t *ticket) Err() error                   { return t.err }

func (f *forwarder) submit(r *sequencer.Request) (pool.Ticket, error) {
	if f.refuse != nil {
		return nil, f.refuse
	}
	if t := f.kept[string(r.ID)]; t != nil {
		return t, nil
	}
	t := &ticket{request: r, executed: make(chan struct{}), done: make(chan struct{})}
	f.kept[string(r.ID)] = t
	f.order = append(f.order, t)
	return t, nil
}

func (t *ticket) name(tx sequencer.TxID) {
	if t.tx == (sequencer.TxID{}) {
		defer close(t.executed)
	}
	t.tx = tx
}

func (f *forwarder) end(t *ticket, err error) {
	if f.kept[string(t.request.ID)] != t {
		return
	}
	delete(f.kept, string(t.request.ID))
	t.err = err
	if t.tx == (sequencer.TxID{}) {
		close(t.executed)
	}
	close(t.done)
}

// pump sends what is not on its way, in order. With chance requests are lost, and
// some are sent again that are on their way.
func (f *forwarder) pump(chance *rand.Rand) {
	order := f.order
	f.order = nil
	for _, t := range order {
		if f.kept[string(t.request.ID)] != t {
			continue
		}
		f.order = append(f.order, t)
		if t.work != nil && (chance == nil || chance.IntN(4) > 0) || chance != nil && chance.IntN(4) == 0 {
			continue
		}
		if leader := f.node.network.leader; leader != nil {
			leader.forwarder.take(f, t)
		}
	}
}

// take is the leader's side: what comes twice is noticed.
func (f *forwarder) take(from *forwarder, t *ticket) {
	view, _ := f.node.sequencer.Serving()
	if view == 0 {
		return
	}
	id := string(t.request.ID)
	if work := f.works[id]; work != nil && !closed(work.Done()) {
		t.work = work
		return
	}
	decoded, err := f.intake.Decode(t.request.Bytes, t.request.Caller)
	if err != nil {
		from.end(t, err)
		return
	}
	if !f.intake.Fresh(decoded) {
		if tx, ok := f.intake.Find(t.request.ID); ok {
			t.name(tx)
			return
		}
	}
	work, err := f.node.sequencer.Submit(&sequencer.Request{ID: t.request.ID, View: view, Protocol: t.request.Protocol,
		Bytes: t.request.Bytes, Caller: t.request.Caller, Decoded: decoded})
	if err != nil {
		return
	}
	f.arrived++
	f.works[id], t.work = work, work
}

// hear takes the leader's answers in. With chance some are lost.
func (f *forwarder) hear(chance *rand.Rand) {
	for _, t := range f.order {
		if t.work == nil || f.kept[string(t.request.ID)] != t {
			continue
		}
		if tx, ok := t.work.TxID(); ok {
			t.name(tx)
		}
		if !closed(t.work.Done()) {
			continue
		}
		err := t.work.Err()
		t.work = nil
		lost := chance != nil && chance.IntN(4) == 0
		if err != nil && !lost && !errors.Is(err, sequencer.ErrNotCommitted) {
			f.end(t, err)
		}
	}
}

// Committed implements sequencer.Follower: what is published here is settled.
func (f *forwarder) Committed(c *sequencer.Committed) {
	for i := range c.Records {
		if t := f.kept[string(c.Records[i].Private.NativeID)]; t != nil {
			t.name(sequencer.TxID{View: c.Header.View, Seqno: c.Header.FirstSeqno + uint64(i)})
			f.end(t, nil)
		}
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

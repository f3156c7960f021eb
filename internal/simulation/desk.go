package simulation

import (
	"encoding/binary"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/coco-consortium/coco/internal/forward"
	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// forwardEvery is how often a desk looks after what it keeps; silence is how long
// it waits for an answer before it sends a request again.
const (
	forwardEvery = 30 * time.Millisecond
	silence      = 300 * time.Millisecond
)

// desk is where clients' requests come in at a node. It keeps a request until its
// own node has published it, and forwards it to the primary until then, as
// forward.Forwarder does with goroutines and streams. At the primary, requests
// go through the product's forward.Intake.
type desk struct {
	p      *process
	intake *forward.Intake
	known  map[uint64]sequencer.TxID // of the requests published here
	kept   []*parcel
}

// parcel is a request that a desk keeps.
type parcel struct {
	request *request
	sent    time.Duration // when it was sent last, -1 when that came to nothing
	answer  func(tx sequencer.TxID, err error)
}

func newDesk(p *process) *desk {
	d := &desk{p: p, known: map[uint64]sequencer.TxID{}}
	d.intake = forward.NewIntake(p.sequencer, map[string]forward.Decoder{protocolName: decoder{d}},
		func() (uint64, bool, <-chan struct{}) {
			leader := p.driver.Status().Leader
			return leader, leader == p.id, nil
		}, forward.Limits{}, slog.New(slog.DiscardHandler))
	for id, tx := range p.requests {
		d.known[id] = tx
	}
	p.later(forwardEvery, d.look)
	return d
}

// decoder is the protocol as the intake needs it.
type decoder struct{ d *desk }

func (decoder) Decode(bytes, _ []byte) (any, error) { return decodeRequest(bytes) }

func (o decoder) Find(id []byte) (sequencer.TxID, bool) {
	tx, ok := o.d.known[binary.BigEndian.Uint64(id)]
	return tx, ok
}

// Committed implements sequencer.Follower: it answers what is kept.
func (d *desk) Committed(c *sequencer.Committed) {
	for i := range c.Records {
		id := c.Records[i].Private.NativeID
		if len(id) == 0 {
			continue
		}
		tx := sequencer.TxID{View: c.Header.View, Seqno: c.Records[i].Prelude.Seqno}
		d.known[binary.BigEndian.Uint64(id)] = tx
		for _, k := range slices.Clone(d.kept) {
			if k.request.id == binary.BigEndian.Uint64(id) {
				d.settle(k, tx, nil)
			}
		}
	}
}

func (d *desk) settle(k *parcel, tx sequencer.TxID, err error) {
	if at := slices.Index(d.kept, k); at >= 0 {
		d.kept = slices.Delete(d.kept, at, at+1)
		k.answer(tx, err)
	}
}

// die tells all clients that their connection is gone.
func (d *desk) die() {
	for len(d.kept) > 0 {
		d.settle(d.kept[0], sequencer.TxID{}, errGone)
	}
}

var errGone = errors.New("the connection is gone")

// take takes a client's request.
func (d *desk) take(q *request, answer func(sequencer.TxID, error)) {
	if tx, ok := d.known[q.id]; ok {
		answer(tx, nil)
		return
	}
	d.kept = append(d.kept, &parcel{q, -1, answer})
	d.forward(d.kept[len(d.kept)-1])
}

// look sends what was not answered again.
func (d *desk) look() {
	for _, k := range slices.Clone(d.kept) {
		if k.sent < 0 || d.p.world.now-k.sent > silence {
			d.forward(k)
		}
	}
	d.p.later(forwardEvery, d.look)
}

// forward sends a request to the primary as this node knows it.
func (d *desk) forward(k *parcel) {
	p, w := d.p, d.p.world
	leader := p.driver.Status().Leader
	to := w.processOf(leader)
	if to == nil {
		return
	}
	k.sent = w.now
	if to == p {
		d.intakes(p, k)
		return
	}
	w.network.send(p.machine.number, to.machine.number, func() {
		to.run(func() {
			w.event("%v gets request %d of %v", to, k.request.id, p)
			to.desk.intakes(p, k)
		})
	})
}

// intakes takes a request at the primary; origin hears what becomes of it.
func (d *desk) intakes(origin *process, k *parcel) {
	p, w := d.p, d.p.world
	say := func(do func()) {
		if origin == p {
			if !p.dead {
				do()
			}
			return
		}
		w.network.send(p.machine.number, origin.machine.number, func() { origin.run(do) })
	}
	again := func() { k.sent = -1 }
	view, _ := p.sequencer.Serving()
	if view == 0 {
		say(again)
		return
	}
	id := k.request.id
	r := &sequencer.Request{ID: nativeID(id), Protocol: protocolName, Bytes: k.request.encode(), Caller: []byte("client")}
	err := d.intake.Take(view, r, func(tx sequencer.TxID) { w.check.history.named(p, tx, id) }, func(err error) {
		switch {
		case err == nil, errors.Is(err, sequencer.ErrOutcomeUnknown):
			// committed: the origin answers when it has published it
		case errors.Is(err, sequencer.ErrNotCommitted), errors.Is(err, sequencer.ErrNotPrimary), errors.Is(err, sequencer.ErrBusy):
			say(again)
		default:
			w.check.history.refused(id)
			say(func() { origin.desk.settle(k, sequencer.TxID{}, err) })
		}
	})
	if err != nil {
		if c := problem.CodeOf(err); c != sequencer.ErrNotPrimary.Code && c != sequencer.ErrBusy.Code && !p.dead {
			w.note("%v does not take request %d: %v", p, id, err)
		}
		say(again)
	}
	p.turn()
}

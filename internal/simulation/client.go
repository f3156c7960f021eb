package simulation

import (
	"errors"
	"time"

	"github.com/coco-consortium/coco/internal/consensus"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// patience is how long a client waits for an answer before it asks another node
// the same.
const patience = 1500 * time.Millisecond

// client writes one request after the other, through any node, and reads between.
type client struct {
	world   *world
	number  int
	next    uint64
	request *request
	attempt int
	quiet   bool // it asks for nothing new
	done    uint64
}

func newClient(w *world, number int) *client { return &client{world: w, number: number} }

func (c *client) begin() {
	c.world.after(time.Duration(c.world.random.Int64N(int64(100*time.Millisecond))), c.act)
}

// act asks for something new.
func (c *client) act() {
	w := c.world
	if c.request != nil || c.quiet {
		return
	}
	w.probe()
	if w.random.IntN(4) == 0 {
		c.read()
		return
	}
	c.next++
	c.request = &request{id: uint64(c.number+1)<<32 | c.next, op: c.operation(), key: byte(w.random.IntN(8)), value: w.random.Uint64()}
	c.send()
}

func (c *client) operation() operation {
	switch r := c.world.random; {
	case r.IntN(40) == 0:
		return opRefuse
	case r.IntN(200) == 0:
		return opPanic
	case r.IntN(3) == 0:
		return opDraw
	case r.IntN(2) == 0:
		return opAppend
	}
	return opWrite
}

// anyone is a node that a client finds.
func (c *client) anyone() *process {
	var ready []*process
	for _, p := range c.world.running() {
		select {
		case <-p.sequencer.Ready():
			ready = append(ready, p)
		default:
		}
	}
	if len(ready) == 0 {
		return nil
	}
	return ready[c.world.random.IntN(len(ready))]
}

// send sends the request, for the first time or again, to some node.
func (c *client) send() {
	w, q := c.world, c.request
	c.attempt++
	attempt := c.attempt
	again := func() {
		if c.attempt == attempt && c.request == q {
			c.send()
		}
	}
	p := c.anyone()
	if p == nil {
		w.after(100*time.Millisecond, again)
		return
	}
	w.after(patience, again)
	w.after(time.Duration(w.random.Int64N(int64(300*time.Microsecond))), func() {
		p.run(func() {
			w.event("client %d asks %v for request %d", c.number, p, q.id)
			p.desk.take(q, func(tx sequencer.TxID, err error) { c.answered(p, q, attempt, tx, err, again) })
		})
	})
}

func (c *client) answered(p *process, q *request, attempt int, tx sequencer.TxID, err error, again func()) {
	w := c.world
	switch {
	case err == nil:
		w.check.history.answered(p, q.id, tx)
	case errors.Is(err, errGone):
		w.after(10*time.Millisecond, again)
		return
	}
	if c.request != q {
		return
	}
	c.request = nil
	c.done++
	w.after(time.Duration(w.random.Int64N(int64(60*time.Millisecond))), c.act)
}

// reading is a linearizable read on its way.
type reading struct {
	context  uint64
	atLeast  uint64 // index that it must see: everything published anywhere before it began
	index    uint64 // that consensus named, 0 until then
	finished func()
}

// read reads through some node, linearizably.
func (c *client) read() {
	w := c.world
	p := c.anyone()
	if p == nil {
		w.after(100*time.Millisecond, c.act)
		return
	}
	finished := false
	done := func() {
		if !finished {
			finished = true
			w.after(time.Duration(w.random.Int64N(int64(60*time.Millisecond))), c.act)
		}
	}
	w.after(patience, done)
	p.run(func() {
		p.asked++
		p.reads = append(p.reads, &reading{context: p.asked, atLeast: w.check.visible, finished: done})
		p.driver.ReadIndex(p.asked)
		p.pump()
	})
}

// confirmed takes consensus' answer to a read.
func (p *process) confirmed(r consensus.Read) {
	for _, one := range p.reads {
		if one.context == r.Context && one.index == 0 {
			one.index = r.Index
		}
	}
	p.serveReads()
}

// serveReads answers the reads whose index is published here.
func (p *process) serveReads() {
	left := p.reads[:0]
	for _, one := range p.reads {
		if one.index == 0 || one.index > p.published {
			left = append(left, one)
			continue
		}
		p.world.event("%v answers a linearizable read at %d", p, p.published)
		p.world.stats.Reads++
		if p.published < one.atLeast {
			p.world.failf("linearizable reads: %v answers at entry %d, entry %d was published before the read began", p, p.published, one.atLeast)
		}
		one.finished()
	}
	p.reads = left
}

// probe asks some node for the status of some TxID.
func (w *world) probe() {
	running, names := w.running(), w.check.history.names
	if len(running) == 0 || len(names) == 0 {
		return
	}
	p := running[w.random.IntN(len(running))]
	n := len(names)
	tx := names[n-1-min(w.random.IntN(n), w.random.IntN(n))] // rather a late one
	is := p.sequencer.StatusOf(tx)
	w.check.history.status(p, tx, p.said[tx], is)
	p.said[tx] = is
	w.stats.Statuses++
}

package forward

import (
	"bufio"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/coco-consortium/coco/internal/consensus"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// route is a way to the primary of one view: the intake beside the forwarder, or
// a stream. Numbers are guarded by the forwarder.
type route struct {
	view  uint64
	local bool

	// Of a stream.
	asked       map[uint64]place // by number: what waits for an answer
	bytes       int              // of them
	window      int
	windowBytes int
	heard       time.Time // when the primary last said something, or was asked first
}

// place is a request's place in a stream's window. The primary counts it until it
// answers, also when nobody waits for that any more: ticket is nil then.
type place struct {
	ticket *Ticket
	bytes  int
}

// errEnded says that a route is over.
var errEnded = errors.New("the way to the primary ended")

// Run forwards until the context ends. Then every request that is left gets the
// answer that can be given. The node's own sequencer and consensus ought to run
// on until then.
func (f *Forwarder) Run(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { f.expire(ctx) })
	f.follow(ctx)
	both.Wait()
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.order.Lock()
	//lint:ignore SA2001 this waits: whoever was admitted before is in the list then
	f.order.Unlock()
	for {
		f.mu.Lock()
		t := f.head
		f.mu.Unlock()
		if t == nil {
			return
		}
		f.end(t)
	}
}

// follow keeps a route to whoever is the primary.
func (f *Forwarder) follow(ctx context.Context) {
	backoff := newBackoff(f.Limits.Backoff)
	for ctx.Err() == nil {
		view, turned := f.sequencer.Serving()
		leader, self, changed := f.Leader()
		var pause <-chan time.Time // nil without a primary: only news helps
		switch {
		case view != 0:
			f.beside(ctx, view, turned)
			pause = time.After(backoff.next())
		case leader != 0 && !self:
			if f.beyond(ctx, leader, turned) {
				backoff = newBackoff(f.Limits.Backoff)
			}
			pause = time.After(backoff.next())
		}
		select {
		case <-pause:
		case <-turned:
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// take makes a route the current one: all that is kept goes over it.
func (f *Forwarder) take(r *route) {
	f.mu.Lock()
	f.route, f.cursor = r, f.head
	f.mu.Unlock()
}

// lose notes that there is no route.
func (f *Forwarder) lose(r *route) {
	f.mu.Lock()
	if f.route == r {
		f.route, f.lost = nil, time.Now()
	}
	f.mu.Unlock()
}

// beside hands requests to the intake of this node, which is the primary.
func (f *Forwarder) beside(ctx context.Context, view uint64, turned <-chan struct{}) {
	r := &route{view: view, local: true}
	f.take(r)
	defer f.lose(r)
	for {
		again, ok := f.hand(r)
		if !ok {
			return
		}
		wake := f.wake
		if again != nil {
			wake = nil
		}
		select {
		case <-again:
		case <-wake:
		case <-turned:
			return
		case <-ctx.Done():
			return
		}
	}
}

// hand hands over what the route has not seen. When the queue is full, again is
// closed when there may be room. It reports false when the view is over.
func (f *Forwarder) hand(r *route) (again <-chan struct{}, ok bool) {
	for {
		f.order.Lock()
		list := f.pick(r, 1)
		if len(list) == 0 {
			f.order.Unlock()
			return nil, true
		}
		t := list[0]
		again, err := f.Intake.submit(r.view, t.id, t.request, &local{f, t, r})
		if err != nil {
			f.putBack(t, r)
		}
		f.order.Unlock()
		switch {
		case errors.Is(err, sequencer.ErrBusy):
			return again, true
		case err != nil:
			return nil, false
		}
	}
}

// beyond sends requests to another node's intake. It reports whether that was
// the primary.
func (f *Forwarder) beyond(ctx context.Context, leader uint64, turned <-chan struct{}) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go f.watch(ctx, cancel, leader)
	dialing, stop := context.WithTimeout(ctx, f.Limits.Silence)
	conn, err := f.Dial(dialing, leader)
	stop()
	if err != nil {
		f.Logger.Debug("the primary cannot be reached", "primary", leader, "err", err)
		return false
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	in := bufio.NewReaderSize(conn, 64<<10)
	_ = conn.SetReadDeadline(time.Now().Add(f.Limits.Silence))
	k, body, err := readFrame(in, maxFrame)
	if err != nil || k != kindHello {
		return false
	}
	g, err := readHello(body)
	if err == nil && !f.plausible(g.view) {
		err = form("a greeting of view %d", g.view)
	}
	if err != nil {
		f.Logger.Warn("a forwarding stream was ended", "primary", leader, "err", err)
		return false
	}
	_ = conn.SetReadDeadline(time.Time{})
	r := &route{view: g.view, asked: make(map[uint64]place), heard: time.Now(),
		window: int(min(uint64(f.Limits.Window), g.requests)), windowBytes: int(min(uint64(f.Limits.WindowBytes), g.bytes))}
	f.take(r)
	defer f.lose(r)
	f.mu.Lock()
	f.counts.Streams++
	f.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := f.listen(in, r); errors.Is(err, ErrForm) {
			f.Logger.Warn("a forwarding stream was ended", "primary", leader, "err", err)
		}
	}()
	f.send(ctx, conn, r, turned, ended)
	conn.Close()
	<-ended
	return true
}

// watch cancels what is under way to a node, dialling, greeting or writing, when
// another one leads: each of them may stand still for Silence.
func (f *Forwarder) watch(ctx context.Context, cancel func(), leader uint64) {
	for {
		id, self, changed := f.Leader()
		if self || id != 0 && id != leader {
			cancel()
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// send writes requests as they come, as many as fit a frame, until the stream
// is over: it ended, it stays silent, or the context ends, as when another node leads.
func (f *Forwarder) send(ctx context.Context, conn net.Conn, r *route, turned, ended <-chan struct{}) {
	var w writer
	var batch []message
	ticker := time.NewTicker(max(f.Limits.Silence/4, time.Millisecond))
	defer ticker.Stop()
	for ctx.Err() == nil {
		list := f.pick(r, maxBatch)
		if len(list) > 0 {
			batch = batch[:0]
			for _, t := range list {
				batch = append(batch, message{t.number, *t.request})
			}
			f.mu.Lock()
			if len(r.asked) <= len(list) {
				r.heard = time.Now() // it had nothing to say before
			}
			f.counts.Sent += uint64(len(list))
			f.mu.Unlock()
			_ = conn.SetWriteDeadline(time.Now().Add(f.Limits.Silence))
			if _, err := conn.Write(w.requests(batch)); err != nil {
				return
			}
			continue
		}
		select {
		case <-f.wake:
		case <-turned:
			return
		case <-ended:
			return
		case <-ctx.Done():
			return
		case <-ticker.C:
			f.mu.Lock()
			silent := len(r.asked) > 0 && time.Since(r.heard) > f.Limits.Silence
			f.mu.Unlock()
			if silent {
				return
			}
		}
	}
}

// listen takes answers in until the stream ends.
func (f *Forwarder) listen(in *bufio.Reader, r *route) error {
	for {
		k, body, err := readFrame(in, maxFrame)
		if err != nil {
			return err
		}
		if k != kindAnswers {
			return errEnded
		}
		answers, err := readAnswers(body)
		if err != nil {
			return err
		}
		for _, a := range answers {
			if !f.plausible(a.tx.View) {
				return form("an answer of view %d", a.tx.View)
			}
		}
		for _, a := range f.match(r, answers) {
			switch a.verdict {
			case verdictExecuted:
				f.executed(a.t, a.tx)
			case verdictRefused:
				f.ended(a.t, r, a.problem)
			case verdictNotCommitted:
				f.ended(a.t, r, sequencer.ErrNotCommitted)
			}
		}
	}
}

// plausible reports whether a network may be in a view, given what is committed
// here: the view that a node names is what requests are judged by, for good.
func (f *Forwarder) plausible(view uint64) bool {
	return view <= consensus.MaxTermsAhead ||
		f.sequencer.StatusOf(sequencer.TxID{View: view - consensus.MaxTermsAhead - 1, Seqno: math.MaxUint64}) == sequencer.StatusInvalid
}

// matched is an answer with what it answers.
type matched struct {
	answer
	t *Ticket
}

// match finds the requests that answers are to: those that wait on this route.
func (f *Forwarder) match(r *route, answers []answer) []matched {
	f.mu.Lock()
	defer f.mu.Unlock()
	r.heard = time.Now()
	out := make([]matched, 0, len(answers))
	for _, a := range answers {
		p, ok := r.asked[a.number]
		if !ok {
			continue
		}
		delete(r.asked, a.number)
		r.bytes -= p.bytes
		if p.ticket != nil {
			out = append(out, matched{a, p.ticket})
		}
	}
	if r == f.route && f.cursor != nil {
		signal(f.wake)
	}
	return out
}

// backoff is the pause between attempts: it doubles, with a random part, so that
// nodes that lost the same primary do not come together.
type backoff struct{ pause, most time.Duration }

func newBackoff(most time.Duration) *backoff { return &backoff{pause: most / 32, most: most} }

func (b *backoff) next() time.Duration {
	p := b.pause
	b.pause = min(2*b.pause, b.most)
	return p/2 + rand.N(p/2+1)
}

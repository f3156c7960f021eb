package forward

import (
	"bufio"
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// stream is the primary's side of a stream. It lives as long as the view in
// which it began.
type stream struct {
	intake *Intake
	conn   net.Conn
	view   uint64
	turned <-chan struct{} // closed when the view is over
	wake   chan struct{}   // there is something to write
	gone   chan struct{}   // closed when nothing is read any more

	kill     func()
	killed   chan struct{} // closed by kill
	finished chan struct{} // closed when the stream does nothing more

	mu      sync.Mutex
	answers []answer
	open    int // requests that are not answered
	bytes   int // of them
	ended   bool
}

// Serve serves the stream of an origin, by its raft id, until it ends, the view
// ends or the context. It closes the connection. The caller has made sure who the
// origin is. A new stream of an origin takes the place of its old one: nothing of
// the old one is taken in after that.
func (i *Intake) Serve(ctx context.Context, origin uint64, conn net.Conn) {
	defer conn.Close()
	s := &stream{intake: i, conn: conn, wake: make(chan struct{}, 1), gone: make(chan struct{}), killed: make(chan struct{}), finished: make(chan struct{})}
	s.kill = sync.OnceFunc(func() {
		close(s.killed)
		conn.Close()
	})
	defer context.AfterFunc(ctx, s.kill)()
	if !i.enter(origin, s) {
		return
	}
	defer i.leave(origin, s)
	if s.view, s.turned = i.await(s.killed); s.view == 0 {
		var w writer
		leader, _, _ := i.leader()
		_ = s.put(w.numbers(kindNotPrimary, leader)) // who does not hear it sees the end
		return
	}
	var writing sync.WaitGroup
	writing.Go(s.write)
	if err := s.read(); errors.Is(err, ErrForm) {
		i.logger.Warn("a forwarding stream was ended", "origin", origin, "err", err)
	}
	close(s.gone)
	writing.Wait()
}

// enter makes a stream the one of its origin, when the one before has finished.
func (i *Intake) enter(origin uint64, s *stream) bool {
	i.mu.Lock()
	old := i.streams[origin]
	if old == nil && len(i.streams) >= i.limits.Streams {
		i.mu.Unlock()
		return false
	}
	i.streams[origin] = s
	i.mu.Unlock()
	if old != nil {
		old.kill()
		<-old.finished
	}
	return true
}

func (i *Intake) leave(origin uint64, s *stream) {
	i.mu.Lock()
	if i.streams[origin] == s {
		delete(i.streams, origin)
	}
	i.mu.Unlock()
	close(s.finished)
}

// await waits a little for the view that this node is about to serve.
func (i *Intake) await(killed <-chan struct{}) (uint64, <-chan struct{}) {
	limit := time.NewTimer(i.limits.Silence / 2)
	defer limit.Stop()
	for {
		view, turned := i.sequencer.Serving()
		_, self, changed := i.leader()
		if view != 0 || !self {
			return view, turned
		}
		select {
		case <-turned:
		case <-changed:
		case <-limit.C:
			return 0, nil
		case <-killed:
			return 0, nil
		}
	}
}

// read takes requests in, in their order.
func (s *stream) read() error {
	r := bufio.NewReaderSize(s.conn, 64<<10)
	for {
		k, body, err := readFrame(r, maxFrame)
		if err != nil {
			return err
		}
		if k != kindRequests {
			return form("a frame of kind %d from an origin", k)
		}
		list, err := readRequests(body)
		if err != nil {
			return err
		}
		if err := s.take(list); err != nil {
			return err
		}
	}
}

// claim is a request's place on a stream.
type claim struct {
	s      *stream
	number uint64
	size   int
	done   bool // answered; guarded by s.mu
}

// take brings a frame's requests into the sequencer's queue, in order. They are
// decoded before, on all processors: that is where signatures are checked.
func (s *stream) take(list []message) error {
	claims, refusals := make([]*claim, len(list)), make([]error, len(list))
	s.mu.Lock()
	for k := range list {
		claims[k] = &claim{s: s, number: list[k].number, size: size(&list[k].Request)}
		s.open++
		s.bytes += claims[k].size
	}
	beyond := s.open > s.intake.limits.Window || s.bytes > s.intake.limits.WindowBytes+maxFrame
	s.mu.Unlock()
	if beyond {
		return form("more requests than the stream's window")
	}
	onAll(len(list), func(k int) { refusals[k] = s.intake.decode(&list[k].Request) })
	for k := range list {
		if err := s.place(&list[k].Request, refusals[k], claims[k]); err != nil {
			return err
		}
	}
	return nil
}

// place brings one request into the sequencer's queue, or waits until another
// stream has done so. While the queue is full it waits: only this stream, whose
// window bounds what waits with it. It holds one reservation at a time, so that
// streams never wait for each other in a circle.
func (s *stream) place(r *sequencer.Request, refusal error, c *claim) error {
	for {
		w, fresh := s.intake.reserve(string(r.ID), c)
		if fresh {
			return s.queue(w, r, refusal)
		}
		select {
		case <-w.placed:
		case <-s.turned:
			return sequencer.ErrNotPrimary
		case <-s.killed:
			return errEnded
		}
		if !w.again {
			w.known(c)
			return nil
		}
	}
}

func (s *stream) queue(w *work, r *sequencer.Request, refusal error) error {
	if refusal != nil {
		w.settle(sequencer.TxID{}, refusal)
		return nil
	}
	if tx, found := w.find(r); found {
		w.settle(tx, nil)
		return nil
	}
	own := *r // the frame is not kept for it
	for {
		err := w.queue(s.view, &own)
		if err == nil {
			return nil
		}
		if errors.Is(err, sequencer.ErrBusy) {
			select {
			case <-s.intake.sequencer.Room():
				continue
			case <-s.turned:
				err = sequencer.ErrNotPrimary
			case <-s.killed:
				err = errEnded
			}
		}
		w.withdraw()
		return err
	}
}

func (c *claim) executed(tx sequencer.TxID) { c.answer(answer{verdict: verdictExecuted, tx: tx}) }

func (c *claim) ended(err error) {
	var p *problem.Error
	switch {
	case err == nil, errors.Is(err, sequencer.ErrOutcomeUnknown):
		// An executed one is answered; nobody knows of the others.
	case errors.Is(err, sequencer.ErrNotCommitted):
		c.answer(answer{verdict: verdictNotCommitted})
	case errors.As(err, &p):
		c.answer(answer{verdict: verdictRefused, problem: p})
	default:
		c.answer(answer{verdict: verdictRefused, problem: sequencer.ErrExecution.From(err)})
	}
}

// answer queues the first answer to a request. Their number is bounded by the
// window, so a slow reader keeps nobody.
func (c *claim) answer(a answer) {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.done || s.ended {
		return
	}
	c.done = true
	s.open--
	s.bytes -= c.size
	a.number = c.number
	s.answers = append(s.answers, a)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// write greets, writes answers in as few frames as it can, and takes leave when
// the view is over.
func (s *stream) write() {
	defer s.conn.Close()
	defer func() {
		s.mu.Lock()
		s.ended, s.answers = true, nil
		s.mu.Unlock()
	}()
	var w writer
	if s.put(w.numbers(kindHello, s.view, uint64(s.intake.limits.Window), uint64(s.intake.limits.WindowBytes))) != nil {
		return
	}
	for {
		over := false
		select {
		case <-s.wake:
		case <-s.turned:
			over = true
		case <-s.gone:
			return
		}
		s.mu.Lock()
		list := s.answers
		s.answers = nil
		s.mu.Unlock()
		for len(list) > 0 {
			n := min(len(list), maxBatch/8) // refusals are long
			if s.put(w.answers(list[:n])) != nil {
				return
			}
			list = list[n:]
		}
		if over {
			leader, _, _ := s.intake.leader()
			_ = s.put(w.numbers(kindNotPrimary, leader)) // who does not hear it sees the end
			return
		}
	}
}

func (s *stream) put(frame []byte) error {
	_ = s.conn.SetWriteDeadline(time.Now().Add(s.intake.limits.Silence))
	_, err := s.conn.Write(frame)
	return err
}

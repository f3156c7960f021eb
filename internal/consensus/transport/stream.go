package transport

import (
	"crypto/tls"
	"errors"
	"io"
	"sync/atomic"
	"time"
)

const batchBytes = 256 << 10 // about what one write takes of a queue

// stream carries one queue to one peer over a connection that is made again
// whenever it is lost. What waits while the peer cannot be reached is dropped
// with each attempt that fails, so that nobody is sent what is long out of date.
type stream struct {
	peer     *peer
	protocol string
	queue    *queue
	limit    int // of a message
	nudged   chan struct{}

	connected atomic.Bool
	failure   atomic.Pointer[string] // why the last attempt failed; nil when it did not

	batch  []item
	buffer []byte
	pings  uint64
	pinged atomic.Pointer[ping]
}

// ping is the question that waits for its answer.
type ping struct {
	number uint64
	sent   time.Time
}

func newStream(p *peer, protocol string, q *queue, limit int) *stream {
	return &stream{peer: p, protocol: protocol, queue: q, limit: limit, nudged: make(chan struct{}, 1)}
}

// run connects and carries until the peer is forgotten.
func (s *stream) run() {
	p, t := s.peer, s.peer.t
	wait := backoff{least: t.limits.Backoff, most: t.limits.MostBackoff}
	for s.wanted() {
		began := time.Now()
		c, l, err := t.dial(p.ctx, p.id, s.protocol)
		if err == nil {
			s.note(nil)
			s.connected.Store(true)
			err = s.carry(c, l)
			s.connected.Store(false)
			if time.Since(began) > t.limits.MostBackoff {
				wait.reset()
			}
			p.lost(s, s.queue.clear())
		} else if n := s.queue.clear(); n > 0 {
			p.lost(s, n)
		}
		if p.ctx.Err() != nil {
			return
		}
		if errors.Is(err, ErrPeerUnknown) {
			t.forget(p)
			return
		}
		s.note(err)
		if !wait.sleep(p.ctx, s.nudged) {
			return
		}
	}
}

// wanted waits until there is a reason for a connection; false when the peer is
// forgotten.
func (s *stream) wanted() bool {
	for {
		if n, _ := s.queue.length(); n > 0 || s.peer.kept.Load() {
			return s.peer.ctx.Err() == nil
		}
		select {
		case <-s.queue.wake:
		case <-s.peer.ctx.Done():
			return false
		}
	}
}

// note logs a change of the connection's state.
func (s *stream) note(err error) {
	log := s.peer.t.logger.With("node", s.peer.id, "protocol", s.protocol)
	if err == nil {
		s.failure.Store(nil)
		log.Info("connected to another node")
		return
	}
	text := err.Error()
	if old := s.failure.Swap(&text); old == nil {
		log.Info("no connection to another node", "err", err)
	} else if *old != text {
		log.Debug("no connection to another node", "err", err)
	}
}

// carry sends until the connection ends, and says why it did.
func (s *stream) carry(c *tls.Conn, l *link) error {
	p := s.peer
	ended := make(chan error, 1)
	s.pinged.Store(nil)
	if !p.t.spawn(func() { ended <- s.listen(c); l.Close() }) {
		l.Close()
		return ErrClosed
	}
	ticker := time.NewTicker(p.t.limits.Ping)
	defer ticker.Stop()
	err := s.ping(c)
	for err == nil {
		if err = s.flush(c, ticker.C); err != nil {
			break
		}
		select {
		case <-s.queue.wake:
		case <-ticker.C:
			err = s.ping(c)
		case err = <-ended:
			c.Close()
			return err
		case <-p.ctx.Done():
			err = p.ctx.Err()
		}
	}
	c.Close()
	if heard := <-ended; errors.Is(heard, ErrRetired) { // says more than that writing failed
		return heard
	}
	return err
}

// flush writes what waits, many messages at once, and a ping between them when
// it is due.
func (s *stream) flush(c *tls.Conn, due <-chan time.Time) error {
	p := s.peer
	for {
		select {
		case <-due:
			if err := s.ping(c); err != nil {
				return err
			}
		default:
		}
		s.batch = s.queue.take(s.batch[:0], batchBytes)
		if len(s.batch) == 0 {
			return nil
		}
		if p.t.walls.of(p.id).out {
			p.cut.Add(uint64(len(s.batch)))
			clear(s.batch)
			continue
		}
		out, n := s.buffer[:0], uint64(0)
		for _, i := range s.batch {
			if i.refusal != nil {
				out = appendRefusal(out, i.refusal.term, i.refusal.index, i.refusal.reason)
				n++
				continue
			}
			var err error
			if out, err = appendMessage(out, i.message, s.limit); err != nil {
				p.t.logger.Error("a message cannot be sent", "node", p.id, "type", i.message.GetType(), "err", err)
				p.lost(s, 1)
				continue
			}
			n++
		}
		clear(s.batch)
		_, err := c.Write(out)
		if s.buffer = out; cap(out) > keptBuffer {
			s.buffer = nil
		}
		if err != nil {
			p.dropped.Add(n)
			return err
		}
		p.sent.Add(n)
		p.sentBytes.Add(uint64(len(out)))
	}
}

// ping asks whether the peer lives. A question that has no answer yet is not
// asked again: the link's deadline ends the connection.
func (s *stream) ping(c *tls.Conn) error {
	if s.peer.t.walls.of(s.peer.id).out {
		return nil
	}
	s.pings++
	if s.pinged.CompareAndSwap(nil, &ping{s.pings, time.Now()}) {
		_, err := c.Write(appendCount(nil, framePing, s.pings))
		return err
	}
	return nil
}

// listen reads what the accepting end says: answers to pings, and good-bye.
func (s *stream) listen(c *tls.Conn) error {
	p, in := s.peer, newFrames(c, 0)
	for {
		kind, body, err := in.next()
		switch {
		case errors.Is(err, io.EOF):
			return ErrUnreachable.From(errors.New("it closed the connection"))
		case err != nil:
			return err
		case p.t.walls.of(p.id).in:
			s.pinged.Store(nil)
			continue
		}
		switch kind {
		case framePong:
			n, theirs, err := decodePong(body)
			if err != nil {
				return err
			}
			p.hear()
			if asked := s.pinged.Swap(nil); asked != nil && asked.number == n && s == p.control {
				took := time.Since(asked.sent)
				p.rtt.Store(int64(took))
				p.skew.Store(int64(theirs.Sub(p.t.config.Clock().Add(-took / 2))))
			}
		case frameGoodbye:
			return p.t.goodbye(body)
		default:
			return errFrame
		}
	}
}

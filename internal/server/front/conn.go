package front

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// bufferBytes is read ahead. The head of a plain request is shorter.
const bufferBytes = 4 << 10

// listenAfter is how long an answer takes before the client's leaving is listened
// for: for most it would cost more than it saves.
const listenAfter = 50 * time.Millisecond

// What a connection is doing.
const (
	idle   int32 = iota
	busy         // with a request
	last         // the same, and it ends behind it
	closed       // it ended while it was idle
)

// conn is a connection that is served here.
type conn struct {
	net.Conn // raw, or TLS over it
	raw      net.Conn
	server   *Server
	ctx      context.Context // ends when the client leaves, or the server takes over
	leave    func()
	in       *bufio.Reader
	session  Session // nil: it is the HTTP server's
	state    atomic.Int32
	until    time.Time // the deadline that is set
	request  Request
	out      []byte

	listens   *time.Timer // nil until the first request with a body
	listening bool        // listens runs, or ran since the request was read
	listened  chan struct{}
}

func newConn(s *Server, raw net.Conn) *conn {
	c := &conn{Conn: raw, raw: raw, server: s, listened: make(chan struct{}, 1)}
	c.ctx, c.leave = context.WithCancel(s.ctx)
	return c
}

// finish ends the connection, behind the request that it is busy with.
func (c *conn) finish() {
	if c.state.CompareAndSwap(idle, closed) {
		c.raw.Close()
	}
	c.state.CompareAndSwap(busy, last)
}

// run answers until the connection ends, or until a request that is not for the
// session, which it leaves unread: then others is true.
func (c *conn) run() (others bool) {
	if c.session == nil {
		return true
	}
	r, limits := &c.request, c.server.others
	for wait := limits.ReadHeaderTimeout; c.limit(wait, wait/8) == nil; wait = limits.IdleTimeout {
		head, err := c.head()
		if err != nil {
			return false
		}
		var plain bool
		if *r, plain = parse(head); !plain || !c.session.Takes(r) {
			return true
		}
		r.conn = c
		if !c.state.CompareAndSwap(idle, busy) || c.session.Answer(c.ctx, r) != nil || r.left > 0 || !c.state.CompareAndSwap(busy, idle) {
			return false
		}
	}
	return false
}

// limit gives reading and writing so much time from now, or a little less: setting
// a deadline is not cheap.
func (c *conn) limit(d, less time.Duration) error {
	now := time.Now()
	if left := c.until.Sub(now); left <= d && left >= d-less {
		return nil
	}
	c.until = now.Add(d)
	return c.SetDeadline(c.until)
}

// head gives a request's head without reading it, or nothing when it is too long.
func (c *conn) head() ([]byte, error) {
	for have := 1; ; {
		if _, err := c.in.Peek(have); err != nil {
			return nil, err
		}
		have = c.in.Buffered()
		seen, err := c.in.Peek(have)
		if err != nil {
			return nil, err
		}
		if i := bytes.Index(seen, headEnd); i >= 0 {
			return seen[:i+len(headEnd)], nil
		}
		if have == c.in.Size() {
			return nil, nil
		}
		if err := c.limit(c.server.others.ReadHeaderTimeout, c.server.others.ReadHeaderTimeout); err != nil {
			return nil, err
		}
		have++
	}
}

// listen is called when the request was read: if the answer takes its time, the
// connection is read on, which tells when the client leaves.
func (c *conn) listen() {
	c.listening = true
	if c.listens == nil {
		c.listens = time.AfterFunc(listenAfter, func() {
			_, err := c.in.Peek(c.in.Buffered() + 1)
			if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, bufio.ErrBufferFull) {
				c.leave()
			}
			c.listened <- struct{}{}
		})
		return
	}
	c.listens.Reset(listenAfter)
}

// listenNoMore is called before the answer is written.
func (c *conn) listenNoMore() error {
	if !c.listening {
		return nil
	}
	if c.listening = false; c.listens.Stop() {
		return nil
	}
	err := c.SetReadDeadline(time.Unix(1, 0))
	<-c.listened
	c.until = time.Time{} // another one is to be set
	return err
}

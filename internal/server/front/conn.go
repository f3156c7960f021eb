package front

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
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
	for {
		switch state := c.state.Load(); {
		case state == idle && c.state.CompareAndSwap(idle, closed):
			c.raw.Close()
			return
		case state == busy && c.state.CompareAndSwap(busy, last), state == last, state == closed:
			return
		}
	}
}

// serve shakes hands and runs. A fault ends the connection alone; what is logged of it
// is where it was, not its value, which may be private.
func (c *conn) serve() (others bool) {
	defer func() {
		if r := recover(); r != nil {
			others = false
			if log := c.server.others.ErrorLog; log != nil {
				log.Printf("a fault while a connection was served: %T at %s", r, place())
			}
		}
	}()
	return c.begin() && c.run()
}

// place names the function and line that panicked.
func place() string {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "runtime.") || !more {
			return fmt.Sprintf("%s:%d", f.Function, f.Line)
		}
	}
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
		if !c.state.CompareAndSwap(idle, busy) || c.session.Answer(c.ctx, r) != nil || !c.skip(r.left) || !c.state.CompareAndSwap(busy, idle) {
			return false
		}
	}
	return false
}

// skipBytes is how much of a body that nobody read is read for the next request's
// sake, and linger how long a client that still sends may take to see the answer. What
// is closed with bytes unread is reset, and the answer may be lost with it.
const (
	skipBytes = 256 << 10
	linger    = 500 * time.Millisecond
)

// skip takes the rest of a body out of the way, and reports whether the connection
// goes on.
func (c *conn) skip(left int) bool {
	if left == 0 {
		return true
	}
	patience := c.server.others.ReadTimeout
	if left > skipBytes {
		patience = linger
	}
	if c.limit(patience, 0) != nil {
		return false
	}
	_, err := c.in.Discard(left)
	return err == nil && left <= skipBytes
}

// limit gives reading and writing so much time from now, or a little less: setting
// a deadline is not cheap.
func (c *conn) limit(d, less time.Duration) error {
	now := time.Now()
	if left := c.until.Sub(now); less > 0 && left <= d && left >= d-less {
		return nil
	}
	c.until = now.Add(d)
	return c.SetDeadline(c.until)
}

// head gives a request's head without reading it, or nothing when it is too long.
func (c *conn) head() ([]byte, error) {
	for have, waited := 1, false; ; {
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
		if !waited {
			if err := c.limit(c.server.others.ReadHeaderTimeout, 0); err != nil {
				return nil, err
			}
		}
		waited = true
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

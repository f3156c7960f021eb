package front

import (
	"bufio"
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// entrance is the listener that the HTTP server serves: it gives the connections
// that are not, or no longer, served here.
type entrance struct {
	net.Listener
	server *Server
	places chan struct{} // one for each connection
	others chan accepted
	closed chan struct{}
	close  func() error
}

type accepted struct {
	conn net.Conn
	err  error
}

func newEntrance(s *Server, l net.Listener) *entrance {
	e := &entrance{Listener: l, server: s, places: make(chan struct{}, s.options.Connections), others: make(chan accepted), closed: make(chan struct{})}
	e.close = sync.OnceValue(func() error { close(e.closed); return l.Close() })
	return e
}

// Accept implements net.Listener.
func (e *entrance) Accept() (net.Conn, error) {
	select {
	case <-e.closed:
		return nil, net.ErrClosed
	default:
	}
	select {
	case a := <-e.others:
		return a.conn, a.err
	case <-e.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (e *entrance) Close() error { return e.close() }

// give hands something to the HTTP server.
func (e *entrance) give(a accepted) bool {
	select {
	case e.others <- a:
		return true
	case <-e.closed:
		return false
	}
}

func (e *entrance) accept() {
	for {
		select {
		case e.places <- struct{}{}:
		case <-e.closed:
			return
		}
		c, err := e.Listener.Accept()
		if err != nil {
			<-e.places
			if !e.give(accepted{err: err}) { // the server pauses and asks again, or ends
				return
			}
			continue
		}
		go e.serve(&placed{Conn: c, leave: sync.OnceFunc(func() { <-e.places })})
	}
}

// placed is a connection that gives its place back.
type placed struct {
	net.Conn
	leave func()
}

func (p *placed) Close() error {
	p.leave()
	return p.Conn.Close()
}

// serve serves one connection here for as long as its requests are plain.
func (e *entrance) serve(raw net.Conn) {
	c := newConn(e.server, raw)
	if !e.server.enter(c) {
		raw.Close()
		return
	}
	defer e.server.leave(c)
	if !c.serve() {
		c.Close()
		return
	}
	_ = c.SetDeadline(time.Time{})
	if !e.give(accepted{conn: &begun{c.Conn, c.in, c.session}}) {
		c.Close()
	}
}

// begin shakes hands and opens the session. It gives false when the connection is
// of no use; without a session it is the HTTP server's.
func (c *conn) begin() bool {
	o := &c.server.options
	if o.TLS != nil {
		secure := tls.Server(c.Conn, o.TLS)
		if c.SetDeadline(time.Now().Add(handshakeTime)) != nil || secure.HandshakeContext(c.ctx) != nil {
			return false
		}
		c.Conn = secure
	}
	c.in = bufio.NewReaderSize(c.Conn, bufferBytes)
	c.session = o.Open(c.ctx, c.Conn)
	return true
}

// begun is a connection of which something was read ahead.
type begun struct {
	net.Conn
	in      *bufio.Reader
	session Session
}

func (b *begun) Read(p []byte) (int, error) { return b.in.Read(p) }

// SessionOf is the session of a connection that the HTTP server was given, nil when
// it had none.
func SessionOf(c net.Conn) Session {
	if b, ok := c.(*begun); ok {
		return b.session
	}
	return nil
}

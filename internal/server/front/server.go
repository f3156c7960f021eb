// Package front answers plain HTTP/1.1 requests in front of net/http.
//
// A plain request is of a form in which nothing is to be interpreted: no escapes and
// no parameters in its path, a body of a stated length, and well-known fields that
// mean nothing special. Those are read and answered in the connection's own
// goroutine, without what net/http makes for each request. The first request of a
// connection that is not plain, or that the session does not take, goes to the HTTP
// server, and the connection with it, as if the server had read it from the
// beginning.
package front

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

// Session answers the plain requests of one connection, one after the other.
type Session interface {
	// Takes reports whether it answers a request.
	Takes(*Request) bool
	// Answer calls Respond once; an error ends the connection. ctx ends when the client
	// leaves.
	Answer(context.Context, *Request) error
}

// Options of a server.
type Options struct {
	// TLS is what connections speak; nil for plain TCP.
	TLS *tls.Config
	// Connections bounds the open connections; the next ones wait in the system's
	// queue. Default 4096.
	Connections int
	// Open makes the session of a connection; nil leaves the whole connection to the
	// HTTP server. ctx is what Answer's stems from.
	Open func(ctx context.Context, c net.Conn) Session
}

// handshakeTime is how long a client may take for the TLS handshake.
const handshakeTime = 10 * time.Second

// Server serves listeners: plain requests itself, all others by an HTTP server.
type Server struct {
	others  *http.Server
	options Options
	ctx     context.Context // of connections served here
	cut     func()          // ends what they do
	date    date

	mu       sync.Mutex
	closed   bool
	entrance map[*entrance]struct{}
	open     map[*conn]struct{} // served here
	serving  sync.WaitGroup     // what is in open
}

// New makes a server in front of another. The limits in time are the other's:
// ReadHeaderTimeout, ReadTimeout, WriteTimeout and IdleTimeout, which have to be set.
func New(others *http.Server, o Options) *Server {
	if o.Connections <= 0 {
		o.Connections = 4096
	}
	s := &Server{others: others, options: o, entrance: make(map[*entrance]struct{}), open: make(map[*conn]struct{})}
	base := context.Background()
	if others.BaseContext != nil {
		base = others.BaseContext(nil)
	}
	s.ctx, s.cut = context.WithCancel(base)
	return s
}

// Serve accepts connections on l until Shutdown or Close, and then gives
// http.ErrServerClosed.
func (s *Server) Serve(l net.Listener) error {
	e := newEntrance(s, l)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		l.Close()
		return http.ErrServerClosed
	}
	s.entrance[e] = struct{}{}
	s.mu.Unlock()
	go e.accept()
	defer e.Close()
	err := s.others.Serve(e)
	s.mu.Lock()
	defer s.mu.Unlock()
	if delete(s.entrance, e); s.closed {
		return http.ErrServerClosed
	}
	return err
}

// Shutdown stops accepting and lets requests at work finish and their answers be
// written; it gives ctx's error when that ends first. WebSockets are not waited for.
func (s *Server) Shutdown(ctx context.Context) error {
	s.end((*conn).finish)
	if err := s.others.Shutdown(ctx); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() { s.serving.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close ends everything at once.
func (s *Server) Close() error {
	s.end(func(c *conn) { c.raw.Close() })
	s.cut()
	err := s.others.Close()
	s.serving.Wait()
	return err
}

// end stops accepting and does something to each connection that is served here.
func (s *Server) end(each func(*conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for e := range s.entrance {
		e.Close()
	}
	for c := range s.open {
		each(c)
	}
}

// enter notes a connection that is served here, unless the server has ended.
func (s *Server) enter(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.open[c] = struct{}{}
	s.serving.Add(1)
	return true
}

func (s *Server) leave(c *conn) {
	c.leave()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
	s.serving.Done()
}

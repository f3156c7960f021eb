package api

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/coco-consortium/coco/internal/protocol/keyvalue"
)

// Limits of a front.
const (
	maxConnections = 8192
	handshakeTime  = 10 * time.Second // for the TLS handshake
	requestTime    = 30 * time.Second // for the rest of a request, and for an answer
	idleTime       = 2 * time.Minute  // between two requests
	bufferBytes    = 4 << 10          // the header of a request that a front answers is shorter
)

// front stands between a listener and an HTTP server. It answers plain requests
// (see plain) itself, in the connection's own goroutine and without what net/http
// makes for each. The first request that is not plain goes to the server, and its
// connection with it, as if the server had read it from the beginning.
type front struct {
	net.Listener
	tls     *tls.Config
	handler *handler
	places  chan struct{} // one for each connection
	others  chan accepted
	ctx     context.Context
	end     func()

	mu   sync.Mutex
	open map[net.Conn]struct{} // served here
	date date
}

type accepted struct {
	conn net.Conn
	err  error
}

// NewFront gives the listener that an HTTP server with a handler of New is to serve
// instead of l; connections speak TLS by config. The server needs ConnContext.
func NewFront(l net.Listener, config *tls.Config, h http.Handler) net.Listener {
	f := &front{Listener: l, tls: config, handler: h.(*handler), places: make(chan struct{}, maxConnections), others: make(chan accepted), open: make(map[net.Conn]struct{})}
	f.ctx, f.end = context.WithCancel(context.Background())
	go f.accept()
	return f
}

// Accept implements net.Listener: it gives connections that are for the server.
func (f *front) Accept() (net.Conn, error) {
	select {
	case a := <-f.others:
		return a.conn, a.err
	case <-f.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener: what is served here ends.
func (f *front) Close() error {
	f.end()
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.open {
		c.Close()
	}
	return f.Listener.Close()
}

// give hands something to the server.
func (f *front) give(a accepted) bool {
	select {
	case f.others <- a:
		return true
	case <-f.ctx.Done():
		return false
	}
}

func (f *front) accept() {
	for {
		select {
		case f.places <- struct{}{}:
		case <-f.ctx.Done():
			return
		}
		c, err := f.Listener.Accept()
		if err != nil {
			<-f.places
			if !f.give(accepted{err: err}) { // the server pauses, or ends
				return
			}
			continue
		}
		go f.serve(&placed{Conn: c, leave: sync.OnceFunc(func() { <-f.places })})
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

// track notes a connection that is served here, unless the front has ended.
func (f *front) track(c net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open[c] = struct{}{}
	return f.ctx.Err() == nil
}

func (f *front) forget(c net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, c)
}

func (f *front) serve(raw net.Conn) {
	defer f.forget(raw)
	c := tls.Server(raw, f.tls)
	_ = c.SetDeadline(time.Now().Add(handshakeTime))
	if !f.track(raw) || c.HandshakeContext(f.ctx) != nil {
		raw.Close()
		return
	}
	_ = c.SetDeadline(time.Time{})
	certificates := c.ConnectionState().PeerCertificates
	if len(certificates) == 0 { // the configuration asks for none; the handler refuses
		f.give(accepted{conn: c})
		return
	}
	s := &session{front: f, conn: c, in: bufio.NewReaderSize(c, bufferBytes), client: keyvalue.ClientOf(certificates[0])}
	if !s.run() {
		c.Close()
		return
	}
	_ = c.SetDeadline(time.Time{})
	if !f.give(accepted{conn: &begun{Conn: c, in: s.in, client: s.client}}) {
		c.Close()
	}
}

// begun is a connection of which something was read ahead.
type begun struct {
	net.Conn
	in     *bufio.Reader
	client keyvalue.Client
}

func (b *begun) Read(p []byte) (int, error) { return b.in.Read(p) }

type clientKey struct{}

// ConnContext is the HTTP server's behind a front: it says who the client is.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	if b, ok := c.(*begun); ok {
		return context.WithValue(ctx, clientKey{}, b.client)
	}
	return ctx
}

package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
)

// problemHeader names the code of the problem for which a request was refused
// before any handler saw it.
const problemHeader = "Coco-Problem"

var errPlain = errors.New("nodes speak TLS only")

func (t *Transport) httpServer() *http.Server {
	return &http.Server{
		Handler: http.HandlerFunc(t.serveHTTP), TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
		ReadHeaderTimeout: t.limits.Header, ReadTimeout: t.limits.Body, IdleTimeout: t.limits.NextRequest,
		MaxHeaderBytes: t.limits.HeaderBytes, // writes have the link's rolling deadline
		ErrorLog:       slog.NewLogLogger(t.logger.Handler(), slog.LevelDebug),
		BaseContext:    func(net.Listener) context.Context { return t.ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return withIdentity(ctx, c.(*tls.Conn).NetConn().(*link).peer)
		},
	}
}

// serveHTTP refuses a retired node by name and bounds what is read. Close waits
// for it.
func (t *Transport) serveHTTP(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return
	}
	t.workers.Add(1)
	t.mu.Unlock()
	defer t.workers.Done()
	who, _ := IdentityOf(r)
	if now, known := t.config.Peers(who.RaftID); who.RaftID != 0 && known && now.Retired {
		w.Header().Set(problemHeader, string(ErrRetired.Code))
		w.Header().Set("Connection", "close")
		http.Error(w, ErrRetired.Error(), http.StatusGone)
		return
	}
	if t.config.Handler == nil {
		http.NotFound(w, r)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, t.limits.BodyBytes)
	t.config.Handler.ServeHTTP(w, r)
}

// HTTP is a client that reaches that node and no other, whatever host its
// requests name (https://node/catchup/ is customary). It follows no redirect.
// The header of an answer, and then each part of it, must come within
// Limits.Answer; bound the whole by the request's context.
func (t *Transport) HTTP(id uint64) *http.Client {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.caller[id]; c != nil {
		return c
	}
	c := httpClient(t.limits, t.notices, func(ctx context.Context) (net.Conn, error) {
		c, _, err := t.dial(ctx, id, ProtocolHTTP)
		if err != nil {
			return nil, err
		}
		return c, nil
	})
	if t.caller != nil {
		t.caller[id] = c
	}
	return c
}

func httpClient(l Limits, n *notices, dial func(context.Context) (net.Conn, error)) *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: pinned{n, &http.Transport{
			DialTLSContext:      func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
			DialContext:         func(context.Context, string, string) (net.Conn, error) { return nil, errPlain },
			TLSNextProto:        map[string]func(string, *tls.Conn) http.RoundTripper{},
			MaxIdleConnsPerHost: 4, MaxConnsPerHost: 16, IdleConnTimeout: l.NextRequest / 2,
			ResponseHeaderTimeout: l.Answer, MaxResponseHeaderBytes: int64(l.HeaderBytes), DisableCompression: true,
		}},
	}
}

// pinned makes requests of every address share the connections to one node, and
// notices when an answer says that this node is retired.
type pinned struct {
	notices *notices // nil: of no transport
	*http.Transport
}

func (p pinned) RoundTrip(r *http.Request) (*http.Response, error) {
	one := r.WithContext(r.Context())
	one.URL = &url.URL{Scheme: "https", Host: "node", Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
	a, err := p.Transport.RoundTrip(one)
	if err == nil && a.StatusCode == http.StatusGone && a.Header.Get(problemHeader) == string(ErrRetired.Code) {
		a.Body.Close()
		if p.notices != nil {
			p.notices.retire()
		}
		return nil, ErrRetired
	}
	return a, err
}

// conveyor is a listener whose connections are handed to it.
type conveyor struct {
	address net.Addr
	conns   chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func newConveyor(l net.Listener) *conveyor {
	return &conveyor{address: l.Addr(), conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (v *conveyor) hand(c net.Conn) bool {
	select {
	case v.conns <- c:
		return true
	case <-v.closed:
		return false
	}
}

func (v *conveyor) Accept() (net.Conn, error) {
	select {
	case c := <-v.conns:
		return c, nil
	case <-v.closed:
		return nil, net.ErrClosed
	}
}

func (v *conveyor) Addr() net.Addr { return v.address }

func (v *conveyor) Close() error {
	v.once.Do(func() { close(v.closed) })
	return nil
}

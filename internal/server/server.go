package server

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/coco-consortium/coco/internal/server/caller"
	"github.com/coco-consortium/coco/internal/server/front"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
	"github.com/coco-consortium/coco/internal/telemetry"
)

// Options of a server. Every zero field means its default.
type Options struct {
	// Origins are the web origins whose pages may ask, such as
	// "https://app.example" or "http://localhost:5173"; "*" is any. Default none.
	Origins []string
	// Hosts are the names under which the node may be addressed, beside plain IP
	// addresses; "*" is any. Default localhost only, which keeps a web site from
	// reaching a node on the visitor's machine by rebinding its own name.
	Hosts []string
	// Identify says who sends a request; an error refuses it with status 401.
	// nil: everyone is anonymous.
	Identify func(*http.Request) (*caller.Caller, error)
	// Connections bounds the open connections. Default 4096.
	Connections int
	// Ping is how often an idle WebSocket is asked whether it is alive. Default
	// 30 s; the answer is awaited for half as long.
	Ping time.Duration
	// Header, Body and Idle bound how long a client may take to send a request's
	// header, its body, and to send the next request. Defaults 10 s, 30 s, 120 s.
	Header, Body, Idle time.Duration
	// Log receives what operators should see. Default: discarded.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Hosts == nil {
		o.Hosts = []string{"localhost"}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Connections = cmp.Or(o.Connections, 4096)
	o.Ping = cmp.Or(o.Ping, 30*time.Second)
	o.Header = cmp.Or(o.Header, 10*time.Second)
	o.Body = cmp.Or(o.Body, 30*time.Second)
	o.Idle = cmp.Or(o.Idle, 120*time.Second)
	return o
}

// Server serves one dispatcher on one listener.
type Server struct {
	d       *jsonrpc.Dispatcher
	options Options
	front   *front.Server
	fields  []byte             // of a plain request's answer
	stop    context.CancelFunc // ends the calls that are still at work
	turns   sync.Pool          // of *turn

	mu       sync.Mutex
	draining bool
	sessions map[*jsonrpc.Session]struct{}
	open     sync.WaitGroup // WebSocket connections
}

// New makes a server; Serve starts it.
func New(d *jsonrpc.Dispatcher, options Options) *Server {
	options = options.withDefaults()
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{
		d: d, options: options, stop: stop,
		turns: sync.Pool{New: func() any {
			return &turn{make([]byte, 0, 4096), make([]byte, 0, 1024)}
		}},
		sessions: make(map[*jsonrpc.Session]struct{}),
		fields:   []byte(jsonField),
	}
	if len(options.Origins) > 0 {
		s.fields = append(s.fields, vary...)
	}
	s.front = front.New(&http.Server{
		Handler:           s,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
		ReadHeaderTimeout: options.Header,
		ReadTimeout:       options.Body,
		WriteTimeout:      options.Body + 2*d.Limits().CallTime + time.Minute,
		IdleTimeout:       options.Idle,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(options.Log.Handler(), slog.LevelDebug),
	}, front.Options{Connections: options.Connections, Open: s.session})
	return s
}

// Serve accepts connections on l until Shutdown, and then gives nil.
func (s *Server) Serve(l net.Listener) error {
	err := s.front.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Shutdown stops accepting, lets requests at work finish and their answers be
// written, and closes WebSockets with "going away". What has not finished when
// ctx ends is cut off. Nothing of the server runs when it returns.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.draining = true
	var drained sync.WaitGroup
	for session := range s.sessions {
		drained.Go(func() { session.Drain(ctx) })
	}
	s.mu.Unlock()
	err := s.front.Shutdown(ctx)
	if err != nil {
		err = s.front.Close()
	}
	s.stop()
	drained.Wait()
	s.open.Wait()
	return err
}

// ServeHTTP answers one HTTP request or becomes a WebSocket.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.hostAllowed(r.Host) {
		http.Error(w, "invalid host specified: address the node by an IP address, by localhost, or by a name it was told with its allowed hosts", http.StatusForbidden)
		return
	}
	who := caller.Anonymous
	if s.options.Identify != nil {
		var err error
		if who, err = s.options.Identify(r); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
	}
	ctx := caller.With(r.Context(), who)
	if parent := r.Header.Get("Traceparent"); parent != "" { // W3C Trace Context
		ctx = telemetry.With(ctx, telemetry.ParseLink(parent))
	}
	if r.URL.RawQuery != "" {
		ctx = jsonrpc.WithWishes(ctx, r.URL.Query())
	}
	if isUpgrade(r) {
		s.serveWebSocket(ctx, w, r)
		return
	}
	s.serveHTTP(ctx, w, r)
}

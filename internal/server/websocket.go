package server

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// How long a client may take to accept one message, and to confirm the end of
// the connection.
const (
	writeTime = 20 * time.Second
	closeTime = 500 * time.Millisecond
)

func isUpgrade(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket") &&
		strings.Contains(strings.ToLower(r.Header.Get("Connection")), "upgrade")
}

// serveWebSocket makes the connection a session and serves it to its end.
func (s *Server) serveWebSocket(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	if origin := r.Header.Get("Origin"); origin != "" && !s.originAllowed(origin) {
		http.Error(w, "this origin is not among the node's allowed origins", http.StatusForbidden)
		return
	}
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // the origin was judged above
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		return // Accept has answered
	}
	c.SetReadLimit(int64(s.d.Limits().RequestBytes))
	raw, _ := r.Context().Value(connKey{}).(net.Conn)
	t := &socket{c: c, raw: raw, patience: s.options.Body, late: time.AfterFunc(writeTime, func() { raw.Close() })}
	t.late.Stop()
	session := s.d.NewSession(ctx, t)
	if !s.enter(session) {
		t.Close(jsonrpc.ErrDrained)
		return
	}
	defer s.leave(session)
	pinging, stop := context.WithCancel(ctx)
	var pings sync.WaitGroup
	pings.Go(func() { s.ping(pinging, c) })
	session.Run()
	stop()
	pings.Wait()
}

func (s *Server) enter(session *jsonrpc.Session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return false
	}
	s.sessions[session] = struct{}{}
	s.open.Add(1)
	return true
}

func (s *Server) leave(session *jsonrpc.Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, session)
	s.open.Done()
}

// ping closes the connection when the client no longer answers.
func (s *Server) ping(ctx context.Context, c *websocket.Conn) {
	tick := time.NewTicker(s.options.Ping)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		wait, cancel := context.WithTimeout(ctx, s.options.Ping/2)
		err := c.Ping(wait)
		cancel()
		if err != nil {
			c.CloseNow()
			return
		}
	}
}

// connKey is where a request's context has its connection.
type connKey struct{}

// socket carries the messages of a session.
type socket struct {
	c        *websocket.Conn
	raw      net.Conn
	patience time.Duration // for the rest of a message that has begun
	late     *time.Timer   // cuts the connection when a message is not accepted
}

// Read reads a message. Its memory grows with what has come, not with what is
// said to come.
func (s *socket) Read(room *jsonrpc.Room) ([]byte, error) {
	_, r, err := s.c.Reader(context.Background())
	if err != nil {
		return nil, err
	}
	late := time.AfterFunc(s.patience, func() { s.raw.Close() })
	defer late.Stop()
	message := make([]byte, 0, 512)
	for {
		if len(message) == cap(message) {
			if !room.Grow(2 * cap(message)) {
				return nil, jsonrpc.ErrCrowded
			}
			message = append(make([]byte, 0, 2*cap(message)), message...)
		}
		n, err := r.Read(message[len(message):cap(message)])
		message = message[:len(message)+n]
		if errors.Is(err, io.EOF) {
			return message, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// Write sends a message, each of several parts in a frame of its own (RFC 6455
// section 5.4).
func (s *socket) Write(parts ...[]byte) error {
	s.late.Reset(writeTime) // a context for each message would be eleven allocations
	defer s.late.Stop()
	if len(parts) == 1 {
		return s.c.Write(context.Background(), websocket.MessageText, parts[0])
	}
	w, err := s.c.Writer(context.Background(), websocket.MessageText)
	if err != nil {
		return err
	}
	for _, part := range parts {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return w.Close()
}

// Close sends a close frame (RFC 6455 section 7.4) and waits a moment for the
// client's. Where that does not come the connection is cut.
func (s *socket) Close(reason error) {
	cut := time.AfterFunc(closeTime, func() { s.raw.Close() })
	defer cut.Stop()
	switch {
	case errors.Is(reason, jsonrpc.ErrSlow):
		s.c.Close(websocket.StatusPolicyViolation, "subscription messages were read too slowly and exceeded this connection's queue")
	case errors.Is(reason, jsonrpc.ErrCrowded):
		s.c.Close(websocket.StatusTryAgainLater, "the node holds as many large messages as it may")
	case errors.Is(reason, jsonrpc.ErrDrained), errors.Is(reason, context.Canceled):
		s.c.Close(websocket.StatusGoingAway, "the node is stopping")
	default:
		s.c.CloseNow()
	}
}

package server

import (
	"context"
	"net"
	"net/http"

	"github.com/coco-consortium/coco/internal/server/caller"
	"github.com/coco-consortium/coco/internal/server/front"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// session answers the plain JSON-RPC requests of one connection, as serveHTTP does.
type session struct {
	*Server
	room *jsonrpc.Room
	ctx  context.Context // of calls
}

// session makes the session of a connection. Where a request says who is asking,
// none is plain.
func (s *Server) session(ctx context.Context, _ net.Conn) front.Session {
	if s.options.Identify != nil {
		return nil
	}
	room := s.d.Room()
	return &session{s, room, jsonrpc.WithRoom(caller.With(ctx, caller.Anonymous), room)}
}

// Takes implements front.Session.
func (s *session) Takes(r *front.Request) bool {
	return string(r.Method) == http.MethodPost && string(r.Path) == "/" && r.Length >= 0 && r.Length <= s.d.Limits().RequestBytes &&
		isJSON(string(r.ContentType)) && s.hostAllowed(string(r.Host))
}

// Answer implements front.Session.
func (s *session) Answer(_ context.Context, r *front.Request) error {
	x := s.turns.Get().(*turn)
	defer s.release(x, s.room)
	if status, err := s.readBody(r, int64(r.Length), x, s.room); err != nil {
		return s.refuse(r, status, err)
	}
	if x.response = s.d.Serve(s.ctx, x.request, x.response); len(x.response) == 0 {
		return r.Respond(http.StatusNoContent, s.fields[len(jsonField):], nil)
	}
	return r.Respond(http.StatusOK, s.fields, x.response)
}

// Fields of answers.
const (
	jsonField = "Content-Type: application/json\r\n"
	vary      = "Vary: Origin\r\n" // where pages of some origins may ask
)

// refuse answers as http.Error does.
func (s *session) refuse(r *front.Request, status int, err error) error {
	fields := "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n" + string(s.fields[len(jsonField):])
	if status == http.StatusServiceUnavailable {
		fields += "Retry-After: 1\r\n"
	}
	return r.Respond(status, []byte(fields), append([]byte(err.Error()), '\n'))
}

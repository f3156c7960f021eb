package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"

	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// serveHTTP answers JSON-RPC over HTTP: one POST, one message or batch. As with
// geth an empty GET is a health check.
func (s *Server) serveHTTP(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	s.allowOrigin(w, r)
	switch r.Method {
	case http.MethodPost:
	case http.MethodOptions:
		w.WriteHeader(http.StatusNoContent)
		return
	case http.MethodGet, http.MethodHead:
		if r.ContentLength <= 0 && r.URL.RawQuery == "" {
			return
		}
		fallthrough
	default:
		w.Header().Set("Allow", "POST")
		http.Error(w, "send JSON-RPC requests by POST", http.StatusMethodNotAllowed)
		return
	}
	if !isJSON(r.Header.Get("Content-Type")) {
		http.Error(w, "invalid content type, only application/json is supported", http.StatusUnsupportedMediaType)
		return
	}
	x, room := s.turns.Get().(*turn), s.d.Room()
	defer s.release(x, room)
	if status, err := s.readBody(r.Body, r.ContentLength, x, room); err != nil {
		if status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "1")
		}
		http.Error(w, err.Error(), status)
		return
	}
	x.response = s.d.Serve(jsonrpc.WithRoom(ctx, room), x.request, x.response)
	if len(x.response) == 0 {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	h := w.Header()
	h["Content-Type"] = jsonContent
	if len(x.response) > smallResponse || !r.ProtoAtLeast(1, 1) { // before 1.1 a connection is kept only for a length
		h["Content-Length"] = []string{strconv.Itoa(len(x.response))}
	}
	w.Write(x.response) // an error means that the client has left
}

// smallResponse is the size up to which net/http itself finds out the length of a
// response, which it has not begun to send then.
const smallResponse = 2048

var jsonContent = []string{"application/json"}

// turn is what one request and its response need, kept for others.
type turn struct{ request, response []byte }

// readBody reads the whole body, of a length if that is not negative, or says with
// which status it is refused.
func (s *Server) readBody(body io.Reader, length int64, x *turn, room *jsonrpc.Room) (status int, err error) {
	limit := s.d.Limits().RequestBytes
	tooLarge := func() (int, error) {
		return http.StatusRequestEntityTooLarge, fmt.Errorf("request too large, limit is %d bytes", limit)
	}
	if length > int64(limit) {
		return tooLarge()
	}
	b := x.request
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		if !room.Grow(len(b)) {
			return http.StatusServiceUnavailable, jsonrpc.ErrCrowded
		}
		n, err := body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		x.request = b
		if len(b) > limit {
			return tooLarge()
		}
		if err == io.EOF {
			return 0, nil
		}
		if err != nil {
			return http.StatusBadRequest, errors.New("the request's body ended early or came too slowly")
		}
	}
}

// keepBuffer is the largest buffer that is kept for another request.
const keepBuffer = 1 << 20

func (s *Server) release(x *turn, room *jsonrpc.Room) {
	room.Free()
	if cap(x.request) <= keepBuffer && cap(x.response) <= keepBuffer {
		x.request, x.response = x.request[:0], x.response[:0]
		s.turns.Put(x)
	}
}

// isJSON accepts the content types that geth does. A browser sends none of them
// to another origin without asking first (CORS preflight).
func isJSON(contentType string) bool {
	if contentType == "application/json" {
		return true
	}
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/json" || kind == "application/json-rpc" || kind == "application/jsonrequest")
}

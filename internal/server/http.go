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
	room := s.d.Room()
	defer room.Free()
	request := s.buffers.Get().(*[]byte)
	defer s.release(request)
	if status, err := s.readBody(r, request, room); err != nil {
		if status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "1")
		}
		http.Error(w, err.Error(), status)
		return
	}
	response := s.buffers.Get().(*[]byte)
	defer s.release(response)
	*response = s.d.Serve(jsonrpc.WithRoom(ctx, room), *request, *response)
	if len(*response) == 0 {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	h := w.Header()
	h["Content-Type"] = jsonContent
	h["Content-Length"] = []string{strconv.Itoa(len(*response))}
	w.Write(*response) // an error means that the client has left
}

var jsonContent = []string{"application/json"}

// readBody reads the whole body into buffer, or says with which status it is
// refused.
func (s *Server) readBody(r *http.Request, buffer *[]byte, room *jsonrpc.Room) (status int, err error) {
	limit := s.d.Limits().RequestBytes
	tooLarge := fmt.Errorf("request too large, limit is %d bytes", limit)
	if r.ContentLength > int64(limit) {
		return http.StatusRequestEntityTooLarge, tooLarge
	}
	b := *buffer
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		if !room.Grow(len(b)) {
			return http.StatusServiceUnavailable, jsonrpc.ErrCrowded
		}
		n, err := r.Body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		*buffer = b
		if len(b) > limit {
			return http.StatusRequestEntityTooLarge, tooLarge
		}
		if errors.Is(err, io.EOF) {
			return 0, nil
		}
		if err != nil {
			return http.StatusBadRequest, errors.New("the request's body ended early or came too slowly")
		}
	}
}

// keepBuffer is the largest buffer that is kept for another request.
const keepBuffer = 1 << 20

func (s *Server) release(buffer *[]byte) {
	if cap(*buffer) <= keepBuffer {
		*buffer = (*buffer)[:0]
		s.buffers.Put(buffer)
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

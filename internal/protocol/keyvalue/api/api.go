// Package api serves entries over HTTP.
//
//	PUT    /kv/KEY   the body is the value    204
//	GET    /kv/KEY                            200 with the value, or 404
//	DELETE /kv/KEY                            204
//
// A write is answered when it is committed; Coco-Transaction names it. A read shows
// what is committed on this node; with ?linearizable=true all that was committed
// anywhere when it was asked. Problems are problem details (RFC 9457).
package api

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/protocol/keyvalue"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// HeaderTransaction has the TxID of a write.
const HeaderTransaction = "Coco-Transaction"

const prefix = "/kv/"

// Ticket follows a write.
type Ticket interface {
	Wait(ctx context.Context) error
	TxID() (sequencer.TxID, bool)
}

// Config is what the entries are served from.
type Config struct {
	Room  *keyvalue.Room
	Store *kv.Store
	// Submit takes a write in; forward.Forwarder's is it.
	Submit func(*sequencer.Request) (Ticket, error)
	// Linearizable returns when everything that was committed anywhere when it was
	// called can be read here.
	Linearizable func(context.Context) error
}

type handler struct {
	Config
	values sync.Pool // of *[]byte
}

// New makes the handler. Requests that came without a client's certificate are refused.
func New(c Config) http.Handler {
	return &handler{Config: c, values: sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}}
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key, ok := keyOf(r.URL)
	client, known := clientOf(r)
	switch {
	case !known:
		refuse(w, keyvalue.ErrClient)
	case !ok:
		refuse(w, keyvalue.ErrRequest)
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		h.read(w, r, client, key)
	case r.Method == http.MethodPut:
		h.put(w, r, client, key)
	case r.Method == http.MethodDelete:
		h.write(w, r, client, &keyvalue.Request{Op: keyvalue.Delete, Key: key})
	default:
		w.Header().Set("Allow", "GET, HEAD, PUT, DELETE")
		refuse(w, keyvalue.ErrRequest)
	}
}

// keyOf is the key that a path names: the rest of it after /kv/, unescaped.
func keyOf(u *url.URL) ([]byte, bool) {
	escaped, ok := strings.CutPrefix(u.EscapedPath(), prefix)
	if !ok {
		return nil, false
	}
	key, err := url.PathUnescape(escaped)
	return []byte(key), err == nil
}

func clientOf(r *http.Request) (keyvalue.Client, bool) {
	if c, ok := r.Context().Value(clientKey{}).(keyvalue.Client); ok { // it came through a front
		return c, true
	}
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return keyvalue.Client{}, false
	}
	return keyvalue.ClientOf(r.TLS.PeerCertificates[0]), true
}

func (h *handler) read(w http.ResponseWriter, r *http.Request, client keyvalue.Client, key []byte) {
	if len(key) == 0 || len(key) > keyvalue.MaxKey {
		refuse(w, keyvalue.ErrKey)
		return
	}
	if r.URL.RawQuery != "" && r.URL.Query().Get("linearizable") == "true" {
		if err := h.Linearizable(r.Context()); err != nil {
			refuse(w, err)
			return
		}
	}
	view := h.Store.Pin()
	defer view.Release()
	buffer := h.values.Get().(*[]byte)
	defer h.values.Put(buffer)
	value, ok := h.Room.Get((*buffer)[:0], view, client, key)
	*buffer = value[:0]
	if !ok {
		refuse(w, ErrAbsent)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Length", strconv.Itoa(len(value)))
	w.Write(value)
}

func (h *handler) put(w http.ResponseWriter, r *http.Request, client keyvalue.Client, key []byte) {
	if r.ContentLength > keyvalue.MaxValue {
		refuse(w, keyvalue.ErrValue)
		return
	}
	value, err := io.ReadAll(io.LimitReader(r.Body, keyvalue.MaxValue+1))
	if err != nil {
		refuse(w, keyvalue.ErrRequest.From(err))
		return
	}
	h.write(w, r, client, &keyvalue.Request{Op: keyvalue.Put, Key: key, Value: value})
}

// write answers when the write is committed.
func (h *handler) write(w http.ResponseWriter, r *http.Request, client keyvalue.Client, q *keyvalue.Request) {
	if err := q.Check(); err != nil {
		refuse(w, err)
		return
	}
	tx, err := h.commit(r.Context(), client[:], q, q.Encode())
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set(HeaderTransaction, tx.String())
	w.WriteHeader(http.StatusNoContent)
}

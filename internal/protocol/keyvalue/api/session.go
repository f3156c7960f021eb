package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strconv"

	"github.com/coco-consortium/coco/internal/protocol/keyvalue"
	"github.com/coco-consortium/coco/internal/sequencer"
	"github.com/coco-consortium/coco/internal/server/front"
)

// session answers the plain requests of one connection: keys without escapes,
// values of a stated length.
type session struct {
	*handler
	client keyvalue.Client
	op     keyvalue.Op // 0 reads
	key    []byte      // part of the request
	fields []byte
	value  []byte
}

// NewServer serves entries to clients with a certificate that config asks for. others
// has the handler of New, and is what remains of requests.
func NewServer(others *http.Server, config *tls.Config) *front.Server {
	h := others.Handler.(*handler)
	others.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if s, ok := front.SessionOf(c).(*session); ok {
			return context.WithValue(ctx, clientKey{}, s.client)
		}
		return ctx
	}
	return front.New(others, front.Options{TLS: config, Connections: maxConnections, Open: func(_ context.Context, c net.Conn) front.Session {
		certificates := c.(*tls.Conn).ConnectionState().PeerCertificates
		if len(certificates) == 0 { // config asks for none; the handler refuses
			return nil
		}
		return &session{handler: h, client: keyvalue.ClientOf(certificates[0])}
	}})
}

const maxConnections = 8192

type clientKey struct{}

// Takes implements front.Session.
func (s *session) Takes(r *front.Request) bool {
	key, ours := bytes.CutPrefix(r.Path, []byte(prefix))
	s.key = key
	switch string(r.Method) {
	case "PUT":
		s.op = keyvalue.Put
	case "DELETE":
		s.op = keyvalue.Delete
	case "GET":
		s.op = 0
	default:
		return false
	}
	return ours && len(key) > 0 && len(key) <= keyvalue.MaxKey && !bytes.ContainsRune(key, '/') && string(key) != "." && string(key) != ".." &&
		r.Length <= keyvalue.MaxValue && (r.Length >= 0) == (s.op == keyvalue.Put)
}

// Answer implements front.Session.
func (s *session) Answer(ctx context.Context, r *front.Request) error {
	if s.op == 0 {
		return s.show(r)
	}
	q, encoded := keyvalue.Make(s.op, s.key, max(r.Length, 0))
	if _, err := io.ReadFull(r, q.Value); err != nil {
		return err
	}
	if len(q.Value) == 0 {
		r.Wait()
	}
	tx, err := s.commit(ctx, s.client[:], q, encoded)
	if err != nil {
		return s.refuse(r, err)
	}
	out := append(s.fields[:0], HeaderTransaction+": "...)
	out = append(strconv.AppendUint(out, tx.View, 10), '.')
	s.fields = append(strconv.AppendUint(out, tx.Seqno, 10), "\r\n"...)
	return r.Respond(http.StatusNoContent, s.fields, nil)
}

// keepValue is the largest buffer that a connection keeps.
const keepValue = 16 << 10

var valueFields = []byte("Content-Type: application/octet-stream\r\nX-Content-Type-Options: nosniff\r\n")

func (s *session) show(r *front.Request) error {
	view := s.Store.Pin()
	value, ok := s.Room.Get(s.value[:0], view, s.client, s.key)
	view.Release()
	if cap(value) <= keepValue {
		s.value = value[:0]
	}
	if !ok {
		return s.refuse(r, ErrAbsent)
	}
	return r.Respond(http.StatusOK, valueFields, value)
}

// refuse is refuse of this package, in front.
func (s *session) refuse(r *front.Request, err error) error {
	code, retry, body := problemOf(err)
	fields := "Content-Type: application/problem+json\r\nX-Content-Type-Options: nosniff\r\n"
	if retry {
		fields += "Retry-After: 1\r\n"
	}
	return r.Respond(code, []byte(fields), body)
}

// commit gives a write in and waits until it is committed.
func (h *handler) commit(ctx context.Context, client []byte, q *keyvalue.Request, encoded []byte) (tx sequencer.TxID, err error) {
	height, _ := h.Store.Height()
	ticket, err := h.Submit(&sequencer.Request{ID: keyvalue.ID(height), Protocol: keyvalue.Protocol, Bytes: encoded, Caller: client, Decoded: q})
	if err == nil {
		err = ticket.Wait(ctx)
	}
	if err == nil {
		tx, _ = ticket.TxID()
	}
	return tx, err
}

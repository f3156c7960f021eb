package api

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/coco-consortium/coco/internal/protocol/keyvalue"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// session answers the plain requests of one connection, one after the other.
type session struct {
	front  *front
	conn   net.Conn
	in     *bufio.Reader
	client keyvalue.Client
	until  time.Time // the deadline that is set
	out    []byte
	value  []byte
}

// run answers until the connection ends, or until a request that is not plain,
// which it leaves unread: then others is true.
func (s *session) run() (others bool) {
	for {
		if s.limit(idleTime, idleTime/8) != nil {
			return false
		}
		head, err := s.head()
		if err != nil {
			return false
		}
		p, ok := parse(head)
		if !ok {
			return true
		}
		if s.out, err = s.answer(p, len(head)); err != nil {
			return false
		}
		if _, err := s.conn.Write(s.out); err != nil {
			return false
		}
	}
}

// limit gives reading and writing so much time from now, or a little less: setting
// a deadline is not cheap.
func (s *session) limit(d, less time.Duration) error {
	now := time.Now()
	if left := s.until.Sub(now); left <= d && left >= d-less {
		return nil
	}
	s.until = now.Add(d)
	return s.conn.SetDeadline(s.until)
}

// head gives a request's head without reading it, or nothing when it is too long.
func (s *session) head() ([]byte, error) {
	for have := 1; ; {
		if _, err := s.in.Peek(have); err != nil {
			return nil, err
		}
		have = s.in.Buffered()
		seen, err := s.in.Peek(have)
		if err != nil {
			return nil, err
		}
		if i := bytes.Index(seen, headEnd); i >= 0 {
			return seen[:i+len(headEnd)], nil
		}
		if have == s.in.Size() {
			return nil, nil
		}
		if err := s.limit(requestTime, requestTime); err != nil {
			return nil, err
		}
		have++
	}
}

// answer reads a request and makes the answer.
func (s *session) answer(p plain, head int) ([]byte, error) {
	h, out := s.front.handler, s.out[:0]
	if p.op == 0 {
		view := h.Store.Pin()
		value, ok := h.Room.Get(s.value[:0], view, s.client, p.key)
		view.Release()
		s.value = value[:0]
		_, _ = s.in.Discard(head)
		if !ok {
			return s.refuse(out, ErrAbsent), nil
		}
		out = append(out, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nX-Content-Type-Options: nosniff\r\n"...)
		out = strconv.AppendInt(append(s.front.date.append(out), "Content-Length: "...), int64(len(value)), 10)
		return append(append(out, headEnd...), value...), nil
	}
	q, encoded := keyvalue.Make(p.op, p.key, p.length)
	_, _ = s.in.Discard(head)
	if s.in.Buffered() < p.length {
		if err := s.limit(requestTime, requestTime); err != nil {
			return nil, err
		}
	}
	if _, err := io.ReadFull(s.in, q.Value); err != nil {
		return nil, err
	}
	tx, err := h.commit(s.front.ctx, s.client[:], q, encoded)
	if err != nil {
		return s.refuse(out, err), nil
	}
	out = append(out, "HTTP/1.1 204 No Content\r\n"+HeaderTransaction+": "...)
	out = append(strconv.AppendUint(out, tx.View, 10), '.')
	out = append(strconv.AppendUint(out, tx.Seqno, 10), headEnd[:2]...)
	return append(s.front.date.append(out), headEnd[:2]...), nil
}

// refuse is refuse of this package, on a connection.
func (s *session) refuse(out []byte, err error) []byte {
	code, retry, body := problemOf(err)
	out = append(strconv.AppendInt(append(out, "HTTP/1.1 "...), int64(code), 10), ' ')
	out = append(append(out, http.StatusText(code)...), "\r\nContent-Type: application/problem+json\r\nX-Content-Type-Options: nosniff\r\n"...)
	if retry {
		out = append(out, "Retry-After: 1\r\n"...)
	}
	out = strconv.AppendInt(append(s.front.date.append(out), "Content-Length: "...), int64(len(body)), 10)
	return append(append(out, headEnd...), body...)
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

// date is the field Date (RFC 9110, 6.6.1), made once a second.
type date struct{ latest atomic.Pointer[dateLine] }

type dateLine struct {
	second int64
	text   string
}

func (d *date) append(out []byte) []byte {
	now := time.Now()
	line := d.latest.Load()
	if line == nil || line.second != now.Unix() {
		line = &dateLine{now.Unix(), "Date: " + now.UTC().Format(http.TimeFormat) + "\r\n"}
		d.latest.Store(line)
	}
	return append(out, line.text...)
}

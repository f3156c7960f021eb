package forward

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// A stream is a row of frames: four bytes of length, big-endian, of what follows;
// one byte of kind; the body. Numbers in a body are unsigned varints, texts and
// bytes have their length before them.
//
//	hello        primary: the view that it serves, how many requests and how many
//	             bytes of them it takes without an answer. Requests may follow.
//	not primary  primary: the raft id of the primary as far as it knows, 0 for
//	             none. The stream ends.
//	requests     origin: count, then number, protocol, id, caller, trace, bytes each
//	answers      primary: count, then number, verdict and what belongs to it each
type kind byte

const (
	kindHello kind = iota + 1
	kindNotPrimary
	kindRequests
	kindAnswers
)

// What an answer says.
type verdict byte

const (
	verdictExecuted     verdict = iota + 1 // view, seqno: it is in a block of that name, or was before
	verdictRefused                         // code, what, next, cause: it never will be
	verdictNotCommitted                    // this primary did nothing with it; send it again
)

// Limits of a frame's parts, in bytes. A frame holds one request at least.
const (
	maxFrame    = 2 << 20
	maxRequest  = 1 << 20
	maxID       = 64
	maxProtocol = 64
	maxCaller   = 16 << 10
	maxTrace    = 256
	maxText     = 4 << 10
	maxBatch    = 1024 // requests or answers in a frame
	roomOfFrame = 1 << 20
)

// message is a forwarded request.
type message struct {
	number uint64 // of the origin's, on this stream
	sequencer.Request
}

// size is what a request counts for in windows and frames.
func size(r *sequencer.Request) int {
	return len(r.Bytes) + len(r.ID) + len(r.Caller) + len(r.Protocol) + len(r.Trace) + 64
}

// check holds a request to the limits of a frame.
func check(r *sequencer.Request) error {
	switch {
	case len(r.ID) == 0 || len(r.ID) > maxID:
		return over("ID")
	case len(r.Bytes) > maxRequest:
		return over("body")
	case len(r.Protocol) == 0 || len(r.Protocol) > maxProtocol:
		return over("protocol")
	case len(r.Caller) > maxCaller:
		return over("caller")
	case len(r.Trace) > maxTrace:
		return over("trace context")
	}
	return nil
}

// answer is what the primary says of a request.
type answer struct {
	number  uint64
	verdict verdict
	tx      sequencer.TxID
	problem *problem.Error
}

// writer builds one frame.
type writer struct{ buf []byte }

func (w *writer) begin(k kind)    { w.buf = append(w.buf[:0], 0, 0, 0, 0, byte(k)) }
func (w *writer) number(n uint64) { w.buf = binary.AppendUvarint(w.buf, n) }
func (w *writer) bytes(b []byte)  { w.number(uint64(len(b))); w.buf = append(w.buf, b...) }
func (w *writer) text(s string, most int) {
	s = s[:min(len(s), most)]
	w.number(uint64(len(s)))
	w.buf = append(w.buf, s...)
}

func (w *writer) end() []byte {
	binary.BigEndian.PutUint32(w.buf, uint32(len(w.buf)-4))
	return w.buf
}

// numbers is a frame that says nothing else.
func (w *writer) numbers(k kind, list ...uint64) []byte {
	w.begin(k)
	for _, n := range list {
		w.number(n)
	}
	return w.end()
}

func (w *writer) requests(list []message) []byte {
	w.begin(kindRequests)
	w.number(uint64(len(list)))
	for i := range list {
		r := &list[i]
		w.number(r.number)
		w.text(r.Protocol, maxProtocol)
		w.bytes(r.ID)
		w.bytes(r.Caller)
		w.text(r.Trace, maxTrace)
		w.bytes(r.Bytes)
	}
	return w.end()
}

func (w *writer) answers(list []answer) []byte {
	w.begin(kindAnswers)
	w.number(uint64(len(list)))
	for i := range list {
		a := &list[i]
		w.number(a.number)
		w.buf = append(w.buf, byte(a.verdict))
		switch a.verdict {
		case verdictExecuted:
			w.number(a.tx.View)
			w.number(a.tx.Seqno)
		case verdictRefused:
			cause := ""
			if a.problem.Cause != nil {
				cause = a.problem.Cause.Error()
			}
			w.text(string(a.problem.Code), maxID)
			w.text(a.problem.What, maxText)
			w.text(a.problem.Next, maxText)
			w.text(cause, maxText)
		}
	}
	return w.end()
}

// readFrame reads one frame of at most most bytes. Memory is taken as bytes
// come, not as the length claims.
func readFrame(r *bufio.Reader, most int) (kind, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := int64(binary.BigEndian.Uint32(head[:])) - 1
	if n < 0 || n > int64(most) {
		return 0, nil, form("a frame of %d bytes, at most %d", n, most)
	}
	var body []byte
	for int64(len(body)) < n {
		step := min(n-int64(len(body)), max(64<<10, int64(len(body))))
		body = append(body, make([]byte, step)...)
		if _, err := io.ReadFull(r, body[int64(len(body))-step:]); err != nil {
			return 0, nil, errors.Join(io.ErrUnexpectedEOF, err)
		}
	}
	return kind(head[4]), body, nil
}

// reader reads a frame's body. The first error stays.
type reader struct {
	rest []byte
	err  error
}

func form(f string, args ...any) error { return ErrForm.From(fmt.Errorf(f, args...)) }

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = form("%s", what)
	}
	r.rest = nil
}

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.fail("a number is cut off or too large")
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

// bytes gives a part of the body itself.
func (r *reader) bytes(most int) []byte {
	n := r.number()
	if n > uint64(most) || n > uint64(len(r.rest)) {
		r.fail("a part is longer than it may be or than the frame")
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) text(most int) string { return string(r.bytes(most)) }

func (r *reader) end() error {
	if r.err == nil && len(r.rest) > 0 {
		r.fail("bytes behind a frame's end")
	}
	return r.err
}

func (r *reader) count() int {
	n := r.number()
	if n > maxBatch || n > uint64(len(r.rest)) {
		r.fail("a frame holds more than it may or than it has bytes")
		return 0
	}
	return int(n)
}

// greeting is what a primary says first.
type greeting struct{ view, requests, bytes uint64 }

func readHello(body []byte) (greeting, error) {
	r := reader{rest: body}
	g := greeting{r.number(), r.number(), r.number()}
	if err := r.end(); err != nil {
		return g, err
	}
	if g.view == 0 || g.requests == 0 || g.bytes == 0 {
		return g, form("a greeting without a view or a window")
	}
	return g, nil
}

func readRequests(body []byte) ([]message, error) {
	r := reader{rest: body}
	list := make([]message, 0, r.count())
	for range cap(list) {
		m := message{number: r.number()}
		m.Protocol, m.ID, m.Caller = r.text(maxProtocol), r.bytes(maxID), r.bytes(maxCaller)
		m.Trace, m.Bytes = r.text(maxTrace), r.bytes(maxRequest)
		if r.err == nil && check(&m.Request) != nil {
			r.fail("a request without ID or protocol")
		}
		if r.err != nil {
			return nil, r.err
		}
		list = append(list, m)
	}
	return list, r.end()
}

func readAnswers(body []byte) ([]answer, error) {
	r := reader{rest: body}
	list := make([]answer, 0, r.count())
	for range cap(list) {
		a := answer{number: r.number()}
		if len(r.rest) == 0 {
			r.fail("an answer is cut off")
			return nil, r.err
		}
		a.verdict, r.rest = verdict(r.rest[0]), r.rest[1:]
		switch a.verdict {
		case verdictExecuted:
			a.tx = sequencer.TxID{View: r.number(), Seqno: r.number()}
			if a.tx.View == 0 || a.tx.Seqno == 0 {
				r.fail("an answer without a TxID")
			}
		case verdictRefused:
			a.problem = problem.New(problem.Code(r.text(maxID)), r.text(maxText), r.text(maxText))
			if cause := r.text(maxText); cause != "" {
				a.problem.Cause = errors.New(cause)
			}
		case verdictNotCommitted:
		default:
			r.fail("an answer of an unknown kind")
		}
		if r.err != nil {
			return nil, r.err
		}
		list = append(list, a)
	}
	return list, r.end()
}

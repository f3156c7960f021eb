package transport

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/coco-consortium/coco/internal/problem"
)

// A frame is kind u8, length u32, body. Who was dialled says welcome or goodbye
// first; until then the other end does not know whether its certificate did.
const (
	frameWelcome = 1 // nothing
	frameGoodbye = 2 // the code of a problem
	frameMessage = 3 // raftpb.Message
	frameRefusal = 4 // term u64, index u64, reason
	framePing    = 5 // u64
	framePong    = 6 // the same u64, and the answering clock's Unix time in nanoseconds, i64
)

const (
	frameHead   = 5
	smallFrame  = 1 << 10 // the biggest body of any kind but a message
	mostReason  = 256
	mostCode    = 64
	mostEntries = 1 << 16 // of one message: Raft sends some hundred
	keptBuffer  = 1 << 20 // what a stream keeps between two frames
	growth      = 1 << 20 // how far ahead of the bytes that came a buffer is made
)

var errFrame = errors.New("malformed frame")

func appendFrame(to []byte, kind byte, body []byte) []byte {
	to = append(to, kind)
	to = binary.BigEndian.AppendUint32(to, uint32(len(body)))
	return append(to, body...)
}

// appendMessage adds a message's frame; when the message is over the limit the
// buffer comes back as it was.
func appendMessage(to []byte, m *raftpb.Message, limit int) ([]byte, error) {
	start := len(to)
	to = append(to, frameMessage, 0, 0, 0, 0)
	out, err := proto.MarshalOptions{}.MarshalAppend(to, m)
	if err != nil {
		return to[:start], err
	}
	n := len(out) - start - frameHead
	if n > limit {
		return out[:start], fmt.Errorf("a message of %d bytes, more than %d", n, limit)
	}
	binary.BigEndian.PutUint32(out[start+1:], uint32(n))
	return out, nil
}

func appendRefusal(to []byte, term, index uint64, reason string) []byte {
	body := binary.BigEndian.AppendUint64(make([]byte, 0, 16+len(reason)), term)
	body = binary.BigEndian.AppendUint64(body, index)
	return appendFrame(to, frameRefusal, append(body, reason[:min(len(reason), mostReason)]...))
}

func appendCount(to []byte, kind byte, n uint64) []byte {
	return appendFrame(to, kind, binary.BigEndian.AppendUint64(nil, n))
}

// frames reads frames. The body is valid until the next one is read.
type frames struct {
	r     *bufio.Reader
	limit int // of a message
	body  []byte
}

func newFrames(r io.Reader, limit int) *frames {
	return &frames{r: bufio.NewReaderSize(r, 64<<10), limit: limit}
}

func (f *frames) next() (kind byte, body []byte, err error) {
	if cap(f.body) > keptBuffer {
		f.body = nil
	}
	var head [frameHead]byte
	if _, err := io.ReadFull(f.r, head[:1]); err != nil {
		return 0, nil, err // io.EOF between two frames
	}
	if _, err := io.ReadFull(f.r, head[1:]); err != nil {
		return 0, nil, noEOF(err)
	}
	kind = head[0]
	n, limit := int(binary.BigEndian.Uint32(head[1:])), smallFrame
	if kind == frameMessage {
		limit = f.limit
	}
	if kind < frameWelcome || kind > framePong || n > limit {
		return 0, nil, fmt.Errorf("%w: kind %d of %d bytes", errFrame, kind, n)
	}
	f.body = f.body[:0]
	for len(f.body) < n { // memory follows what has come, not what is claimed
		from := len(f.body)
		step := min(n-from, max(growth, from))
		if cap(f.body) < from+step {
			f.body = append(make([]byte, 0, from+step), f.body...)
		}
		f.body = f.body[:from+step]
		if _, err := io.ReadFull(f.r, f.body[from:]); err != nil {
			return 0, nil, noEOF(err)
		}
	}
	return kind, f.body, nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// decodeMessage reads a message and checks what does not depend on Raft: sender
// and receiver, no nested messages, no snapshot, a sane number of entries.
func decodeMessage(body []byte, from, to uint64) (*raftpb.Message, error) {
	if err := scanMessage(body); err != nil {
		return nil, err
	}
	m := &raftpb.Message{}
	if err := proto.Unmarshal(body, m); err != nil {
		return nil, fmt.Errorf("%w: %w", errFrame, err)
	}
	switch {
	case m.Type == nil:
		return nil, fmt.Errorf("%w: a message without a type", errFrame)
	case m.GetFrom() != from:
		return nil, fmt.Errorf("%w: %s sends as %s", errFrame, nodeName(from), nodeName(m.GetFrom()))
	case m.GetTo() != to:
		return nil, fmt.Errorf("%w: a message to %s", errFrame, nodeName(m.GetTo()))
	}
	return m, nil
}

// scanMessage looks at a message's outer fields before memory is spent on it: a
// few bytes of it can ask for a hundred times as much.
func scanMessage(body []byte) error {
	entries := 0
	for len(body) > 0 {
		field, kind, n := protowire.ConsumeTag(body)
		if n < 0 {
			return fmt.Errorf("%w: %w", errFrame, protowire.ParseError(n))
		}
		switch body = body[n:]; field {
		case 7:
			if entries++; entries > mostEntries {
				return fmt.Errorf("%w: more than %d entries", errFrame, mostEntries)
			}
		case 9, 14:
			return fmt.Errorf("%w: a snapshot or messages within a message", errFrame)
		}
		if n = protowire.ConsumeFieldValue(field, kind, body); n < 0 {
			return fmt.Errorf("%w: %w", errFrame, protowire.ParseError(n))
		}
		body = body[n:]
	}
	return nil
}

func decodeRefusal(body []byte) (term, index uint64, reason string, err error) {
	if len(body) < 16 || len(body) > 16+mostReason {
		return 0, 0, "", fmt.Errorf("%w: a refusal of %d bytes", errFrame, len(body))
	}
	return binary.BigEndian.Uint64(body), binary.BigEndian.Uint64(body[8:]), string(body[16:]), nil
}

func decodeCount(body []byte) (uint64, error) {
	if len(body) != 8 {
		return 0, fmt.Errorf("%w: a ping of %d bytes", errFrame, len(body))
	}
	return binary.BigEndian.Uint64(body), nil
}

func appendPong(to []byte, n uint64, now time.Time) []byte {
	body := binary.BigEndian.AppendUint64(nil, n)
	return appendFrame(to, framePong, binary.BigEndian.AppendUint64(body, uint64(now.UnixNano())))
}

func decodePong(body []byte) (n uint64, at time.Time, err error) {
	if len(body) != 16 {
		return 0, time.Time{}, fmt.Errorf("%w: a pong of %d bytes", errFrame, len(body))
	}
	return binary.BigEndian.Uint64(body), time.Unix(0, int64(binary.BigEndian.Uint64(body[8:]))), nil
}

// decodeGoodbye reads the code of a problem: upper case words.
func decodeGoodbye(body []byte) (problem.Code, error) {
	if len(body) == 0 || len(body) > mostCode {
		return "", fmt.Errorf("%w: a goodbye of %d bytes", errFrame, len(body))
	}
	for _, c := range body {
		if (c < 'A' || c > 'Z') && c != '_' && (c < '0' || c > '9') {
			return "", fmt.Errorf("%w: a goodbye that is no code", errFrame)
		}
	}
	return problem.Code(body), nil
}

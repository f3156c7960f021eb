package transport

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
)

// FuzzFrames reads frames as a stream does: nothing panics, what is delivered is
// from and to whom it must be, and everything that is read is bounded.
func FuzzFrames(f *testing.F) {
	message, err := appendMessage(nil, appends(1, 2, 3, 10), 1<<20)
	if err != nil {
		f.Fatal(err)
	}
	all := appendFrame(nil, frameWelcome, nil)
	all = appendFrame(all, frameGoodbye, []byte(ErrRetired.Code))
	all = append(all, message...)
	all = appendRefusal(all, 4, 5, "why")
	all = appendCount(all, framePing, 6)
	all = appendPong(all, 7, time.Unix(8, 9))
	f.Add(all)
	f.Add(all[:len(all)-1])
	f.Add([]byte{frameMessage, 255, 255, 255, 255})
	f.Add([]byte{frameMessage, 0, 0, 0, 4, 7<<3 | 2, 0, 7<<3 | 2, 0})
	f.Add([]byte{frameMessage, 0, 0, 0, 2, 14<<3 | 2, 0})
	const limit = 1 << 16
	f.Fuzz(func(t *testing.T, data []byte) {
		in := newFrames(bytes.NewReader(data), limit)
		for {
			kind, body, err := in.next()
			if err != nil {
				if !errors.Is(err, errFrame) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatalf("another error: %v", err)
				}
				return
			}
			if len(body) > limit || kind != frameMessage && len(body) > smallFrame {
				t.Fatalf("kind %d of %d bytes", kind, len(body))
			}
			switch kind {
			case frameMessage:
				m, err := decodeMessage(body, 1, 2)
				if err != nil {
					if !errors.Is(err, errFrame) {
						t.Fatalf("another error: %v", err)
					}
					break
				}
				if m.GetFrom() != 1 || m.GetTo() != 2 || len(m.Entries) > mostEntries || m.Snapshot != nil || len(m.Responses) > 0 {
					t.Fatalf("let through: %v", m)
				}
				again, err := appendMessage(nil, m, limit<<4)
				if err != nil {
					t.Fatal(err)
				}
				if n, err := decodeMessage(again[frameHead:], 1, 2); err != nil || !proto.Equal(m, n) {
					t.Fatalf("another message after a round: %v", err)
				}
			case frameRefusal:
				if term, index, reason, err := decodeRefusal(body); err == nil && !bytes.Equal(appendRefusal(nil, term, index, reason)[frameHead:], body) {
					t.Fatal("another refusal after a round")
				}
			case framePing:
				if n, err := decodeCount(body); err == nil && !bytes.Equal(appendCount(nil, kind, n)[frameHead:], body) {
					t.Fatal("another ping after a round")
				}
			case framePong:
				if n, at, err := decodePong(body); err == nil && !bytes.Equal(appendPong(nil, n, at)[frameHead:], body) {
					t.Fatal("another pong after a round")
				}
			case frameGoodbye:
				if code, err := decodeGoodbye(body); err == nil && strings.ToUpper(string(code)) != string(code) {
					t.Fatalf("code %q", code)
				}
			}
		}
	})
}

func TestLongReasonIsCut(t *testing.T) {
	_, _, reason, err := decodeRefusal(appendRefusal(nil, 1, 2, strings.Repeat("x", 1000))[frameHead:])
	if err != nil || len(reason) != mostReason {
		t.Errorf("%d bytes, %v", len(reason), err)
	}
}

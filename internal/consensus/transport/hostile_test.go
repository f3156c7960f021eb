package transport

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// TestMalformedFramesEndTheConnection sends each from a node with a good
// certificate: the connection ends, the process and the others go on.
func TestMalformedFramesEndTheConnection(t *testing.T) {
	n := newNetwork(t)
	b, good := n.prepare(2), n.add(1)
	b.config.Limits.ControlFrame = 2000
	n.start(b)
	key := newKey(t)
	message := func(m *raftpb.Message) []byte {
		frame, err := appendMessage(nil, m, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		return frame
	}
	nested := vote(3, 2, 1)
	nested.Responses = []*raftpb.Message{vote(3, 2, 1)}
	snapshot := vote(3, 2, 1)
	snapshot.Snapshot = &raftpb.Snapshot{}
	untyped, _ := proto.Marshal(&raftpb.Message{From: new(uint64(3)), To: new(uint64(2))})
	for name, bytes := range map[string][]byte{
		"kind 0":               {0, 0, 0, 0, 0},
		"an unknown kind":      {9, 0, 0, 0, 0},
		"a welcome":            appendFrame(nil, frameWelcome, nil),
		"a pong":               appendPong(nil, 1, time.Unix(0, 0)),
		"a short ping":         appendFrame(nil, framePing, []byte{1, 2, 3}),
		"a short refusal":      appendFrame(nil, frameRefusal, make([]byte, 15)),
		"a refusal too long":   appendFrame(nil, frameRefusal, make([]byte, 17+mostReason)),
		"a goodbye of no code": appendFrame(nil, frameGoodbye, []byte("<b>")),
		"an empty message":     appendFrame(nil, frameMessage, nil),
		"no protobuf":          appendFrame(nil, frameMessage, []byte("no protobuf")),
		"no type":              appendFrame(nil, frameMessage, untyped),
		"too big":              binary.BigEndian.AppendUint32([]byte{frameMessage}, 2001),
		"far too big":          binary.BigEndian.AppendUint32([]byte{frameMessage}, 1<<32-1),
		"another's name":       message(vote(1, 2, 1)),
		"to another":           message(vote(3, 1, 1)),
		"nested messages":      message(nested),
		"a snapshot":           message(snapshot),
	} {
		t.Run(name, func(t *testing.T) {
			before := b.Totals().Malformed
			c := n.enter(b, key, 3, ProtocolRaft)
			c.Write(append(message(vote(3, 2, 42)), bytes...))
			ends(t, c, name)
			if after := b.Totals().Malformed; after != before+1 {
				t.Errorf("%d malformed frames, not one", after-before)
			}
			if m := await(t, b.messages, "what came before"); m.GetTerm() != 42 {
				t.Errorf("term %d", m.GetTerm())
			}
		})
	}
	good.Send([]*raftpb.Message{vote(1, 2, 43)})
	if m := await(t, b.messages, "a message of another node"); m.GetTerm() != 43 || len(b.messages) > 0 {
		t.Errorf("%v arrived, %d more", m, len(b.messages))
	}
}

// TestMemoryFollowsWhatCame claims 64 MiB and sends little.
func TestMemoryFollowsWhatCame(t *testing.T) {
	head := binary.BigEndian.AppendUint32([]byte{frameMessage}, 64<<20)
	for _, sent := range []int{0, 1000, growth, 3 * growth} {
		f := newFrames(io.MultiReader(bytes.NewReader(head), bytes.NewReader(make([]byte, sent))), 64<<20)
		if _, _, err := f.next(); err != io.ErrUnexpectedEOF {
			t.Errorf("%d bytes: %v", sent, err)
		}
		if cap(f.body) > max(2*growth, 3*sent) {
			t.Errorf("%d bytes take %d", sent, cap(f.body))
		}
	}
	// Two bytes of protobuf are an entry; as many as fit would take a hundred times as much.
	if err := scanMessage(bytes.Repeat([]byte{7<<3 | 2, 0}, mostEntries+1)); err == nil {
		t.Error("a message of too many entries passes")
	}
}

// TestHandshakesHaveADeadline holds connections open that say nothing, or
// nothing that makes sense.
func TestHandshakesHaveADeadline(t *testing.T) {
	n := newNetwork(t)
	b := n.prepare(2)
	b.config.Limits.Handshake = 50 * time.Millisecond
	n.start(b)
	address := b.config.Listener.Addr().String()
	for name, say := range map[string]func(net.Conn){
		"nothing":       func(net.Conn) {},
		"junk":          func(c net.Conn) { c.Write(bytes.Repeat([]byte("junk "), 1000)) },
		"HTTP":          func(c net.Conn) { io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n") },
		"a first byte":  func(c net.Conn) { c.Write([]byte{22}) },
		"a drip":        func(c net.Conn) { drip(c) },
		"a record head": func(c net.Conn) { c.Write([]byte{22, 3, 1, 255, 255}) },
	} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		say(c)
		ends(t, c, name)
		c.Close()
	}
	eventually(t, "all are counted", func() bool { return b.Totals().Refused == 6 })
	n.enter(b, newKey(t), 3, ProtocolRaft)
}

// drip sends a byte at a time of a record that never ends, until it is cut off.
func drip(c net.Conn) {
	c.Write([]byte{22, 3, 1, 63, 255, 1, 0, 63, 251})
	for {
		if _, err := c.Write([]byte{0}); err != nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func TestPlacesAreBounded(t *testing.T) {
	n := newNetwork(t)
	b := n.prepare(2)
	b.config.Limits = Limits{Handshakes: 4, Strangers: 1, PerNode: 1, PerAddress: 5, Handshake: guard}
	b.config.Streams = map[string]func(net.Conn, Identity){"coco-echo/1": func(c net.Conn, _ Identity) { io.Copy(c, c) }}
	n.start(b)
	address := b.config.Listener.Addr().String()

	t.Run("handshakes", func(t *testing.T) { // one address has half of them
		var silent []net.Conn
		for range 2 {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			silent = append(silent, c)
		}
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		ends(t, c, "one too many")
		if b.Totals().Crowded != 1 {
			t.Errorf("%+v", b.Totals())
		}
		for _, c := range append(silent, c) {
			c.Close()
		}
		eventually(t, "their places are free", func() bool { return b.Totals().Refused == 2 })
	})
	t.Run("strangers", func(t *testing.T) {
		own, err := SelfSigned(newKey(t), time.Now())
		certificateOf(t, own, err)
		dial := func() *JoinClient {
			j, err := DialJoin(t.Context(), address, n.service.pem, own)
			if err != nil {
				t.Fatal(err)
			}
			return j
		}
		do := func(j *JoinClient) error {
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://node/", nil)
			answer, err := j.Do(r)
			if err == nil {
				io.Copy(io.Discard, answer.Body) // so that the connection stays
				answer.Body.Close()
			}
			return err
		}
		first := dial()
		if err := do(first); err != nil {
			t.Error(err)
		}
		second := dial()
		if err := do(second); err == nil {
			t.Error("two strangers at once")
		}
		first.Close()
		second.Close()
		eventually(t, "the place is free", func() bool {
			j := dial()
			defer j.Close()
			return do(j) == nil
		})
	})
	t.Run("one node", func(t *testing.T) {
		key := newKey(t)
		first := n.enter(b, key, 3, "coco-echo/1")
		c, err := knock(t, address, &tls.Config{Certificates: []tls.Certificate{n.certify(key, 3)}, NextProtos: []string{"coco-echo/1"}})
		if err == nil {
			ends(t, c, "the second stream")
		}
		// A node's stream of Raft takes the place of the one it had.
		old := n.enter(b, key, 3, ProtocolRaft)
		now := n.enter(b, key, 3, ProtocolRaft)
		ends(t, old, "the old stream")
		now.Write(appendCount(nil, framePing, 5))
		if kind, body, err := newFrames(now, 0).next(); err != nil || kind != framePong || body[7] != 5 {
			t.Errorf("the new stream: %d %v %v", kind, body, err)
		}
		first.Close()
	})
}

func TestRequestsAreBounded(t *testing.T) {
	n := newNetwork(t)
	a, b := n.add(1), n.prepare(2)
	b.config.Limits = Limits{BodyBytes: 100, HeaderBytes: 4096}
	read := make(chan error, 1)
	b.config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		read <- err
	})
	n.start(b)
	for size, fits := range map[int]bool{100: true, 101: false} {
		answer, err := a.HTTP(2).Post("https://node/", "text/plain", strings.NewReader(strings.Repeat("x", size)))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if err := await(t, read, "the body is read"); (err == nil) != fits {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	r, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://node/", nil)
	r.Header.Set("X", strings.Repeat("x", 64<<10))
	answer, err := a.HTTP(2).Do(r)
	if err == nil {
		answer.Body.Close()
		if answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("a header of 64 KiB: %s", answer.Status)
		}
	}
}

// TestTooBigToSend drops a message that the other side would refuse, and only it.
func TestTooBigToSend(t *testing.T) {
	n := newNetwork(t)
	a, b := n.prepare(1), n.add(2)
	a.config.Limits.AppendFrame = 1000
	n.start(a)
	a.Send([]*raftpb.Message{appends(1, 2, 1, 1000), appends(1, 2, 2, 100)})
	if m := await(t, b.messages, "the small one"); m.GetIndex() != 2 {
		t.Errorf("index %d", m.GetIndex())
	}
	if id := await(t, a.lost, "Raft is told"); id != 2 || status(a, 2).Dropped != 1 {
		t.Errorf("node %d, %+v", id, status(a, 2))
	}
}

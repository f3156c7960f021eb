package transport

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

func TestMessagesArrive(t *testing.T) {
	n := newNetwork(t)
	a, b := n.add(1), n.add(2)
	sent := []*raftpb.Message{vote(1, 2, 7), appends(1, 2, 10, 300_000)}
	a.Send(sent)
	for range sent {
		m := await(t, b.messages, "a message")
		want := sent[0]
		if m.GetType() == raftpb.MsgApp {
			want = sent[1]
		}
		if !proto.Equal(m, want) {
			t.Errorf("%v arrived for %v", m.GetType(), want.GetType())
		}
	}
	b.Send([]*raftpb.Message{vote(2, 1, 8)})
	if m := await(t, a.messages, "an answer"); m.GetTerm() != 8 {
		t.Errorf("term %d arrived", m.GetTerm())
	}
	eventually(t, "a round trip is measured", func() bool { return status(a, 2).RTT > 0 })
	s := status(a, 2)
	if !s.Connected || !s.Appending || s.Sent != 2 || s.Received != 1 || s.SentBytes < 300_000 || s.LastHeard.IsZero() || s.Address == "" || s.Failure != "" {
		t.Errorf("status %+v", s)
	}
}

func TestAppendsStayInOrder(t *testing.T) {
	n := newNetwork(t)
	a, b := n.add(1), n.add(2)
	const count = 500
	for i := range uint64(count) {
		m := appends(1, 2, i, int(i%7)*5000)
		if i%3 == 0 {
			m.Entries = nil // carries the commit index
		}
		a.Send([]*raftpb.Message{m})
	}
	for i := range uint64(count) {
		if m := await(t, b.messages, "an append"); m.GetIndex() != i {
			t.Fatalf("append %d arrived as the %dth", m.GetIndex(), i)
		}
	}
}

func TestStreamsAndHTTP(t *testing.T) {
	n := newNetwork(t)
	b := n.prepare(2)
	b.config.Streams = map[string]func(net.Conn, Identity){"coco-echo/1": func(c net.Conn, who Identity) {
		c.Write([]byte{byte(who.RaftID)})
		io.Copy(c, c)
	}}
	seen := make(chan Identity, 8)
	b.config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _ := IdentityOf(r)
		seen <- who
		io.Copy(w, r.Body)
	})
	n.start(b)
	a := n.add(1)

	c, err := a.Dial(t.Context(), 2, "coco-echo/1")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Write([]byte("word"))
	got := make([]byte, 5)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "\x01word" {
		t.Errorf("%q, %v", got, err)
	}
	for range 2 {
		answer, err := a.HTTP(2).Post("http://anything/path", "text/plain", bytes.NewReader([]byte("question")))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if string(body) != "question" {
			t.Errorf("answer %q", body)
		}
	}
	first, second := await(t, seen, "a request"), await(t, seen, "a request")
	if first.RaftID != 1 || first.Key != keyHash(t, a.key) || first != second {
		t.Errorf("requests of %v and %v", first, second)
	}
}

func TestJoinerKnowsItsSession(t *testing.T) {
	n := newNetwork(t)
	b := n.prepare(2)
	seen := make(chan Identity, 8)
	b.config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _ := IdentityOf(r)
		seen <- who
	})
	n.start(b)
	key := newKey(t)
	own, err := SelfSigned(key, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	j, err := DialJoin(t.Context(), b.config.Listener.Addr().String(), n.service.pem, own)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	want := Identity{Key: keyHash(t, key), Session: j.Session()}
	if j.Session() == [32]byte{} || j.Server().RaftID != 2 || j.Server().Key != keyHash(t, b.key) {
		t.Errorf("server %v", j.Server())
	}
	for range 2 {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://node/join", nil)
		answer, err := j.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if who := await(t, seen, "a request"); who != want {
			t.Errorf("request of %v, not %v", who, want)
		}
	}
	b.end(t)
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://node/join", nil)
	if answer, err := j.Do(r); err == nil {
		answer.Body.Close()
		t.Error("a request went over another connection")
	}
}

// TestSkew has a node whose clock is ten minutes ahead.
func TestSkew(t *testing.T) {
	n := newNetwork(t)
	b := n.prepare(2)
	b.config.Clock = func() time.Time { return time.Now().Add(10 * time.Minute) }
	a := n.add(1)
	n.start(b)
	a.Send([]*raftpb.Message{vote(1, 2, 7)})
	b.Send([]*raftpb.Message{vote(2, 1, 7)})
	near := func(skew, want time.Duration) bool { return (skew - want).Abs() < 5*time.Minute }
	eventually(t, "the one behind sees it", func() bool { return near(status(a, 2).Skew, 10*time.Minute) })
	eventually(t, "the one ahead sees it", func() bool { return near(status(b, 1).Skew, -10*time.Minute) })
}

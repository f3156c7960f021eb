package transport

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
)

// TestSlowPeerStallsNobody sends as much to one that accepts and never reads as
// to a good one: all of the good one's arrive, the other's are dropped, and what
// waits for it stays within its bounds.
func TestSlowPeerStallsNobody(t *testing.T) {
	n := newNetwork(t)
	stop := make(chan struct{})
	defer close(stop)
	accepted := make(chan struct{}, 64)
	n.rogue(2, func(*tls.Conn) { accepted <- struct{}{}; <-stop })
	a, good := n.prepare(1), n.add(3)
	a.config.Limits = Limits{AppendMessages: 20, AppendBytes: 2 << 20, ControlMessages: 20, Idle: time.Hour, Write: time.Hour}
	n.start(a)
	a.Send([]*raftpb.Message{vote(1, 2, 1), appends(1, 2, 0, 1)})
	await(t, accepted, "the slow peer accepts")
	await(t, accepted, "its other stream")
	const count = 120
	for i := range uint64(count) {
		a.Send([]*raftpb.Message{appends(1, 2, i, 256<<10), vote(1, 2, i), appends(1, 3, i, 256<<10), vote(1, 3, i)})
		var got [2]*raftpb.Message // in any order: two streams
		for range got {
			m := await(t, good.messages, "a message to the good peer")
			if m.GetIndex() != i && m.GetTerm() != i {
				t.Fatalf("%v of %d and %d at %d", m.GetType(), m.GetIndex(), m.GetTerm(), i)
			}
		}
		if s := status(a, 2); s.Queued > 40 || s.QueuedBytes > 3<<20 {
			t.Fatalf("%d messages of %d bytes wait", s.Queued, s.QueuedBytes)
		}
	}
	if s := status(a, 2); s.Dropped < count/4 {
		t.Errorf("of the slow peer's messages %d were dropped", s.Dropped)
	}
	if s := status(a, 3); s.Dropped != 0 {
		t.Errorf("of the good peer's messages %d were dropped", s.Dropped)
	}
	if id := await(t, a.lost, "Raft is told"); id != 2 {
		t.Errorf("node %d is said to be unreachable", id)
	}
}

// TestSlowPeerIsGivenUp ends a connection on which a write makes no progress.
func TestSlowPeerIsGivenUp(t *testing.T) {
	n := newNetwork(t)
	stop := make(chan struct{})
	defer close(stop)
	accepted := make(chan struct{}, 1<<10)
	n.rogue(2, func(*tls.Conn) { accepted <- struct{}{}; <-stop })
	a := n.prepare(1)
	a.config.Limits = Limits{Write: 50 * time.Millisecond, MostBackoff: time.Millisecond, Idle: time.Hour}
	n.start(a)
	eventually(t, "connections after the ones that stood still", func() bool {
		a.Send([]*raftpb.Message{appends(1, 2, 1, 1<<20)})
		return len(accepted) > 3
	})
	if id := await(t, a.lost, "Raft is told"); id != 2 {
		t.Errorf("node %d is said to be unreachable", id)
	}
}

// TestSilentPeerIsGivenUp ends a connection over which no answer comes.
func TestSilentPeerIsGivenUp(t *testing.T) {
	n := newNetwork(t)
	accepted := make(chan struct{}, 1<<10)
	n.rogue(2, func(c *tls.Conn) { accepted <- struct{}{}; io.Copy(io.Discard, c) })
	a := n.prepare(1)
	a.config.Limits = Limits{Idle: 30 * time.Millisecond, Ping: 5 * time.Millisecond, MostBackoff: time.Millisecond}
	n.start(a)
	a.Refresh(2)
	for range 6 {
		await(t, accepted, "a connection after the silent one")
	}
	if s := status(a, 2); s.RTT != 0 || !s.LastHeard.IsZero() {
		t.Errorf("it was heard: %+v", s)
	}
	eventually(t, "the failure is told", func() bool { return status(a, 2).Failure != "" })
}

// TestSilentNodeIsGivenUp ends an incoming stream of which nothing comes.
func TestSilentNodeIsGivenUp(t *testing.T) {
	n := newNetwork(t)
	b := n.prepare(2)
	b.config.Limits = Limits{Idle: 30 * time.Millisecond}
	n.start(b)
	ends(t, n.enter(b, newKey(t), 3, ProtocolRaft), "a silent node")
}

// TestNoAnswerFromAddress covers a peer whose address takes connections and says
// nothing, and one where nobody listens.
func TestNoAnswerFromAddress(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	n := newNetwork(t)
	a, good := n.prepare(1), n.add(4)
	a.config.Limits = Limits{Handshake: 30 * time.Millisecond, MostBackoff: time.Millisecond}
	n.start(a)
	n.set(2, func(p *Peer) { p.Address = mute.Addr().String() })
	n.set(3, func(p *Peer) { p.Address = gone.Addr().String() })
	a.Send([]*raftpb.Message{appends(1, 2, 1, 10), appends(1, 3, 1, 10)})
	told := map[uint64]bool{}
	for len(told) < 2 {
		told[await(t, a.lost, "Raft is told")] = true
	}
	passes(t, a, good, 1)
	for _, id := range []uint64{2, 3} {
		eventually(t, "the status says so", func() bool {
			s := status(a, id)
			return s.Failure != "" && !s.Connected && s.Dropped == 1 && s.Queued == 0
		})
	}
}

// TestCloseLeavesNothing closes in the midst of everything; TestMain looks for
// goroutines that stay.
func TestCloseLeavesNothing(t *testing.T) {
	n := newNetwork(t)
	busy := make(chan struct{}, 2)
	b := n.prepare(2)
	b.config.Streams = map[string]func(net.Conn, Identity){"coco-echo/1": func(c net.Conn, _ Identity) {
		busy <- struct{}{}
		io.Copy(io.Discard, c)
	}}
	b.config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		busy <- struct{}{}
		<-r.Context().Done()
	})
	n.start(b)
	a := n.add(1)
	if _, err := a.Dial(t.Context(), 2, "coco-echo/1"); err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{})
	go func() {
		answer, err := a.HTTP(2).Get("https://node/")
		if err == nil {
			answer.Body.Close()
		}
		close(asked)
	}()
	await(t, busy, "the stream's handler")
	await(t, busy, "the request's handler")
	half, err := net.Dial("tcp", b.config.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	sending := make(chan struct{})
	go func() {
		defer close(sending)
		for i := range uint64(2000) {
			a.Send([]*raftpb.Message{appends(1, 2, i, 10_000)})
			b.Send([]*raftpb.Message{vote(2, 1, i)})
		}
	}()
	await(t, b.messages, "a message")
	b.end(t)
	a.end(t)
	await(t, asked, "the request ends")
	await(t, sending, "sending ends")
	if _, err := a.Dial(t.Context(), 2, "coco-echo/1"); err == nil {
		t.Error("a closed transport dials")
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

// TestSlowPeerKeepsItsStream sends entries to one that takes them slowly but
// steadily, so that all that waits for it, and the answer to a ping behind that,
// takes longer than a stream may be idle.
func TestSlowPeerKeepsItsStream(t *testing.T) {
	const idle, count = 800 * time.Millisecond, 256
	n := newNetwork(t)
	b := n.prepare(2)
	got := make(chan uint64, count)
	b.config.Deliver = func(m *raftpb.Message) {
		if m.GetType() == raftpb.MsgApp {
			time.Sleep(idle / 160) // how slow it is, not how long the test waits
			got <- m.GetIndex()
		}
	}
	n.start(b)
	a := n.prepare(1)
	a.config.Limits = Limits{Idle: idle, Ping: idle / 10, Write: guard, AppendBytes: 1 << 30}
	n.start(a)
	for i := range uint64(count) {
		a.Send([]*raftpb.Message{appends(1, 2, i, 256<<10)})
	}
	for i := range uint64(count) {
		if index := await(t, got, "a message"); index != i {
			t.Fatalf("message %d comes after %d: %+v", index, i, status(a, 2))
		}
	}
	if s := status(a, 2); s.Dropped != 0 || len(a.lost) != 0 {
		t.Fatalf("the stream was cut: %+v", s)
	}
}

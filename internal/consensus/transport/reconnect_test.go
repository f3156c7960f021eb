package transport

import (
	"io"
	"net"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
)

// passes sends until a message of the term arrives.
func passes(t *testing.T, from, to *node, term uint64) {
	t.Helper()
	eventually(t, "a message arrives", func() bool {
		from.Send([]*raftpb.Message{vote(from.config.ID, to.config.ID, term)})
		for {
			select {
			case m := <-to.messages:
				if m.GetTerm() == term {
					return true
				}
			case <-time.After(10 * time.Millisecond):
				return false
			}
		}
	})
}

func TestConnectionsAreMadeAgain(t *testing.T) {
	n := newNetwork(t)
	a, b := n.prepare(1), n.add(2)
	a.config.Limits = Limits{Ping: 5 * time.Millisecond, Idle: 50 * time.Millisecond, MostBackoff: 20 * time.Millisecond, Handshake: 50 * time.Millisecond}
	n.start(a)
	front := newProxy(t, b.config.Listener.Addr().String())
	n.set(2, func(p *Peer) { p.Address = front.address() })
	for i := range uint64(10) {
		passes(t, a, b, i)
		front.Cut()
	}
	passes(t, a, b, 100)
	made := front.count()
	front.freeze(true)
	eventually(t, "silence is noticed", func() bool { return !status(a, 2).Connected })
	front.freeze(false)
	passes(t, a, b, 101)
	if front.count() <= made {
		t.Error("the frozen connection is used again")
	}
	a.Send([]*raftpb.Message{appends(1, 2, 1, 10)})
	eventually(t, "the other stream", func() bool { return status(a, 2).Appending })
	for len(a.lost) > 0 {
		<-a.lost
	}
	front.Cut()
	if id := await(t, a.lost, "Raft is told of lost appends"); id != 2 {
		t.Errorf("node %d", id)
	}
}

// TestRefreshFollowsTheTable changes an address, and takes a node away.
func TestRefreshFollowsTheTable(t *testing.T) {
	n := newNetwork(t)
	a, b := n.add(1), n.prepare(2)
	b.config.Streams = map[string]func(net.Conn, Identity){"coco-echo/1": func(c net.Conn, _ Identity) { io.Copy(c, c) }}
	n.start(b)
	first, second := newProxy(t, b.config.Listener.Addr().String()), newProxy(t, b.config.Listener.Addr().String())
	n.set(2, func(p *Peer) { p.Address = first.address() })
	a.Refresh(2)
	eventually(t, "both streams stand without a message", func() bool { s := status(a, 2); return s.Connected && s.Appending })
	stream, err := a.Dial(t.Context(), 2, "coco-echo/1")
	if err != nil {
		t.Fatal(err)
	}
	passes(t, a, b, 1)
	a.Refresh(2) // nothing changed
	if _, err := stream.Write([]byte("x")); err != nil || first.count() != 3 {
		t.Errorf("%v, %d connections", err, first.count())
	}
	n.set(2, func(p *Peer) { p.Address = second.address() })
	ends(t, stream, "a stream to the old address") // though nobody said that it changed
	passes(t, a, b, 2)
	eventually(t, "both go to the new address", func() bool { return second.count() == 2 && first.count() == 3 })

	n.mu.Lock()
	delete(n.table, 2)
	n.mu.Unlock()
	a.Refresh()
	a.Send([]*raftpb.Message{vote(1, 2, 3)})
	if a.Totals().Unknown != 1 {
		t.Error("a node that is unknown now is sent to")
	}
	if len(a.Status()) != 0 {
		t.Errorf("status %+v", a.Status())
	}
}

// TestNodeThatComesBackIsReachedAtOnce has a node wait an hour between attempts:
// that the other one connects to it shows that it is there.
func TestNodeThatComesBackIsReachedAtOnce(t *testing.T) {
	n := newNetwork(t)
	a, b := n.prepare(1), n.prepare(2)
	a.config.Limits = Limits{Backoff: time.Hour, MostBackoff: time.Hour}
	n.start(a)
	table, _ := n.peers(2)
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	n.set(2, func(p *Peer) { p.Address = gone.Addr().String() })
	a.Refresh(2)
	eventually(t, "it is not reached", func() bool { return status(a, 2).Failure != "" })
	n.set(2, func(p *Peer) { *p = table })
	n.start(b)
	b.Send([]*raftpb.Message{vote(2, 1, 1)})
	eventually(t, "it is reached", func() bool { s := status(a, 2); return s.Connected && s.Failure == "" })
}

package transport

import (
	"errors"
	"io"
	"net"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
)

func TestIsolationOneWay(t *testing.T) {
	for name, in := range map[string]bool{"in": true, "out": false} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t)
			a, b, c := n.add(1), n.add(2), n.add(3)
			passes(t, a, b, 1)
			passes(t, b, a, 1)
			eventually(t, "nothing is on its way", func() bool {
				return status(a, 2).Sent == status(b, 1).Received && status(b, 1).Sent == status(a, 2).Received
			})
			a.IsolateFrom([]uint64{2}, in, !in)
			from, to := a, b // the way that is cut
			if in {
				from, to = b, a
			}
			passes(t, to, from, 2)
			before := status(from, to.config.ID).Sent
			from.Send([]*raftpb.Message{vote(from.config.ID, to.config.ID, 3), appends(from.config.ID, to.config.ID, 3, 10)})
			eventually(t, "both are held back", func() bool { return status(a, 2).Cut == 2 })
			if in {
				eventually(t, "the sender does not know", func() bool { return status(b, 1).Sent == before+2 })
			}
			if s := status(a, 2); s.IsolatedIn != in || s.IsolatedOut == in {
				t.Errorf("status %+v", s)
			}
			passes(t, a, c, 4)
			passes(t, c, a, 4)
			a.Heal()
			from.Send([]*raftpb.Message{vote(from.config.ID, to.config.ID, 5)})
			for term := uint64(0); term != 5; {
				m := await(t, to.messages, "a message after it healed")
				if term = m.GetTerm(); term == 3 || m.GetType() == raftpb.MsgApp {
					t.Errorf("%v of term %d", m.GetType(), term)
				}
			}
		})
	}
}

func TestIsolation(t *testing.T) {
	n := newNetwork(t)
	echo := map[string]func(net.Conn, Identity){"coco-echo/1": func(c net.Conn, _ Identity) { io.Copy(c, c) }}
	a, b, c := n.prepare(1), n.prepare(2), n.add(3)
	for _, x := range []*node{a, b} {
		x.config.Streams = echo
		n.start(x)
	}
	for _, x := range []*node{a, b} {
		x.Refresh(1, 2)
	}
	both := func() bool { return status(a, 2).Connected && status(b, 1).Connected }
	eventually(t, "they are connected", both)
	stream, err := b.Dial(t.Context(), 1, "coco-echo/1")
	if err != nil {
		t.Fatal(err)
	}
	a.Isolate(2)
	ends(t, stream, "a stream of an isolated node")
	eventually(t, "they are not connected", func() bool { return !status(a, 2).Connected && !status(b, 1).Connected })
	if _, err := a.Dial(t.Context(), 2, "coco-echo/1"); !errors.Is(err, ErrIsolated) {
		t.Error(err)
	}
	if c, err := b.Dial(t.Context(), 1, "coco-echo/1"); err == nil {
		c.Close()
		t.Error("an isolated node is let in")
	}
	if answer, err := b.HTTP(1).Get("https://node/"); err == nil {
		answer.Body.Close()
		t.Error("an isolated node is answered")
	}
	passes(t, a, c, 1)
	a.Heal()
	eventually(t, "they are connected again", both)
	passes(t, a, b, 2)
	passes(t, b, a, 2)
	if _, err := a.Dial(t.Context(), 2, "coco-echo/1"); err != nil {
		t.Error(err)
	}
}

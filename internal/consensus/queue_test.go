package consensus

import (
	"log/slog"
	"testing"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// TestSmallMessagesPassBulk: what waits with entries does not hold up heartbeats.
func TestSmallMessagesPassBulk(t *testing.T) {
	b := newInbox()
	bulk := func(size int) *raftpb.Message {
		return &raftpb.Message{Type: raftpb.MsgApp.Enum(), Entries: []*raftpb.Entry{{Data: make([]byte, size)}}}
	}
	for i := range maxBulk {
		if !b.put(bulk(10)) {
			t.Fatalf("message %d is refused", i)
		}
	}
	if b.put(bulk(10)) {
		t.Fatal("more messages with entries than may wait")
	}
	if !b.put(&raftpb.Message{Type: raftpb.MsgHeartbeat.Enum()}) {
		t.Fatal("no room for a heartbeat")
	}
	if got := b.take(); len(got) != 2 || got[0].GetType() != raftpb.MsgHeartbeat || got[1].GetType() != raftpb.MsgApp {
		t.Fatalf("%d messages", len(got))
	}
	for range maxBulk - 1 {
		<-b.wake
		if got := b.take(); len(got) != 1 {
			t.Fatalf("%d messages", len(got))
		}
	}
	if len(b.take()) != 0 || len(b.from) != 0 {
		t.Fatalf("%v is left", b.from)
	}
	if !b.put(bulk(maxBulkBytes+1)) || b.put(bulk(1)) {
		t.Fatal("one message of any size, and then no other")
	}
	for range maxSmall {
		b.put(&raftpb.Message{})
	}
	if b.put(&raftpb.Message{}) {
		t.Fatal("more small messages than may wait")
	}
}

// TestFloodOfOneNode: a node that sends more than may wait displaces no other.
func TestFloodOfOneNode(t *testing.T) {
	b := newInbox()
	from := func(id uint64, kind raftpb.MessageType) *raftpb.Message {
		return &raftpb.Message{Type: kind.Enum(), From: new(id)}
	}
	for range 2 * max(maxSmall, maxBulk) {
		b.put(from(2, raftpb.MsgApp))
		b.put(from(2, raftpb.MsgHeartbeatResp))
	}
	if !b.put(from(3, raftpb.MsgApp)) || !b.put(from(3, raftpb.MsgHeartbeat)) {
		t.Fatal("no room for another node's messages")
	}
	if b.put(from(2, raftpb.MsgApp)) || b.put(from(2, raftpb.MsgHeartbeatResp)) {
		t.Fatal("one node has more waiting than it may")
	}
}

// TestFullQueuesTakeNoEntries: behind a disk or an application that does not
// keep up a node takes no more entries, but hears its leader.
func TestFullQueuesTakeNoEntries(t *testing.T) {
	s := newService(t)
	p := s.start(1, s.voters(3).log(), nil)
	block := &raftpb.Message{Type: raftpb.MsgApp.Enum(), Entries: []*raftpb.Entry{{Data: []byte("x")}}}
	beat := &raftpb.Message{Type: raftpb.MsgHeartbeat.Enum()}
	body := make([]byte, 1<<20)
	for _, fill := range []func(*Loop){
		func(l *Loop) {
			for range 65 {
				l.writes.put([]*Append{{Entries: []format.Entry{{Body: body}}}})
			}
		},
		func(l *Loop) {
			for range 65 {
				l.commits.put([]format.Entry{{Body: body}})
			}
		},
	} {
		l := NewLoop(p.Driver, p.log, nil, nil, slog.New(slog.DiscardHandler))
		l.Deliver(block)
		if n := len(l.inbox.take()); n != 1 {
			t.Fatalf("%d messages with room", n)
		}
		fill(l)
		l.Deliver(block)
		l.Deliver(beat)
		if got := l.inbox.take(); len(got) != 1 || got[0] != beat {
			t.Fatalf("%d messages without room", len(got))
		}
		l.writes.close()
		l.writes.take()
		l.commits.close()
		l.commits.take()
		l.Deliver(block)
		if n := len(l.inbox.take()); n != 1 {
			t.Fatalf("%d messages with room again", n)
		}
	}
}

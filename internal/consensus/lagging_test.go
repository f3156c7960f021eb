package consensus

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
)

// TestLaggingNodeGetsWholeMessages: what is sent to a node that lags is not
// touched by what is committed and forgotten in the same turn of the loop.
func TestLaggingNodeGetsWholeMessages(t *testing.T) {
	s := newService(t)
	c := newCluster(t, s)
	all := s.voters(3).log()
	for id := uint64(1); id <= 3; id++ {
		c.add(id, &memory{entries: slices.Clone(all.entries), first: 1}, nil)
	}
	c.peers[1].Campaign()
	c.after(1)
	c.settle()
	lags := false
	c.kept = func(m *raftpb.Message) bool {
		return lags && (m.GetTo() == 3 && m.GetType() == raftpb.MsgApp || m.GetFrom() == 2 && m.GetType() == raftpb.MsgAppResp)
	}
	p, body, checked := c.peers[1], strings.Repeat("x", 40<<10), 0
	for i := range 260 {
		lags = i > 100
		c.propose(1, transaction(fmt.Sprint(i)+body))
		c.settle()
		if !lags {
			continue
		}
		p.Unreachable(3) // it is probed, from the entries in memory
		_ = p.Step(&raftpb.Message{Type: raftpb.MsgHeartbeatResp.Enum(), From: new(uint64(3)), To: new(uint64(1)), Term: new(p.leading)})
		for _, l := range c.keeping {
			if l.from == 2 { // this commits, and forgets what is oldest
				_ = p.Step(l.m)
			}
		}
		c.keeping = nil
		for _, m := range p.collect() {
			if slices.Contains(m.Entries, nil) {
				t.Fatalf("block %d: %v to %d has an entry that was forgotten", i, m.GetType(), m.GetTo())
			}
			checked += len(m.Entries)
			if m.GetTo() == 2 {
				c.wire = append(c.wire, letter{from: 1, to: 2, m: m})
			}
		}
		c.settle()
	}
	if checked == 0 {
		t.Fatal("no message had entries")
	}
}

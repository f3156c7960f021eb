package consensus

import (
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// TestTimeOfTheLedgerIsAhead begins a network of one under a clock that is an hour
// ahead. When the clock is right again the ledger's time stands still, since it
// never runs back, and others join all the same; a block that is later still is
// refused.
func TestTimeOfTheLedgerIsAhead(t *testing.T) {
	s := newService(t)
	c := newCluster(t, s)
	p := c.add(1, s.voters(1).log(), nil)
	if err := p.Campaign(); err != nil {
		t.Fatal(err)
	}
	c.after(1)
	c.settle()
	s.now = s.now.Add(time.Hour)
	c.propose(1)
	c.settle()
	s.now = s.now.Add(-time.Hour)
	c.add(2, s.voters(1).log(), nil)
	for _, status := range []format.NodeStatus{format.NodeLearner, format.NodeVoter} {
		if !c.propose(1, s.membership(p.line.Committed().Identity.Nodes, status, 2)) {
			t.Fatalf("node 2 does not become a %v", status)
		}
		c.run(30)
	}
	before := c.highest
	if !c.propose(1) {
		t.Fatal("node 1 seals no more")
	}
	c.run(5)
	if c.highest != before+1 || c.peers[2].refused != 0 {
		t.Fatal("a block with the ledger's time is not committed")
	}
	s.now = s.now.Add(time.Hour + 11*time.Second)
	c.propose(1)
	s.now = s.now.Add(-time.Hour - 11*time.Second)
	c.settle()
	if c.highest != before+1 || c.peers[2].refused == 0 {
		t.Fatal("a block from the future is committed")
	}
}

// TestRefusedBlockBlocksNobody lets a primary whose clock is ahead seal a block
// while one of three voters is gone: the other refuses it, so that nothing can be
// committed. Once the clock is right, the network goes on all the same.
func TestRefusedBlockBlocksNobody(t *testing.T) {
	s := newService(t)
	c, old := newCluster(t, s), s.voters(3)
	for id := uint64(1); id <= 3; id++ {
		c.add(id, old.log(), nil)
	}
	if err := c.peers[1].Campaign(); err != nil {
		t.Fatal(err)
	}
	c.after(1)
	c.settle()
	c.crash(3)
	c.clockOf(1, 15*time.Minute)
	c.propose(1)
	c.settle()
	c.clockOf(1, 0)
	before := c.highest
	c.run(60)
	if c.highest == before || c.peers[2].refused == 0 {
		t.Fatalf("nothing is committed behind %d; node 2 refused %d messages", before, c.peers[2].refused)
	}
	if l := c.leader(); !c.propose(l.id) {
		t.Fatal("nobody seals")
	}
	c.run(10)
	if last := c.leader().last().Index; c.highest != last {
		t.Fatalf("committed is %d, the log ends at %d", c.highest, last)
	}
}

// TestCommittedPassesTheFuture lets a primary that is alone make another node a
// voter, which that node does not hear, and then seal a block under a clock that is
// ahead. All of it comes in one message: what is committed is taken, the block is
// not.
func TestCommittedPassesTheFuture(t *testing.T) {
	s := newService(t)
	c := newCluster(t, s)
	p := c.add(1, s.voters(1).log(), nil)
	if err := p.Campaign(); err != nil {
		t.Fatal(err)
	}
	c.after(1)
	c.settle()
	c.add(2, s.voters(1).log(), nil)
	c.propose(1, s.membership(p.line.Committed().Identity.Nodes, format.NodeLearner, 2))
	c.run(30)
	c.cut[[2]uint64{1, 2}] = true
	known := c.peers[2].last().Index
	c.propose(1, s.membership(p.line.Committed().Identity.Nodes, format.NodeVoter, 2))
	c.settle()
	committed := c.highest
	c.clockOf(1, 15*time.Minute)
	if !c.propose(1) {
		t.Fatal("node 1 does not seal")
	}
	c.settle()
	c.clockOf(1, 0)
	if committed == known || c.highest != committed {
		t.Fatalf("%d is committed, %d was before the last block, node 2 has %d", c.highest, committed, known)
	}
	delete(c.cut, [2]uint64{1, 2})
	for range 10 {
		c.tick(1)
		c.settle()
	}
	if last, block := c.peers[2].last().Index, p.last().Index; last < committed || last >= block {
		t.Fatalf("node 2 has entries up to %d, %d is committed, %d is the block from the future", last, committed, block)
	}
}

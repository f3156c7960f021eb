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

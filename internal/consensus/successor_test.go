package consensus

import "testing"

// TestSuccessorAfterACheckOfTheQuorum hands leadership over at the moment at which
// Raft has just forgotten who is alive.
func TestSuccessorAfterACheckOfTheQuorum(t *testing.T) {
	s := newService(t)
	old := s.voters(3)
	c := newCluster(t, s)
	for id := uint64(1); id <= 3; id++ {
		c.add(id, old.log(), nil)
	}
	if err := c.peers[1].Campaign(); err != nil {
		t.Fatal(err)
	}
	c.after(1)
	c.settle()
	leader := c.leader()
	if leader == nil {
		t.Fatal("nobody leads")
	}
	forgotten := func() bool {
		for _, p := range leader.progress() {
			if p.RecentActive {
				return false
			}
		}
		return true
	}
	for ticks := 0; !forgotten(); ticks++ {
		if ticks > 1000 {
			t.Fatal("Raft does not check its quorum")
		}
		leader.Tick()
	}
	if leader.successor() == 0 || leader.Resign() == nil {
		t.Error("there is nobody to hand leadership to, although all answered")
	}
	if err := leader.Transfer(0); err != nil {
		t.Error(err)
	}
}

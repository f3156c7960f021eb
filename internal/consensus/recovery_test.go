package consensus

import (
	"crypto/ed25519"
	"testing"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
)

// recovery is the record by which a node continues a network none of whose nodes
// is left.
func (s *service) recovery(line *lineage.Lineage, at Position, id uint64) *envelope.Draft {
	node, b := s.author(id).node, s.bundle
	r := &format.Recovery{Count: line.Identity.Recoveries + 1, Height: line.Head.Height, Header: line.Head.Hash, Prefix: at.Prefix,
		Root: line.Head.Tree.Root(), Route: format.RouteSealing, Node: node, Address: "node:1", Secrets: line.Identity.Secrets}
	binding := attest.RecoveryBinding{OldHead: line.Head.Hash, GenesisBinding: attest.GenesisBinding{Service: b.Service.ID, Mode: b.Service.Mode,
		ServiceKey: keys.SPKI(&b.ServiceKey.PublicKey), NodeKey: node.Key, NodeHPKEKey: node.HPKEKey, CheckpointKey: b.Checkpoint.Public().(ed25519.PublicKey)}}
	r.Evidence = s.evidence(binding.ReportData())
	return &envelope.Draft{Kind: format.KindRecovery, Public: append([]format.Write{
		{Table: format.TableService, Key: []byte(format.KeyRecovery), Value: format.Encode(r)}}, lineage.RecoveryNodes(line.Identity.Nodes, r)...)}
}

// TestRecoveryReachesOldLogs recovers a network of three as node 4. Node 5 begins
// on a ledger that ends before the recovery: it learns of it through Raft, and
// must not count the three voters that it knew of.
func TestRecoveryReachesOldLogs(t *testing.T) {
	s := newService(t)
	old := s.voters(3)
	line, at, err := s.follow(old.entries)
	if err != nil {
		t.Fatal(err)
	}
	c := newCluster(t, s)
	first := c.add(4, old.log(), func(start *Start, _ *Options) { start.Recovers, start.Term = true, at.Term+1 })
	if err := first.Campaign(); err != nil {
		t.Fatal(err)
	}
	c.after(4)
	c.settle()
	if !c.propose(4, s.recovery(line, at, 4)) {
		t.Fatal("the recovery is not sealed")
	}
	c.settle()
	c.add(5, old.log(), nil)
	for _, status := range []format.NodeStatus{format.NodeLearner, format.NodeVoter} {
		if !c.propose(4, s.membership(first.line.Committed().Identity.Nodes, status, 5)) {
			t.Fatalf("node 5 does not become a %v", status)
		}
		c.run(30)
	}
	want := lineage.Config{Voters: []uint64{4, 5}}
	for _, id := range c.ids() {
		if got := c.peers[id].Status().Config; !got.Equal(want) {
			t.Errorf("node %d has configuration %+v, want %+v", id, got, want)
		}
	}
	// Node 5 can lead with the vote of node 4, and of nobody else.
	if err := first.Transfer(5); err != nil {
		t.Fatal(err)
	}
	c.after(4)
	c.run(5)
	if l := c.leader(); l == nil || l.id != 5 {
		t.Fatalf("leadership did not go to node 5")
	}
}

package lineage

import (
	"time"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/proof"
)

// introduce takes what a genesis or recovery record states: who the service is
// and which node alone continues it.
func (l *Lineage) introduce(r *public, h *format.Header, d depth) error {
	var nodes []format.Write
	var node *format.Node
	if r.kind == format.KindGenesis {
		var g format.Genesis
		if err := format.Decode(r.document, &g); err != nil {
			return wrong(h, "%v", err)
		}
		if err := l.found(&g, *r.level, h, d); err != nil {
			return err
		}
		node, nodes = &g.Node, GenesisNodes(&g)
	} else {
		var rec format.Recovery
		if err := format.Decode(r.document, &rec); err != nil {
			return wrong(h, "%v", err)
		}
		if err := l.recover(&rec, h, d); err != nil {
			return err
		}
		node, nodes = &rec.Node, RecoveryNodes(l.Identity.Nodes, &rec)
	}
	if string(format.Encode(nodes)) != string(format.Encode(r.nodes)) {
		return wrong(h, "it does not write the table of nodes as its document asks")
	}
	changed, err := ReadNodes(nodes)
	if err != nil {
		return wrong(h, "%v", err)
	}
	l.Identity.Nodes = l.Identity.Nodes.With(changed...)
	l.Identity.Changed = r.tx
	l.Identity.Config = Alone(node.RaftID)
	return nil
}

func (l *Lineage) found(g *format.Genesis, level uint64, h *format.Header, d depth) error {
	service, err := proof.ParseKey(g.ServiceKey)
	if err != nil {
		return wrong(h, "%v", err)
	}
	subject := proof.Subject{Service: g.Service, Mode: g.Mode, Purpose: proof.PurposeCheckpoint, Key: g.Checkpoint}
	if err := proof.VerifyEndorsement(service, subject, g.CheckpointEndorsement); err != nil {
		return wrong(h, "its checkpoint key: %v", err)
	}
	if g.Node.RaftID == 0 {
		return wrong(h, "its node has no raft id")
	}
	if g.Format != level {
		return wrong(h, "its document has format level %d, its table %d", g.Format, level)
	}
	if err := format.CheckLevel(level); err != nil {
		return err
	}
	l.Identity = Identity{Genesis: g, Service: service, Secrets: g.Secrets, Level: level}
	return l.admit(&g.Node, g.Evidence, l.binding(&g.Node).ReportData(), h, d)
}

func (l *Lineage) recover(r *format.Recovery, h *format.Header, d depth) error {
	old := &l.Head
	switch {
	case r.Count != l.Identity.Recoveries+1:
		return wrong(h, "recovery %d was expected, it says %d", l.Identity.Recoveries+1, r.Count)
	case r.Height != old.Height || r.Header != old.Hash || r.Root != old.Tree.Root() || r.Prefix != l.era.prefix:
		return wrong(h, "its recovery record names another head")
	case h.View < l.era.before+2:
		return wrong(h, "its view %d is not two above %d", h.View, l.era.before)
	case l.era.nonempty:
		return wrong(h, "a recovery that is not the first of its view")
	case r.ServiceKey != nil || r.Route != format.RouteSealing:
		return wrong(h, "recovery by route %q is not known to this build", r.Route)
	case !l.Identity.Genesis.Sealing:
		return wrong(h, "genesis does not allow recovery by sealing")
	case r.Node.RaftID != l.Identity.Nodes.Highest()+1:
		return wrong(h, "its node has raft id %d, %d was expected", r.Node.RaftID, l.Identity.Nodes.Highest()+1)
	}
	binding := attest.RecoveryBinding{GenesisBinding: l.binding(&r.Node), OldHead: old.Hash}
	if err := l.admit(&r.Node, r.Evidence, binding.ReportData(), h, d); err != nil {
		return err
	}
	l.Identity.Recoveries, l.Identity.Secrets = r.Count, r.Secrets
	return nil
}

func (l *Lineage) binding(n *format.Node) attest.GenesisBinding {
	g := l.Identity.Genesis
	return attest.GenesisBinding{Service: g.Service, Mode: g.Mode, ServiceKey: g.ServiceKey, NodeKey: n.Key, NodeHPKEKey: n.HPKEKey, CheckpointKey: g.Checkpoint}
}

// admit accepts a node: keys of its own, endorsed by the service, attested under
// the policy of genesis at the time of the block.
func (l *Lineage) admit(n *format.Node, evidence []byte, want attest.ReportData, h *format.Header, d depth) error {
	g := l.Identity.Genesis
	key, err := proof.ParseKey(n.Key)
	if err != nil {
		return wrong(h, "node %d: %v", n.RaftID, err)
	}
	if l.Identity.Nodes.Writer(key.ID) != nil || key.ID == l.Identity.Service.ID {
		return wrong(h, "node %d has the key of another node or of the service", n.RaftID)
	}
	if len(n.HPKEKey) != 32 {
		return wrong(h, "node %d has an HPKE key of %d bytes", n.RaftID, len(n.HPKEKey))
	}
	if n.Reads < l.Identity.Level {
		return wrong(h, "node %d reads format levels up to %d, %d is in force", n.RaftID, n.Reads, l.Identity.Level)
	}
	if d != whole {
		return nil
	}
	subject := proof.Subject{Service: g.Service, Mode: g.Mode, Purpose: proof.PurposeNode, Key: n.Key, Number: n.RaftID}
	if err := proof.VerifyEndorsement(l.Identity.Service, subject, n.Endorsement); err != nil {
		return wrong(h, "node %d: %v", n.RaftID, err)
	}
	policy, err := attest.DecodePolicy(g.Policy)
	if err != nil {
		return wrong(h, "%v", err)
	}
	e, err := attest.DecodeEvidence(evidence)
	if err != nil {
		return wrong(h, "node %d: %v", n.RaftID, err)
	}
	if e.Kind.Simulated() != (g.Mode == format.ModeSimulated) {
		return wrong(h, "evidence of kind %s in a %s network", e.Kind, g.Mode)
	}
	if _, err := attest.Verify(e, want, policy, time.Unix(0, int64(h.Time)).UTC(), l.authority...); err != nil {
		return wrong(h, "node %d: %v", n.RaftID, err)
	}
	return nil
}

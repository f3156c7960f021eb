package verify

import (
	"bytes"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/attest/sim"
	"github.com/coco-consortium/coco/internal/attest/snp"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/proof"
)

// network is the service as genesis and recoveries state it.
type network struct {
	genesis    *format.Genesis
	policy     attest.Policy
	services   []*proof.Key // service keys, the one in force last
	recoveries uint64
	members    members
	config     config
}

// judgeEvidence is the production verifier; tests remember its verdicts.
var judgeEvidence = attest.Verify

// signers are the keys that may have signed the next blocks.
func (c *check) signers() map[format.Hash]*proof.Key {
	known := map[format.Hash]*proof.Key{}
	if c.network != nil {
		for id, m := range c.network.members.writers {
			known[id] = m.key
		}
	}
	return known
}

// introduce takes what a genesis or recovery record says of the service.
func (c *check) introduce(e *entry) {
	switch {
	case e.genesis != nil:
		c.found(e, e.genesis)
	case e.recovery != nil:
		c.recover(e, e.recovery)
	}
}

func (c *check) found(e *entry, g *format.Genesis) {
	n := &network{genesis: g, members: (&members{}).clone()}
	if g.Mode != format.ModeSimulated && g.Mode != format.ModeProduction || len(g.Checkpoint) != 32 ||
		g.Constitution != nil && len(g.Constitution) != 32 || g.Node.RaftID == 0 {
		c.fail(e, ServiceDocument, "genesis of mode %q, format %d, node %d is not of a known form", g.Mode, g.Format, g.Node.RaftID)
		return
	}
	if written := e.nodes[0].level; written == nil || *written != g.Format {
		c.fail(e, FormatRecord, "it does not write format level %d, as its document has it", g.Format)
		return
	}
	if c.level = g.Format; c.level > format.Highest {
		c.newer(e, c.level)
		return
	}
	service, err := proof.ParseKey(g.ServiceKey)
	if err != nil {
		c.fail(e, ServiceEndorsement, "the service key: %v", err)
		return
	}
	n.services = []*proof.Key{service}
	subject := proof.Subject{Service: g.Service, Mode: g.Mode, Purpose: proof.PurposeCheckpoint, Key: g.Checkpoint}
	if err := proof.VerifyEndorsement(service, subject, g.CheckpointEndorsement); err != nil {
		c.fail(e, ServiceEndorsement, "the checkpoint key: %v", err)
		return
	}
	if n.policy, err = attest.DecodePolicy(g.Policy); err != nil {
		c.fail(e, ServiceEvidence, "the policy: %v", err)
		return
	}
	if n.policy.Tier == attest.TierSimulated != (g.Mode == format.ModeSimulated) {
		c.fail(e, ServiceEvidence, "a %s network under a policy of tier %s", g.Mode, n.policy.Tier)
		return
	}
	info := &format.NodeInfo{Node: g.Node, Status: format.NodeVoter, Address: g.Address, Client: g.Client}
	if c.admit(e, n, info, g.Evidence, n.binding(&g.Node).ReportData()) {
		c.alone(e, n, info, nil)
	}
}

func (c *check) recover(e *entry, r *format.Recovery) {
	n := *c.network
	old := c.last
	if r.Count != n.recoveries+1 || r.Height != old.header.Height || r.Header != old.hash || r.Root != old.header.Root || r.Prefix != c.era.prefix {
		c.fail(e, RecoveryHead, "recovery %d of block %d names another head than block %d of this ledger", r.Count, r.Height, old.header.Height)
		return
	}
	switch {
	case e.Term < c.era.before+2 || c.era.nonempty:
		c.fail(e, RecoveryHead, "the recovery is not the first block of a view two above %d, behind raft-empty entries alone", c.era.before)
	case r.Route != format.RouteSealing && r.Route != format.RouteShares:
		c.fail(e, RecoveryRule, "recovery by route %q", r.Route)
	case r.Route == format.RouteSealing && (!n.genesis.Sealing || r.ServiceKey != nil):
		c.fail(e, RecoveryRule, "recovery by sealing, which genesis does not allow or which never has a new service key")
	case r.Node.RaftID != n.members.highest()+1:
		c.fail(e, RecoveryRule, "its node has raft id %d, %d is due", r.Node.RaftID, n.members.highest()+1)
	}
	if len(c.findings) > 0 {
		return
	}
	if (r.ServiceKey == nil) != (r.ServiceEndorsement == nil) {
		c.fail(e, ServiceEndorsement, "a new service key without endorsement, or the reverse")
		return
	}
	if r.ServiceKey != nil {
		key, err := proof.ParseKey(r.ServiceKey)
		if err != nil {
			c.fail(e, ServiceEndorsement, "the service key: %v", err)
			return
		}
		subject := proof.Subject{Service: c.service, Mode: n.genesis.Mode, Purpose: proof.PurposeService, Key: r.ServiceKey, Number: r.Count}
		if err := proof.VerifyEndorsement(n.service(), subject, r.ServiceEndorsement); err != nil {
			c.fail(e, ServiceEndorsement, "the service key: %v", err)
			return
		}
		n.services = append(n.services[:len(n.services):len(n.services)], key)
	}
	n.recoveries = r.Count
	n.members = n.members.clone()
	retired := n.members.retireAll()
	info := &format.NodeInfo{Node: r.Node, Status: format.NodeVoter, Address: r.Address, Client: r.Client}
	binding := attest.RecoveryBinding{GenesisBinding: n.binding(&r.Node), OldHead: old.hash}
	if c.admit(e, &n, info, r.Evidence, binding.ReportData()) {
		c.alone(e, &n, info, retired)
	}
}

// alone begins the network anew with one node, its only voter: the record retires
// the others in the table of nodes, and does nothing else there.
func (c *check) alone(e *entry, n *network, info *format.NodeInfo, retired []*format.NodeInfo) {
	want := append(retired, info)
	if got := e.nodes[0].list; !bytes.Equal(format.Encode(got), format.Encode(want)) {
		c.fail(e, NodeChange, "it writes %d nodes, not its own as a voter and %d others as retired", len(got), len(retired))
		return
	}
	for _, m := range want {
		n.members.put(m, e.header.Height)
	}
	n.members.changed = txID{e.header.View, e.header.FirstSeqno}
	n.config = config{voter: map[uint64]bool{info.Node.RaftID: true}}
	c.network = n
}

// admit judges a node: endorsed by the service, with keys of its own, its
// evidence good under the policy for the block's time.
func (c *check) admit(e *entry, n *network, info *format.NodeInfo, evidence []byte, want attest.ReportData) bool {
	mode, node := n.genesis.Mode, &info.Node
	subject := proof.Subject{Service: c.service, Mode: mode, Purpose: proof.PurposeNode, Key: node.Key, Number: node.RaftID}
	if err := proof.VerifyEndorsement(n.service(), subject, node.Endorsement); err != nil {
		c.fail(e, ServiceEndorsement, "node %d: %v", node.RaftID, err)
		return false
	}
	key, err := proof.ParseKey(node.Key)
	if err != nil {
		c.fail(e, ServiceEndorsement, "node %d: %v", node.RaftID, err)
		return false
	}
	if n.members.writers[key.ID] != nil || bytes.Equal(key.SPKI, n.service().SPKI) || len(node.HPKEKey) != 32 {
		c.fail(e, ServiceDocument, "node %d has the key of an earlier node or of the service, or an HPKE key of %d bytes", node.RaftID, len(node.HPKEKey))
		return false
	}
	if node.Reads < c.level {
		c.fail(e, FormatLevel, "node %d reads format levels up to %d, %d is in force", node.RaftID, node.Reads, c.level)
		return false
	}
	said, err := attest.DecodeEvidence(evidence)
	if err != nil {
		c.fail(e, ServiceEvidence, "node %d: %v", node.RaftID, err)
		return false
	}
	if said.Kind.Simulated() != (mode == format.ModeSimulated) {
		c.fail(e, ServiceEvidence, "node %d: evidence of kind %s in a %s network", node.RaftID, said.Kind, mode)
		return false
	}
	if _, err := judgeEvidence(said, want, n.policy, blockTime(e.header), authorities()...); err != nil {
		c.fail(e, ServiceEvidence, "node %d: %v", node.RaftID, err)
		return false
	}
	return true
}

func (n *network) service() *proof.Key { return n.services[len(n.services)-1] }

func (n *network) binding(node *format.Node) attest.GenesisBinding {
	return attest.GenesisBinding{
		Service: n.genesis.Service, Mode: n.genesis.Mode, ServiceKey: n.service().SPKI,
		NodeKey: node.Key, NodeHPKEKey: node.HPKEKey, CheckpointKey: n.genesis.Checkpoint,
	}
}

func authorities() []attest.Authority { return []attest.Authority{snp.AMD(), sim.Roots()} }

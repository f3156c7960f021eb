package lineage

import (
	"bytes"
	"fmt"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// maxAddress bounds the addresses of a node, in bytes: a host name of 253
// (RFC 1035 section 2.3.4), a colon, a port.
const maxAddress = 260

// GenesisNodes is what the genesis record writes to TableNodes: its node as a
// voter.
func GenesisNodes(g *format.Genesis) []format.Write {
	return []format.Write{nodeWrite(&format.NodeInfo{Node: g.Node, Status: format.NodeVoter, Address: g.Address, Client: g.Client})}
}

// RecoveryNodes is what a recovery record writes to TableNodes: every node that
// is not retired yet as retired, and its own as a voter, in order of raft id.
func RecoveryNodes(members Members, r *format.Recovery) []format.Write {
	var writes []format.Write
	for _, n := range members.All() {
		if n.Status != format.NodeRetired {
			retired := *n
			retired.Status = format.NodeRetired
			writes = append(writes, nodeWrite(&retired))
		}
	}
	return append(writes, nodeWrite(&format.NodeInfo{Node: r.Node, Status: format.NodeVoter, Address: r.Address, Client: r.Client}))
}

func nodeWrite(n *format.NodeInfo) format.Write {
	return format.Write{Table: format.TableNodes, Key: format.NodeKey(n.Node.RaftID), Value: format.Encode(n)}
}

// ReadNodes is the nodes that public writes state, in the order of the writes.
// Other tables are passed over. It fails with format.ErrFormat.
func ReadNodes(writes []format.Write) ([]*format.NodeInfo, error) {
	var nodes []*format.NodeInfo
	for _, w := range writes {
		if w.Table != format.TableNodes {
			continue
		}
		n := new(format.NodeInfo)
		if err := format.Decode(w.Value, n); err != nil {
			return nil, err
		}
		switch {
		case n.Node.RaftID == 0 || !bytes.Equal(w.Key, format.NodeKey(n.Node.RaftID)):
			return nil, format.ErrFormat.From(fmt.Errorf("node %d is written under the key %x", n.Node.RaftID, w.Key))
		case n.Status < format.NodePending || n.Status > format.NodeRetired:
			return nil, format.ErrFormat.From(fmt.Errorf("node %d has %v", n.Node.RaftID, n.Status))
		case len(n.Address) > maxAddress || len(n.Client) > maxAddress:
			return nil, format.ErrFormat.From(fmt.Errorf("node %d has an address of more than %d bytes", n.Node.RaftID, maxAddress))
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// steps are the changes of status that a membership record may make.
var steps = map[[2]format.NodeStatus]bool{
	{format.NodePending, format.NodeLearner}: true,
	{format.NodePending, format.NodeRetired}: true,
	{format.NodeLearner, format.NodeVoter}:   true,
	{format.NodeLearner, format.NodeRetired}: true,
	{format.NodeVoter, format.NodeRetired}:   true,
}

// change takes a membership record.
func (l *Lineage) change(r *public, h *format.Header, d depth) error {
	nodes, err := ReadNodes(r.nodes)
	if err != nil {
		return wrong(h, "record %d: %v", r.tx.Seqno, err)
	}
	if len(nodes) == 0 {
		return wrong(h, "membership record %d changes nothing", r.tx.Seqno)
	}
	last := uint64(0)
	for _, n := range nodes {
		id := n.Node.RaftID
		if id <= last {
			return wrong(h, "membership record %d is not in order of raft id", r.tx.Seqno)
		}
		last = id
		if was := l.Identity.Nodes.Get(id); was == nil {
			err = l.join(n, h, d)
		} else {
			err = advance(was, n, h)
		}
		if err != nil {
			return err
		}
		l.Identity.Nodes = l.Identity.Nodes.With(n)
	}
	if len(l.Identity.Nodes.IDs(format.NodeVoter)) == 0 {
		return wrong(h, "membership record %d leaves no voter", r.tx.Seqno)
	}
	l.Identity.Changed = r.tx
	return nil
}

// join accepts a new node.
func (l *Lineage) join(n *format.NodeInfo, h *format.Header, d depth) error {
	g := l.Identity.Genesis
	switch next := l.Identity.Nodes.Highest() + 1; {
	case n.Node.RaftID != next:
		return wrong(h, "a new node has raft id %d, %d was expected", n.Node.RaftID, next)
	case n.Status != format.NodePending && n.Status != format.NodeLearner:
		return wrong(h, "node %d begins as %v", n.Node.RaftID, n.Status)
	case n.Address == "":
		return wrong(h, "node %d has no address", n.Node.RaftID)
	}
	binding := attest.JoinBinding{Service: g.Service, Mode: g.Mode, NodeKey: n.Node.Key, NodeHPKEKey: n.Node.HPKEKey, Session: n.Session}
	return l.admit(&n.Node, n.Evidence, binding.ReportData(), h, d)
}

// advance accepts a change of a node that is there: its status, as steps allows,
// and nothing else.
func advance(was, n *format.NodeInfo, h *format.Header) error {
	if !steps[[2]format.NodeStatus{was.Status, n.Status}] {
		return wrong(h, "node %d, a %v, becomes a %v", n.Node.RaftID, was.Status, n.Status)
	}
	same := *n
	same.Status = was.Status
	if !bytes.Equal(format.Encode(&same), format.Encode(was)) {
		return wrong(h, "node %d changes in more than its status", n.Node.RaftID)
	}
	return nil
}

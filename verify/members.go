package verify

import (
	"bytes"
	"maps"
	"slices"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/proof"
)

// txID names a record.
type txID struct{ view, seqno uint64 }

// members follows the table of nodes.
type members struct {
	nodes   map[uint64]*member // by raft id
	writers map[format.Hash]*member
	changed txID // the last record that changed the table
}

type member struct {
	info     *format.NodeInfo
	key      *proof.Key
	from, to uint64 // heights
	blocks   uint64
}

// nodeRecord is what a record writes to the table of nodes, and the format level
// that it states.
type nodeRecord struct {
	tx    txID
	kind  format.RecordKind
	list  []*format.NodeInfo
	level *uint64 // nil: none
}

// maxAddress bounds the addresses of a node: a name of 253 bytes, a colon, a port.
const maxAddress = 260

// members collects what a record writes to the tables of nodes and of the format.
func (e *entry) members(seqno uint64, kind format.RecordKind, writes []format.Write) {
	may := kind == format.KindGenesis || kind == format.KindRecovery || kind == format.KindMembership
	r := nodeRecord{tx: txID{e.header.View, seqno}, kind: kind, level: e.level(seqno, kind, writes)}
	last := uint64(0)
	for _, w := range writes {
		if w.Table != format.TableNodes {
			if kind == format.KindMembership {
				e.wrong(NodeRecord, "membership record %d writes table %q", seqno, w.Table)
			}
			continue
		}
		n := new(format.NodeInfo)
		err := format.Decode(w.Value, n)
		id := n.Node.RaftID
		switch {
		case !may:
			e.wrong(NodeRecord, "record %d of kind %d writes the table of nodes", seqno, kind)
		case err != nil:
			e.wrong(NodeRecord, "record %d: %v", seqno, err)
		case id <= last || !bytes.Equal(w.Key, format.NodeKey(id)):
			e.wrong(NodeRecord, "record %d: node %d under the key %x behind node %d", seqno, id, w.Key, last)
		case n.Status < format.NodePending || n.Status > format.NodeRetired || max(len(n.Address), len(n.Client)) > maxAddress:
			e.wrong(NodeRecord, "record %d: node %d has %v, or an address that is too long", seqno, id, n.Status)
		}
		last = id
		r.list = append(r.list, n)
	}
	if may && len(r.list) == 0 {
		e.wrong(NodeRecord, "record %d of kind %d writes no node", seqno, kind)
	}
	if may || r.level != nil {
		e.nodes = append(e.nodes, r)
	}
}

// allowed are the steps of a node's life, from a status to the next.
var allowed = map[format.NodeStatus][]format.NodeStatus{
	format.NodePending: {format.NodeLearner, format.NodeRetired},
	format.NodeLearner: {format.NodeVoter, format.NodeRetired},
	format.NodeVoter:   {format.NodeRetired},
}

// change takes what records of membership and of the format level in a block say.
func (c *check) change(e *entry) {
	if c.network == nil || len(e.nodes) == 0 || e.genesis != nil || e.recovery != nil {
		return
	}
	m := c.network.members.clone()
	for _, r := range e.nodes {
		if r.kind == format.KindFormat {
			if c.raise(e, m, r); len(c.findings) > 0 {
				return
			}
			continue
		}
		for _, n := range r.list {
			if was := m.nodes[n.Node.RaftID]; was != nil {
				c.moves(e, was.info, n)
			} else {
				c.joins(e, m, n)
			}
			if len(c.findings) > 0 {
				return
			}
			m.put(n, e.header.Height)
		}
		if !slices.ContainsFunc(slices.Collect(maps.Values(m.nodes)), (*member).votes) {
			c.fail(e, NodeChange, "record %d leaves no voter", r.tx.seqno)
			return
		}
		m.changed = r.tx
	}
	if m.writers[e.header.Writer].info.Status == format.NodeRetired {
		c.fail(e, BlockWriter, "it retires its own writer %x", e.header.Writer[:8])
		return
	}
	c.network.members = m
}

// moves checks a step of a node's life; nothing else of the node changes.
func (c *check) moves(e *entry, was, n *format.NodeInfo) {
	same := *was
	same.Status = n.Status
	switch {
	case !slices.Contains(allowed[was.Status], n.Status):
		c.fail(e, NodeChange, "node %d, which is a %v, becomes a %v", n.Node.RaftID, was.Status, n.Status)
	case !bytes.Equal(format.Encode(&same), format.Encode(n)):
		c.fail(e, NodeChange, "node %d changes in more than its status", n.Node.RaftID)
	}
}

// joins checks a new node of the members so far.
func (c *check) joins(e *entry, m members, n *format.NodeInfo) {
	due := m.highest() + 1
	if n.Node.RaftID != due || n.Status != format.NodePending && n.Status != format.NodeLearner || n.Address == "" {
		c.fail(e, NodeChange, "node %d joins as a %v at %q, node %d is due as pending or learner, with an address", n.Node.RaftID, n.Status, n.Address, due)
		return
	}
	binding := attest.JoinBinding{Service: c.service, Mode: c.network.genesis.Mode, NodeKey: n.Node.Key, NodeHPKEKey: n.Node.HPKEKey, Session: n.Session}
	so := *c.network
	so.members = m
	c.admit(e, &so, n, n.Evidence, binding.ReportData())
}

func (m *member) votes() bool { return m.info.Status == format.NodeVoter }

// votes reports whether a header's writer is a voter.
func (m *members) votes(writer format.Hash) bool {
	w := m.writers[writer]
	return w != nil && w.votes()
}

// clone is a copy that can be changed.
func (m *members) clone() members {
	next := members{nodes: map[uint64]*member{}, writers: map[format.Hash]*member{}, changed: m.changed}
	for id, n := range m.nodes {
		same := *n
		next.nodes[id], next.writers[n.key.ID] = &same, &same
	}
	return next
}

// put states a node at a height. Its key was parsed before.
func (m *members) put(n *format.NodeInfo, height uint64) {
	is := m.nodes[n.Node.RaftID]
	if is == nil {
		key, err := proof.ParseKey(n.Node.Key)
		if err != nil {
			panic(err) // admit parsed it
		}
		is = &member{key: key, from: height}
		m.nodes[n.Node.RaftID], m.writers[key.ID] = is, is
	}
	is.info = n
	if n.Status == format.NodeRetired {
		is.to = height
	}
}

// retireAll are the nodes that are not retired, as they are when they are, in
// order of raft id.
func (m *members) retireAll() []*format.NodeInfo {
	var list []*format.NodeInfo
	for _, id := range slices.Sorted(maps.Keys(m.nodes)) {
		if n := *m.nodes[id].info; n.Status != format.NodeRetired {
			n.Status = format.NodeRetired
			list = append(list, &n)
		}
	}
	return list
}

func (m *members) highest() uint64 {
	if len(m.nodes) == 0 {
		return 0
	}
	return slices.Max(slices.Collect(maps.Keys(m.nodes)))
}

// list is the nodes as the report shows them.
func (m *members) list() []Node {
	list := []Node{}
	for _, id := range slices.Sorted(maps.Keys(m.nodes)) {
		n := m.nodes[id]
		list = append(list, Node{RaftID: id, Status: n.info.Status.String(), Key: Hash(n.key.ID), Address: n.info.Address,
			Client: n.info.Client, Reads: n.info.Node.Reads, From: n.from, To: n.to, Blocks: n.blocks})
	}
	return list
}

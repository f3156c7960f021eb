package lineage

import (
	"cmp"
	"crypto/sha256"
	"maps"
	"slices"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// Members are the nodes of a network as its ledger states them, by raft id. A
// value is never changed: With gives another one.
type Members struct {
	nodes map[uint64]*format.NodeInfo
	keys  map[format.Hash]uint64 // raft id by Header.Writer
}

// NewMembers is the members with these nodes.
func NewMembers(nodes ...*format.NodeInfo) Members { return Members{}.With(nodes...) }

// With is the members with some nodes added or replaced.
func (m Members) With(nodes ...*format.NodeInfo) Members {
	all := make(map[uint64]*format.NodeInfo, len(m.nodes)+len(nodes))
	maps.Copy(all, m.nodes)
	keys := maps.Clone(m.keys)
	if keys == nil {
		keys = map[format.Hash]uint64{}
	}
	for _, n := range nodes {
		all[n.Node.RaftID] = n
		keys[sha256.Sum256(n.Node.Key)] = n.Node.RaftID
	}
	return Members{all, keys}
}

// Get is the node of a raft id, nil when there is none.
func (m Members) Get(raftID uint64) *format.NodeInfo { return m.nodes[raftID] }

// Writer is the node that a block header names as its writer, nil when there is
// none.
func (m Members) Writer(writer format.Hash) *format.NodeInfo {
	if id, ok := m.keys[writer]; ok {
		return m.nodes[id]
	}
	return nil
}

// All is every node that ever was, in order of raft id.
func (m Members) All() []*format.NodeInfo {
	return slices.SortedFunc(maps.Values(m.nodes), func(a, b *format.NodeInfo) int { return cmp.Compare(a.Node.RaftID, b.Node.RaftID) })
}

// Highest is the highest raft id that was ever given.
func (m Members) Highest() uint64 {
	var highest uint64
	for id := range m.nodes {
		highest = max(highest, id)
	}
	return highest
}

// IDs are the raft ids of the nodes of a status, in order.
func (m Members) IDs(status format.NodeStatus) []uint64 {
	var ids []uint64
	for id, n := range m.nodes {
		if n.Status == status {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

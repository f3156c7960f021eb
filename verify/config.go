package verify

import (
	"maps"
	"slices"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// Values of raftpb that raft-config entries use (go.etcd.io/raft/v3).
const (
	explicitJoint = 2 // ConfChangeTransitionJointExplicit
	addVoter      = 0 // ConfChangeAddNode
	removeMember  = 1 // ConfChangeRemoveNode
	addLearner    = 3 // ConfChangeAddLearnerNode
)

// config follows Raft's configuration.
type config struct {
	voter map[uint64]bool    // every member; false for learners
	joint *format.RaftConfig // the change that is entered and not left
}

func (m *config) list() (voters, learners []uint64) {
	voters, learners = []uint64{}, []uint64{}
	for _, id := range slices.Sorted(maps.Keys(m.voter)) {
		if m.voter[id] {
			voters = append(voters, id)
		} else {
			learners = append(learners, id)
		}
	}
	return voters, learners
}

// config checks a raft-config entry. One that enters a joint configuration names
// the last record that changed the table of nodes, and each of its changes is one
// that the table asks for; the next one leaves that configuration and names the
// same record.
func (c *check) config(e *entry) {
	change, m, changed := e.config, &c.network.config, c.network.members.changed
	if len(change.Changes) == 0 {
		if m.joint == nil || m.joint.View != change.View || m.joint.Seqno != change.Seqno || change.Transition != 0 || change.Changes == nil {
			c.fail(e, ConfigChange, "it leaves a joint configuration that %d.%d did not enter", change.View, change.Seqno)
		}
		m.joint = nil
		return
	}
	if (txID{change.View, change.Seqno}) != changed {
		c.fail(e, ConfigTxID, "it names %d.%d, the nodes were changed by %d.%d", change.View, change.Seqno, changed.view, changed.seqno)
		return
	}
	if m.joint != nil || change.Transition != explicitJoint {
		c.fail(e, ConfigChange, "it enters a configuration while another is joint, or not as a joint one")
		return
	}
	after, seen := maps.Clone(m.voter), map[uint64]bool{}
	for _, one := range change.Changes {
		id := one.RaftID
		node := c.network.members.nodes[id]
		if node == nil || seen[id] {
			c.fail(e, ConfigChange, "it changes node %d, which is named twice or unknown", id)
			return
		}
		seen[id] = true
		voter, member := after[id]
		status := node.info.Status
		switch {
		case one.Type == addVoter && status == format.NodeVoter && !voter:
			after[id] = true
		case one.Type == addLearner && (status == format.NodeLearner || status == format.NodeVoter) && !member:
			after[id] = false
		case one.Type == removeMember && status == format.NodeRetired && member:
			delete(after, id)
		default:
			c.fail(e, ConfigChange, "a change of type %d for node %d, which is a %v", one.Type, id, status)
			return
		}
	}
	if !slices.Contains(slices.Collect(maps.Values(after)), true) {
		c.fail(e, ConfigChange, "it leaves no voter")
		return
	}
	m.voter, m.joint = after, change
}

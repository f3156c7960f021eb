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

// members follows the Raft configuration.
type members struct {
	voter   map[uint64]bool    // every member; false for learners
	highest uint64             // raft id ever seen
	joint   *format.RaftConfig // the change that is entered and not left
}

// start is the configuration of one voter.
func (m *members) start(id uint64) {
	m.voter, m.joint = map[uint64]bool{id: true}, nil
	m.highest = max(m.highest, id)
}

func (m *members) list() (voters, learners []uint64) {
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

// config checks a raft-config entry: it names a record before it, and enters or
// leaves a joint configuration in turn.
func (c *check) config(e *entry) {
	change, m := e.config, &c.network.members
	if !c.named(change.View, change.Seqno) {
		c.fail(e, ConfigTxID, "it names %d.%d, which is no record before it", change.View, change.Seqno)
		return
	}
	if len(change.Changes) == 0 {
		if m.joint == nil || m.joint.View != change.View || m.joint.Seqno != change.Seqno || change.Transition != 0 {
			c.fail(e, ConfigChange, "it leaves a joint configuration that %d.%d did not enter", change.View, change.Seqno)
		}
		m.joint = nil
		return
	}
	if m.joint != nil || change.Transition != explicitJoint {
		c.fail(e, ConfigChange, "it enters a configuration while another is joint, or not as a joint one")
		return
	}
	after, seen := maps.Clone(m.voter), map[uint64]bool{}
	for _, one := range change.Changes {
		id := one.RaftID
		_, member := after[id]
		if id == 0 || seen[id] || one.Type == removeMember && !member {
			c.fail(e, ConfigChange, "it changes node %d, which is named twice or no member", id)
			return
		}
		seen[id] = true
		switch one.Type {
		case addVoter:
			after[id] = true
		case addLearner:
			after[id] = false
		case removeMember:
			delete(after, id)
		default:
			c.fail(e, ConfigChange, "a change of unknown type %d", one.Type)
			return
		}
		m.highest = max(m.highest, id)
	}
	if !slices.Contains(slices.Collect(maps.Values(after)), true) {
		c.fail(e, ConfigChange, "it leaves no voter")
		return
	}
	m.voter, m.joint = after, change
}

package consensus

import (
	"slices"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/tracker"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
)

// Role is what a node does in Raft.
type Role string

// The roles. A node that is neither voter nor learner is an outsider until the
// configuration knows it, and retired when the ledger says so.
const (
	RoleLeader    Role = "leader"
	RoleFollower  Role = "follower"
	RoleCandidate Role = "candidate"
	RoleLearner   Role = "learner"
	RoleOutsider  Role = "outsider"
	RoleRetired   Role = "retired"
)

// Status is what a node knows of consensus.
type Status struct {
	ID         uint64
	Term       uint64
	Leader     uint64 // raft id, 0 when none is known
	Role       Role
	Sealing    bool   // this node leads Term and may seal
	Commit     uint64 // index known to be committed
	Applied    uint64 // index handed on
	Durable    uint64 // index known to be durable here
	First      uint64 // lowest index in the log
	Last       uint64 // highest index in the log
	Config     lineage.Config
	Transferee uint64              // raft id to which leadership is being handed, 0 for none
	Refused    uint64              // messages of other nodes that were not given to Raft
	Dropped    uint64              // messages of other nodes that found no room; Loop only
	Peers      map[uint64]Progress // of the other nodes; empty when this node does not lead
}

// Progress is what the leader knows of another node's log.
type Progress struct {
	Match   uint64 // index up to which it is known to agree
	Next    uint64 // index of the next entry for it
	State   string // "probe", "replicate", or "behind": it lacks entries that this node has no more
	Active  bool   // heard from lately
	Learner bool
}

// Status is what this node knows now.
func (d *Driver) Status() Status {
	basic := d.raft.BasicStatus()
	s := Status{ID: d.id, Term: basic.GetTerm(), Leader: basic.Lead, Role: d.role(basic.RaftState), Sealing: d.sealing,
		Commit: basic.GetCommit(), Applied: d.base.Index, Durable: d.durable, First: d.store.first(), Last: d.last().Index,
		Config: d.config, Transferee: basic.LeadTransferee, Refused: d.refused, Peers: map[uint64]Progress{}}
	if basic.RaftState != raft.StateLeader {
		return s
	}
	d.raft.WithProgress(func(id uint64, kind raft.ProgressType, p tracker.Progress) {
		if id == d.id {
			return
		}
		q := Progress{Match: p.Match, Next: p.Next, State: "probe", Active: p.RecentActive, Learner: kind == raft.ProgressTypeLearner}
		switch {
		case s.First > 1 && p.Next <= s.First && p.Match < s.First:
			q.State = "behind"
		case p.State == tracker.StateReplicate:
			q.State = "replicate"
		}
		s.Peers[id] = q
	})
	return s
}

func (d *Driver) role(state raft.StateType) Role {
	switch {
	case state == raft.StateLeader:
		return RoleLeader
	case !d.config.Has(d.id) && d.standing(d.id) == format.NodeRetired:
		return RoleRetired
	case !d.config.Has(d.id):
		return RoleOutsider
	case slices.Contains(d.config.Learners, d.id):
		return RoleLearner
	case state == raft.StateCandidate || state == raft.StatePreCandidate:
		return RoleCandidate
	}
	return RoleFollower
}

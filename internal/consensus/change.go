package consensus

import (
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/planted"
)

// standing is what the committed table says of a node, 0 when it does not know it.
func (d *Driver) standing(id uint64) format.NodeStatus {
	n := d.line.Committed().Identity.Nodes.Get(id)
	if n == nil {
		return 0
	}
	return n.Status
}

// begin lets this node seal in the view that it leads, if it is a voter. A
// retired node leads only until somebody else can.
func (d *Driver) begin() {
	if d.handing != d.leading && (d.recovers || d.standing(d.id) == format.NodeVoter) {
		d.sealing = true
		d.effects.Lead = &Lead{View: d.leading}
	}
}

// guide does what a leader owes to the committed table of nodes: it ends a
// handing over that came to nothing, hands over what it may not keep, and
// proposes the next change of Raft's configuration. It reports whether it gave
// Raft anything.
func (d *Driver) guide() bool {
	if !d.ready || d.over == d.leading {
		return false
	}
	if d.handing == d.leading {
		if d.raft.BasicStatus().LeadTransferee != 0 {
			return false
		}
		d.endView() // nothing was sealed meanwhile, and nothing more is in this view
		return false
	}
	if d.recovers {
		if d.standing(d.id) != format.NodeVoter {
			return false
		}
		d.recovers = false
	}
	if d.changing > d.base.Index {
		return false
	}
	if d.standing(d.id) != format.NodeVoter {
		if to := d.successor(); to != 0 {
			d.hand(to)
			return true
		}
	}
	due, err := d.line.Due()
	if err != nil {
		d.fail(err)
		return false
	}
	if due == nil {
		return false
	}
	if err := d.raft.ProposeConfChange(confChange(due)); err != nil {
		return false // tried again with the next input
	}
	// Raft makes an empty entry of a change that comes too early; once that is
	// committed, the change is due again.
	d.changing = d.last().Index + 1
	return true
}

// apply lets a committed change of configuration take effect.
func (d *Driver) apply(e *format.Entry) error {
	var body format.RaftConfig
	if err := format.Decode(e.Body, &body); err != nil {
		return err
	}
	next, err := d.config.Apply(&body)
	if err != nil {
		return fmt.Errorf("entry %d changes the configuration: %w", e.Index, err)
	}
	peers := d.progress()
	if planted.Is(planted.OneOfJointPair) {
		if next.Joint() {
			d.raft.ApplyConfChange(confChange(&body))
			d.raft.ApplyConfChange(&raftpb.ConfChangeV2{})
		}
	} else if in := d.raft.ApplyConfChange(confChange(&body)); !slices.Equal(in.Voters, next.Voters) ||
		!slices.Equal(in.VotersOutgoing, next.Outgoing) || !slices.Equal(in.Learners, next.Learners) {
		return fmt.Errorf("entry %d makes %v of Raft's configuration, %v of the ledger's", e.Index, in, next)
	}
	d.config = next
	for _, id := range slices.Sorted(maps.Keys(peers)) {
		if !next.Has(id) {
			d.farewell(id, min(peers[id].Match, e.Index))
		}
	}
	return nil
}

// settle follows the committed log up to an entry. A recovery among what it passes
// makes its node the only voter, whatever the configuration was: a node whose log
// ended before the recovery learns of it here.
func (d *Driver) settle(index uint64) error {
	before := d.line.Committed().Identity.Recoveries
	if err := d.line.Commit(index); err != nil {
		return err
	}
	id := &d.line.Committed().Identity
	if id.Recoveries == before || d.config.Equal(id.Config) {
		return nil
	}
	change := &raftpb.ConfChangeV2{Transition: raftpb.ConfChangeTransitionJointExplicit.Enum()}
	for _, node := range id.Nodes.All() {
		kind := raftpb.ConfChangeRemoveNode
		if slices.Contains(id.Config.Voters, node.Node.RaftID) {
			kind = raftpb.ConfChangeAddNode
		}
		change.Changes = append(change.Changes, &raftpb.ConfChangeSingle{Type: kind.Enum(), NodeId: new(node.Node.RaftID)})
	}
	if d.config.Joint() {
		d.raft.ApplyConfChange(&raftpb.ConfChangeV2{})
	}
	d.raft.ApplyConfChange(change)
	if in := d.raft.ApplyConfChange(&raftpb.ConfChangeV2{}); !slices.Equal(in.Voters, id.Config.Voters) || len(in.Learners)+len(in.VotersOutgoing) > 0 {
		return fmt.Errorf("a recovery makes %v of Raft's configuration, %v of the ledger's", in, id.Config)
	}
	d.config = id.Config
	return nil
}

// progress is what a leader knows of the others' logs.
func (d *Driver) progress() map[uint64]tracker.Progress {
	if d.leading == 0 {
		return nil
	}
	all := map[uint64]tracker.Progress{}
	d.raft.WithProgress(func(id uint64, _ raft.ProgressType, p tracker.Progress) {
		if id != d.id {
			all[id] = p
		}
	})
	return all
}

// farewell tells a node that was removed what is committed of what it has, so
// that it learns of its removal: Raft does not write to it any more. match is an
// index up to which its log is known to agree with this leader's.
func (d *Driver) farewell(to, match uint64) {
	status := d.raft.BasicStatus()
	d.send(&raftpb.Message{Type: raftpb.MsgHeartbeat.Enum(), From: new(d.id), To: new(to), Term: new(status.GetTerm()),
		Commit: new(min(match, status.GetCommit()))})
}

// Transfer begins to hand leadership to another voter, 0 for the one whose log is
// the most complete. Nothing more is sealed here; when the other does not take
// over within an election timeout, this node ends its view all the same.
func (d *Driver) Transfer(to uint64) error {
	switch {
	case d.leading == 0:
		return ErrNotLeader
	case d.handing == d.leading:
		return nil
	case to == 0:
		to = d.successor()
	case !d.mayLead(to):
		to = 0
	}
	if to == 0 {
		return ErrTransfer.From(fmt.Errorf("there is no other voter to hand it to"))
	}
	d.hand(to)
	d.pump()
	return nil
}

func (d *Driver) hand(to uint64) {
	d.rest()
	d.handing = d.leading
	d.raft.TransferLeader(to)
}

func (d *Driver) mayLead(id uint64) bool {
	return id != d.id && slices.Contains(d.config.Voters, id) && d.standing(id) == format.NodeVoter
}

// successor is the voter that is alive and has the most of the log, 0 for none. Raft
// forgets who is alive at every check of its quorum; until they are heard again
// all count the same.
func (d *Driver) successor() uint64 {
	var best, match uint64
	var active bool
	for id, p := range d.progress() {
		switch {
		case !d.mayLead(id) || best != 0 && active && !p.RecentActive:
		case best == 0 || p.RecentActive && !active || p.Match > match || p.Match == match && id < best:
			best, match, active = id, p.Match, p.RecentActive
		}
	}
	return best
}

// Resign is what a leader that stops may still send: it asks its successor to
// campaign at once. Nil when there is none to ask.
func (d *Driver) Resign() []*raftpb.Message {
	if d.leading == 0 {
		return nil
	}
	to := d.successor()
	if to == 0 {
		return nil
	}
	return []*raftpb.Message{{Type: raftpb.MsgTimeoutNow.Enum(), From: new(d.id), To: new(to), Term: new(d.leading)}}
}

// unblock ends a view in which nothing is committed for an election timeout because
// some voter refuses a block and the others are gone. Whoever leads next, maybe
// this node again, brings it as an entry of an older view, which is not judged by
// the clock any more.
func (d *Driver) unblock() {
	commit := d.raft.BasicStatus().GetCommit()
	if len(d.rejected) == 0 || commit != d.stays {
		d.blocked, d.stays = 0, commit
		return
	}
	if d.blocked++; d.blocked >= d.o.ElectionTicks {
		d.blocked = 0
		d.endView()
	}
}

// Refused tells that another node does not accept an entry of the term that this
// node leads. When so many voters refuse that no majority is left, the driver
// ends with ErrBlocksRefused: others elect, and this node's log is not theirs.
func (d *Driver) Refused(from, term, index uint64) {
	if d.leading == 0 || term != d.leading || index <= d.raft.BasicStatus().GetCommit() || index > d.last().Index {
		return
	}
	if !slices.Contains(d.config.Voters, from) && !slices.Contains(d.config.Outgoing, from) {
		return
	}
	if d.rejected == nil {
		d.rejected = map[uint64]uint64{}
	}
	d.rejected[from] = index
	for _, voters := range [][]uint64{d.config.Voters, d.config.Outgoing} {
		left := 0
		for _, id := range voters {
			if _, no := d.rejected[id]; !no {
				left++
			}
		}
		if len(voters) > 0 && left <= len(voters)/2 {
			d.rest()
			d.fail(ErrBlocksRefused)
		}
	}
}

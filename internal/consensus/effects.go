package consensus

import (
	"fmt"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/planted"
)

// pump takes from Raft what there is and acts on what is decided, until nothing
// follows from it.
func (d *Driver) pump() {
	for d.fault == nil {
		for d.raft.HasReady() {
			r := d.raft.Ready()
			if err := d.take(&r); err != nil {
				d.fail(err)
				return
			}
		}
		d.release()
		if !d.guide() && !d.raft.HasReady() {
			d.timer.watch(d)
			return
		}
	}
}

func (d *Driver) fail(err error) {
	if d.fault == nil {
		d.fault = err
	}
}

func (d *Driver) take(r *raft.Ready) error {
	d.follow()
	if err := d.extend(r.Entries); err != nil {
		return err
	}
	for _, m := range r.Messages {
		switch m.GetTo() {
		case raft.LocalAppendThread:
			a, err := d.append(m)
			if err != nil {
				return err
			}
			if planted.Is(planted.AckBeforeSync) {
				early := *a
				if err := d.stored(&early); err != nil {
					return err
				}
				a.raft, a.responses = nil, nil
			}
			d.effects.Appends = append(d.effects.Appends, a)
			d.disk.given()
		case raft.LocalApplyThread:
			if err := d.commit(m); err != nil {
				return err
			}
		default:
			d.send(m)
		}
	}
	d.read(r.ReadStates)
	return nil
}

func (d *Driver) send(m *raftpb.Message) {
	switch m.GetType() {
	case raftpb.MsgHeartbeat:
		d.asked = max(d.asked, position(m.GetContext()))
	case raftpb.MsgVoteResp:
		if !m.GetReject() {
			d.timer.elapsed = 0 // it waits for whom it voted for
		}
	}
	d.effects.Messages = append(d.effects.Messages, m)
}

// follow notes who leads.
func (d *Driver) follow() {
	status := d.raft.BasicStatus()
	leading := uint64(0)
	if status.RaftState == raft.StateLeader {
		leading = status.GetTerm()
	}
	if leading == d.leading {
		return
	}
	d.rest()
	d.leading, d.first, d.ready, d.changing, d.rejected, d.asked = leading, 0, false, 0, nil, 0
}

// rest ends sealing.
func (d *Driver) rest() {
	if d.sealing {
		d.sealing = false
		d.effects.Lead = &Lead{}
	}
}

// extend notes the entries that Raft put at the tail of its log.
func (d *Driver) extend(added []*raftpb.Entry) error {
	if len(added) == 0 {
		return nil
	}
	entries, err := d.fresh.of(added)
	if err != nil {
		return err
	}
	first := entries[0].Index
	if first <= d.base.Index || first > d.last().Index+1 {
		return fmt.Errorf("raft appends at %d, the log is committed to %d and ends at %d", first, d.base.Index, d.last().Index)
	}
	d.tail = d.tail[:first-d.base.Index-1]
	d.durable = min(d.durable, first-1)
	for i := range entries {
		e := &entries[i]
		if e.Kind == format.EntryRaftEmpty && e.Term == d.leading && d.first == 0 {
			d.first = e.Index
		}
		d.tail = append(d.tail, Position{Index: e.Index, Term: e.Term, Prefix: format.NextPrefix(d.last().Prefix, e)})
	}
	d.line.Append(entries, entries[0].Term == d.leading)
	d.fresh = entries
	return nil
}

func (d *Driver) append(m *raftpb.Message) (*Append, error) {
	a := &Append{raft: m.GetEntries(), responses: m.GetResponses()}
	if term, vote := m.GetTerm(), m.GetVote(); m.Term != nil && (term != d.term || vote != d.vote) {
		a.Term, a.Vote = term, vote
		d.term, d.vote = term, vote
	}
	var err error
	a.Entries, err = d.fresh.of(a.raft)
	return a, err
}

// commit takes committed entries. They are held until durable here, and
// configuration changes take effect.
func (d *Driver) commit(m *raftpb.Message) error {
	entries, err := toEntries(m.GetEntries())
	if err != nil || len(entries) == 0 {
		return err
	}
	for i := range entries {
		if entries[i].Kind != format.EntryRaftConfig {
			continue
		}
		if err := d.settle(entries[i].Index - 1); err != nil {
			return err
		}
		if err := d.apply(&entries[i]); err != nil {
			return err
		}
	}
	last := entries[len(entries)-1].Index
	if err := d.settle(last); err != nil {
		return err
	}
	d.held = append(d.held, entries...)
	for from, index := range d.rejected {
		if index <= last {
			delete(d.rejected, from)
		}
	}
	return d.respond(m.GetResponses())
}

// release hands held entries on once they are durable.
func (d *Driver) release() {
	n := 0
	for n < len(d.held) && d.held[n].Index <= d.durable {
		n++
	}
	if n == 0 {
		return
	}
	d.effects.Committed = append(d.effects.Committed, d.held[:n]...)
	d.held = d.held[n:]
	d.base = d.tail[n-1]
	d.tail = d.tail[n:]
	d.store.release(d.base.Index)
	if d.leading != 0 && !d.ready && d.first != 0 && d.base.Index >= d.first {
		d.ready = true
		d.begin()
	}
}

// respond gives Raft the answers of its own storage; answers to other nodes
// leave with the next effects.
func (d *Driver) respond(responses []*raftpb.Message) error {
	for _, m := range responses {
		if m.GetTo() != d.id {
			d.send(m)
			continue
		}
		if err := d.raft.Step(m); err != nil && err != raft.ErrStepPeerNotFound { // of a node that was removed
			return err
		}
	}
	return nil
}

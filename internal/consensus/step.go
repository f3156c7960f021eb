package consensus

import (
	"errors"
	"fmt"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/planted"
)

// maxAhead is how far the time of a live block may be ahead of this node's clock.
const maxAhead = 10 * time.Second

// MaxTermsAhead is how far a term that another node names may be ahead of what is
// known here. Terms grow by one an election; the highest number there is would
// end all of them.
const MaxTermsAhead = 1 << 32

// errNotAsked refuses a question that was meant for a leader.
var errNotAsked = errors.New("this node does not lead")

// Step takes a message of another node, which the transport vouches for. It
// fails with ErrMessage when the message is not given to Raft; that is a reason
// for a line in the log and no more.
func (d *Driver) Step(m *raftpb.Message) error {
	err := d.admit(m)
	if err == nil && m.GetType() == raftpb.MsgApp {
		m, err = d.verify(m)
	}
	if err != nil {
		d.refused++
		return fmt.Errorf("%w: %s from node %d: %w", ErrMessage, m.GetType(), m.GetFrom(), err)
	}
	if planted.Is(planted.VoteTwice) && d.voteAgain(m) {
		return nil
	}
	d.late(m)
	err = d.raft.Step(m)
	if errors.Is(err, raft.ErrStepPeerNotFound) || errors.Is(err, raft.ErrProposalDropped) {
		err = nil // an answer of a node that was removed
	}
	if status := d.raft.BasicStatus(); status.Lead == m.GetFrom() && m.GetTerm() == status.GetTerm() &&
		(m.GetType() == raftpb.MsgApp || m.GetType() == raftpb.MsgHeartbeat) {
		d.timer.elapsed = 0
	}
	d.pump()
	return err
}

// admit says why a message must not reach Raft: what no correct node sends, and
// what Raft answers with a panic.
func (d *Driver) admit(m *raftpb.Message) error {
	from := m.GetFrom()
	switch {
	case m.GetTo() != d.id:
		return fmt.Errorf("it is for node %d", m.GetTo())
	case from == 0 || from == d.id || raft.IsLocalMsgTarget(from):
		return errors.New("it names no other node as its sender")
	case d.standing(from) == format.NodeRetired && !d.config.Has(from):
		return errors.New("its sender is retired")
	case m.Snapshot != nil || len(m.Responses) > 0:
		return errors.New("it carries what no node sends")
	case beyond(m.GetTerm(), d.raft.BasicStatus().GetTerm()):
		return fmt.Errorf("its term is %d, far beyond any", m.GetTerm())
	case m.GetType() == raftpb.MsgTimeoutNow && d.stuck():
		return errors.New("the disk of this node stands still")
	}
	entries, context := len(m.GetEntries()), len(m.GetContext())
	if t := m.GetType(); (t == raftpb.MsgReadIndex) != (m.GetTerm() == 0) {
		return fmt.Errorf("its term is %d", m.GetTerm())
	} else if (t == raftpb.MsgReadIndex || t == raftpb.MsgReadIndexResp) != (entries > 0) && t != raftpb.MsgApp {
		return fmt.Errorf("it carries %d entries", entries)
	}
	switch m.GetType() {
	case raftpb.MsgApp, raftpb.MsgVote, raftpb.MsgVoteResp, raftpb.MsgPreVote, raftpb.MsgPreVoteResp, raftpb.MsgTimeoutNow:
	case raftpb.MsgAppResp:
		if !m.GetReject() && m.GetTerm() == d.leading && m.GetIndex() > d.last().Index {
			return fmt.Errorf("it has entry %d, this leader's log ends at %d", m.GetIndex(), d.last().Index)
		}
	case raftpb.MsgHeartbeat:
		if m.GetCommit() > d.last().Index && m.GetTerm() >= d.raft.BasicStatus().GetTerm() {
			return fmt.Errorf("entry %d is committed, and this log ends at %d", m.GetCommit(), d.last().Index)
		}
	case raftpb.MsgHeartbeatResp:
		if context != 0 && context != 8 || m.GetTerm() == d.leading && position(m.GetContext()) > d.asked {
			return errors.New("it answers what was not asked")
		}
	case raftpb.MsgReadIndex, raftpb.MsgReadIndexResp:
		if entries != 1 || len(m.GetEntries()[0].GetData()) != 8 {
			return errors.New("it does not carry one question")
		}
		if m.GetType() == raftpb.MsgReadIndex && d.leading == 0 {
			return errNotAsked
		}
	default:
		return errors.New("no node sends that")
	}
	return nil
}

func beyond(term, own uint64) bool { return term > own && term-own > MaxTermsAhead }

// verify gives the part of an append message that Raft may see: the entries that
// it would append, all of them verified, or none when it would not append (an
// earlier term, a place that this log does not have, or one below what is
// committed). What it answers does not depend on the entries left out.
func (d *Driver) verify(m *raftpb.Message) (*raftpb.Message, error) {
	entries := m.GetEntries()
	if len(entries) == 0 {
		return m, nil
	}
	status := d.raft.BasicStatus()
	prev, term := m.GetIndex(), m.GetTerm()
	before := m.GetLogTerm()
	for i, e := range entries {
		if e.GetIndex() != prev+1+uint64(i) || e.GetTerm() < before || e.GetTerm() > term {
			return m, fmt.Errorf("its entry %d of term %d is out of order", e.GetIndex(), e.GetTerm())
		}
		before = e.GetTerm()
	}
	if term < status.GetTerm() || term == d.leading || prev < status.GetCommit() || !d.matches(prev, m.GetLogTerm()) {
		return without(m), nil
	}
	known := 0
	for known < len(entries) && d.matches(entries[known].GetIndex(), entries[known].GetTerm()) {
		known++
	}
	if known < len(entries) {
		taken, err := d.accept(m, entries[known:])
		if err != nil {
			d.effects.Refusals = append(d.effects.Refusals, Refusal{To: m.GetFrom(), Term: term, Index: entries[known+taken].GetIndex(), Reason: err.Error()})
		}
		if taken == 0 {
			return m, err
		}
		entries = entries[:known+taken]
	}
	return between(m, known, len(entries)), nil
}

// accept verifies entries that Raft is about to append and says how many of them,
// from the first on, it may. What stands before a block from the future is taken:
// it may be committed, and who lacks it cannot be elected in its sender's place.
func (d *Driver) accept(m *raftpb.Message, entries []*raftpb.Entry) (taken int, refusal error) {
	list, err := fresh(nil).of(entries)
	if err != nil {
		return 0, err
	}
	for taken < len(list) && refusal == nil {
		e := &list[taken]
		if e.Kind == format.EntryBlock && e.Term == m.GetTerm() && e.Index > m.GetCommit() {
			refusal = d.timely(e)
		}
		if refusal == nil {
			taken++
		}
	}
	if taken == 0 {
		return 0, refusal
	}
	d.fresh = list[:taken]
	if err := d.line.Verify(list[:taken]); err != nil {
		return 0, err
	}
	return taken, refusal
}

// timely refuses a live block from the future. What is committed already is not
// judged: others had their chance. Nor is a block that is as late as the committed
// ledger: time never runs back, so that every block is, once one was committed
// under a clock that is ahead, until the others' clocks get there.
func (d *Driver) timely(e *format.Entry) error {
	h, err := format.PeekHeader(e.Body) // the rest is read when the block is verified
	if err != nil {
		return err
	}
	now := d.o.Clock()
	if limit := now.Add(maxAhead).UnixNano(); limit > 0 && h.Time > uint64(limit) && h.Time > d.line.Committed().Head.Time {
		return fmt.Errorf("block %d is of %s, this node's clock says %s", h.Height, time.Unix(0, int64(h.Time)).UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return nil
}

// without is m without its entries: Raft answers it as it would answer m when it
// appends nothing.
func without(m *raftpb.Message) *raftpb.Message {
	return &raftpb.Message{Type: m.Type, To: m.To, From: m.From, Term: m.Term, Index: m.Index, LogTerm: m.LogTerm, Commit: m.Commit}
}

// between is m without the entries that the log has already, and up to some of them.
func between(m *raftpb.Message, known, end int) *raftpb.Message {
	if known == 0 && end == len(m.Entries) {
		return m
	}
	cut := without(m)
	cut.Entries = m.Entries[known:end]
	if known > 0 {
		last := m.Entries[known-1]
		cut.Index, cut.LogTerm = last.Index, last.Term
	}
	return cut
}

// late answers a node that was removed, and has only now got the entry by which
// it was.
func (d *Driver) late(m *raftpb.Message) {
	if m.GetType() == raftpb.MsgAppResp && !m.GetReject() && d.leading != 0 && m.GetTerm() == d.leading && !d.config.Has(m.GetFrom()) {
		d.farewell(m.GetFrom(), m.GetIndex())
	}
}

// voteAgain is a planted bug: a second candidate of the term gets a vote too.
func (d *Driver) voteAgain(m *raftpb.Message) bool {
	status := d.raft.BasicStatus()
	if m.GetType() != raftpb.MsgVote || m.GetTerm() != status.GetTerm() || status.GetVote() == 0 || status.GetVote() == m.GetFrom() {
		return false
	}
	d.send(&raftpb.Message{Type: raftpb.MsgVoteResp.Enum(), From: new(d.id), To: m.From, Term: m.Term})
	return true
}

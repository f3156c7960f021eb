// Package consensus drives etcd's Raft over the ledger.
//
// The ledger is the Raft log. Driver is a step machine without goroutines, clock
// or I/O: ticks, messages and proposals go in, effects come out (see Effects),
// so that a simulation can drive it. Loop runs a driver for real: one goroutine
// owns it, a second one writes and syncs the log, a third one hands committed
// entries on.
//
// It promises that a block is sealed only by the leader of its view, on the
// log's very tail, at most once for a view and height; that an entry is
// acknowledged to Raft only when it is durable here; and that no entry of
// another node reaches Raft before package lineage has accepted it as the next
// right one. It never forwards proposals, never limits their size (the
// sequencer's queue does), never reads by lease and never sends a snapshot.
//
// Raft's configuration follows the committed table of nodes by itself: whoever
// leads proposes the joint change and the leave (Raft dissertation, 4.3).
package consensus

import (
	"errors"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/planted"
	"github.com/coco-consortium/coco/internal/problem"
)

// Log is the durable log as the driver and the loop need it; package ledger
// implements it. Reading is safe while another goroutine appends.
type Log interface {
	// Append writes entries behind the log's end, or over its tail when the
	// first index is not beyond it. They are durable after Sync.
	Append(entries []format.Entry) error
	Sync() error
	// SetVote makes term and vote durable before it returns.
	SetVote(term, vote uint64) error
	// Entries reads [lo, hi), at least one entry, then up to maxBytes.
	Entries(lo, hi uint64, maxBytes int) ([]format.Entry, error)
	Term(index uint64) (uint64, error)
}

// Position is a place in the log: the index and term of an entry and the prefix
// hash that names everything up to and including it.
type Position struct {
	Index  uint64
	Term   uint64
	Prefix format.Hash
}

// Start is where a process begins: the adopted log and its own place in the
// network. A process that ended never votes again, so ID is new and Term is not
// below anything the log and the vote file knew.
type Start struct {
	ID    uint64
	Term  uint64   // raft's term at the start; the first view led here is at least one higher
	Last  Position // last entry of the log, all of it committed
	First uint64   // lowest index in the log: 1, or 0 for 1, unless older chunks are still fetched
	// Line is the ledger followed up to Last; its Config says who votes. The
	// driver takes it over.
	Line *lineage.Lineage
	// Recovers says that this process recovers a network none of whose nodes is
	// left: it is the only voter, whatever Line says, and the first block that
	// it seals is the recovery which makes that true.
	Recovers bool
}

// Restarted is the raft id under which a process goes on after a restart: the
// fresh one that it was given, never the one it had (design 7).
func Restarted(old, fresh uint64) uint64 {
	if planted.Is(planted.LoseVote) {
		return old
	}
	return fresh
}

// Reasons why a proposal is refused. Nothing was sealed, or what was sealed will
// never be in the log; the view is over for the sealer either way.
var (
	ErrNotLeader = errors.New("this node does not lead that view")
	ErrRefused   = errors.New("raft refused the proposal")
)

// ErrMessage says that a message of another node was not given to Raft. It
// wraps the reason.
var ErrMessage = errors.New("a message of another node was refused")

// ErrBlocksRefused ends the consensus of a primary whose blocks are not
// accepted by others.
var ErrBlocksRefused = problem.New("BLOCKS_REFUSED", "so many voters refuse this node's blocks that none of them can be committed",
	"look for the reason in the log of another node: a clock that is wrong by more than 10 seconds, or a ledger that differs; correct it and start this node again")

// ErrTransfer says that leadership stays where it is.
var ErrTransfer = problem.New("TRANSFER_FAILED", "leadership could not be handed to another node",
	"check with coco network status that another voter is connected and not far behind, then try again")

// Append is work for the log writer: make Vote (when set) and Entries durable,
// then tell the driver by Appended.
type Append struct {
	Entries   []format.Entry
	Term      uint64 // of a vote to store, 0 for none
	Vote      uint64
	raft      []*raftpb.Entry
	responses []*raftpb.Message
}

// Lead says that this node leads View, and that its first entry is committed,
// so that it may seal. Zero means that it seals no more.
type Lead struct{ View uint64 }

// Read answers Driver.ReadIndex: a reader that sees everything up to Index sees
// all that was committed anywhere when the question was asked.
type Read struct {
	Context uint64
	Index   uint64
}

// Refusal tells the leader of a term that this node does not accept its entry.
type Refusal struct {
	To     uint64
	Term   uint64
	Index  uint64
	Reason string
}

// Effects is what the caller has to do, in any order unless a field says so.
type Effects struct {
	// Appends are to be carried out in order.
	Appends []*Append
	// Committed entries, in order of the log, each once.
	Committed []format.Entry
	// Messages to other nodes.
	Messages []*raftpb.Message
	// Refusals to other nodes.
	Refusals []Refusal
	// Reads that are answered.
	Reads []Read
	// Lead is not nil when leadership changed.
	Lead *Lead
}

func (e *Effects) empty() bool {
	return len(e.Appends)+len(e.Committed)+len(e.Messages)+len(e.Refusals)+len(e.Reads) == 0 && e.Lead == nil
}

// toEntry translates a Raft entry to the ledger's own encoding.
func toEntry(e *raftpb.Entry) (format.Entry, error) {
	out := format.Entry{Index: e.GetIndex(), Term: e.GetTerm(), Kind: format.EntryBlock, Body: e.GetData()}
	switch {
	case e.GetType() == raftpb.EntryConfChangeV2:
		body, err := encodeConfig(e.GetData())
		if err != nil {
			return out, err
		}
		out.Kind, out.Body = format.EntryRaftConfig, body
	case e.GetType() != raftpb.EntryNormal:
		return out, errors.New("a configuration change of the old form")
	case len(out.Body) == 0:
		out.Kind, out.Body = format.EntryRaftEmpty, nil
	}
	return out, nil
}

func toEntries(from []*raftpb.Entry) ([]format.Entry, error) {
	out := make([]format.Entry, len(from))
	for i, e := range from {
		var err error
		if out[i], err = toEntry(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// fresh are entries that were translated lately, with their bodies' hashes. Raft
// shows the same ones again, as it appends them and as they are to be stored: each
// body is hashed once.
type fresh []format.Entry

// of is toEntries with hashes.
func (f fresh) of(from []*raftpb.Entry) ([]format.Entry, error) {
	out, err := toEntries(from)
	if err != nil {
		return nil, err
	}
	for i := range out {
		e := &out[i]
		if at := e.Index - first(f); at < uint64(len(f)) && f[at].Term == e.Term && same(f[at].Body, e.Body) {
			*e = f[at]
		} else {
			*e = e.Hashed()
		}
	}
	return out, nil
}

// first is the index of the first of some entries, 0 when there is none.
func first(entries []format.Entry) uint64 {
	if len(entries) == 0 {
		return 0
	}
	return entries[0].Index
}

// same reports whether two bodies are the same memory.
func same(a, b []byte) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }

// fromEntry is the inverse of toEntry.
func fromEntry(e *format.Entry) (*raftpb.Entry, error) {
	out := &raftpb.Entry{Index: new(e.Index), Term: new(e.Term), Type: raftpb.EntryNormal.Enum(), Data: e.Body}
	if e.Kind == format.EntryRaftConfig {
		data, err := decodeConfig(e.Body)
		if err != nil {
			return nil, err
		}
		out.Type, out.Data = raftpb.EntryConfChangeV2.Enum(), data
	}
	return out, nil
}

var _ raft.Storage = (*storage)(nil)

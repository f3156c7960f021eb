package consensus

import (
	"log/slog"
	"slices"
	"sync"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/planted"
)

// recent is how many bytes of entries that were handed on stay in memory, for
// peers that are only a little behind.
const recent = 4 << 20

// storage shows the durable log to Raft. Entries that are durable but not yet
// committed are kept in memory, since Raft reads them once more to commit them;
// older ones are read from the log, for peers that lag. What cannot be read is
// shown as compacted: Raft then cannot serve that peer, and nothing else happens.
type storage struct {
	log    Log
	start  Start
	config lineage.Config
	logger *slog.Logger

	mu      sync.Mutex
	lowest  uint64          // the log begins here
	tail    []*raftpb.Entry // durable entries from base+1 on
	base    Position        // the entry before tail
	done    uint64          // up to here entries are handed on
	forgot  int             // bytes in tail up to done
	trouble bool            // reading failed, and it was logged
}

func newStorage(log Log, start Start, config lineage.Config, logger *slog.Logger) *storage {
	return &storage{log: log, start: start, config: config, logger: logger,
		lowest: max(start.First, 1), base: start.Last, done: start.Last.Index}
}

// add remembers entries that are now durable; they replace what they overlap.
func (s *storage) add(entries []*raftpb.Entry) {
	if len(entries) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	keep := entries[0].GetIndex() - s.base.Index - 1
	if keep < uint64(len(s.tail)) {
		s.tail = s.tail[:keep:keep] // what Raft was given of the rest stays as it is
	}
	s.tail = append(s.tail, entries...)
}

// release tells that entries up to index are committed and handed on. The oldest
// of them are forgotten.
func (s *storage) release(index uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	index = min(index, s.base.Index+uint64(len(s.tail)))
	for ; s.done < index; s.done++ {
		s.forgot += weight(s.tail[s.done-s.base.Index])
	}
	for s.forgot > recent && s.base.Index < s.done {
		e := s.tail[0]
		s.forgot -= weight(e)
		s.base = Position{Index: e.GetIndex(), Term: e.GetTerm()}
		s.tail[0] = nil
		s.tail = s.tail[1:]
	}
}

// extend tells that older entries were added to the log.
func (s *storage) extend(first uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lowest = min(s.lowest, max(first, 1))
}

func (s *storage) first() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lowest
}

func (s *storage) InitialState() (*raftpb.HardState, *raftpb.ConfState, error) {
	hard := &raftpb.HardState{Term: new(s.start.Term), Vote: new(uint64(0)), Commit: new(s.start.Last.Index)}
	state := &raftpb.ConfState{Voters: s.config.Voters, VotersOutgoing: s.config.Outgoing, Learners: s.config.Learners}
	if planted.Is(planted.OneOfJointPair) {
		state.VotersOutgoing = nil
	}
	return hard, state, nil
}

func (s *storage) Entries(lo, hi, maxSize uint64) ([]*raftpb.Entry, error) {
	s.mu.Lock()
	if lo > s.base.Index {
		defer s.mu.Unlock()
		from, to := lo-s.base.Index-1, hi-s.base.Index-1
		if to > uint64(len(s.tail)) {
			return nil, raft.ErrUnavailable
		}
		// A copy: messages keep it, while release forgets what lies here.
		return slices.Clone(limit(s.tail[from:to:to], maxSize)), nil
	}
	hi = min(hi, s.base.Index+1) // Raft takes fewer; what lies in memory comes with the next message
	lowest := s.lowest
	s.mu.Unlock()
	if lo < lowest {
		return nil, raft.ErrCompacted
	}
	stored, err := s.log.Entries(lo, hi, int(min(maxSize, 1<<30)))
	if err != nil {
		return nil, s.unreadable(lo, err)
	}
	entries := make([]*raftpb.Entry, len(stored))
	for i := range stored {
		if entries[i], err = fromEntry(&stored[i]); err != nil {
			return nil, s.unreadable(lo, err)
		}
	}
	return entries, nil
}

// unreadable logs once that the log cannot be read.
func (s *storage) unreadable(index uint64, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.trouble {
		s.trouble = true
		s.logger.Error("an entry cannot be read for another node", "index", index, "err", err)
	}
	return raft.ErrCompacted
}

func weight(e *raftpb.Entry) int { return len(e.GetData()) + 128 }

func limit(entries []*raftpb.Entry, maxSize uint64) []*raftpb.Entry {
	var size uint64
	for i, e := range entries {
		size += uint64(len(e.GetData()))
		if i > 0 && size > maxSize {
			return entries[:i:i]
		}
	}
	return entries
}

func (s *storage) Term(index uint64) (uint64, error) {
	s.mu.Lock()
	base, lowest := s.base, s.lowest
	if index > base.Index {
		defer s.mu.Unlock()
		if index-base.Index > uint64(len(s.tail)) {
			return 0, raft.ErrUnavailable
		}
		return s.tail[index-base.Index-1].GetTerm(), nil
	}
	s.mu.Unlock()
	switch {
	case index == base.Index:
		return base.Term, nil
	case index == 0:
		return 0, nil
	case index < lowest:
		return 0, raft.ErrCompacted
	}
	term, err := s.log.Term(index)
	if err != nil {
		return 0, s.unreadable(index, err)
	}
	return term, nil
}

func (s *storage) LastIndex() (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.base.Index + uint64(len(s.tail)), nil
}

// FirstIndex is 1 when the whole ledger is there. Otherwise it leaves one entry
// out, since Raft asks for the term of the entry before.
func (s *storage) FirstIndex() (uint64, error) {
	if first := s.first(); first > 1 {
		return first + 1, nil
	}
	return 1, nil
}

// Snapshot is never to be had from Raft: a joiner loads a verified snapshot
// before its Raft starts, and a peer that lacks what this node has no more gets
// it by catching up.
func (s *storage) Snapshot() (*raftpb.Snapshot, error) {
	return nil, raft.ErrSnapshotTemporarilyUnavailable
}

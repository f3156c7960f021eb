package consensus

import (
	"sync"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// storage shows the durable log to Raft. Entries that are durable but not yet
// committed are kept in memory, since Raft reads them once more to commit them;
// older ones are read from the log, for peers that lag.
type storage struct {
	log   Log
	start Start

	mu   sync.Mutex
	tail []*raftpb.Entry // durable entries from base+1 on
	base Position        // the entry before tail
}

func newStorage(log Log, start Start) *storage {
	return &storage{log: log, start: start, base: start.Last}
}

// add remembers entries that are now durable; they replace what they overlap.
func (s *storage) add(entries []*raftpb.Entry) {
	if len(entries) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	keep := entries[0].GetIndex() - s.base.Index - 1
	s.tail = append(s.tail[:keep:keep], entries...)
}

// release forgets entries up to index, which are committed and handed on.
func (s *storage) release(index uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if index <= s.base.Index {
		return
	}
	n := min(index-s.base.Index, uint64(len(s.tail)))
	if n == 0 {
		return
	}
	last := s.tail[n-1]
	s.base = Position{Index: last.GetIndex(), Term: last.GetTerm()}
	s.tail = s.tail[n:]
}

func (s *storage) InitialState() (*raftpb.HardState, *raftpb.ConfState, error) {
	hard := &raftpb.HardState{Term: new(s.start.Term), Vote: new(uint64(0)), Commit: new(s.start.Last.Index)}
	return hard, &raftpb.ConfState{Voters: s.start.Voters}, nil
}

func (s *storage) Entries(lo, hi, maxSize uint64) ([]*raftpb.Entry, error) {
	s.mu.Lock()
	if lo > s.base.Index {
		defer s.mu.Unlock()
		from, to := lo-s.base.Index-1, hi-s.base.Index-1
		if to > uint64(len(s.tail)) {
			return nil, raft.ErrUnavailable
		}
		return limit(s.tail[from:to:to], maxSize), nil
	}
	s.mu.Unlock()
	stored, err := s.log.Entries(lo, hi, int(min(maxSize, 1<<30)))
	if err != nil {
		return nil, err
	}
	entries := make([]*raftpb.Entry, len(stored))
	for i := range stored {
		if entries[i], err = fromEntry(&stored[i]); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

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
	defer s.mu.Unlock()
	switch {
	case index == s.base.Index:
		return s.base.Term, nil
	case index == 0:
		return 0, nil
	case index < s.base.Index:
		return s.log.Term(index)
	case index-s.base.Index > uint64(len(s.tail)):
		return 0, raft.ErrUnavailable
	}
	return s.tail[index-s.base.Index-1].GetTerm(), nil
}

func (s *storage) LastIndex() (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.base.Index + uint64(len(s.tail)), nil
}

// FirstIndex is 1: the whole ledger is there.
func (s *storage) FirstIndex() (uint64, error) { return 1, nil }

// Snapshot is never asked for while the whole ledger is there; a joiner loads a
// verified snapshot before its Raft starts.
func (s *storage) Snapshot() (*raftpb.Snapshot, error) {
	return nil, raft.ErrSnapshotTemporarilyUnavailable
}

package sequencer

import (
	"fmt"

	"github.com/coco-consortium/coco/internal/consensus"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/planted"
)

var _ consensus.Observer = (*Sequencer)(nil)

// Committed publishes committed entries, in order of the log.
func (s *Sequencer) Committed(entries []format.Entry) error {
	defer s.signal()
	for i := range entries {
		if err := s.take(&entries[i]); err != nil {
			return fmt.Errorf("entry %d: %w", entries[i].Index, err)
		}
	}
	return nil
}

// take publishes one committed entry.
func (s *Sequencer) take(e *format.Entry) error {
	own := s.decide(e)
	switch e.Kind {
	case format.EntryBlock:
		if err := s.publish(e, own); err != nil {
			return err
		}
	case format.EntryRaftConfig:
		var change format.RaftConfig
		if err := format.Decode(e.Body, &change); err != nil {
			return err
		}
		next, err := s.raft.Apply(&change)
		if err != nil {
			return err
		}
		s.raft = next
	case format.EntryRaftEmpty:
		s.mu.Lock()
		s.opened = max(s.opened, e.Term)
		s.mu.Unlock()
	}
	s.pass(e.Index)
	return nil
}

// decide says which of the blocks in flight a committed entry is, nil for none.
// An entry that stands in the place of one, or that begins a later view before
// it, decides that none in flight will ever be committed: terms never decrease
// along a log (Raft, section 5.4). What was done here on top of them is undone.
func (s *Sequencer) decide(e *format.Entry) *flight {
	s.mu.Lock()
	s.doneView = max(s.doneView, e.Term)
	var first *flight
	if len(s.flying) > 0 {
		first = s.flying[0]
	}
	s.mu.Unlock()
	switch {
	case first == nil:
		return nil
	case first.index == e.Index && first.term == e.Term:
		return first
	case first.index > e.Index && first.term >= e.Term:
		return nil
	}
	s.work.Lock()
	defer s.work.Unlock()
	s.yield(e.Term)
	return nil
}

// yield ends what this node executes because an entry of another's view is
// committed. work is held.
func (s *Sequencer) yield(term uint64) {
	s.mu.Lock()
	if s.leading < term {
		s.leading = 0
	}
	head := s.head.Clone()
	lost := s.lose()
	s.mu.Unlock()
	if s.view != 0 || s.open != nil {
		s.leave()
	}
	if s.tail.Height > head.Height || len(lost) > 0 {
		s.rollback(head)
	}
	for _, f := range lost {
		f.end(ErrNotCommitted)
	}
}

// publish makes one committed block visible: the one that was executed here if
// this is it, otherwise the write set of the entry.
func (s *Sequencer) publish(e *format.Entry, f *flight) error {
	if f == nil {
		return s.adopt(e)
	}
	committed := s.moment()
	if err := s.Store.Publish(f.head.Height); err != nil {
		f.end(ErrOutcomeUnknown.From(err))
		return err
	}
	if err := s.recovered(f.block); err != nil {
		return err
	}
	s.tell(&Committed{Block: f.block, Artefacts: f.artefacts, Raft: s.raft}, f.head)
	f.end(nil)
	s.inFlight.Add(-1)
	s.arrived(f, committed)
	s.serve()
	return nil
}

// adopt applies a block that another node executed, or this one before it ended.
func (s *Sequencer) adopt(e *format.Entry) error {
	b, err := envelope.Open(s.Ring, e)
	if err != nil {
		return err
	}
	if planted.Is(planted.PublishBeforeCommit) && b.Header.Height <= s.committed.Load() {
		return nil
	}
	if err := s.apply(e.Term, b); err != nil {
		return err
	}
	if err := s.recovered(b); err != nil {
		return err
	}
	head := s.Head()
	for i := range b.Records {
		head.Tree.Append(b.Records[i].Leaf)
	}
	h := b.Header
	s.tell(&Committed{Block: b, Raft: s.raft},
		lineage.Head{Height: h.Height, Hash: b.Hash, View: h.View, Seqno: h.LastSeqno(), Time: h.Time, Tree: head.Tree})
	return nil
}

// recovered notes the configuration that a recovery sets: its node alone.
func (s *Sequencer) recovered(b *envelope.Block) error {
	if b.Records[0].Prelude.Kind != format.KindRecovery {
		return nil
	}
	for _, w := range b.Records[0].Public {
		if w.Table != format.TableService || string(w.Key) != format.KeyRecovery {
			continue
		}
		var r format.Recovery
		if err := format.Decode(w.Value, &r); err != nil {
			return err
		}
		s.raft = lineage.Alone(r.Node.RaftID)
	}
	return nil
}

// apply publishes the write set of another's block. This node executes nothing
// meanwhile, and what it may have executed is undone.
func (s *Sequencer) apply(term uint64, b *envelope.Block) error {
	s.work.Lock()
	defer s.work.Unlock()
	s.yield(term)
	if s.Opening != nil && !s.serving() {
		return errOpening
	}
	return Apply(s.Store, b)
}

// tell tells everyone of a block whose state is published.
func (s *Sequencer) tell(c *Committed, head lineage.Head) {
	for _, f := range s.Followers {
		f.Committed(c)
	}
	s.advance(head)
	for _, f := range s.answers {
		f.Committed(c)
	}
}

// advance moves the committed head; a flight that ends with it flies no more.
func (s *Sequencer) advance(head lineage.Head) {
	s.committed.Store(head.Height)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.flying) > 0 && s.flying[0].head.Height == head.Height {
		s.flying = s.flying[1:]
	}
	s.history = s.history.add(head.View, s.head.Seqno+1)
	s.done, s.doneView = head.Seqno, max(s.doneView, head.View)
	s.last = max(s.last, head.Seqno)
	s.head = head.Clone()
}

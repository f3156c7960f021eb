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

// Led takes note of a change of leadership; the executing goroutine follows it.
func (s *Sequencer) Led(l consensus.Lead) {
	s.mu.Lock()
	s.leading = l.View
	s.mu.Unlock()
	s.signal()
}

// Committed publishes committed entries, in order of the log.
func (s *Sequencer) Committed(entries []format.Entry) error {
	for i := range entries {
		e := &entries[i]
		if e.Kind == format.EntryBlock {
			if err := s.publish(e); err != nil {
				return fmt.Errorf("entry %d: %w", e.Index, err)
			}
			continue
		}
		s.mu.Lock()
		s.doneView = max(s.doneView, e.Term)
		if e.Kind == format.EntryRaftEmpty {
			s.opened = e.Term
		}
		s.mu.Unlock()
	}
	s.signal()
	return nil
}

// publish makes one committed block visible: the one that was executed here if
// this is it, otherwise the write set of the entry.
func (s *Sequencer) publish(e *format.Entry) error {
	s.mu.Lock()
	var f *flight
	if len(s.flying) > 0 && s.flying[0].index == e.Index && s.flying[0].term == e.Term {
		f = s.flying[0]
	}
	head := s.head.Clone()
	s.mu.Unlock()
	if f == nil && planted.Is(planted.PublishBeforeCommit) {
		return nil
	}
	if f == nil {
		return s.adopt(e, head)
	}
	if err := s.Store.Publish(f.head.Height); err != nil {
		f.end(ErrOutcomeUnknown.From(err))
		return err
	}
	s.tell(&Committed{Block: f.block, Artefacts: f.artefacts})
	s.advance(f.head)
	f.end(nil)
	s.inFlight.Add(-1)
	s.serve()
	return nil
}

// adopt applies a block that another node executed, or this one before it ended.
func (s *Sequencer) adopt(e *format.Entry, head lineage.Head) error {
	b, err := envelope.Open(s.Ring, e)
	if err != nil {
		return err
	}
	if err := Apply(s.Store, b); err != nil {
		return err
	}
	for i := range b.Records {
		head.Tree.Append(b.Records[i].Leaf)
	}
	h := b.Header
	s.tell(&Committed{Block: b})
	s.advance(lineage.Head{Height: h.Height, Hash: b.Hash, View: h.View, Seqno: h.LastSeqno(), Time: h.Time, Tree: head.Tree})
	return nil
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

func (s *Sequencer) tell(c *Committed) {
	for _, f := range s.Followers {
		f.Committed(c)
	}
}

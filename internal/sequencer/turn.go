package sequencer

import (
	"github.com/coco-consortium/coco/internal/consensus"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
)

// Led takes note of a change of leadership; the next step follows it.
func (s *Sequencer) Led(l consensus.Lead) {
	s.mu.Lock()
	s.leading = l.View
	s.mu.Unlock()
	s.signal()
}

// Serving is the view in which this node executes requests, 0 while it does
// not, and a channel that is closed when that changes. All that was committed
// before the view is published by then.
func (s *Sequencer) Serving() (view uint64, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.served, s.turned
}

// turn follows changes of leadership: it leaves a view that ended and begins the
// view that this node may seal in. What was committed before that view is
// published: its first entry is committed behind it.
func (s *Sequencer) turn() {
	s.mu.Lock()
	view := s.leading
	if view != s.opened {
		view = 0 // its first entry is not committed yet
	}
	head := s.head.Clone()
	s.mu.Unlock()
	if view == s.view {
		return
	}
	s.leave()
	if view == 0 {
		return
	}
	s.overtake(head)
	if s.Opening != nil && !s.serving() {
		s.openView(view)
		return
	}
	s.enter(view)
	s.serve()
}

// openView seals the opening record alone in the first block of the first view.
// It cannot be tried again: the ledger may hold it, and then names this node.
func (s *Sequencer) openView(view uint64) {
	if s.begun {
		s.Fail(errOpening)
		return
	}
	s.begun = true
	s.enter(view)
	if err := s.begin(); err != nil {
		s.Fail(err)
		return
	}
	draft, err := s.run(s.open, &Request{Decoded: s.Opening})
	if err != nil {
		s.Fail(err)
		return
	}
	s.open.drafts, s.open.tickets = append(s.open.drafts, draft), append(s.open.tickets, nil)
	s.seal()
}

// enter begins to seal in a view.
func (s *Sequencer) enter(view uint64) {
	s.mu.Lock()
	s.view = view
	s.mu.Unlock()
	s.announce()
}

// leave ends sealing. What is in flight stays there, until consensus decides.
func (s *Sequencer) leave() {
	s.mu.Lock()
	s.view = 0
	s.mu.Unlock()
	s.announce()
	s.abandon(ErrNotCommitted)
	s.recall()
}

// announce makes known in which view requests are executed.
func (s *Sequencer) announce() {
	s.mu.Lock()
	defer s.mu.Unlock()
	view := s.view
	if !s.serving() {
		view = 0
	}
	if view != s.served {
		s.served = view
		close(s.turned)
		s.turned = make(chan struct{})
	}
}

// recall refuses what waits in the queue for a view that is over.
func (s *Sequencer) recall() {
	var over []*Ticket
	s.mu.Lock()
	for range len(s.queue) {
		select {
		case t := <-s.queue:
			if t.request.View != 0 {
				over = append(over, t)
			} else {
				s.queue <- t // only Submit puts into it, and mu is held
			}
		default: // the queue is being emptied for good
		}
	}
	s.mu.Unlock()
	for _, t := range over {
		t.end(ErrNotCommitted)
	}
}

// overtake starts from the committed head, whatever was sealed before.
func (s *Sequencer) overtake(head lineage.Head) {
	s.mu.Lock()
	lost := s.lose()
	s.mu.Unlock()
	s.rollback(head)
	for _, f := range lost {
		f.end(ErrNotCommitted)
	}
}

// lose gives up what is in flight; mu is held.
func (s *Sequencer) lose() []*flight {
	lost := s.flying
	s.flying = nil
	s.history, s.last = s.history.truncate(s.head.Seqno), s.head.Seqno
	s.inFlight.Store(0)
	return lost
}

// rollback brings state, protocols and tail back to a head.
func (s *Sequencer) rollback(head lineage.Head) {
	s.Store.Rollback(head.Height)
	for _, p := range s.Protocols {
		p.Rollback(head.Height)
	}
	s.tail = head
	s.chunkUsed = s.ChunkUsed()
}

// abandon drops the open block. Its requests were never proposed.
func (s *Sequencer) abandon(reason error) {
	b := s.open
	if b == nil {
		return
	}
	s.open = nil
	b.state.Discard()
	for _, p := range s.Protocols {
		p.Rollback(b.slot.Height - 1)
	}
	endAll(b.tickets, reason)
}

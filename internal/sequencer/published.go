package sequencer

import (
	"context"
	"slices"
)

// waiter waits until an entry is published.
type waiter struct {
	index uint64
	done  chan struct{}
}

// Index is the index of the last entry of the log that is published.
func (s *Sequencer) Index() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.index
}

// Published waits until everything up to a log index is published: state,
// followers, status. It gives the context's error, or why the sequencer ended.
func (s *Sequencer) Published(ctx context.Context, index uint64) error {
	s.mu.Lock()
	if s.index >= index {
		s.mu.Unlock()
		return nil
	}
	w := waiter{index, make(chan struct{})}
	s.waiting = append(s.waiting, w)
	s.mu.Unlock()
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		s.forget(w)
		return ctx.Err()
	case <-s.failed:
		s.forget(w)
		return s.Fault()
	}
}

func (s *Sequencer) forget(w waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = slices.DeleteFunc(s.waiting, func(x waiter) bool { return x.done == w.done })
}

// ServeFrom lets a node serve that does not lead: Ready is closed when everything
// up to a log index is published. A node that joins gives the index that the
// network had committed when it joined. A recovering node does not use it: it
// serves when its opening record is committed.
func (s *Sequencer) ServeFrom(index uint64) {
	s.mu.Lock()
	reached := s.index >= index
	if !reached {
		s.from = index
	}
	s.mu.Unlock()
	if reached {
		s.serve()
	}
}

// pass notes that an entry is published.
func (s *Sequencer) pass(index uint64) {
	s.mu.Lock()
	s.index = index
	s.waiting = slices.DeleteFunc(s.waiting, func(w waiter) bool {
		if w.index > index {
			return false
		}
		close(w.done)
		return true
	})
	reached := s.from != 0 && index >= s.from
	if reached {
		s.from = 0
	}
	s.mu.Unlock()
	if reached {
		s.serve()
	}
}

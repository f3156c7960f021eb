package sequencer

import (
	"context"
	"time"
)

// Run steps until the context ends. Requests still queued are then refused as
// not committed; blocks in flight end as consensus decides, see Fail.
func (s *Sequencer) Run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		var wait time.Duration
		for again := true; again && ctx.Err() == nil; {
			wait, again = s.step()
		}
		if wait > 0 {
			timer.Reset(wait)
		} else {
			timer.Stop()
		}
		select {
		case <-ctx.Done():
			s.work.Lock()
			s.leave()
			s.work.Unlock()
			s.refuse(ErrNotCommitted)
			return
		case <-s.wake:
		case <-timer.C:
		}
	}
}

// Step does all that can be done now: it follows leadership, executes what is
// queued and seals what is due. It says after how long it wants to be called
// again if nothing happens before; zero means that only an event gives it work:
// Submit, Led or Committed. It is what Run does between two waits. Called from
// the goroutine that calls those three, without Run, it depends on nothing but
// its calls and Config.Clock.
func (s *Sequencer) Step() time.Duration {
	for {
		if wait, again := s.step(); !again {
			return wait
		}
	}
}

// step executes up to one block and reports whether it sealed one, so that there
// may be more to do.
func (s *Sequencer) step() (wait time.Duration, sealed bool) {
	s.work.Lock()
	defer s.work.Unlock()
	s.turn()
	s.drain()
	if s.due() {
		s.seal()
		return 0, true
	}
	if s.open != nil && len(s.open.drafts) > 0 && s.inFlight.Load() == 0 {
		return max(s.untilPace(), time.Microsecond), false
	}
	return 0, false
}

// drain executes what waits until the block ought to be sealed: it would otherwise
// wait for that block to be durable. When nothing is taken any more, it answers
// what waits.
func (s *Sequencer) drain() {
	fault := s.Fault()
	for fault != nil || s.executing() && !(s.due() && s.late()) {
		select {
		case t := <-s.queue:
			s.execute(t)
		default:
			// A block in which everything was refused is not kept open: its time is
			// fixed, and the next request may come much later.
			if s.open != nil && len(s.open.drafts) == 0 {
				s.abandon(nil)
			}
			s.spare()
			return
		}
	}
	s.spare()
}

// spare tells those who found the queue full that half of it is empty again.
func (s *Sequencer) spare() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.room != nil && len(s.queue) <= cap(s.queue)/2 {
		close(s.room)
		s.room = nil
	}
}

// executing reports whether requests may be executed now.
func (s *Sequencer) executing() bool {
	return s.view != 0 && s.serving() && (s.open == nil || !s.open.full(&s.Limits))
}

// due reports whether the open block is to be sealed now: when the log writer is
// free, though under load not more often than the pace; when it is full, as long
// as few enough blocks are in flight.
func (s *Sequencer) due() bool {
	if s.open == nil || len(s.open.drafts) == 0 {
		return false
	}
	if s.open.full(&s.Limits) {
		return int(s.inFlight.Load()) < s.Limits.InFlight
	}
	return s.inFlight.Load() == 0 && s.untilPace() <= 0
}

// late reports whether the open block is as old as the pace, so that what waits in
// the queue holds it up no longer.
func (s *Sequencer) late() bool {
	age := s.Clock().Sub(s.open.begun)
	return age < 0 || age >= s.Limits.Pace
}

// untilPace is how long the open block is kept back: not at all when the last one had
// a single record, or when the clock was set back since. What a block costs besides its
// records, here and on every node, is worth some milliseconds of many who do not wait.
func (s *Sequencer) untilPace() time.Duration {
	since := s.Clock().Sub(s.sealed)
	if s.company <= 1 || since < 0 {
		return 0
	}
	if s.company >= s.Limits.Crowd && s.open != nil && !s.open.hurried {
		return max(s.Limits.Pace, s.Limits.Patience) - since
	}
	return s.Limits.Pace - since
}

func (s *Sequencer) serving() bool {
	select {
	case <-s.ready:
		return true
	default:
		return false
	}
}

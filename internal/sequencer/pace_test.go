package sequencer

import (
	"testing"
	"time"
)

// TestPaceWithWrongClock sets a clock without a monotonic part back and ahead:
// blocks are kept back for the pace at most, and not for ever.
func TestPaceWithWrongClock(t *testing.T) {
	now := time.Unix(1000, 0)
	s := &Sequencer{Config: Config{Clock: func() time.Time { return now }, Limits: Limits{Pace: time.Millisecond}}}
	s.sealed, s.crowded = now, true
	if wait := s.untilPace(); wait != time.Millisecond {
		t.Fatalf("right after a block: %v", wait)
	}
	for _, jump := range []time.Duration{-time.Hour, -time.Microsecond, time.Millisecond, time.Hour} {
		now = s.sealed.Add(jump)
		if wait := s.untilPace(); wait > 0 {
			t.Errorf("the clock moved by %v: %v", jump, wait)
		}
	}
}

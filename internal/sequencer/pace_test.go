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
	s.sealed, s.company = now, 2
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

// TestPatience keeps back a block for which nobody waits, under load, and no other.
func TestPatience(t *testing.T) {
	now := time.Unix(1000, 0)
	limits := Limits{Pace: time.Millisecond, Patience: 4 * time.Millisecond, Crowd: 8}
	for _, c := range []struct {
		company int
		hurried bool
		want    time.Duration
	}{
		{1, false, 0}, {1, true, 0},
		{7, false, time.Millisecond}, {7, true, time.Millisecond},
		{8, false, 4 * time.Millisecond}, {8, true, time.Millisecond}, {500, false, 4 * time.Millisecond},
	} {
		s := &Sequencer{Config: Config{Clock: func() time.Time { return now }, Limits: limits}, sealed: now, company: c.company, open: &block{hurried: c.hurried}}
		if wait := s.untilPace(); wait != c.want {
			t.Errorf("%+v: %v", c, wait)
		}
	}
}

// TestPatientBlockGathers: a block of requests for which nobody waits is kept back
// after a large one, until its time comes or somebody waits.
func TestPatientBlockGathers(t *testing.T) {
	for _, hurry := range []bool{false, true} {
		m := newMill(t, DefaultLimits.Records)
		m.Limits.Pace = time.Millisecond
		now := time.Now()
		m.Clock = func() time.Time { return now }
		submit := func(patient bool) {
			t.Helper()
			if _, err := m.Submit(&Request{Protocol: "ethereum", Bytes: make([]byte, 176), Patient: patient}); err != nil {
				t.Fatal(err)
			}
		}
		for range DefaultLimits.Crowd {
			submit(true)
		}
		m.Step()
		m.commit(t)
		before := m.blocks
		submit(true)
		if wait := m.Step(); wait != DefaultLimits.Patience {
			t.Errorf("after a large block the next waits for %v", wait)
		}
		now = now.Add(time.Millisecond)
		if m.Step(); m.blocks != before {
			t.Error("a block for which nobody waits was sealed at the pace")
		}
		if hurry {
			submit(false)
		} else {
			now = now.Add(DefaultLimits.Patience)
		}
		if m.Step(); m.blocks != before+1 {
			t.Errorf("hurry %v: %d blocks more", hurry, m.blocks-before)
		}
	}
}

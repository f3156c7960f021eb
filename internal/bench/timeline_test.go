package bench

import (
	"testing"
	"time"
)

func TestTimeline(t *testing.T) {
	const ms = int64(time.Millisecond)
	list := timeline{{at: 10 * ms, due: 5 * ms, n: 2}, {at: 20 * ms, due: 20 * ms, n: 2}, {at: 500 * ms, due: 100 * ms, n: 4}, {at: 510 * ms, due: 505 * ms, n: 2}}
	for _, c := range []struct {
		from, to                  int64 // ms
		silence, waited, gap, max int64 // ms
		rate                      float64
	}{
		{0, 30, 10, 5, 10, 5, 400.0 / 3},
		{15, 600, 480, 400, 480, 400, 8 / 0.585}, // a silence that began before counts whole
		{501, 511, 10, 5, 9, 5, 200},
		{520, 1520, 1010, 0, 1000, 0, 0}, // one that has not ended too
		{30, 400, 380, 0, 370, 0, 0},
	} {
		from, to := c.from*ms, c.to*ms
		var reads moments
		for _, a := range list {
			reads = append(reads, a.at)
		}
		if got := list.waited(from, to); got != time.Duration(c.waited*ms) {
			t.Errorf("%d to %d: waited %v", c.from, c.to, got)
		}
		if got := reads.gap(from, to); got != time.Duration(c.gap*ms) {
			t.Errorf("%d to %d: gap %v", c.from, c.to, got)
		}
		s := list.span(from, to)
		if d := s.CommittedPerSecond - c.rate; s.Max != float64(c.max) || d > 1e-6 || d < -1e-6 {
			t.Errorf("%d to %d: %+v", c.from, c.to, s)
		}
		if got := list.silence(from, to); got != time.Duration(c.silence*ms) {
			t.Errorf("%d to %d: silence %v", c.from, c.to, got)
		}
	}
}

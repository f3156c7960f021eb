package simulation

import "time"

// epoch is when every simulation begins.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// clock is a machine's clock: it may be wrong and run at a wrong rate.
type clock struct {
	schedule *schedule
	offset   time.Duration
	rate     float64 // 1 is right; also stretches the machine's ticks
}

// Now is what the machine believes. Its reading has no monotonic part.
func (c *clock) Now() time.Time { return epoch.Add(c.schedule.now + c.offset) }

// lasts is how long something takes that the machine measures as d.
func (c *clock) lasts(d time.Duration) time.Duration { return time.Duration(float64(d) / c.rate) }

package snapshot

import (
	"context"
	"time"
)

const (
	workSlice = 64 << 10  // of rows between rests, some half a millisecond of a processor
	diskSlice = 256 << 10 // written and synced at once: a commit's sync waits behind it on the disk
	goneSlice = 8 << 20   // of a file that is deleted, which a commit's sync waits for as well
	longRest  = 50 * time.Millisecond
)

// pace lets those who commit have a processor and the disk between small pieces of
// work: a goroutine that goes on for milliseconds holds up whoever wakes up.
type pace struct {
	hurry bool      // no rests
	began time.Time // the piece of work at hand
}

// rest takes as long as the work since the last rest, longRest at most.
func (p *pace) rest(ctx context.Context) error {
	if p.hurry {
		return ctx.Err()
	}
	select {
	case <-time.After(min(time.Since(p.began), longRest)):
	case <-ctx.Done():
		return ctx.Err()
	}
	p.began = time.Now()
	return nil
}

// slice is how much of a frame of so many bytes is written and synced at once.
func (p *pace) slice(frame int) int {
	if p.hurry {
		return frame
	}
	return diskSlice
}
